"""Expected number and area of landslides per block of about 1 km^2, with a 90 % interval.

Probabilities of detections add up to an expected number of hits; landslides that are not detected
at all, or only at a lower overlap, come on top. So on tuning tiles the truth y of a block is
regressed on the sum x of its detections' probabilities (each times its box's area, for areas),
y ~ m = a * km^2 + b * x with a, b >= 0, and the interval is a split conformal one on the
residuals (y - m) / sqrt(m) (Lei et al. 2018, JASA 113(523)), fitted across groups of tiles. It
holds where blocks are drawn like those of the tuning tiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.frequency_area import areas_m2
from mmlandslide.evaluation.results import Rules, TileResult

COVERAGE = 0.9
QUANTITIES = ('count', 'area_m2')
_BLOCK_M = 1000.0
_FOLDS = 5
_LEAST = 1e-3  # an expectation below it has the spread of this one


@dataclass(frozen=True, eq=False)
class Blocks:
    """Sums over blocks.

    Attributes:
        tile: (K,) int, position of the tile of each block.
        area_km2: (K,) of the block.
        predicted: quantity -> (K,) sum over the detections of the block.
        true: quantity -> (K,) sum over its true boxes.
    """

    tile: NDArray[np.int64]
    area_km2: NDArray[np.float64]
    predicted: dict[str, NDArray[np.float64]]
    true: dict[str, NDArray[np.float64]]


def blocks_of(tiles: Sequence[TileResult], rules: Rules) -> Blocks:
    """Return the sums of each block of some tiles, whose scores are probabilities.

    Each tile is divided into equal blocks with sides as near to 1 km as whole numbers of them
    allow; a Landslide4Sense tile, of 1.28 km, is one. A box belongs to the block of its centre.

    Args:
        tiles: of known size.
        rules: for the side of a pixel on the ground.
    """
    rows = []
    for position, tile in enumerate(tiles):
        height, width = tile.tile_hw or (0, 0)
        grid_hw = tuple(max(1, round(side * rules.px_m / _BLOCK_M)) for side in (height, width))
        size = grid_hw[0] * grid_hw[1]
        predicted, true = (
            _sums(boxes, weights, (height, width), grid_hw, rules)
            for boxes, weights in (
                (tile.boxes_xyxy, tile.scores),
                (tile.true_boxes_xyxy, np.ones(len(tile.true_labels))),
            )
        )
        area = np.full(size, height * width * rules.px_m**2 / 1e6 / size)
        rows.append((np.full(size, position), area, predicted, true))
    if not rows:
        none = np.zeros((2, 0))
        return Blocks(np.zeros(0, np.int64), none[0], _named(none), _named(none))
    tile_index, area_km2, predicted, true = (
        np.concatenate(column, axis=-1) for column in zip(*rows, strict=True)
    )
    return Blocks(tile_index, area_km2, _named(predicted), _named(true))


def expectation(
    predicted: NDArray[np.floating], area_km2: NDArray[np.floating], model: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what is expected in blocks, with the lower and upper edge of its 90 % interval.

    Args:
        predicted: (K,) sum of the probabilities, or of probability times area, m^2, of each block.
        area_km2: (K,) of the block.
        model: `blocks.count` or `blocks.area_m2` of a calibration.
    """
    mean = model['per_km2'] * np.asarray(area_km2, np.float64) + model['slope'] * predicted
    spread = np.sqrt(np.maximum(mean, _LEAST))
    low, high = (mean + model[edge] * spread for edge in ('low', 'high'))
    return mean, low.clip(0), high.clip(0)


def fit_blocks(
    blocks: Blocks, group_of_tile: NDArray[np.int64], coverage: float = COVERAGE
) -> dict[str, dict[str, float]]:
    """Return the model of each quantity, fitted on tuning tiles.

    Args:
        blocks: of the tuning tiles.
        group_of_tile: (T,) int, tiles that are not told apart when residuals are taken.
        coverage: share of blocks that an interval is to hold.
    """
    folds = group_of_tile[blocks.tile] % _FOLDS
    return {name: _fit(blocks, name, folds, coverage) for name in QUANTITIES}


def block_coverage(
    blocks: Blocks, models: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Return how the expectations of scored blocks meet their truth.

    Returns:
        Quantity -> `blocks`, `expected` and `true` in all, `coverage` (share of blocks whose truth
        lies in the 90 % interval) and `mean_width` of the intervals.
    """
    found = {}
    for name in QUANTITIES:
        true = blocks.true[name]
        mean, low, high = expectation(blocks.predicted[name], blocks.area_km2, models[name])
        inside = (low <= true) & (true <= high)
        found[name] = {
            'blocks': len(true),
            'expected': float(mean.sum()),
            'true': float(true.sum()),
            'coverage': float(inside.mean()) if len(true) else float('nan'),
            'mean_width': float((high - low).mean()) if len(true) else float('nan'),
        }
    return found


def blocks_model_of(calibration: Mapping[str, Any]) -> dict[str, dict[str, float]] | None:
    """Return the models of a calibration; `None` where it has none of the form of `fit_blocks`."""
    found = calibration.get('blocks')
    keys = ('per_km2', 'slope', 'low', 'high')
    if not isinstance(found, Mapping):
        return None
    models = {name: found.get(name) for name in QUANTITIES}
    whole = all(
        isinstance(model, Mapping)
        and all(isinstance(model.get(key), int | float) and np.isfinite(model[key]) for key in keys)
        for model in models.values()
    )
    return {name: dict(model or {}) for name, model in models.items()} if whole else None


def _fit(blocks: Blocks, name: str, folds: NDArray[np.int64], coverage: float) -> dict[str, float]:
    inputs = np.stack([blocks.area_km2, blocks.predicted[name]], axis=1)
    true = blocks.true[name]
    residuals = np.zeros(len(true))
    for fold in np.unique(folds):
        held_out = folds == fold
        fitted = ~held_out if not held_out.all() else held_out  # one group alone fits itself
        mean = inputs[held_out] @ _coefficients(inputs[fitted], true[fitted])
        residuals[held_out] = (true[held_out] - mean) / np.sqrt(np.maximum(mean, _LEAST))
    # The rank of split conformal prediction: one more block than there are is to be held.
    tail = (1 - coverage) / 2
    rank = min(1.0, np.ceil((len(true) + 1) * (1 - tail)) / len(true))
    low = -np.quantile(-residuals, rank, method='inverted_cdf')
    high = np.quantile(residuals, rank, method='inverted_cdf')
    per_km2, slope = _coefficients(inputs, true).tolist()
    return {'per_km2': per_km2, 'slope': slope, 'low': float(low), 'high': float(high)}


def _coefficients(inputs: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (2,) non-negative coefficients, by least squares weighted as counts vary."""
    from scipy.optimize import nnls  # a light install does not fit

    weights = 1 / np.sqrt(inputs[:, 1] + max(float(inputs[:, 1].mean()), _LEAST))
    return np.asarray(nnls(inputs * weights[:, None], true * weights)[0])


def _sums(
    boxes_xyxy: NDArray[np.floating],
    weights: NDArray[np.floating],
    tile_hw: tuple[int, int],
    grid_hw: tuple[int, ...],
    rules: Rules,
) -> NDArray[np.float64]:
    """Return (2, blocks): the sums of weights and of weights times areas."""
    rows_cols = []
    for axis, side, num in ((1, tile_hw[0], grid_hw[0]), (0, tile_hw[1], grid_hw[1])):
        centre = (boxes_xyxy[:, axis].astype(np.float64) + boxes_xyxy[:, axis + 2]) / 2
        rows_cols.append((centre * num / max(side, 1)).astype(int).clip(0, num - 1))
    block, size = rows_cols[0] * grid_hw[1] + rows_cols[1], grid_hw[0] * grid_hw[1]
    each = (weights, weights * areas_m2(boxes_xyxy, rules))
    return np.stack([np.bincount(block, weights=values, minlength=size) for values in each])


def _named(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return dict(zip(QUANTITIES, sums, strict=True))
