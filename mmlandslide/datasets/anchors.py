"""How many boxes the anchors of a feature pyramid reach, and the fewest that reach them.

Anchors are MMDetection's `AnchorGenerator`: on a level of stride s, centres stand at multiples of s
from 0, and an anchor has area (octave_base_scale * 2 ** (i / scales_per_octave) * s) ** 2 and the
aspect ratio height / width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

STRIDES = (4, 8, 16, 32, 64)
_BASE_SCALES = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_RATIO_SETS = ((1.0,), (0.5, 1.0, 2.0), (1 / 3, 1.0, 3.0), (0.25, 0.5, 1.0, 2.0, 4.0))


@dataclass(frozen=True)
class Anchors:
    """Parameters of an `AnchorGenerator`.

    Attributes:
        octave_base_scale: side of the smallest anchor over its stride.
        scales_per_octave: sizes on each level.
        ratios: height / width.
        strides: of the levels, px.
    """

    octave_base_scale: float
    scales_per_octave: int
    ratios: tuple[float, ...]
    strides: tuple[int, ...] = STRIDES

    @property
    def per_location(self) -> int:
        """Anchors at each position of a level."""
        return self.scales_per_octave * len(self.ratios)

    def sizes_wh(self, stride: int) -> np.ndarray:
        """Return (A, 2) float64 width and height of a level's anchors, px."""
        scales = (
            self.octave_base_scale
            * 2 ** (np.arange(self.scales_per_octave) / self.scales_per_octave)
            * stride
        )
        roots = np.sqrt(self.ratios)
        return np.array([(scale / root, scale * root) for scale, root in product(scales, roots)])


def best_iou(boxes_xyxy: np.ndarray, anchors: Anchors, input_hw: tuple[int, int]) -> np.ndarray:
    """Return each box's largest IoU with any anchor where it really stands on its level's grid.

    The overlap in x depends on the anchor's column alone and that in y on its row, and each is
    largest at the centre nearest to the box's; so one anchor a size and level decides.

    Args:
        boxes_xyxy: (N, 4) in px of the detector's input.
        anchors: to reach them with.
        input_hw: size of the detector's input, px; centres beyond it do not exist.

    Returns:
        (N,) float64 in [0, 1].
    """
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    best = np.zeros(len(boxes))
    box_area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for stride in anchors.strides:
        sizes_wh = anchors.sizes_wh(stride)
        overlap_x = _overlap(boxes[:, 0], boxes[:, 2], sizes_wh[:, 0], stride, input_hw[1])
        overlap_y = _overlap(boxes[:, 1], boxes[:, 3], sizes_wh[:, 1], stride, input_hw[0])
        inter = overlap_x * overlap_y  # (N, A)
        union = box_area[:, None] + sizes_wh.prod(axis=1) - inter
        best = np.maximum(best, (inter / union).max(axis=1))
    return best


def recall(
    boxes_xyxy: np.ndarray, anchors: Anchors, input_hw: tuple[int, int], iou: float = 0.5
) -> float:
    """Return the share of boxes that some anchor reaches with at least `iou`.

    Not a number where there is no box.
    """
    reached = best_iou(boxes_xyxy, anchors, input_hw) >= iou
    return float(reached.mean()) if len(reached) else float('nan')


def fit(
    boxes_xyxy: np.ndarray,
    input_hw: tuple[int, int],
    strides: Sequence[int] = STRIDES,
    target_recall: float = 0.99,
    iou: float = 0.5,
) -> Anchors:
    """Return the fewest anchors that reach the boxes.

    Args:
        boxes_xyxy: (N, 4) in px of the detector's input.
        input_hw: size of the detector's input, px.
        strides: of the pyramid's levels, px.
        target_recall: share of boxes to reach.
        iou: that counts as reached.

    Returns:
        Of all base scales, one to three sizes an octave and four sets of ratios: the fewest anchors
        a position that reach `target_recall`, of those the ones with the largest recall and then
        the largest mean IoU; where none do, the ones with the largest recall.
    """
    grid = [
        Anchors(*choice, tuple(strides)) for choice in product(_BASE_SCALES, (1, 2, 3), _RATIO_SETS)
    ]

    def merit(anchors: Anchors) -> tuple[int, float, float]:
        ious = best_iou(boxes_xyxy, anchors, input_hw)
        share = float((ious >= iou).mean())
        return (
            -anchors.per_location if share >= target_recall else -(10**6),
            share,
            float(ious.mean()),
        )

    return max(grid, key=merit)


def _overlap(
    low: np.ndarray, high: np.ndarray, sides: np.ndarray, stride: int, length: int
) -> np.ndarray:
    """Return (N, A) px that a box shares with each anchor at the grid position nearest to it."""
    last = -(-length // stride) - 1
    centre = np.clip(np.round((low + high) / 2 / stride), 0, last)[:, None] * stride
    shared = np.minimum(high[:, None], centre + sides / 2) - np.maximum(
        low[:, None], centre - sides / 2
    )
    return np.maximum(shared, 0)
