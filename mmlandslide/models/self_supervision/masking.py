"""Which units of a tile are masked.

A pure function of the tile's key, drawn for a whole batch at once on any device.
"""

import torch

_GOLDEN, _MIX_A, _MIX_B = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _shifted(value: torch.Tensor, bits: int) -> torch.Tensor:
    """Return an unsigned right shift of int64 values."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def hashed_noise(keys: torch.Tensor, num_draws: int) -> torch.Tensor:
    """Return noise that depends on key and position alone, equal on every device.

    A counter-based generator (SplitMix64: Steele, Lea and Flood, OOPSLA 2014): no state, no loop
    over the batch.

    Args:
        keys: (B,) int64.
        num_draws: values a key.

    Returns:
        (B, num_draws) int64 in [0, 2**63).
    """
    counter = torch.arange(1, num_draws + 1, dtype=torch.int64, device=keys.device)
    state = keys[:, None] + counter * _signed(_GOLDEN)  # (B, N); int64 wraps as the algorithm wants
    state = (state ^ _shifted(state, 30)) * _signed(_MIX_A)
    state = (state ^ _shifted(state, 27)) * _signed(_MIX_B)
    return _shifted(state ^ _shifted(state, 31), 1)


def masked_units(keys: torch.Tensor, num_units: int, masked_ratio: float) -> torch.Tensor:
    """Choose the masked units of each tile.

    Args:
        keys: (B,) int64, one per tile.
        num_units: units in a tile.
        masked_ratio: share of units to mask, in (0, 1).

    Returns:
        (B, num_units) bool, True = masked, with exactly `round(masked_ratio * num_units)` True in
        each row.
    """
    order = hashed_noise(keys, num_units).argsort(dim=1, stable=True)
    rank = order.argsort(dim=1, stable=True)
    return rank < round(masked_ratio * num_units)


def to_tokens(units: torch.Tensor, grid_hw: tuple[int, int], unit_tokens: int) -> torch.Tensor:
    """Spread a choice of units over the tokens that they hold.

    Args:
        units: (B, h * w) bool, one a unit.
        grid_hw: units down and across.
        unit_tokens: tokens down and across in a unit.

    Returns:
        (B, h * unit_tokens * w * unit_tokens) bool, same polarity.
    """
    grid = units.view(-1, *grid_hw)
    return grid.repeat_interleave(unit_tokens, 1).repeat_interleave(unit_tokens, 2).flatten(1)
