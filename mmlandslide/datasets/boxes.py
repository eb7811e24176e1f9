"""Landslide masks -> boxes, by a named rule."""

from dataclasses import dataclass

import cv2
import numpy as np

from mmlandslide.errors import ConfigError


@dataclass(frozen=True)
class BoxRule:
    """Which connected groups of landslide pixels become a box.

    Attributes:
        connectivity: 4 (edges touch) or 8 (corners too).
        min_pixels: landslide pixels that a group needs.
        min_box_area_px2: area that its box needs, in px^2 of the mask's own frame.
    """

    connectivity: int
    min_pixels: int = 1
    min_box_area_px2: float = 0.0


#: `components` is the default. `study` is the rule of the original study, subawocit/cs291k:
#: `scipy.ndimage.label` and `find_objects`, boxes under 100 px^2 dropped in the 224 px frame to
#: which its 128 px tiles were resized.
RULES: dict[str, BoxRule] = {
    'components': BoxRule(connectivity=8, min_pixels=4),
    'study': BoxRule(connectivity=4, min_box_area_px2=100 * (128 / 224) ** 2),
}


def rule_named(name: str) -> BoxRule:
    """Return a rule by its name.

    Raises:
        ConfigError: no such rule.
    """
    if name not in RULES:
        raise ConfigError.mismatch(
            'box_rule', f'be one of {list(RULES)}', repr(name), 'the dataset', 'Name one of those'
        )
    return RULES[name]


def boxes_from_mask(mask: np.ndarray, rule: BoxRule) -> np.ndarray:
    """Return one box for each connected group of landslide pixels that passes the rule.

    Args:
        mask: (H, W), landslide where not 0.
        rule: which groups count.

    Returns:
        (N, 4) float32 xyxy, half-open pixel corners in the mask's frame, sorted by top, left,
        bottom, right.
    """
    landslide = (mask != 0).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(landslide, connectivity=rule.connectivity)
    left, top, width, height, pixels = stats[1:].T  # row 0 is the background
    kept = (pixels >= rule.min_pixels) & (width * height >= rule.min_box_area_px2)
    boxes_xyxy = np.stack([left, top, left + width, top + height], axis=1)[kept]
    order = np.lexsort(boxes_xyxy[:, [2, 3, 0, 1]].T)
    return boxes_xyxy[order].astype(np.float32)
