"""How far two predictors agree on the same windows, detection by detection."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.scenes.inference.predictor import Predictor, WindowDetections

#: Largest difference of a coordinate in px and of a score between detections of two predictors.
BOX_PX, SCORE = 1e-3, 1e-5
#: Share of detections that may lack a counterpart. Suppression compares scores and IoUs: where two
#: are equal to the last bit of float32, either box may stay, and those that it suppresses change.
NEAR_TIES = 1e-3


@dataclass(frozen=True)
class Agreement:
    """Differences between the detections of two predictors.

    Attributes:
        detections: number of detections of the first predictor.
        box_px: largest difference of a coordinate.
        score: largest difference of a score.
        unmatched: detections of either without a counterpart in the other.
    """

    detections: int
    box_px: float
    score: float
    unmatched: int

    #: What `close` asks for.
    expected = f'agree with PyTorch within {BOX_PX:g} px and {SCORE:g} in score'

    @property
    def close(self) -> bool:
        """Whether all detections but near ties have a counterpart within the tolerances."""
        return self.unmatched <= NEAR_TIES * self.detections

    def __str__(self) -> str:
        """Return the differences in words."""
        return (
            f'{self.unmatched} of {self.detections} detections unmatched, '
            f'others within {self.box_px:.2g} px and {self.score:.2g} in score'
        )


def compare(one: Predictor, other: Predictor, batches: Iterable[NDArray[np.float32]]) -> Agreement:
    """Compare two predictors window by window.

    Args:
        one: the reference.
        other: compared with it.
        batches: of windows (B, C, h, w).
    """
    pairs = [
        _compared(first, second)
        for images in batches
        for first, second in zip(one.predict(images), other.predict(images), strict=True)
    ]
    count, box_px, score, unmatched = np.array(pairs, np.float64).reshape(-1, 4).T
    return Agreement(
        int(count.sum()),
        float(box_px.max(initial=0)),
        float(score.max(initial=0)),
        int(unmatched.sum()),
    )


def _compared(one: WindowDetections, other: WindowDetections) -> tuple[int, float, float, int]:
    """Return count, differences in px and in score of counterparts, and detections without one."""
    (boxes, scores), (others, other_scores) = one[:2], other[:2]
    if not len(scores) or not len(other_scores):
        return len(scores), 0.0, 0.0, len(scores) + len(other_scores)
    apart = np.abs(boxes[:, None] - others[None]).max(-1)  # (N, M)
    off = np.abs(scores[:, None] - other_scores[None])
    same = (apart <= BOX_PX) & (off <= SCORE)
    near = np.where(same, np.maximum(apart / BOX_PX, off / SCORE), np.inf)
    rows = np.flatnonzero(same.any(1))
    cols = near[rows].argmin(1)
    unmatched = len(scores) - len(rows) + int((~same.any(0)).sum())
    gaps = apart[rows, cols], off[rows, cols]
    return len(scores), gaps[0].max(initial=0), gaps[1].max(initial=0), unmatched
