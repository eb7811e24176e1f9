"""Grid of overlapping windows over a scene, their cores, and the blocks that are read at once.

Neighbouring windows overlap. Half-way through each overlap runs a border; the borders cut the plane
into one core per window, half open, so that every point lies in exactly one. A window owns the
detections whose centre lies in its core: an object that is not larger than the overlap is then
whole in the window that owns it, and it is owned once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError


@dataclass(frozen=True)
class Block:
    """Neighbouring windows that are read at once.

    Attributes:
        index: of the block in its grid, row by row.
        rows: indices of its rows of windows.
        cols: indices of its columns of windows.
    """

    index: int
    rows: range
    cols: range

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.rows) * len(self.cols)


@dataclass(frozen=True)
class Grid:
    """Square windows over a scene, all of one size.

    The last window of a row or column is moved back to the scene's edge rather than reaching over
    it: what a detector sees beyond an edge is not ground. Windows reach beyond the scene only where
    it is smaller than one, or at an origin other than 0.

    Args:
        height: of the scene in px.
        width: of the scene in px.
        window_px: side of a window.
        overlap_px: of neighbouring windows; those at the edges may overlap more.
        origin_rc: rows and columns by which the first window starts before the scene, to try
            another placement.
        block_windows: windows on each side of a block.

    Raises:
        ConfigError: no windows can be laid like this.
    """

    height: int
    width: int
    window_px: int = 128
    overlap_px: int = 32
    origin_rc: tuple[int, int] = (0, 0)
    block_windows: int = 8

    def __post_init__(self) -> None:
        """Refuse what cannot be laid."""
        if self.window_px < 1:
            raise ConfigError.mismatch(
                'window',
                'be at least 1 px',
                f'{self.window_px} px',
                'the grid',
                'Pass for example 128',
            )
        if not 0 <= self.overlap_px < self.window_px:
            expected = f'be 0 or more and less than the window of {self.window_px} px'
            raise ConfigError.mismatch(
                'overlap',
                expected,
                f'{self.overlap_px} px',
                'the grid',
                f'Pass for example {self.window_px // 4}',
            )
        if not all(0 <= start < self.stride_px for start in self.origin_rc):
            expected = f'be 0 or more and less than the stride of {self.stride_px} px'
            raise ConfigError.mismatch(
                'origin', expected, self.origin_rc, 'the grid', 'Pass for example (0, 0)'
            )

    @property
    def stride_px(self) -> int:
        """Distance from one window to the next."""
        return self.window_px - self.overlap_px

    @cached_property
    def row_starts(self) -> NDArray[np.int64]:
        """First pixel row of each row of windows, (R,)."""
        return starts(self.height, self.window_px, self.stride_px, self.origin_rc[0])

    @cached_property
    def col_starts(self) -> NDArray[np.int64]:
        """First pixel column of each column of windows, (C,)."""
        return starts(self.width, self.window_px, self.stride_px, self.origin_rc[1])

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.row_starts) * len(self.col_starts)

    def owned(
        self,
        boxes_xyxy: NDArray[np.float64],
        window_rc: NDArray[np.floating],
        slack_px: float = 0.0,
    ) -> NDArray[np.bool_]:
        """Return which boxes are owned by the windows that found them.

        Args:
            boxes_xyxy: (N, 4) in pixels of the scene.
            window_rc: (N, 2) or (2,) row and column where the window of each starts.
            slack_px: by which a core is widened.

        Returns:
            (N,) true where the box's centre lies in the core of its window.
        """
        centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
        in_row = _in_core(
            centres[:, 1], self.row_starts, self.window_px, window_rc[..., 0], slack_px
        )
        return in_row & _in_core(
            centres[:, 0], self.col_starts, self.window_px, window_rc[..., 1], slack_px
        )

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, row by row; together they hold every window once."""
        parts = [
            (rows, cols)
            for rows in _parts(len(self.row_starts), self.block_windows)
            for cols in _parts(len(self.col_starts), self.block_windows)
        ]
        return tuple(Block(index, rows, cols) for index, (rows, cols) in enumerate(parts))

    def extent(self, block: Block) -> tuple[int, int, int, int]:
        """Return row, column, height and width in px of the area under a block's windows."""
        top, left = int(self.row_starts[block.rows[0]]), int(self.col_starts[block.cols[0]])
        bottom, right = (
            self.row_starts[block.rows[-1]] + self.window_px,
            self.col_starts[block.cols[-1]] + self.window_px,
        )
        return top, left, int(bottom) - top, int(right) - left

    def own(self, block: Block) -> tuple[int, int]:
        """Return how many rows and columns in px of a block's extent come before the next block.

        No pixel is in two such parts.
        """
        top, left, height, width = self.extent(block)
        rows = (
            int(self.row_starts[block.rows.stop]) - top
            if block.rows.stop < len(self.row_starts)
            else height
        )
        cols = (
            int(self.col_starts[block.cols.stop]) - left
            if block.cols.stop < len(self.col_starts)
            else width
        )
        return rows, cols


def starts(length_px: int, window_px: int, stride_px: int, origin_px: int = 0) -> NDArray[np.int64]:
    """Return the first pixel of each window along one axis, (K,), rising.

    Args:
        length_px: of the scene.
        window_px: of a window.
        stride_px: from one window to the next, at least 1.
        origin_px: by which the first window starts before the scene.
    """
    beyond = max(length_px + origin_px - window_px, 0)  # that the first window does not reach
    found = np.arange(-(-beyond // stride_px) + 1, dtype=np.int64) * stride_px - origin_px
    if len(found) > 1:
        found[-1] = length_px - window_px
    return found


def borders(window_starts: NDArray[np.int64], window_px: int) -> NDArray[np.float64]:
    """Return where one core ends and the next begins, (K - 1,): the middle of each overlap.

    The outer cores have no end.
    """
    return (window_starts[1:] + window_starts[:-1] + window_px) / 2


def _in_core(
    centres: NDArray[np.float64],
    window_starts: NDArray[np.int64],
    window_px: int,
    start: NDArray[np.floating],
    slack_px: float,
) -> NDArray[np.bool_]:
    """Return which centres (N,) lie, along one axis, in the cores of the windows at `start`."""
    ends = np.concatenate([[-np.inf], borders(window_starts, window_px), [np.inf]])
    index = np.searchsorted(window_starts, start)
    return np.asarray((centres >= ends[index] - slack_px) & (centres < ends[index + 1] + slack_px))


def _parts(count: int, most: int) -> Iterator[range]:
    """Yield the indices up to `count`, at most `most` at a time."""
    for start in range(0, count, most):
        yield range(start, min(start + most, count))
