"""Where the visible tokens of a masked tile stand, and which of them share a window.

Attention of visible tokens alone. In Swin-MAE a masked unit is 16 px, so it is a whole number of
tokens until patches have been merged to units: up to there nothing that is masked needs to be
computed (the idea of GreenMIM, Huang et al. 2022, arXiv 2205.13515; its grouping is not used).
Windows then hold different numbers of tokens. Those that hold as many are attended together, so no
key is padding and the result is that of dense attention with masked keys excluded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

HW = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """The visible tokens of a batch, sorted by how many of them share a window.

    Attributes:
        order: (B * L,) int64, the tokens in that order.
        back: (B * L,) int64, the inverse of `order`.
        sizes: (windows, tokens in each) of each group, in that order.
        table_rows: for each group the row of the relative position bias table for each pair
            (windows, query, key), int64.
    """

    order: torch.Tensor
    back: torch.Tensor
    sizes: list[tuple[int, int]]
    table_rows: list[torch.Tensor]


class VisibleTokens:
    """Places of a batch's visible tokens on their map.

    Stands where a dense map's height and width stand.

    Args:
        rows: (B, L) int64 on the CPU, where the plans are made, so that a GPU is never waited for.
        columns: (B, L) int64, likewise.
        map_hw: height and width of the whole map.
        device: that the tokens are on.
    """

    def __init__(
        self, rows: torch.Tensor, columns: torch.Tensor, map_hw: HW, device: torch.device
    ) -> None:
        self.rows, self.columns, self.map_hw, self.device = rows, columns, map_hw, device
        self._plans: dict[tuple[int, int], Windows] = {}

    def windows(self, window_size: int, shift_size: int) -> Windows:
        """Return which tokens share a window.

        Planned once for all blocks that have the same windows. As in dense attention, a window
        shrinks to a map that is smaller, and a side that one window spans is not shifted.

        Args:
            window_size: in tokens, for which the bias table is.
            shift_size: in tokens, 0 for windows that are not shifted.
        """
        shifted = shift_size if max(self.map_hw) > window_size else 0
        if (window_size, shifted) not in self._plans:
            self._plans[window_size, shifted] = self._plan(window_size, shifted)
        return self._plans[window_size, shifted]

    def _plan(self, window_size: int, shift_size: int) -> Windows:
        tile = torch.arange(len(self.rows))[:, None]
        window = tile.expand_as(self.rows)
        for places, side in ((self.rows, self.map_hw[0]), (self.columns, self.map_hw[1])):
            length = min(window_size, side)
            first = (
                length - shift_size if side > window_size else 0
            )  # a shifted window that the map's edge cuts is one of its own
            window = window * (side // length + 2) + (places + first) // length
        order, sizes = _equal_lengths_together(window.flatten().numpy())
        rows, columns = (
            _split(places.flatten()[order], sizes) for places in (self.rows, self.columns)
        )
        groups = [
            _table_rows(down.view(size), across.view(size), window_size)
            for down, across, size in zip(rows, columns, sizes, strict=True)
        ]
        table_rows = [group.to(self.device) for group in groups]
        return Windows(order.to(self.device), order.argsort().to(self.device), sizes, table_rows)


def _equal_lengths_together(
    window: NDArray[np.int64],
) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    """Return tokens ordered by the fill of their windows, and (windows, tokens) of each group.

    Args:
        window: (N,), of each token.
    """
    _, inverse, lengths = np.unique(window, return_inverse=True, return_counts=True)
    order = np.lexsort((inverse, lengths[inverse]))  # stable
    sizes = [
        (int(count), int(length))
        for length, count in zip(*np.unique(lengths, return_counts=True), strict=True)
    ]
    return torch.from_numpy(order), sizes


def _table_rows(rows: torch.Tensor, columns: torch.Tensor, window_size: int) -> torch.Tensor:
    """Return the bias table's row per token pair, (windows, query, key), from (windows, tokens)."""
    down, across = (
        places[:, :, None] - places[:, None, :] + window_size - 1 for places in (rows, columns)
    )
    return down * (2 * window_size - 1) + across


def _split(tokens: torch.Tensor, sizes: list[tuple[int, int]]) -> tuple[torch.Tensor, ...]:
    """Cut tokens (B * L, ...), sorted as in `Windows`, into its groups."""
    return torch.split(tokens, [count * length for count, length in sizes])


def split(tokens: torch.Tensor, windows: Windows) -> list[torch.Tensor]:
    """Return tokens (B * L, D), in the order of the windows, as (windows, tokens, D) per group."""
    parts = _split(tokens, windows.sizes)
    return [
        part.view(count, length, -1)
        for part, (count, length) in zip(parts, windows.sizes, strict=True)
    ]


def join(parts: list[torch.Tensor]) -> torch.Tensor:
    """Put groups (windows, tokens, D) behind each other, (B * L, D): the inverse of `split`."""
    return torch.cat([part.flatten(0, 1) for part in parts])


class _Permuted(torch.autograd.Function):
    """Rows in another order.

    Its gradient is a gather, too, where torch, which does not know of the inverse, would scatter.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, order: torch.Tensor, back: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(order, back)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        order, back = ctx.saved_tensors
        return _Permuted.apply(grad, back, order), None, None


def permuted(rows: torch.Tensor, order: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """Return rows (N, D) in another order.

    Args:
        rows: (N, D).
        order: (N,) int64, a permutation.
        back: (N,) int64, its inverse.
    """
    return _Permuted.apply(rows, order, back)


@dataclass(frozen=True)
class VisibleUnits:
    """The visible units of a batch, equally many in each tile.

    Attributes:
        index: (B, U) int64 on the CPU, rising, into the units of a tile row by row.
        grid_hw: units down and across a tile.
    """

    index: torch.Tensor
    grid_hw: HW

    @classmethod
    def of(cls, masked: torch.Tensor, grid_hw: HW) -> 'VisibleUnits':
        """Return the units that are not masked.

        Args:
            masked: (B, h * w) bool on the CPU, True = masked, equally many in each row.
            grid_hw: units down and across a tile.
        """
        return cls((~masked).nonzero()[:, 1].view(len(masked), -1), grid_hw)

    def tokens(self, unit_tokens: int, device: torch.device) -> VisibleTokens:
        """Return the places of the units' tokens, unit by unit and row by row in each.

        Args:
            unit_tokens: tokens down and across in a unit.
            device: that the tokens are on.
        """
        side = torch.arange(unit_tokens)
        rows = (self.index // self.grid_hw[1] * unit_tokens)[..., None, None] + side[:, None]
        columns = (self.index % self.grid_hw[1] * unit_tokens)[..., None, None] + side
        shape = (*self.index.shape, unit_tokens, unit_tokens)
        map_hw = (self.grid_hw[0] * unit_tokens, self.grid_hw[1] * unit_tokens)
        return VisibleTokens(
            rows.expand(shape).flatten(1), columns.expand(shape).flatten(1), map_hw, device
        )

    def cut(self, images: torch.Tensor) -> torch.Tensor:
        """Return the units of images or maps, (B * U, C, h, w) from (B, C, H, W)."""
        (rows, columns), (batch, channels, height, width) = self.grid_hw, images.shape
        grid = images.view(
            batch, channels, rows, height // rows, columns, width // columns
        ).permute(0, 2, 4, 1, 3, 5)
        tile = torch.arange(batch, device=images.device)[:, None]
        return grid.flatten(1, 2)[tile, self.index.to(images.device)].flatten(0, 1)

    def fill(self, tokens: torch.Tensor, mask_token: torch.Tensor) -> torch.Tensor:
        """Return the whole map, (B, h * w, C), from one token a visible unit, (B, U, C).

        The mask token stands for the others.
        """
        whole = mask_token.to(tokens.dtype).expand(
            len(tokens), self.grid_hw[0] * self.grid_hw[1], -1
        )
        index = self.index.to(tokens.device)[..., None].expand_as(tokens)
        return whole.scatter(1, index, tokens)
