import pytest
import torch
import torch.nn.functional as F
from factories import evaluated, randomised

from mmlandslide.models.backbones.vision_transformer import (
    VisionTransformer,
    sine_cosine,
    whole_patches,
)

FIVE = tuple('abcde')
TINY = {'embed_dims': 16, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 32}


def vit(**options):
    torch.manual_seed(0)
    return randomised(
        VisionTransformer(
            **{'arch': TINY, 'img_size': 64, 'bands': FIVE, 'out_type': 'featmap', **options}
        )
    )


def vit_with(table, backbone, **options):
    """Return the same ViT with another table of positions."""
    other = vit(**options)
    other.load_state_dict({**backbone.state_dict(), 'pos_embed': table})
    return other


def tiles(*size_hw, batch=2):
    return torch.randn(batch, 5, *size_hw, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize(('patch', 'stride'), [(16, None), (32, None), (14, 16), (16, 8), (32, 16)])
@pytest.mark.parametrize('size_hw', [(64, 64), (96, 32), (70, 45)])
def test_a_map_has_a_token_for_each_stride_whatever_the_tile(patch, stride, size_hw):
    token = stride or patch
    (out,) = vit(patch_size=patch, stride=stride)(tiles(*size_hw))
    assert out.shape == (2, 16, -(-size_hw[0] // token), -(-size_hw[1] // token))


@torch.no_grad()
@pytest.mark.parametrize('options', [{}, {'patch_size': 14, 'stride': 16}])
def test_a_tile_is_padded_with_the_mean(options):
    backbone, x = vit(**options), tiles(50, 33)
    assert torch.equal(backbone(x)[0], backbone(F.pad(x, (0, 15, 0, 14)))[0])


@torch.no_grad()
def test_a_14_px_patch_with_a_stride_of_16_sees_256_px_at_224():
    backbone = vit(patch_size=14, stride=16, img_size=224)
    x = tiles(256, 256)
    seen = F.interpolate(x, (224, 224), mode='bilinear')
    assert backbone.patch_resolution == (16, 16)
    torch.testing.assert_close(whole_patches(x, 14, 16), seen, rtol=0, atol=1e-3)
    torch.testing.assert_close(
        backbone(x)[0], vit(patch_size=14, img_size=224)(seen)[0], rtol=0, atol=1e-3
    )


@torch.no_grad()
@pytest.mark.parametrize('with_cls_token', [True, False])
def test_positions_are_interpolated_for_a_map_that_is_not_square(with_cls_token):
    backbone = vit(with_cls_token=with_cls_token)
    extra = int(with_cls_token)
    grid = backbone.pos_embed[:, extra:].view(1, 4, 4, 16).permute(0, 3, 1, 2)
    other = F.interpolate(grid, (2, 6), mode='bicubic').flatten(2).transpose(1, 2)
    table = torch.cat([backbone.pos_embed[:, :extra], other], 1)
    wide = vit_with(table, backbone, with_cls_token=with_cls_token, img_size=(32, 96))
    torch.testing.assert_close(backbone(tiles(32, 96))[0], wide(tiles(32, 96))[0])


@torch.no_grad()
@pytest.mark.parametrize(
    'options',
    [{}, {'with_cls_token': False}, {'pre_norm': True, 'final_norm': False}, {'stride': 8}],
)
def test_all_tokens_visible_are_all_tokens(options):
    backbone, x = vit(out_type='raw', **options), tiles(64, 32)
    count = 32 if 'stride' in options else 8
    every = torch.arange(count).expand(2, count)
    torch.testing.assert_close(backbone.forward_visible(x, every), backbone(x)[0])


@torch.no_grad()
@pytest.mark.parametrize('column', [0, 2])
def test_visible_tokens_are_computed_as_if_the_tile_had_no_others(column):
    backbone, x = vit(out_type='raw'), tiles(64, 64)
    index = torch.arange(column, 16, 4)  # a column of the 4 x 4 map
    narrow = vit_with(
        backbone.pos_embed[:, [0, *(1 + index)]], backbone, out_type='raw', img_size=(64, 16)
    )
    expected = narrow(x[..., 16 * column : 16 * (column + 1)])[0]
    torch.testing.assert_close(backbone.forward_visible(x, index.expand(2, 4)), expected)


@torch.no_grad()
def test_visible_tokens_come_in_the_order_of_their_index():
    backbone, x = vit(), tiles(64, 64)
    index = torch.tensor([[3, 9, 14], [0, 5, 7]])
    there, back = backbone.forward_visible(x, index), backbone.forward_visible(x, index.flip(1))
    torch.testing.assert_close(there[:, 1:], back[:, 1:].flip(1))
    torch.testing.assert_close(there[:, 0], back[:, 0])


@pytest.mark.parametrize('options', [{}, {'stride': 8}, {'patch_size': 14, 'stride': 16}])
def test_no_gradient_reaches_the_pixels_of_masked_tokens(options):
    backbone, x = vit(**options), tiles(64, 64).requires_grad_()
    side = 64 // backbone.stride
    index = torch.tensor([[0, 3, side * side - 2]] * 2)
    backbone.forward_visible(x, index)[:, 1:].square().sum().backward()
    reached = F.max_pool2d(x.grad.abs().sum(1), backbone.stride).flatten(1) > 0
    assert reached.nonzero()[:, 1].view(2, 3).tolist() == index.tolist()


def test_fixed_positions_are_sines_and_cosines_that_are_not_trained():
    backbone = vit(fixed_positions=True)
    backbone.init_weights()
    table = backbone.pos_embed[0]
    assert not backbone.pos_embed.requires_grad
    assert table[0].tolist() == [0] * 16  # the class token's
    assert (
        table[1].tolist() == [0, 0, 0, 0, 1, 1, 1, 1] * 2
    )  # sin 0 and cos 0 of the column, then of the row
    torch.testing.assert_close(
        table[1 + 4 * 2 + 3], torch.cat([angles(3), angles(2)])
    )  # row 2, column 3 of 4 x 4


def test_sines_and_cosines_follow_a_map_that_is_not_square():
    table = sine_cosine((2, 3), 16)[0]
    torch.testing.assert_close(table[1], torch.cat([angles(1), angles(0)]))
    torch.testing.assert_close(table[3], torch.cat([angles(0), angles(1)]))


def angles(place):
    angle = place / 10000 ** (torch.arange(4) / 4)
    return torch.cat([angle.sin(), angle.cos()])


def test_positions_are_learnt_unless_told():
    backbone = vit()
    backbone.init_weights()
    assert backbone.pos_embed.requires_grad
    assert backbone.pos_embed.std().item() == pytest.approx(0.02, rel=0.2)


def test_a_start_from_a_checkpoint_is_the_last_word(tmp_path):
    torch.save({'state_dict': vit().state_dict()}, tmp_path / 'vit.pth')
    backbone = vit(
        fixed_positions=True,
        pretrained={'checkpoint': str(tmp_path / 'vit.pth'), 'source_bands': FIVE},
    )
    backbone.init_weights()
    assert all(
        torch.equal(value, vit().state_dict()[name])
        for name, value in backbone.state_dict().items()
    )


def test_linear_layers_and_stem_start_as_maes_do():
    backbone = VisionTransformer(arch='deit-tiny', bands=FIVE, img_size=32)
    backbone.init_weights()
    stem, qkv = backbone.patch_embed.projection, backbone.layers[0].attn.qkv
    assert qkv.weight.std().item() == pytest.approx((2 / (192 + 576)) ** 0.5, rel=0.05)
    assert stem.weight.std().item() == pytest.approx((2 / (5 * 256 + 192)) ** 0.5, rel=0.05)
    assert backbone.cls_token.std().item() == pytest.approx(0.02, rel=0.2)
    assert qkv.bias.abs().sum() == 0


def test_a_vit_computes_in_bfloat16():
    with torch.autocast('cpu', torch.bfloat16):
        out = evaluated(vit(patch_size=14, stride=16)).forward_visible(
            tiles(64, 64), torch.tensor([[1, 2]] * 2)
        )
    exact = vit(patch_size=14, stride=16).forward_visible(tiles(64, 64), torch.tensor([[1, 2]] * 2))
    torch.testing.assert_close(out.float(), exact, rtol=0.1, atol=0.1)
