import json
from contextlib import nullcontext

import pytest
import torch
from factories import evaluated, randomised
from mmpretrain.models import backbones as host
from safetensors.torch import save_file

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.errors import BandError, CheckpointMismatchError, ConfigError
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.backbones.inverted_residuals import EfficientNet
from mmlandslide.models.backbones.swin_transformer import SwinTransformer
from mmlandslide.models.backbones.vision_transformer import VisionTransformer
from mmlandslide.weights.bridge import load_pretrained

NANO = SwinTransformer.arch_zoo['nano']
TINY_VIT = {'embed_dims': 16, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 32}


def swin(bands='rgb', **options):
    return evaluated(
        SwinTransformer(**{'arch': 'nano', 'bands': bands, 'out_indices': (0, 1, 2, 3), **options})
    )


def vit(bands='photograph', size_px=32, **options):
    return evaluated(
        VisionTransformer(arch=TINY_VIT, img_size=size_px, patch_size=8, bands=bands, **options)
    )


def resnet(bands='photograph', **options):
    return evaluated(
        ResNet(**{'depth': 18, 'bands': bands, 'out_indices': (0, 1, 2, 3), **options})
    )


def save(path, model, **nest):
    """Write a model's state dict and return the file's name."""
    torch.save({**nest, 'state_dict': model.state_dict()} if nest else model.state_dict(), path)
    return str(path)


def changed(path, change):
    """Apply a change to a saved state dict, in the file."""
    state = dict(torch.load(path, weights_only=True))
    change(state)
    torch.save(state, path)
    return str(path)


def close(one, two):
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


# The old spelling of what is ours.


@torch.no_grad()
def test_mmpretrain_swin_of_the_old_spelling_gives_equal_features(tmp_path):
    theirs = randomised(host.SwinTransformer(arch=NANO, window_size=2))
    ours, x = swin('photograph', window_size=2, out_indices=(3,)), torch.rand(1, 3, 64, 64)

    def old(state):
        state['stages.0.blocks.1.attn.attn_mask'] = torch.zeros(4, 4, 4)
        state['norm.weight'], state['norm.bias'] = (
            state.pop('norm3.weight'),
            state.pop('norm3.bias'),
        )

    report = load_pretrained(ours, changed(save(tmp_path / 'old.pth', theirs), old))
    close(ours(x)[0], theirs(x)[0])
    assert (report.source, report.unexpected, report.names('missing')) == (
        'MMPretrain Swin',
        [],
        [],
    )


# Files.


def test_safetensors_are_read(tmp_path):
    theirs, ours = resnet(), resnet()
    save_file(theirs.state_dict(), tmp_path / 'r18.safetensors')
    load_pretrained(ours, str(tmp_path / 'r18.safetensors'))
    assert torch.equal(ours.layer3[1].conv2.weight, theirs.layer3[1].conv2.weight)


def test_a_checkpoint_of_ours_carries_its_bands_and_all_that_it_has_seen(tmp_path):
    theirs, ours = resnet(bands='all'), resnet(bands=('B8', 'B4'))
    own = {
        'bands': LANDSLIDE4SENSE,
        'tile_ids': ['l:2', 'l:1'],
        'lineage': {'tile_ids': ['l:1', 'l:0']},
        'config': 'mae.py',
    }
    state = {f'backbone.{key}': value for key, value in theirs.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'mmlandslide': own}}, tmp_path / 'epoch_1.pth')
    report = load_pretrained(ours, str(tmp_path / 'epoch_1.pth'))
    assert report.lineage['tile_ids'] == ['l:0', 'l:1', 'l:2']
    assert (report.lineage['config'], report.lineage['carried']) == ('mae.py', 1)
    assert torch.equal(ours.conv1.weight, theirs.conv1.weight[:, [7, 3]])


def test_a_backbone_loads_when_it_is_initialised_and_not_before(tmp_path):
    theirs = resnet()
    path = save(tmp_path / 'a.pth', theirs, meta={'mmlandslide': {'tile_ids': ['l:5']}})
    ours = resnet(pretrained={'checkpoint': path})
    assert not torch.equal(ours.conv1.weight, theirs.conv1.weight)
    ours.init_weights()
    assert torch.equal(ours.conv1.weight, theirs.conv1.weight)
    assert ours.lineage['tile_ids'] == ['l:5']


# What does not fit is refused.


def test_one_renamed_key_is_named_in_the_refusal(tmp_path):
    def rename(state):
        state['layer2.0.conv_one.weight'] = state.pop('layer2.0.conv1.weight')

    path = changed(save(tmp_path / 'a.pth', resnet()), rename)
    with pytest.raises(
        CheckpointMismatchError,
        match=r'1 parameters missing, such as \[.layer2\.0\.conv1\.weight.\]',
    ):
        load_pretrained(resnet(), path)


def test_a_deeper_checkpoint_is_refused_by_its_first_block_too_many(tmp_path):
    path = save(tmp_path / 'a.pth', resnet(depth=34))
    # 8 blocks more, of two convolutions and two norms with four tensors each: 8 * 10.
    with pytest.raises(
        CheckpointMismatchError,
        match=r'80 parameters more than the backbone has, such as \[.layer1\.2\.conv1',
    ):
        load_pretrained(resnet(), path)
    with pytest.raises(
        CheckpointMismatchError, match=r'must be of this architecture, got 80 parameters more'
    ):
        load_pretrained(resnet(), path, min_matched=0.9)


@pytest.mark.parametrize('min_matched', [0, -1, 95, '0.9'])
def test_a_share_that_is_none_is_refused(tmp_path, min_matched):
    with pytest.raises(
        ConfigError, match=rf'min_matched must lie in \(0, 1\], got {min_matched!r}'
    ):
        load_pretrained(resnet(), str(tmp_path / 'absent.pth'), min_matched=min_matched)


@pytest.mark.parametrize(('own', 'fits'), [({}, False), ({'version': '1.0'}, True)])
def test_a_record_excuses_a_missing_norm_only_where_convert_wrote_it(tmp_path, own, fits):
    state = {
        name: value.contiguous()
        for name, value in swin().state_dict().items()
        if not name.startswith('norm3')
    }
    save_file(
        state,
        tmp_path / 'a.safetensors',
        {'mmlandslide': json.dumps({'source': 'Swin-MAE', **own})},
    )
    with (
        nullcontext()
        if fits
        else pytest.raises(CheckpointMismatchError, match=r'2 parameters missing.*norm3\.weight')
    ):
        assert load_pretrained(swin(), str(tmp_path / 'a.safetensors')).names('new by design') == [
            'norm3.weight',
            'norm3.bias',
        ]


def test_a_record_does_not_excuse_half_a_norm(tmp_path):
    state = {
        name: value.contiguous()
        for name, value in swin().state_dict().items()
        if name != 'norm3.bias'
    }
    save_file(
        state,
        tmp_path / 'a.safetensors',
        {'mmlandslide': json.dumps({'source': 'Swin-MAE', 'version': '1.0'})},
    )
    with pytest.raises(CheckpointMismatchError, match=r'1 parameters missing.*norm3\.bias'):
        load_pretrained(swin(), str(tmp_path / 'a.safetensors'))


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        (
            lambda: swin(
                arch={'embed_dims': 64, 'depths': [2, 2, 2, 2], 'num_heads': [4, 8, 16, 32]}
            ),
            swin,
        ),
        (lambda: swin(arch={**NANO, 'depths': [2, 2, 4, 2]}), swin),
        (swin, lambda: swin(arch={**NANO, 'depths': [2, 2, 4, 2]})),
        (lambda: resnet(depth=34), resnet),
        (resnet, lambda: resnet(depth=34)),
        (resnet, swin),
        (swin, resnet),
        (vit, swin),
        (lambda: vit(), lambda: vit(size_px=32, pre_norm=True)),
    ],
    ids=[
        'wider',
        'deeper',
        'shallower',
        'R34 to R18',
        'R18 to R34',
        'ResNet to Swin',
        'Swin to ResNet',
        'ViT to Swin',
        'pre-norm',
    ],
)
def test_another_architecture_is_refused(tmp_path, theirs, ours):
    with pytest.raises(CheckpointMismatchError):
        load_pretrained(ours(), save(tmp_path / 'a.pth', theirs()))


def test_a_wider_swin_is_refused_with_both_shapes(tmp_path):
    wide = swin(arch={'embed_dims': 64, 'depths': [2, 2, 2, 2], 'num_heads': [4, 8, 16, 32]})
    with pytest.raises(
        CheckpointMismatchError, match=r'checkpoint \(64, 3, 4, 4\), backbone \(48, 3, 4, 4\)'
    ):
        load_pretrained(swin(), save(tmp_path / 'a.pth', wide))


def test_keys_of_nobody_are_refused(tmp_path):
    torch.save({'weight': torch.ones(1)}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointMismatchError, match=r"keys such as \['weight'\]"):
        load_pretrained(resnet(), str(tmp_path / 'a.pth'))


def test_a_source_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"weights source must be 'auto' or one of .*got 'timm'"):
        load_pretrained(resnet(), save(tmp_path / 'a.pth', resnet()), source='timm')


def test_a_source_can_be_named(tmp_path):
    path, name = save(tmp_path / 'a.pth', resnet()), 'ResNet of torchvision or MMPretrain'
    assert load_pretrained(resnet(), path, source=name).carried == 1
    with pytest.raises(CheckpointMismatchError):
        load_pretrained(swin(), path, source='MMPretrain Swin')


def test_only_an_explicit_share_accepts_a_loss(tmp_path):
    theirs, ours = resnet(), resnet()
    path = changed(
        save(tmp_path / 'a.pth', theirs), lambda state: state.pop('layer4.1.conv2.weight')
    )
    # That kernel has 512 * 512 * 9 of the 11,186,112 values: 21.09 %.
    with pytest.raises(
        CheckpointMismatchError, match=r'must carry 80.00% of the backbone, got 78.91%'
    ):
        load_pretrained(ours, path, min_matched=0.8)
    report = load_pretrained(ours, path, min_matched=0.75)
    assert report.names('missing') == ['layer4.1.conv2.weight']
    assert report.carried == pytest.approx(1 - 512 * 512 * 9 / 11186112)
    assert torch.equal(ours.layer1[0].conv1.weight, theirs.layer1[0].conv1.weight)


def test_norms_of_tapped_stages_are_new_by_design_and_the_last_is_not(tmp_path):
    ours = swin()
    report = load_pretrained(ours, save(tmp_path / 'a.pth', swin(out_indices=(3,))))
    assert report.names('new by design') == [
        f'norm{stage}.{part}' for stage in range(3) for part in ('weight', 'bias')
    ]
    assert report.carried == 1
    path = changed(tmp_path / 'a.pth', lambda state: state.pop('norm3.bias'))
    with pytest.raises(CheckpointMismatchError, match=r'norm3\.bias'):
        load_pretrained(ours, path)


def test_taps_that_ours_does_not_have_are_reported_and_accepted(tmp_path):
    report = load_pretrained(swin(out_indices=(3,)), save(tmp_path / 'a.pth', swin()))
    assert report.spare == [
        f'norm{stage}.{part}' for stage in range(3) for part in ('weight', 'bias')
    ]


def test_a_key_that_no_list_accounts_for_is_refused(tmp_path):
    def add(state):
        state['layers.0.ls1.gamma'] = torch.ones(16)

    path = changed(save(tmp_path / 'a.pth', vit()), add)
    with pytest.raises(
        CheckpointMismatchError,
        match=r"1 parameters more than the backbone has, such as \['layers\.0\.ls1\.gamma'\]",
    ):
        load_pretrained(vit(), path)


def test_another_kind_of_model_is_named_in_the_refusal(tmp_path):
    with pytest.raises(
        CheckpointMismatchError,
        match=r"must be of a SwinTransformer, got 0.00% of it from 'ResNet of",
    ):
        load_pretrained(swin(), save(tmp_path / 'a.pth', resnet()))


def test_a_classifier_beside_the_backbone_is_accepted(tmp_path):
    def add(state):
        state['head.fc.weight'] = torch.ones(2, 16)

    assert load_pretrained(vit(), changed(save(tmp_path / 'a.pth', vit()), add)).dropped == [
        'head.fc.weight'
    ]


# What is resized.


def test_bias_tables_of_another_window_are_resized(tmp_path):
    theirs, ours = randomised(swin(window_size=7)), swin(window_size=8)
    report = load_pretrained(ours, save(tmp_path / 'a.pth', theirs))
    assert len(report.names('resized')) == 8  # two blocks in each of four stages
    assert report.names('missing') == []
    old = theirs.stages[0].blocks[0].attn.w_msa.relative_position_bias_table.view(13, 13, 3)
    new = ours.stages[0].blocks[0].attn.w_msa.relative_position_bias_table.view(15, 15, 3)
    for row in (0, 7, 14):  # corners, edges' middles and centre stay where they were
        for column in (0, 7, 14):
            close(new[row, column], old[row * 12 // 14, column * 12 // 14])


def test_position_embeddings_are_resized_and_the_class_token_kept(tmp_path):
    theirs, ours = randomised(vit(size_px=32)), vit(size_px=64)
    down = torch.arange(4.0).repeat_interleave(4)  # a ramp down the 4 x 4 grid
    theirs.pos_embed.data[0, 1:] = down[:, None]
    report = load_pretrained(ours, save(tmp_path / 'a.pth', theirs))
    assert report.names('resized') == ['pos_embed']
    close(ours.pos_embed[0, 0], theirs.pos_embed[0, 0])
    grid = ours.pos_embed[0, 1:].view(8, 8, 16)
    close(grid[:, 0], grid[:, 7])
    # Pixel centres: row 3 of 8 lies at 3.5 / 2 - .5 = 1.25 of the old rows.
    assert grid[3, 0, 0].item() == pytest.approx(1.25, abs=0.05)


# Bands.


@torch.no_grad()
def test_a_zero_stem_gives_the_features_of_the_three_bands(tmp_path):
    theirs, ours = randomised(resnet()), resnet(bands='all')
    report = load_pretrained(ours, save(tmp_path / 'a.pth', theirs), stem='zero')
    tile = torch.rand(1, 14, 64, 64)
    close(ours(tile)[-1], theirs(tile[:, [3, 2, 1]])[-1])  # B4, B3, B2 show R, G, B
    assert report.names('widened') == ['conv1.weight']


@torch.no_grad()
@pytest.mark.parametrize(
    'make', [resnet, swin, vit, lambda bands: evaluated(EfficientNet(arch='b0', bands=bands))]
)
def test_every_backbone_widens_its_own_stem(tmp_path, make):
    theirs, ours = make('photograph'), make(('DEM', 'B2', 'B3', 'B4'))
    report = load_pretrained(ours, save(tmp_path / 'a.pth', theirs))
    assert report.names('widened') == [ours.stem_name]
    given, found = (model.state_dict()[ours.stem_name] for model in (theirs, ours))
    close(found, torch.cat([given.mean(1, keepdim=True), given.flip(1)], 1))


def test_bands_of_a_foreign_stem_can_be_stated(tmp_path):
    path = save(tmp_path / 'a.pth', resnet(bands=tuple('abcde')))
    with pytest.raises(BandError, match=r'pretrained\.source_bands'):
        load_pretrained(resnet(bands='rgb'), path)
    ours = resnet(bands='rgb')
    load_pretrained(ours, path, source_bands=('B8', 'B4', 'B3', 'B2', 'DEM'))
    assert torch.equal(
        ours.conv1.weight, torch.load(path, weights_only=True)['conv1.weight'][:, 1:4]
    )


def test_thirteen_bands_of_sentinel_2_lose_b8a_and_gain_terrain(tmp_path):
    theirs, ours = resnet(bands='s2_l1c'), resnet(bands='all')
    report = load_pretrained(ours, save(tmp_path / 'a.pth', theirs))
    assert report.names('widened') == ['conv1.weight']
    assert torch.equal(
        ours.conv1.weight[:, :12], theirs.conv1.weight[:, [*range(8), *range(9, 13)]]
    )
    # Slope and DEM share the mean over the thirteen.
    close(
        ours.conv1.weight[:, 12:], theirs.conv1.weight.mean(1, keepdim=True).repeat(1, 2, 1, 1) / 2
    )


@torch.no_grad()
@pytest.mark.parametrize('make', [resnet, lambda bands: vit(bands)], ids=['ResNet', 'ViT'])
def test_thirteen_bands_with_an_empty_b8a_give_equal_features_on_fourteen(tmp_path, make):
    theirs, ours = randomised(make('s2_l1c')), make('all')
    theirs.get_parameter(theirs.stem_name)[:, 8] = 0
    load_pretrained(ours, save(tmp_path / 'a.pth', theirs), stem='zero')
    tile = torch.randn(1, 14, 32, 32)
    b8a = torch.full((1, 1, 32, 32), 9.0)  # whatever it holds
    close(ours(tile)[-1], theirs(torch.cat([tile[:, :8], b8a, tile[:, 8:12]], 1))[-1])


def test_the_same_number_of_other_bands_does_not_pass_as_the_same(tmp_path):
    theirs, ours = resnet(bands='photograph'), resnet(bands=('B2', 'B3', 'B4'))
    load_pretrained(ours, save(tmp_path / 'a.pth', theirs))
    assert torch.equal(ours.conv1.weight, theirs.conv1.weight.flip(1))
