"""Detections of a scene: boxes, scores and ground values, one row per detection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Columns of `Detections.table`.
COLUMNS = 15
_BOX, _SCORE, _WINDOW, _PIXELS, _SLOPE, _LOWEST, _HIGHEST = slice(0, 4), 4, slice(5, 7), 7, 8, 9, 10
_SIDES = slice(11, 15)


@dataclass(frozen=True, eq=False)
class Detections:
    """N detections in the pixel frame of a scene.

    Attributes:
        table: (N, 15) float64: x1 y1 x2 y2 (half-open corners, px of the scene), score,
            row and column where its window starts (px), number of valid pixels under the box, their
            mean slope, lowest and highest elevation in stored units (NaN where the scene has no
            such band), standard deviations of the four sides (px, NaN where the detector predicts
            none). float64 because float32 knows no thousandth of a pixel beyond 8192.
    """

    table: NDArray[np.float64]

    @classmethod
    def none(cls) -> 'Detections':
        """Return no detections."""
        return cls(np.zeros((0, COLUMNS)))

    @classmethod
    def of(
        cls,
        boxes_xyxy: NDArray[np.floating],
        scores: NDArray[np.floating],
        window_rc: tuple[int, int],
        side_stds: NDArray[np.floating] | None = None,
    ) -> 'Detections':
        """Return the detections of one window, without ground values.

        Args:
            boxes_xyxy: (N, 4) in px of the scene.
            scores: (N,) in [0, 1].
            window_rc: row and column where the window starts, px.
            side_stds: (N, 4) standard deviations of x1 y1 x2 y2, px; `None` where not predicted.
        """
        table = np.full((len(boxes_xyxy), COLUMNS), np.nan)
        table[:, _BOX], table[:, _SCORE], table[:, _WINDOW], table[:, _PIXELS] = (
            boxes_xyxy,
            scores,
            window_rc,
            0,
        )
        if side_stds is not None:
            table[:, _SIDES] = side_stds
        return cls(table)

    @classmethod
    def concatenate(cls, parts: Sequence['Detections']) -> 'Detections':
        """Return the detections of all parts in one table."""
        return cls(np.concatenate([part.table for part in parts])) if parts else cls.none()

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.table)

    def __getitem__(self, which: NDArray[np.generic] | slice) -> 'Detections':
        """Return some of the detections, by mask, indices or slice."""
        return Detections(self.table[which])

    @property
    def boxes_xyxy(self) -> NDArray[np.float64]:
        """Boxes (N, 4), a view."""
        return self.table[:, _BOX]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Scores (N,), a view."""
        return self.table[:, _SCORE]

    @property
    def window_rc(self) -> NDArray[np.float64]:
        """Row and column (N, 2) where the window of each starts, a view."""
        return self.table[:, _WINDOW]

    @property
    def pixels(self) -> NDArray[np.float64]:
        """Number of valid pixels (N,), a view."""
        return self.table[:, _PIXELS]

    @property
    def slope(self) -> NDArray[np.float64]:
        """Mean slope (N,) in stored units, a view."""
        return self.table[:, _SLOPE]

    @property
    def lowest(self) -> NDArray[np.float64]:
        """Lowest elevation (N,) in stored units, a view."""
        return self.table[:, _LOWEST]

    @property
    def highest(self) -> NDArray[np.float64]:
        """Highest elevation (N,) in stored units, a view."""
        return self.table[:, _HIGHEST]

    @property
    def side_stds(self) -> NDArray[np.float64]:
        """Standard deviations (N, 4) of the sides x1 y1 x2 y2, px, a view."""
        return self.table[:, _SIDES]

    def sorted_by_score(self) -> 'Detections':
        """Return the detections by descending score, ties by top, left, bottom, right, window.

        The result does not depend on the order before.
        """
        x1, y1, x2, y2 = self.boxes_xyxy.T
        row, col = self.window_rc.T
        return self[np.lexsort((col, row, x2, y2, x1, y1, -self.scores))]
