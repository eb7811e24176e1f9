import pytest
import torch
from factories import evaluated, randomised
from foreign.satmae import BANDS, GROUPS, SatMae, ours_satmae

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.errors import BandError, CheckpointMismatchError, ConfigError
from mmlandslide.models.backbones.satmae import SatMAEViT
from mmlandslide.weights.bridge import load_pretrained

WITH_TERRAIN = [*GROUPS, ['slope', 'DEM']]
#: Where the bands of the groups are in a Landslide4Sense tile, B8 in the place of B8A.
PLACES = [1, 2, 3, 7, 4, 5, 6, 7, 10, 11]


@pytest.fixture(scope='module')
def theirs():
    return randomised(SatMae())


@pytest.fixture
def published(theirs, tmp_path):
    torch.save({'model': theirs.state_dict()}, tmp_path / 'pretrain-vit-e199.pth')
    return str(tmp_path / 'pretrain-vit-e199.pth')


def loaded(path, **options):
    ours = evaluated(ours_satmae(**options))
    return ours, load_pretrained(ours, path)


def close(one, two):
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_b8_stands_in_for_b8a_in_a_landslide4sense_tile(theirs, published):
    ours, tile = loaded(published, bands='all')[0], torch.randn(2, 14, 32, 32)
    close(ours(tile)[0], theirs(tile[:, PLACES]))


@torch.no_grad()
def test_a_column_without_a_substitute_is_dropped(theirs, published):
    ours, tile = (
        loaded(published, bands='all', substitutes={'B8A': None})[0],
        torch.randn(2, 14, 32, 32),
    )
    without = tile[:, PLACES]
    without[:, 7] = 0
    close(ours(tile)[0], theirs(without))


@torch.no_grad()
def test_a_band_that_the_input_has_needs_no_substitute(theirs, published):
    ours, tile = loaded(published, bands=('B8A', *LANDSLIDE4SENSE))[0], torch.randn(1, 15, 32, 32)
    places = [place + 1 for place in PLACES]
    places[7] = 0
    close(ours(tile)[0], theirs(tile[:, places]))


@torch.no_grad()
def test_a_map_averages_or_concatenates_the_groups_of_a_position(theirs, published):
    tokens = theirs(tile := torch.randn(2, 10, 32, 32))[:, 1:].view(
        2, 3, 4, 4, 16
    )  # (B, G, h, w, D)
    average = loaded(published, out_type='featmap')[0](tile)[0]
    both = loaded(published, out_type='featmap', fuse='concatenate')[0](tile)[0]
    assert (average.shape, both.shape) == ((2, 16, 4, 4), (2, 48, 4, 4))
    close(average[1, :, 3, 0], tokens[1, :, 3, 0].mean(0))
    close(both[1, 16:32, 0, 3], tokens[1, 1, 0, 3])


@pytest.mark.parametrize(
    ('side_px', 'stride', 'map_hw'),
    [(32, 8, (4, 4)), (64, 16, (4, 4)), (72, 16, (5, 5)), (96, 8, (12, 12))],
)
def test_a_token_covers_the_stride_and_tiles_are_of_any_size(side_px, stride, map_hw):
    ours = evaluated(ours_satmae(out_type='featmap', stride=stride))
    assert ours(torch.randn(1, 10, side_px, side_px))[0].shape == (1, 16, *map_hw)


@torch.no_grad()
def test_a_stride_of_two_patches_sees_an_enlarged_tile_as_it_was(theirs, published):
    ours, tile = loaded(published, stride=16)[0], torch.randn(1, 10, 32, 32)
    close(ours(tile.repeat_interleave(2, 2).repeat_interleave(2, 3))[0], theirs(tile))


@torch.no_grad()
def test_positions_are_interpolated_and_codes_are_not(published):
    ours = loaded(published)[0]
    zeroed = [each.projection for each in ours.patch_embed.values()]
    for projection in zeroed:
        torch.nn.init.zeros_(projection.weight)
        torch.nn.init.zeros_(projection.bias)
    tokens, map_hw = ours.embed(torch.zeros(1, 10, 64, 64))
    assert (map_hw, tokens.shape) == ((8, 8), (1, 1 + 3 * 64, 16))
    close(tokens[0, 1:65, 12:], ours.patch_embed['B2-B3-B4-B8'].channel_embed[0].expand(64, -1))
    close(tokens[0, 1:65, :12], tokens[0, 65:129, :12])
    assert tokens[0, 1:65, :12].std(0).min() > 0


def test_a_group_of_other_bands_is_new_by_design_and_outside_the_percentage(published):
    report = loaded(published, bands='all', groups=WITH_TERRAIN)[1]
    terrain = [
        f'patch_embed.slope-DEM.{name}'
        for name in ('channel_embed', 'projection.weight', 'projection.bias')
    ]
    assert (report.names('new by design'), report.carried) == (terrain, 1)


def test_the_decoder_of_a_pre_training_is_dropped_by_list(theirs, published):
    report = loaded(published)[1]
    assert report.dropped == [
        key for key in theirs.state_dict() if key.startswith('decoder_') or key == 'mask_token'
    ]
    # Token, two tables; embedding, norm and three heads of two each; a block of twelve: 3 + 10 +
    # 12.
    assert len(report.dropped) == 25


def test_a_group_that_is_not_asked_for_is_spare(published):
    report = loaded(published, groups=GROUPS[:1], bands=tuple(GROUPS[0]))[1]
    assert len(report.spare) == 2 * 3
    assert report.carried == 1


def test_a_published_group_without_one_of_its_bands_is_refused(published):
    with pytest.raises(
        CheckpointMismatchError, match=r"3 parameters missing, such as \['patch_embed\.B2-B3-B4\."
    ):
        loaded(published, groups=[['B2', 'B3', 'B4'], *GROUPS[1:]])


def test_every_band_of_every_group_reaches_the_map_and_no_other_does():
    ours = randomised(ours_satmae(bands='all', groups=WITH_TERRAIN, out_type='featmap'))
    tile = torch.randn(1, 14, 32, 32, requires_grad=True)
    ours(tile)[0].square().sum().backward()
    silent = [
        name for name, grad in zip(LANDSLIDE4SENSE, tile.grad[0], strict=True) if not grad.any()
    ]
    assert silent == ['B1', 'B9', 'B10']


def test_a_random_start_tells_the_groups_apart():
    ours = ours_satmae()
    ours.init_weights()
    codes = [each.channel_embed for each in ours.patch_embed.values()]
    assert not torch.equal(codes[0], codes[1])
    assert 0 < torch.cat(codes).std() < 0.05


def test_a_checkpoint_of_another_size_resumes_with_its_positions_resized():
    ours = ours_satmae(img_size=64)
    ours.load_state_dict(ours_satmae().state_dict())
    assert ours.pos_embed.shape == (1, 65, 12)


def test_frozen_stages_freeze_the_patches_and_codes_of_groups():
    ours = ours_satmae(frozen_stages=1)
    frozen = {name for name, parameter in ours.named_parameters() if not parameter.requires_grad}
    assert {
        'pos_embed',
        'cls_token',
        'patch_embed.B11-B12.channel_embed',
        'layers.0.ln1.weight',
    } <= frozen
    assert not any(name.startswith('layers.1.') for name in frozen)


@pytest.mark.parametrize(
    ('options', 'error', 'said'),
    [
        (
            {'bands': 'rgb'},
            BandError,
            r"bands must hold 'B8', which a group looks at, got \('B4', 'B3', 'B2'\)",
        ),
        (
            {'bands': 's2', 'substitutes': {'B8A': 'B13'}},
            BandError,
            r"must hold 'B13', which stands in for B8A",
        ),
        (
            {'bands': 's2', 'substitutes': {}},
            BandError,
            r"must hold 'B8A'.*substitutes=dict\(B8A=\.\.\.\)",
        ),
        ({'groups': []}, ConfigError, 'groups must be at least one'),
        ({'groups': [GROUPS[0], GROUPS[0]]}, ConfigError, 'none given twice'),
        ({'groups': [['B2', 'B2']]}, BandError, 'none twice'),
        (
            {'fuse': 'sum'},
            ConfigError,
            r"fuse must be one of \['average', 'concatenate'\], got 'sum'",
        ),
        ({'channel_dims': 16}, ConfigError, 'channel_dims must be less than the width 16, got 16'),
    ],
)
def test_what_cannot_be_built_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        ours_satmae(**options)


#: Of the published pre-training files, one block of the encoder.
BLOCK = {
    'norm1.weight': (768,),
    'norm1.bias': (768,),
    'attn.qkv.weight': (2304, 768),
    'attn.qkv.bias': (2304,),
    'attn.proj.weight': (768, 768),
    'attn.proj.bias': (768,),
    'norm2.weight': (768,),
    'norm2.bias': (768,),
    'mlp.fc1.weight': (3072, 768),
    'mlp.fc1.bias': (3072,),
    'mlp.fc2.weight': (768, 3072),
    'mlp.fc2.bias': (768,),
}
ENCODER = {
    'cls_token': (1, 1, 768),
    'pos_embed': (1, 145, 512),
    'channel_embed': (1, 3, 256),
    'patch_embed.0.proj.weight': (768, 4, 8, 8),
    'patch_embed.0.proj.bias': (768,),
    'patch_embed.1.proj.weight': (768, 4, 8, 8),
    'patch_embed.1.proj.bias': (768,),
    'patch_embed.2.proj.weight': (768, 2, 8, 8),
    'patch_embed.2.proj.bias': (768,),
    'norm.weight': (768,),
    'norm.bias': (768,),
}


@pytest.mark.parametrize('blocks', [1, pytest.param(12, marks=pytest.mark.slow)])
def test_exactly_the_published_keys_and_shapes_fill_satmae_base(blocks, tmp_path):
    shapes = {
        **ENCODER,
        **{
            f'blocks.{index}.{key}': shape
            for index in range(blocks)
            for key, shape in BLOCK.items()
        },
    }
    torch.save(
        {'model': {key: torch.zeros(shape) for key, shape in shapes.items()}},
        tmp_path / 'pretrain-vit-base-e199.pth',
    )
    arch = {**SatMAEViT.arch_zoo['base'], 'num_layers': blocks}
    report = load_pretrained(
        SatMAEViT(arch=arch, bands='all'), str(tmp_path / 'pretrain-vit-base-e199.pth')
    )
    assert (report.share('matched'), report.unexpected, report.spare, report.dropped) == (
        1,
        [],
        [],
        [],
    )
    assert len(report.numel) == len(shapes) + 2  # the three codes are one table there


def test_the_groups_of_the_reference_are_the_published_ones():
    assert ours_satmae(bands=BANDS).stem_name is None
    assert [list(group) for group in ours_satmae().groups] == GROUPS
