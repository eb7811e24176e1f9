"""Interface of whatever detects landslides in windows, and test-time augmentation behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.merge import wbf

#: Boxes (N, 4) xyxy in px of a window and scores (N,) in [0, 1]; a detector that predicts them adds
#: the standard deviations (N, 4) of the sides, px.
WindowDetections: TypeAlias = tuple[NDArray[np.floating], ...]


class Predictor(Protocol):
    """Detects landslides in windows.

    Attributes:
        bands: names, in the order of the windows' channels.
        fill: (C,) float32 in stored units, the values of a pixel without data.
    """

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""

    @property
    def fill(self) -> NDArray[np.float32]:
        """Values of a pixel without data."""

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return the detections of each of (B, C, h, w) windows in stored units."""


@dataclass(frozen=True)
class Symmetry:
    """One of the eight symmetries of a square window.

    Attributes:
        flip: mirror left and right first.
        quarter_turns: then turn counter-clockwise by so many quarters.
    """

    flip: bool = False
    quarter_turns: int = 0

    def apply(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (..., h, w) images transformed by the symmetry."""
        images = images[..., ::-1] if self.flip else images
        return np.ascontiguousarray(np.rot90(images, self.quarter_turns, axes=(-2, -1)))

    def undo(self, boxes_xyxy: NDArray[np.floating], side_px: int) -> NDArray[np.floating]:
        """Return boxes (N, 4) of a transformed window as boxes of the original window."""
        x1, y1, x2, y2 = boxes_xyxy.T
        for _ in range(self.quarter_turns):
            # A quarter turn counter-clockwise has taken (x, y) to (y, side - x).
            x1, y1, x2, y2 = side_px - y2, x1, side_px - y1, x2
        if self.flip:
            x1, x2 = side_px - x2, side_px - x1
        return np.stack([x1, y1, x2, y2], axis=1)


#: Views of a window in test-time augmentation: the window alone, with its flips and half turn, or
#: in all eight symmetries of the square.
VIEWS: dict[str, tuple[Symmetry, ...]] = {
    'none': (Symmetry(),),
    'flips': (Symmetry(), Symmetry(True), Symmetry(False, 2), Symmetry(True, 2)),
    'all': tuple(Symmetry(flip, turns) for flip in (False, True) for turns in range(4)),
}


class SymmetricPredictor:
    """Test-time augmentation: predicts each window in several symmetries and fuses the boxes.

    A box that is detected in some views only keeps that share of its score, so scores stay
    comparable to those of one view.

    Args:
        predictor: detector of landslides in one view.
        views: one of `VIEWS`.
        iou_thr: IoU above which boxes of two views show one object.

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

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return the detections of each of (B, C, h, h) windows, sorted by descending score."""
        if len(self._views) == 1:
            return self._predictor.predict(images)
        by_view = [self._predict_view(images, view) for view in self._views]
        return [self._fused(found) for found in zip(*by_view, strict=True)]

    def _predict_view(self, images: NDArray[np.float32], view: Symmetry) -> list[Detections]:
        undo = partial(view.undo, side_px=images.shape[-1])
        return [
            Detections.of(
                undo(boxes), scores, (0, 0), *(np.abs(undo(s) - undo(0 * s)) for s in stds)
            )
            for boxes, scores, *stds in self._predictor.predict(view.apply(images))
        ]

    def _fused(self, found: Sequence[Detections]) -> WindowDetections:
        fused = wbf(
            Detections.concatenate(found).sorted_by_score(), self._iou_thr, len(self._views)
        ).sorted_by_score()
        stds = fused.side_stds
        known = np.isfinite(stds).any()
        return (fused.boxes_xyxy, fused.scores, *([stds] if known else []))
