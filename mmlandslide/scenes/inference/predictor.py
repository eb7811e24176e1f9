"""The seam between a scene and whatever finds landslides in windows of it, and test-time augmentation as one such finder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.merge import wbf

#: Boxes (N, 4) xyxy in px of a window and scores (N,) in [0, 1].
Found: TypeAlias = tuple[NDArray[np.floating], NDArray[np.floating]]


class Predictor(Protocol):
    """Finds landslides in windows.

    Attributes:
        bands: names, in the order in which windows are to have them.
        fill: (C,) float32 in stored units, what a pixel without data is to hold.
    """

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""

    @property
    def fill(self) -> NDArray[np.float32]:
        """Values of a pixel without data."""

    def predict(self, images: NDArray[np.float32]) -> Sequence[Found]:
        """Return what is found in each of (B, C, h, w) windows in stored units."""


@dataclass(frozen=True)
class Symmetry:
    """One way to lay a square window.

    Attributes:
        flip: mirror left and right first.
        turns: then turn by so many quarters against the clock.
    """

    flip: bool = False
    turns: int = 0

    def apply(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (..., h, w) images laid like this."""
        images = images[..., ::-1] if self.flip else images
        return np.ascontiguousarray(np.rot90(images, self.turns, axes=(-2, -1)))

    def undo(self, boxes_xyxy: NDArray[np.floating], side_px: int) -> NDArray[np.floating]:
        """Return boxes (N, 4) of a window laid like this as boxes of the window as it was."""
        x1, y1, x2, y2 = boxes_xyxy.T
        for _ in range(self.turns):
            # A quarter turn against the clock has taken (x, y) to (y, side - x).
            x1, y1, x2, y2 = side_px - y2, x1, side_px - y1, x2
        if self.flip:
            x1, x2 = side_px - x2, side_px - x1
        return np.stack([x1, y1, x2, y2], axis=1)


#: How many ways a window is looked at: as it is, and with both flips, or in all eight symmetries of
#: the square.
VIEWS: dict[str, tuple[Symmetry, ...]] = {
    'none': (Symmetry(),),
    'flips': (Symmetry(), Symmetry(True), Symmetry(False, 2), Symmetry(True, 2)),
    'all': tuple(Symmetry(flip, turns) for flip in (False, True) for turns in range(4)),
}


class SymmetricPredictor:
    """Looks at each window in several symmetries and fuses what it finds (test-time augmentation).

    A box that is found in some views only keeps that share of its score, so scores stay comparable
    to those of one view.

    Args:
        predictor: that looks.
        views: one of `VIEWS`.
        iou_thr: overlap above which boxes of two views show one object.

    Raises:
        ConfigError: no such views.
    """

    def __init__(self, predictor: Predictor, views: str, iou_thr: float = 0.5) -> None:
        if views not in VIEWS:
            raise ConfigError.mismatch(
                'tta', f'be one of {list(VIEWS)}', repr(views), 'the detection', 'Name one of those'
            )
        self._predictor = predictor
        self._views = VIEWS[views]
        self._iou_thr = iou_thr
        self.bands, self.fill = predictor.bands, predictor.fill

    def predict(self, images: NDArray[np.float32]) -> Sequence[Found]:
        """Return what is found in each of (B, C, h, h) windows, best first."""
        if len(self._views) == 1:
            return self._predictor.predict(images)
        by_view = [self._look(images, view) for view in self._views]
        return [self._fused(found) for found in zip(*by_view, strict=True)]

    def _look(self, images: NDArray[np.float32], view: Symmetry) -> list[Detections]:
        undo = partial(view.undo, side_px=images.shape[-1])
        return [
            Detections.of(undo(boxes), scores, (0, 0))
            for boxes, scores in self._predictor.predict(view.apply(images))
        ]

    def _fused(self, found: Sequence[Detections]) -> Found:
        fused = wbf(
            Detections.concatenated(found).in_order(), self._iou_thr, len(self._views)
        ).in_order()
        return fused.boxes_xyxy, fused.scores
