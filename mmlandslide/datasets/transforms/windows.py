"""Windows of multispectral tiles: cut, resample, and clip boxes to them.

Pure NumPy and OpenCV, any number of bands.
"""

from collections.abc import Sequence

import cv2
import numpy as np

Window = tuple[int, int, int, int]  # x1 y1 x2 y2 px, half-open


def resize(image: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Return (C, H, W) float32 resampled.

    Linear where it grows, area mean where it shrinks, so that nothing aliases.
    """
    shrinks = height_px * width_px < image.shape[1] * image.shape[2]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack(
        [cv2.resize(band, (width_px, height_px), interpolation=method) for band in image]
    )


def crop(image: np.ndarray, window: Window) -> np.ndarray:
    """Return the view of (C, H, W) that a window covers."""
    x1, y1, x2, y2 = window
    return image[:, y1:y2, x1:x2]


def random_window(
    rng: np.random.Generator, frame_hw: Sequence[int], window_hw: Sequence[int]
) -> Window:
    """Return a window of the given size, anywhere inside the frame with equal probability."""
    top, left = (
        int(rng.integers(frame - window + 1))
        for frame, window in zip(frame_hw, window_hw, strict=True)
    )
    return left, top, left + window_hw[1], top + window_hw[0]


def clip_boxes(
    boxes: np.ndarray, window: Window, min_visible: float
) -> tuple[np.ndarray, np.ndarray]:
    """Clip boxes to a window and tell which stay.

    Args:
        boxes: (N, 4) xyxy.
        window: to clip to, in the same frame.
        min_visible: share of a box's area, 0 to 1, that must lie inside.

    Returns:
        The kept boxes, clipped, in their order and frame, and (N,) bool: True where a box was kept.
        A box of which nothing is inside is never kept.
    """
    clipped = np.clip(boxes, np.tile(window[:2], 2), np.tile(window[2:], 2)).astype(np.float32)
    area, visible = (np.prod(found[:, 2:] - found[:, :2], axis=1) for found in (boxes, clipped))
    kept = (visible > 0) & (visible >= min_visible * area)
    return clipped[kept], kept
