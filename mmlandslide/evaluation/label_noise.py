"""How high a perfect finder would score, given that the sides of boxes are digitised with noise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmlandslide import rng
from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.centre_precision import centre_average_precision
from mmlandslide.evaluation.results import Rules, TileResult

#: What the limit supposes, in words, for reports.
ASSUMPTION = (
    'A perfect finder reports every true box and nothing else, in random order, and each side of '
    'its boxes differs from the digitised one by an independent normal error, of standard '
    'deviation 1 px (what careful digitising allows) to 1.5 px of the native image. A detector '
    'within these numbers cannot be told from a perfect one.'
)
NOISE_PX = (1.5, 1.0)


def perfect_finder(
    tiles: Sequence[TileResult], noise_px: float, rules: Rules, num_classes: int = 1, draws: int = 5
) -> dict[str, float]:
    """Return the scores of a finder of every true box whose sides err by N(0, s).

    Args:
        tiles: the scored set; its predictions are not looked at.
        noise_px: standard deviation s of each side, native px.
        rules: see `Rules`.
        num_classes: number of classes, at least 1.
        draws: of the noise, which are averaged over.

    Returns:
        `AP`, `AP25`, `AP50`, `AP75` and the AP by centre, under its key.
    """
    found = []
    for number in range(draws):
        noisy = [_noisy(tile, noise_px / rules.native_scale, number) for tile in tiles]
        scores = average_precision(noisy, rules, num_classes).metrics
        kept = {name: scores[name] for name in ('AP', 'AP25', 'AP50', 'AP75')}
        by_centre = centre_average_precision(noisy, rules, num_classes)
        found.append({**kept, rules.centre_key: by_centre})
    return {name: float(np.mean([row[name] for row in found])) for name in found[0]}


def noise_limit(
    tiles: Sequence[TileResult], rules: Rules | None = None, num_classes: int = 1
) -> dict[str, tuple[float, float]]:
    """Return between which numbers a perfect finder would score on a set.

    See `ASSUMPTION`.

    Args:
        tiles: the scored set.
        rules: see `Rules`.
        num_classes: number of classes, at least 1.

    Returns:
        Name of a metric -> its value at 1.5 px and at 1 px of noise.
    """
    rules = rules or Rules()
    low, high = (perfect_finder(tiles, noise_px, rules, num_classes) for noise_px in NOISE_PX)
    return {name: (low[name], high[name]) for name in high}


def _noisy(tile: TileResult, noise_px: float, draw: int) -> TileResult:
    """Return a tile whose predictions are its true boxes with noise in px of the tile."""
    generator = rng.generator(draw, 'label noise', tile.tile_id)
    boxes = tile.true_boxes_xyxy + generator.normal(0, noise_px, tile.true_boxes_xyxy.shape)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2])  # an inverted box has no area
    scores = generator.random(len(boxes))
    return replace(tile, boxes_xyxy=boxes, scores=scores, labels=tile.true_labels)
