import numpy as np
import pytest
import torch

from mmlandslide.models.backbones.swin_transformer import SwinTransformer
from mmlandslide.models.backbones.visible_tokens import (
    VisibleTokens,
    VisibleUnits,
    join,
    permuted,
    split,
)
from mmlandslide.models.self_supervision.masking import masked_units, to_tokens

CPU = torch.device('cpu')
#: Height and width in px, and the window; windows of 8 lie along the borders of 16 px units, those
#: of 4 and 7 across them.
SIZES = [((128, 128), 8), ((64, 64), 4), ((64, 96), 8), ((96, 96), 7), ((32, 64), 4)]


def swin(window_size, arch='nano', **options):
    """Return a small double-precision Swin over two bands, away from its initial values."""
    torch.manual_seed(0)
    model = SwinTransformer(
        arch=arch,
        bands=('a', 'b'),
        window_size=window_size,
        drop_path_rate=0.0,
        out_indices=(3,),
        **options,
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.1, std=0.1)
    return model.double()


def masked_tiles(size_hw, batch=2, unit_px=16):
    """Return tiles (B, 2, H, W), the masked units (B, U) and their grid."""
    grid_hw = (size_hw[0] // unit_px, size_hw[1] // unit_px)
    images = torch.randn(
        batch, 2, *size_hw, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    return images, masked_units(torch.arange(batch) + 5, grid_hw[0] * grid_hw[1], 0.75), grid_hw


def cells(side, window, shift):
    """Return which window each position of one side is in.

    Windows begin at the shift and every `window` from there.
    """
    return np.digitize(np.arange(side), range(shift if side > window else window, side, window))


def together(map_hw, window, shift):
    """Return which pairs of a map's tokens share a window, (L, L) bool."""
    rows, columns = (cells(side, window, shift) for side in map_hw)
    label = torch.tensor(rows[:, None] * 1000 + columns).flatten()
    return label[:, None] == label


def dense_attention(attention, x, map_hw, visible):
    """Attention over all tokens (B, L, C), in which a masked token is seen by itself alone."""
    msa, (length, channels) = attention.w_msa, x.shape[1:]
    row, column = torch.arange(length) // map_hw[1], torch.arange(length) % map_hw[1]
    window = attention.window_size
    # Beyond the window there is no bias and no attention: clamped to stay inside the table.
    down, across = (
        (each[:, None] - each + window - 1).clamp(0, 2 * window - 2) for each in (row, column)
    )
    bias = msa.relative_position_bias_table[down * (2 * window - 1) + across].permute(2, 0, 1)
    q, k, v = msa.qkv(x).view(len(x), length, 3, msa.num_heads, -1).permute(2, 0, 3, 1, 4)
    seen = together(map_hw, window, attention.shift_size) & visible[:, None, :] | torch.eye(
        length, dtype=torch.bool
    )
    scores = (q @ k.transpose(2, 3) * msa.scale + bias).masked_fill(~seen[:, None], float('-inf'))
    return msa.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(len(x), length, channels))


def reference(model, images, masked, grid_hw, mask_token, unit_tokens):
    """Dense Swin without masked keys, whose masked tokens are replaced once a unit is a token."""
    x, map_hw = model.patch_embed(images)
    if model.use_abs_pos_embed:
        x = x + model.absolute_pos_embed
    for index, stage in enumerate(model.stages):
        side = max(unit_tokens >> index, 1)
        visible = (
            ~to_tokens(masked, grid_hw, side)
            if unit_tokens >> index
            else torch.ones(x.shape[:2], dtype=torch.bool)
        )
        for block in stage.blocks:
            x = x + dense_attention(block.attn, block.norm1(x), map_hw, visible)
            x = block.ffn(block.norm2(x), identity=x)
        if unit_tokens >> index == 1:
            x = torch.where(visible[..., None], x, mask_token)
        if stage.downsample is not None:
            x, map_hw = stage.downsample(x, map_hw)
    return model.norm3(x).transpose(1, 2).unflatten(2, map_hw)


def both(model, size_hw, unit_px=16):
    images, masked, grid_hw = masked_tiles(size_hw, unit_px=unit_px)
    stage = (unit_px // 4).bit_length() - 1
    token = torch.randn(1, 1, model.num_features[stage], dtype=torch.float64, requires_grad=True)
    fast = model.forward_visible(images, VisibleUnits.of(masked, grid_hw), token)[-1]
    return fast, reference(model, images, masked, grid_hw, token, unit_px // 4), token


@torch.no_grad()
@pytest.mark.parametrize(('size_hw', 'window'), SIZES)
def test_the_features_are_those_of_dense_swin_with_masked_keys_excluded(size_hw, window):
    fast, slow, _ = both(swin(window), size_hw)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(('size_hw', 'window'), SIZES[:2])
def test_so_are_the_gradients_of_every_parameter(size_hw, window):
    model = swin(window)
    fast, slow, token = both(model, size_hw)
    wanted = torch.randn(
        fast.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    parameters = {**dict(model.named_parameters()), 'mask_token': token}
    found, meant = (
        torch.autograd.grad((out * wanted).sum(), list(parameters.values())) for out in (fast, slow)
    )
    for name, one, two in zip(parameters, found, meant, strict=True):
        assert two.abs().max() > 0, name
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-9, msg=name)


@torch.no_grad()
@pytest.mark.parametrize('unit_px', [4, 8, 32])
def test_units_may_become_one_token_at_any_stage(unit_px):
    fast, slow, _ = both(swin(4), (64, 64), unit_px)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_absolute_positions_go_with_their_tokens():
    fast, slow, _ = both(swin(4, use_abs_pos_embed=True, img_size=64), (64, 64))
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_in_single_precision_they_agree_to_1e_5():
    model = swin(8).float()
    images, masked, grid_hw = masked_tiles((128, 128))
    fast = model.forward_visible(
        images.float(), VisibleUnits.of(masked, grid_hw), torch.ones(1, 1, 192)
    )[-1]
    slow = reference(model, images.float(), masked, grid_hw, torch.ones(1, 1, 192), 4)
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_without_a_mask_it_is_the_ordinary_encoder():
    model, (images, masked, grid_hw) = swin(8), masked_tiles((64, 64))
    units = VisibleUnits.of(torch.zeros_like(masked), grid_hw)
    fast = model.forward_visible(images, units, torch.zeros(1, 1, 192, dtype=torch.float64))[-1]
    torch.testing.assert_close(fast, model(images)[-1], rtol=1e-9, atol=1e-9)


def test_windows_with_equally_many_tokens_stand_together():
    # A 2 x 4 map with windows of 2: three tokens in the left window, one in the right.
    places = VisibleTokens(torch.tensor([[0, 0, 1, 0]]), torch.tensor([[3, 0, 1, 1]]), (2, 4), CPU)
    windows = places.windows(2, 0)
    assert windows.sizes == [(1, 1), (1, 3)]
    assert windows.order.tolist() == [0, 1, 2, 3]
    # Row of the 3 x 3 table: (down + 1) * 3 + across + 1; of (0, 0), (1, 1), (0, 1) towards each
    # other.
    assert windows.table_rows[0].tolist() == [[[4]]]
    assert windows.table_rows[1].tolist() == [[[4, 0, 3], [8, 4, 7], [5, 1, 4]]]


def test_a_shifted_window_that_the_edge_cuts_is_one_of_its_own():
    # One row of 8 with windows of 4 shifted by 2: 0 1 | 2 3 4 5 | 6 7.
    places = VisibleTokens(torch.zeros(1, 8, dtype=torch.int64), torch.arange(8)[None], (1, 8), CPU)
    assert places.windows(4, 2).sizes == [(2, 2), (1, 4)]
    assert places.windows(4, 2).order.tolist() == [0, 1, 6, 7, 2, 3, 4, 5]


def test_tokens_are_put_back_where_they_were():
    _, masked, grid_hw = masked_tiles((64, 64))
    windows = VisibleUnits.of(masked, grid_hw).tokens(4, CPU).windows(4, 2)
    tokens = torch.arange(windows.order.numel() * 3.0).view(-1, 3)
    rows = permuted(tokens, windows.order, windows.back)
    assert not torch.equal(rows, tokens)
    assert torch.equal(permuted(join(split(rows, windows)), windows.back, windows.order), tokens)


def test_the_gradient_of_a_permutation_goes_back_to_its_rows():
    order = torch.tensor([2, 0, 1])
    rows = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    permuted(rows, order, order.argsort())[0].sum().backward()  # the first is row 2
    assert rows.grad.tolist() == [[0, 0], [0, 0], [1, 1]]
    assert torch.autograd.gradcheck(lambda each: permuted(each, order, order.argsort()), rows)


def test_a_plan_is_made_once_for_all_blocks_with_the_same_windows():
    places = VisibleUnits.of(masked_tiles((64, 64))[1], (4, 4)).tokens(2, CPU)
    assert places.windows(8, 4) is places.windows(8, 0)  # the window is the map: nothing is shifted
    assert places.windows(4, 2) is not places.windows(4, 0)


def test_units_are_cut_and_filled_in_their_places():
    masked = torch.tensor([[True, False, True, True, False, True]])  # of 2 x 3 units
    units = VisibleUnits.of(masked, (2, 3))
    images = torch.arange(24.0).view(1, 1, 4, 6)
    assert units.cut(images).flatten(1).tolist() == [[2, 3, 8, 9], [14, 15, 20, 21]]
    filled = units.fill(torch.tensor([[[1.0], [2.0]]]), torch.full((1, 1, 1), 9.0))
    assert filled.flatten().tolist() == [9, 1, 9, 9, 2, 9]
