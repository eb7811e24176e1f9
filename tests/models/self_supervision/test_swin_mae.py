import math

import pytest
import torch
from mmpretrain.structures import DataSample

from mmlandslide.errors import ConfigError
from mmlandslide.models.self_supervision.masked_autoencoder import patchify, unpatchify
from mmlandslide.models.self_supervision.masking import hashed_noise
from mmlandslide.models.self_supervision.swin_mae import ENCODERS, PatchExpanding, SwinMAE

FIVE = tuple('abcde')
STATISTICS = {'mean': [1, 2, 3, 4, 5], 'std': [1, 2, 1, 2, 1]}


def model(bands=FIVE, arch='nano', **options):
    """Return a Swin-MAE over five bands that no table knows."""
    torch.manual_seed(0)
    return SwinMAE(
        backbone={
            'type': 'mmlandslide.SwinTransformer',
            'arch': arch,
            'bands': bands,
            'out_indices': (3,),
            'drop_path_rate': 0.0,
        },
        data_preprocessor={
            'type': 'mmlandslide.TilePreprocessor',
            'bands': bands,
            **(STATISTICS if bands == FIVE else {}),
        },
        **options,
    )


def samples(*keys):
    return [DataSample(metainfo={'sample_key': key}) for key in keys]


def tiles(batch=2, bands=5, size_px=64, seed=3):
    return torch.randn(
        batch, bands, size_px, size_px, generator=torch.Generator().manual_seed(seed)
    )


def test_patch_expanding_puts_the_channels_of_a_token_into_its_own_2_by_2_block():
    expanding = PatchExpanding(2)
    torch.nn.init.constant_(expanding.expansion.weight, 0)
    expanding.expansion.weight.data[:, 0] = torch.tensor(
        [1.0, 2, 3, 4]
    )  # to (0,0) (0,1) (1,0) (1,1)
    expanding.norm = torch.nn.Identity()
    tokens, map_hw = expanding(torch.tensor([[[1.0, 0], [10.0, 0]]]), (1, 2))
    assert map_hw == (2, 4)
    assert tokens.view(2, 4).tolist() == [[1, 2, 10, 20], [3, 4, 30, 40]]


def test_three_quarters_of_the_units_are_masked_whole():
    masked = model().masked_tokens(tiles(), torch.tensor([1, 2]))
    units = (
        masked.view(2, 4, 4, 4, 4).transpose(2, 3).reshape(2, 16, 16)
    )  # (B, units of 16 px, tokens)
    assert torch.equal(units.all(2), units.any(2))
    assert units.all(2).sum(1).tolist() == [12, 12]


def test_the_first_units_in_the_order_of_the_noise_are_masked():
    masked = (
        model().masked_tokens(tiles(1), torch.tensor([7])).view(4, 4, 4, 4)[:, 0, :, 0].flatten()
    )
    order = hashed_noise(torch.tensor([7]), 16)[0].argsort()
    assert masked[order].tolist() == [True] * 12 + [False] * 4


@torch.no_grad()
@pytest.mark.parametrize('norm_target', [False, True])
def test_the_target_of_visible_patches_does_not_count(norm_target, monkeypatch):
    mae, images, keys = model(norm_target=norm_target), tiles(), samples(1, 2)
    plain, target = mae.loss(images, keys), mae.target(images)
    visible = ~mae.masked_tokens(images, torch.tensor([1, 2]))
    monkeypatch.setattr(mae, 'target', lambda _: target + 1000 * visible[..., None])
    assert mae.loss(images, keys) == plain
    monkeypatch.setattr(mae, 'target', lambda _: target + ~visible[..., None])
    assert mae.loss(images, keys)['loss'] != plain['loss']


@torch.no_grad()
@pytest.mark.parametrize('encoder', ENCODERS)
def test_masked_pixels_do_not_influence_the_prediction_and_visible_ones_do(encoder):
    mae, images, keys = model(encoder=encoder), tiles(), torch.tensor([1, 2])
    predicted, masked = mae.reconstruct(images, keys)
    patches = patchify(images, 4)
    hidden = unpatchify(patches + 1e4 * masked[..., None], 4, (64, 64))
    shown = unpatchify(patches + 1e4 * ~masked[..., None], 4, (64, 64))
    assert torch.equal(mae.reconstruct(hidden, keys)[0], predicted)
    assert not torch.allclose(mae.reconstruct(shown, keys)[0], predicted)


@torch.no_grad()
def test_the_loss_is_the_mean_squared_error_of_the_masked_patches():
    mae, images = model(), tiles()
    predicted, masked = mae.reconstruct(images, torch.tensor([1, 2]))
    wanted = [
        (predicted[b, t] - patchify(images, 4)[b, t]).square().mean()
        for b, t in masked.nonzero().tolist()
    ]
    assert mae.loss(images, samples(1, 2))['loss'] == pytest.approx(
        sum(wanted).item() / len(wanted), rel=1e-5
    )


@torch.no_grad()
def test_a_model_that_predicts_each_bands_mean_scores_the_targets_variance(monkeypatch):
    mae, images = model(), tiles() * torch.tensor([1.0, 2, 3, 4, 5]).view(-1, 1, 1) + 7
    masked = mae.masked_tokens(images, torch.tensor([1, 2]))
    by_band = patchify(images, 4)[masked].view(-1, 5)
    means = by_band.mean(0).repeat(16).expand(2, 256, 80)
    monkeypatch.setattr(mae, 'reconstruct', lambda *_: (means, masked))
    found = mae.loss(images, samples(1, 2))
    assert found['loss'] == pytest.approx(found['target_variance'].item(), rel=1e-5)
    # Bands of variance 1, 4, 9, 16, 25: their mean is 11.
    assert found['target_variance'] == pytest.approx(11, rel=0.05)


def test_a_normalised_target_has_mean_0_and_variance_1_in_each_patch():
    target = model(norm_target=True).target(3 * tiles() + 5)
    assert target.mean(-1).abs().max() < 1e-5
    assert target.var(-1).sub(1).abs().max() < 1e-4


def test_a_target_that_is_not_normalised_is_the_tile():
    images = tiles()
    assert torch.equal(unpatchify(model().target(images), 4, (64, 64)), images)


@pytest.mark.parametrize('norm_target', [False, True])
def test_panels_hide_the_masked_patches_and_keep_the_others(norm_target):
    mae, images = model(norm_target=norm_target), tiles()
    panels = mae.panels(images, samples(1, 2))
    masked = mae.masked_tokens(images, torch.tensor([1, 2]))
    hidden = (
        masked.view(2, 1, 16, 16)
        .repeat_interleave(4, 2)
        .repeat_interleave(4, 3)
        .expand(2, 5, 64, 64)
    )
    stored = images * torch.tensor([1.0, 2, 1, 2, 1]).view(-1, 1, 1) + torch.arange(1.0, 6).view(
        -1, 1, 1
    )
    torch.testing.assert_close(panels['original'], stored)
    assert torch.equal(panels['masked'].isnan(), hidden)
    torch.testing.assert_close(panels['masked'][~hidden], stored[~hidden])
    torch.testing.assert_close(panels['reconstruction'][~hidden], stored[~hidden])
    assert not torch.isclose(panels['reconstruction'][hidden], stored[hidden]).all()


@torch.no_grad()
def test_a_perfect_prediction_is_shown_as_the_tile(monkeypatch):
    mae, images = model(norm_target=True), tiles()
    masked = mae.masked_tokens(images, torch.tensor([1, 2]))
    monkeypatch.setattr(mae, 'reconstruct', lambda *_: (mae.target(images), masked))
    panels = mae.panels(images, samples(1, 2))
    torch.testing.assert_close(panels['reconstruction'], panels['original'], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(('size_px', 'unit_px'), [(72, 16), (48, 16), (96, 64), (32, 64)])
def test_a_tile_must_be_a_multiple_of_unit_and_stride(size_px, unit_px):
    with pytest.raises(
        ConfigError,
        match=rf'tile size must be a multiple .*{unit_px} px.*32 px.*got \({size_px}, {size_px}\)',
    ):
        model(unit_px=unit_px).loss(tiles(1, size_px=size_px), samples(1))


@pytest.mark.parametrize('unit_px', [2, 6, 18])
def test_a_unit_must_be_a_multiple_of_the_patch(unit_px):
    with pytest.raises(
        ConfigError, match=rf'unit_px must be a multiple of the patch \(4 px\), got {unit_px}'
    ):
        model(unit_px=unit_px)


@pytest.mark.parametrize('ratio', [0, 1, -0.5, 75])
def test_a_ratio_outside_0_to_1_is_refused(ratio):
    with pytest.raises(ConfigError, match=f'masked_ratio must lie between 0 and 1, got {ratio}'):
        model(masked_ratio=ratio)


@pytest.mark.parametrize('ratio', [0.02, 0.98])
def test_a_ratio_that_masks_no_unit_or_all_of_a_tile_is_refused(ratio):
    with pytest.raises(
        ConfigError, match='some and not all of the 16 units'
    ):  # .02 * 16 rounds to 0, .98 * 16 to 16
        model(masked_ratio=ratio).loss(tiles(), samples(1, 2))


@pytest.mark.parametrize(
    ('arch', 'dims', 'depths'), [('tiny', 96, [2, 2, 6, 2]), ('base', 128, [2, 2, 18, 2])]
)
def test_swin_t_and_swin_b_have_their_published_depths(arch, dims, depths):
    mae = model(bands='all', arch=arch)
    assert [len(stage.blocks) for stage in mae.backbone.stages] == depths
    assert mae.backbone.patch_embed.projection.weight.shape == (dims, 14, 4, 4)
    assert mae.decoder.to_pixels.weight.shape == (16 * 14, dims)
    assert [len(stage.blocks) for stage in mae.decoder.stages] == [2, 2, 2]


@pytest.mark.parametrize('encoder', ENCODERS)
@pytest.mark.parametrize('expandings', [0, 1, None])
def test_the_gradient_reaches_every_parameter(encoder, expandings):
    mae = model(encoder=encoder, decoder_expandings=expandings)
    mae.loss(tiles(), samples(1, 2))['loss'].backward()
    dead = [
        name
        for name, value in mae.named_parameters()
        if value.grad is None or not value.grad.abs().sum()
    ]
    assert not dead


@pytest.mark.parametrize('encoder', ENCODERS)
def test_a_step_of_the_optimiser_lowers_the_loss(encoder):
    mae, images, keys = model(encoder=encoder), tiles(), samples(1, 2)
    optimiser = torch.optim.AdamW(mae.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = mae.loss(images, keys)['loss']
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@torch.no_grad()
def test_the_order_of_the_batch_does_not_matter():
    mae, images = model().eval(), tiles()
    loss, swapped = mae.loss(images, samples(1, 2)), mae.loss(images.flip(0), samples(2, 1))
    assert loss['loss'] == pytest.approx(swapped['loss'].item(), rel=1e-5)


def test_the_mask_token_starts_small_and_not_at_zero():
    mae = model()
    mae.init_weights()
    token = mae.mask_token
    assert 0 < token.std() < 0.04
    assert token.abs().max() <= 2
    assert not math.isclose(token[0, 0, 0].item(), token[0, 0, 1].item())


def test_untrained_patch_expanding_gives_a_token_four_equal_children():
    mae = model()
    mae.init_weights()
    grid, _ = mae.decoder.expandings[0](
        torch.rand(1, 4, 384), (2, 2)
    )  # (1, 16, 192), children of the first token in a 2 x 2 block
    first, other = grid[0, [0, 1, 4, 5]], grid[0, 2]
    assert torch.allclose(first, first[:1].expand(4, -1))
    assert not torch.allclose(first[0], other)


@torch.no_grad()
@pytest.mark.parametrize(('expandings', 'values'), [(3, 4**2 * 5), (1, 16**2 * 5), (0, 32**2 * 5)])
def test_a_lighter_decoder_ends_at_larger_patches_and_predicts_the_same_pixels(expandings, values):
    mae = model(decoder_expandings=expandings)
    predicted, _ = mae.reconstruct(tiles(), torch.tensor([1, 2]))
    assert (len(mae.decoder.stages), mae.decoder.to_pixels.out_features) == (expandings, values)
    assert predicted.shape == (2, 256, 4**2 * 5)


@torch.no_grad()
def test_a_light_decoder_puts_pixels_where_their_tokens_are():
    mae = model(decoder_expandings=0)
    torch.nn.init.zeros_(mae.decoder.to_pixels.weight)
    mae.decoder.to_pixels.bias.copy_(torch.arange(32 * 32 * 5.0))  # pixel by pixel, bands last
    predicted, _ = mae.reconstruct(tiles(), torch.tensor([1, 2]))
    assert unpatchify(predicted, 4, (64, 64))[0, 3, 33, 2] == (1 * 32 + 2) * 5 + 3


@torch.no_grad()
def test_the_mask_token_of_visible_tokens_stands_for_masked_units_and_changes_the_decoded():
    mae, images = model(encoder='visible'), tiles()
    assert mae.mask_token.shape == (1, 1, 192)  # of stage 3, where a unit is one token
    before = mae.reconstruct(images, torch.tensor([1, 2]))[0]
    mae.mask_token.add_(torch.randn(192))
    assert not torch.allclose(mae.reconstruct(images, torch.tensor([1, 2]))[0], before)


def test_both_forms_have_the_same_encoder_so_that_their_checkpoints_serve_the_same_detector():
    one, two = model(), model(encoder='visible')
    assert {name: value.shape for name, value in one.backbone.state_dict().items()} == {
        name: value.shape for name, value in two.backbone.state_dict().items()
    }


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'encoder': 'some'}, r"encoder must be one of \('all', 'visible'\), got 'some'"),
        (
            {'encoder': 'visible', 'unit_px': 12},
            'unit_px must be 4 px times a power of two up to 8 where visible .*, got 12',
        ),
        (
            {'encoder': 'visible', 'unit_px': 64},
            'unit_px must be 4 px times a power of two up to 8 where visible .*, got 64',
        ),
        ({'decoder_expandings': 4}, 'decoder_expandings must lie between 0 and 3, got 4'),
    ],
)
def test_an_argument_that_cannot_be_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        model(**options)


@pytest.mark.parametrize('encoder', ENCODERS)
def test_a_step_in_bfloat16_agrees_with_one_in_single_precision(encoder):
    mae, images, keys = model(encoder=encoder), tiles(), samples(1, 2)
    with torch.autocast('cpu', torch.bfloat16):
        short = mae.loss(images, keys)['loss']
    short.backward()
    assert short.item() == pytest.approx(mae.loss(images, keys)['loss'].item(), rel=0.02)
    assert all(value.grad.isfinite().all() for value in mae.parameters())


@pytest.mark.slow  # compiles C++ for minutes
def test_a_compiled_step_has_the_gradients_of_a_plain_one():
    mae, images = model(encoder='visible'), tiles()
    compiled = torch.compile(mae.loss)
    for keys in (samples(1, 2), samples(3, 4)):  # other masks: other numbers of tokens a window
        found = {}
        for name, loss in (('plain', mae.loss), ('compiled', compiled)):
            mae.zero_grad()
            loss(images, keys)['loss'].backward()
            found[name] = [value.grad.clone() for value in mae.parameters()]
        for one, two in zip(found['plain'], found['compiled'], strict=True):
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ('backbone', 'got'),
    [
        (
            {'type': 'mmlandslide.SwinTransformer', 'arch': 'nano', 'out_indices': (0, 1, 2, 3)},
            r'SwinTransformer with .*0, 1, 2, 3',
        ),
        (
            {'type': 'mmlandslide.SwinTransformer', 'arch': 'nano', 'out_indices': (2,)},
            r'SwinTransformer with .*\(2,\)',
        ),
        ({'type': 'mmlandslide.VisionTransformer', 'arch': 'deit-tiny'}, 'VisionTransformer with'),
    ],
)
def test_a_backbone_that_it_cannot_train_is_refused(backbone, got):
    with pytest.raises(
        ConfigError,
        match=f'be an mmlandslide SwinTransformer that taps its last stage alone, got {got}',
    ):
        SwinMAE(
            {**backbone, 'bands': 'rgb'}, {'type': 'mmlandslide.TilePreprocessor', 'bands': 'rgb'}
        )
