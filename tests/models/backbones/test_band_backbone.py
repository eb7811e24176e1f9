import pytest
import torch
from factories import evaluated
from mmpretrain.models import backbones as host

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.errors import BandError, ConfigError
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.backbones.swin_transformer import SwinTransformer
from mmlandslide.models.backbones.vision_transformer import VisionTransformer

FIVE = tuple('abcde')
TINY_VIT = {'embed_dims': 16, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 32}
#: class, arguments, (channels, side) of each map at 64 px
CASES = [
    (ResNet, {'depth': 18, 'out_indices': (0, 1, 2, 3)}, [(64, 16), (128, 8), (256, 4), (512, 2)]),
    (
        SwinTransformer,
        {'arch': 'nano', 'out_indices': (0, 1, 2, 3)},
        [(48, 16), (96, 8), (192, 4), (384, 2)],
    ),
    (
        VisionTransformer,
        {'arch': TINY_VIT, 'img_size': 64, 'patch_size': 16, 'out_type': 'featmap'},
        [(16, 4)],
    ),
]


@torch.no_grad()
@pytest.mark.parametrize('bands', ['all', FIVE, 'rgb'])
@pytest.mark.parametrize(
    ('kind', 'options', 'maps'), CASES, ids=lambda case: getattr(case, '__name__', None)
)
def test_any_bands_give_the_maps_of_each_stage(kind, options, maps, bands):
    backbone = evaluated(kind(bands=bands, **options))
    count = {'all': 14, 'rgb': 3}.get(bands, 5)
    out = backbone(torch.rand(1, count, 64, 64))
    assert [tuple(each.shape) for each in out] == [
        (1, channels, side, side) for channels, side in maps
    ]
    assert backbone.state_dict()[kind.stem_name].shape[1] == count


@pytest.mark.parametrize(
    ('kind', 'options', 'maps'), CASES, ids=lambda case: getattr(case, '__name__', None)
)
def test_a_backbone_keeps_its_bands_by_name(kind, options, maps):
    assert kind(bands=('B8', 'terrain'), **options).bands == ('B8', 'slope', 'DEM')


def test_a_backbone_looks_at_all_bands_unless_told():
    assert ResNet(depth=18).bands == LANDSLIDE4SENSE


def test_every_band_matters_to_every_backbone():
    for kind, options, _ in CASES:
        backbone = evaluated(kind(bands=FIVE, **options))
        x = torch.rand(1, 5, 64, 64, requires_grad=True)
        backbone(x)[-1].square().sum().backward()
        assert (x.grad.abs().sum((0, 2, 3)) > 0).all(), kind


def test_a_band_named_twice_is_refused():
    with pytest.raises(BandError, match='none twice'):
        ResNet(bands=('B4', 'rgb'), depth=18)


@torch.no_grad()
def test_over_three_bands_each_class_computes_what_mmpretrain_does():
    x = torch.rand(1, 3, 64, 64)
    for kind, options, _ in CASES[:1] + CASES[2:]:
        ours, theirs = (
            evaluated(kind(bands='rgb', **options)),
            evaluated(getattr(host, kind.__name__)(**options)),
        )
        theirs.load_state_dict(ours.state_dict())
        for one, two in zip(ours(x), theirs(x), strict=True):
            torch.testing.assert_close(one, two)


@torch.no_grad()
def test_swin_computes_what_mmpretrain_does_where_every_map_is_a_multiple_of_the_window():
    options = {
        'arch': SwinTransformer.arch_zoo['nano'],
        'window_size': 2,
        'out_indices': (0, 1, 2, 3),
    }
    ours, theirs = (
        evaluated(SwinTransformer(bands='rgb', **options)),
        evaluated(host.SwinTransformer(**options)),
    )
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(1, 3, 64, 64)
    for one, two in zip(ours(x), theirs(x), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_swin_with_absolute_positions_runs_at_another_size():
    backbone = evaluated(
        SwinTransformer(arch='nano', bands=FIVE, use_abs_pos_embed=True, img_size=64)
    )
    assert backbone(torch.rand(1, 5, 96, 96))[0].shape == (1, 384, 3, 3)


@torch.no_grad()
def test_masked_pixels_do_not_reach_the_features():
    backbone = evaluated(SwinTransformer(arch='nano', bands=FIVE))
    masked = torch.zeros(1, 16, 16, dtype=torch.bool)
    masked[:, 4:8, 8:] = True  # tokens of 4 px
    x, token = torch.rand(1, 5, 64, 64), torch.rand(1, 1, 48)
    other = x.clone()
    other[..., 16:32, 32:] = 1e6
    first, second = (
        backbone(image, masked=masked.flatten(1), mask_token=token)[0] for image in (x, other)
    )
    assert torch.equal(first, second)
    other[..., 15, 32] += 1  # one visible pixel beside them
    assert not torch.equal(backbone(other, masked=masked.flatten(1), mask_token=token)[0], first)


@torch.no_grad()
def test_a_masked_token_is_the_mask_token():
    backbone = evaluated(SwinTransformer(arch='nano', bands=FIVE))
    x, masked = torch.rand(1, 5, 64, 64), torch.ones(1, 256, dtype=torch.bool)
    one, two = (
        backbone(x, masked=masked, mask_token=torch.full((1, 1, 48), value) * torch.arange(48))[0]
        for value in (0.1, 0.2)
    )
    assert not torch.equal(one, two)
    assert torch.equal(
        backbone(x, masked=~masked, mask_token=torch.ones(1, 1, 48))[0], backbone(x)[0]
    )


def test_a_mask_without_a_token_to_put_there_is_refused():
    backbone = SwinTransformer(arch='nano', bands=FIVE)
    with pytest.raises(AssertionError, match='token that replaces them'):
        backbone(torch.rand(1, 5, 64, 64), masked=torch.ones(1, 256, dtype=torch.bool))


def test_a_backbone_without_pretrained_has_seen_nothing():
    backbone = ResNet(bands='rgb', depth=18)
    backbone.init_weights()
    assert backbone.lineage == {}


def test_linear_layers_of_swin_start_as_maes_do():
    backbone = SwinTransformer(arch='nano', bands=FIVE)
    backbone.init_weights()
    qkv = (
        backbone.stages[2].blocks[0].attn.w_msa.qkv
    )  # 192 -> 576: a uniform of std sqrt(2 / 768); torch's own would be .042
    assert qkv.weight.std().item() == pytest.approx((2 / 768) ** 0.5, rel=0.05)
    assert qkv.bias.abs().sum() == 0


@pytest.mark.parametrize('option', ['out_after_downsample', 'pad_small_map'])
def test_swin_refuses_an_option_that_it_would_ignore(option):
    with pytest.raises(ConfigError, match=option):
        SwinTransformer(arch='nano', bands='rgb', **{option: True})


@pytest.mark.parametrize(
    'init_cfg', [{'type': 'Pretrained', 'checkpoint': 'a.pth'}, [{'type': 'mmengine.Pretrained'}]]
)
def test_an_init_cfg_that_would_load_what_happens_to_fit_is_refused(init_cfg):
    with pytest.raises(
        ConfigError,
        match=r'init_cfg must not read a checkpoint.*pretrained=dict\(checkpoint=\.\.\.\)',
    ):
        ResNet(depth=18, init_cfg=init_cfg)
    assert (
        ResNet(depth=18, init_cfg={'type': 'Kaiming', 'layer': 'Conv2d'}).bands == LANDSLIDE4SENSE
    )


@pytest.mark.parametrize(
    ('pretrained', 'said'),
    [
        ('x.pth', r"be a dict with \['checkpoint'\], got 'x\.pth'"),
        (
            {'chekpoint': 'x.pth'},
            r"have no other keys than \['checkpoint', 'source', 'stem'.*got \['chekpoint'\]",
        ),
        ({'stem': 'zero'}, r"name \['checkpoint'\] by a text, got \{'checkpoint': None\}"),
    ],
)
def test_pretrained_weights_that_are_named_wrongly_are_refused_with_the_names(pretrained, said):
    with pytest.raises(
        ConfigError,
        match=rf'pretrained must {said}.*Write dict\(checkpoint=\.\.\.\); the names are',
    ):
        ResNet(depth=18, pretrained=pretrained)
