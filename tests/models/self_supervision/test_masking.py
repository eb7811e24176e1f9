import pytest
import torch

from mmlandslide.models.self_supervision.masking import hashed_noise, masked_units, to_tokens

WORD = (1 << 64) - 1


def splitmix64(key, count):
    """SplitMix64 in Python's own integers, the top 63 bits of each output."""
    found, state = [], key
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & WORD
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & WORD
        found.append((mixed ^ (mixed >> 31)) >> 1)
    return found


@pytest.mark.parametrize('key', [0, 1, 1234567, (1 << 63) - 1])
def test_the_noise_is_splitmix64(key):
    assert hashed_noise(torch.tensor([key]), 6)[0].tolist() == splitmix64(key, 6)


def test_the_reference_is_the_published_generator():
    # First output for seed 1234567 in the published C program: 6457827717110365317; the noise drops
    # its lowest bit.
    assert splitmix64(1234567, 1) == [6457827717110365317 >> 1]


@pytest.mark.parametrize(
    ('num_units', 'ratio', 'wanted'), [(64, 0.75, 48), (196, 0.75, 147), (9, 0.5, 4), (4, 0.25, 1)]
)
def test_the_masked_count_is_exact_in_every_row(num_units, ratio, wanted):
    masked = masked_units(torch.arange(50) * 977, num_units, ratio)
    assert masked.shape == (50, num_units)
    assert masked.sum(1).unique().tolist() == [wanted]


def test_a_mask_depends_on_its_key_alone():
    keys = torch.tensor([5, 2**62, 77, 5])
    together = masked_units(keys, 64, 0.75)
    alone = torch.cat([masked_units(key[None], 64, 0.75) for key in keys])
    assert torch.equal(together, alone)
    assert torch.equal(masked_units(keys.flip(0), 64, 0.75), together.flip(0))


def test_keys_that_differ_by_one_have_unlike_masks():
    masked = masked_units(torch.arange(1000), 64, 0.75)
    assert len(masked.unique(dim=0)) == 1000
    # Two random choices of 48 of 64 share 48 * 48 / 64 = 36 units.
    shared = (masked[1:] & masked[:-1]).sum(1).float().mean()
    assert shared == pytest.approx(36, abs=0.3)


def test_every_unit_is_masked_equally_often():
    masked = masked_units(torch.arange(4000) * 12345, 16, 0.75)
    counts = masked.sum(0).float()
    # 4000 * 12 / 16 = 3000 expected, variance 4000 * 3 / 16 = 750; chi-square of 15 degrees exceeds
    # 37.7 once in 1000.
    assert ((counts - 3000) ** 2 / (750 * 16 / 15)).sum() < 37.7


def test_units_spread_over_the_tokens_that_they_hold():
    units = torch.tensor([[True, False, False, False, False, True]])  # 2 x 3 units
    tokens = to_tokens(units, (2, 3), 2).int().view(4, 6).tolist()
    assert tokens == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
    ]


def test_a_tile_that_is_not_square_spreads_row_by_row():
    units = torch.tensor([[False, True], [True, False]])  # two tiles of 1 x 2 units
    assert to_tokens(units, (1, 2), 1).tolist() == [[False, True], [True, False]]
