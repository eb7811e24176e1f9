"""Interface of whatever detects landslides in windows, and test-time augmentation behind it."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.merge import wbf
from mmlandslide.symmetry import Symmetry, views_named

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


def viewed(images: NDArray[np.float32], view: Symmetry) -> NDArray[np.float32]:
    """Return (..., h, w) images in a view."""
    images = images[..., ::-1] if view.flip else images
    return np.ascontiguousarray(np.rot90(images, view.quarter_turns, axes=(-2, -1)))


class SymmetricPredictor:
    """Test-time augmentation: predicts each window in several symmetries and fuses the boxes.

    A box that is detected in some views only keeps that share of its score, so scores stay
    comparable to those of one view.

    Args:
        predictor: detector of landslides in one view.
        views: one of `symmetry.VIEWS`.
        iou_thr: IoU above which boxes of two views show one object.

    Raises:
        ConfigError: no such views.
    """

    def __init__(self, predictor: Predictor, views: str, iou_thr: float = 0.5) -> None:
        self._predictor = predictor
        self._views = views_named(views, 'the detection')
        self._iou_thr = iou_thr
        self.bands, self.fill = predictor.bands, predictor.fill

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return the detections of each of (B, C, h, h) windows, sorted by descending score."""
        if len(self._views) == 1:
            return self._predictor.predict(images)
        by_view = [self._predict_view(images, view) for view in self._views]
        return [self._fused(found) for found in zip(*by_view, strict=True)]

    def _predict_view(self, images: NDArray[np.float32], view: Symmetry) -> list[Detections]:
        def undo(boxes_xyxy: NDArray[np.floating]) -> NDArray[np.floating]:
            return np.stack(view.undone(boxes_xyxy, images.shape[-2:]), axis=1)

        return [
            Detections.of(
                undo(boxes), scores, (0, 0), *(np.abs(undo(s) - undo(0 * s)) for s in stds)
            )
            for boxes, scores, *stds in self._predictor.predict(viewed(images, view))
        ]

    def _fused(self, found: Sequence[Detections]) -> WindowDetections:
        fused = wbf(
            Detections.concatenate(found).sorted_by_score(), self._iou_thr, len(self._views)
        ).sorted_by_score()
        stds = fused.side_stds
        known = np.isfinite(stds).any()
        return (fused.boxes_xyxy, fused.scores, *([stds] if known else []))
