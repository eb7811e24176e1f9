import pytest
import torch
from mmpretrain.models.utils import ShiftWindowMSA

from mmlandslide.models.backbones.window_attention import _apart, adopt, merge, partition

DIMS, HEADS = 8, 2


def pair(window=4, shift=0, seed=0):
    """Return MMPretrain's attention with random weights and ours around the same parameters."""
    torch.manual_seed(seed)
    theirs = ShiftWindowMSA(DIMS, HEADS, window, shift)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return theirs.eval(), adopt(theirs).eval()


def tokens(map_hw, batch=2, seed=1):
    return torch.randn(
        batch, map_hw[0] * map_hw[1], DIMS, generator=torch.Generator().manual_seed(seed)
    )


def dense(msa, x, places, window):
    """Attention of tokens (N, C) at `places` (N (row, column)), bias by relative position."""
    table = msa.relative_position_bias_table  # ((2 w - 1)^2, heads)
    q, k, v = (msa.qkv(x)[:, part * DIMS : (part + 1) * DIMS] for part in range(3))
    mixed = []
    for head in range(HEADS):
        columns = slice(head * DIMS // HEADS, (head + 1) * DIMS // HEADS)
        scores = q[:, columns] @ k[:, columns].T * (DIMS // HEADS) ** -0.5
        for one, (row, column) in enumerate(places):
            for two, (other_row, other_column) in enumerate(places):
                down, across = row - other_row + window - 1, column - other_column + window - 1
                scores[one, two] += table[down * (2 * window - 1) + across, head]
        mixed.append(scores.softmax(-1) @ v[:, columns])
    return msa.proj(torch.cat(mixed, 1))


@pytest.mark.parametrize(
    ('map_hw', 'shift'),
    [((8, 8), 0), ((8, 8), 2), ((12, 8), 2), ((16, 16), 1), ((4, 4), 0), ((4, 4), 2)],
)
def test_on_multiples_of_the_window_it_equals_mmpretrain(map_hw, shift):
    theirs, ours = pair(shift=shift)
    x = tokens(map_hw)
    torch.testing.assert_close(ours(x, map_hw), theirs(x, map_hw), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_map_smaller_than_the_window_gets_dense_attention_with_the_centre_of_the_bias_table():
    _, ours = pair(window=8, shift=4)
    x = tokens((4, 4), batch=1)
    wanted = dense(ours.w_msa, x[0], [(row, column) for row in range(4) for column in range(4)], 8)
    torch.testing.assert_close(ours(x, (4, 4))[0], wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('map_hw', [(6, 6), (4, 7), (9, 5), (2, 6)])
def test_on_other_maps_each_window_attends_to_its_real_tokens_only(map_hw):
    _, ours = pair(window=4)
    height, width = map_hw
    x = tokens(map_hw, batch=1)
    out, wanted = ours(x, map_hw)[0], torch.empty(height * width, DIMS)
    for top in range(0, height, 4):
        for left in range(0, width, 4):
            places = [
                (r, c)
                for r in range(top, min(top + 4, height))
                for c in range(left, min(left + 4, width))
            ]
            index = [row * width + column for row, column in places]
            wanted[index] = dense(ours.w_msa, x[0, index], places, 4)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('map_hw', [(8, 8), (6, 7), (10, 8)])
def test_a_shifted_window_holds_the_neighbours_that_the_shift_makes_and_nothing_from_the_far_side(
    map_hw,
):
    _, ours = pair(window=4, shift=2)
    height, width = map_hw
    x = tokens(map_hw, batch=1)
    out, wanted = ours(x, map_hw)[0], torch.empty(height * width, DIMS)
    for top in range(
        -2, height, 4
    ):  # windows begin at -2, 2, 6: the first and last are cut by the map's edge
        for left in range(-2, width, 4):
            places = [
                (r, c)
                for r in range(max(top, 0), min(top + 4, height))
                for c in range(max(left, 0), min(left + 4, width))
            ]
            if places:
                index = [row * width + column for row, column in places]
                wanted[index] = dense(ours.w_msa, x[0, index], places, 4)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)


def test_a_side_that_fits_one_window_is_not_shifted_while_the_other_is():
    _, ours = pair(window=4, shift=2)
    x = tokens((4, 12), batch=1).requires_grad_()
    ours(x, (4, 12)).view(4, 12, DIMS)[0, 0].sum().backward()
    reached = x.grad.view(4, 12, DIMS).abs().sum(-1) > 0
    assert reached[:, :2].all()  # all four rows, and of the columns those before the first cut at 2
    assert not reached[:, 2:].any()


def test_windows_are_put_back_where_they_were():
    maps = torch.arange(2 * 4 * 6 * 3).view(2, 4, 6, 3)
    windows = partition(maps, (2, 3))
    assert windows.shape == (8, 6, 3)
    assert windows[1, :, 0].tolist() == maps[0, :2, 3:6, 0].flatten().tolist()
    assert torch.equal(merge(windows, (4, 6), (2, 3)), maps)


def test_maps_seen_without_gradients_can_be_trained_on_afterwards():
    _, ours = pair(window=4, shift=2)
    x = tokens((20, 20))
    with torch.inference_mode():
        ours(x, (20, 20))
    ours(x, (20, 20)).sum().backward()
    assert ours.w_msa.qkv.weight.grad.abs().sum() > 0


def test_attention_keeps_the_parameters_and_their_names():
    theirs, ours = pair()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(one is two for one, two in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_a_mask_is_made_once_for_each_device_and_lies_there():
    asked = (8, 8), (8, 8), (4, 4), (2, 2)
    cpu, meta = _apart(*asked, torch.device('cpu')), _apart(*asked, torch.device('meta'))
    assert (cpu.device.type, meta.device.type) == ('cpu', 'meta')
    assert _apart(*asked, torch.device('cpu')) is cpu
