"""Fits a calibration on tuning tiles, and chooses the method by cross-validation."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError, DatasetError, SplitOverlapError
from mmlandslide.evaluation.bootstrap import Grouping
from mmlandslide.evaluation.calibration.block_expectation import blocks_of, fit_blocks
from mmlandslide.evaluation.calibration.probabilities import METHODS, calibrated, logit
from mmlandslide.evaluation.calibration.reliability import reliability
from mmlandslide.evaluation.matching import hits
from mmlandslide.evaluation.results import Rules, TileResult

AUTO = 'auto'
_FOLDS = 5
_LEAST = 10  # hits and misses that a fit needs


def fit_calibration(
    tiles: Sequence[TileResult],
    grouping: Grouping,
    rules: Rules | None = None,
    method: str = AUTO,
    iou_thr: float = 0.5,
) -> dict[str, Any]:
    """Return a calibration of a detector, fitted on tiles that neither trained nor score it.

    Args:
        tiles: tuning tiles with all predictions, however low their score.
        grouping: of the tiles; a group is never split over the folds of the cross-validation.
        rules: for the side of a pixel on the ground.
        method: `temperature` (with a shift: Platt 1999), `isotonic` (Zadrozny and Elkan 2002), or
            `auto`: the one with the lower log loss on held-out groups, the former where they tie.
        iou_thr: IoU at which a detection is a hit.

    Returns:
        A plain dict, see `probabilities`.

    Raises:
        ConfigError: no such method.
        DatasetError: too few hits or misses, scores that are not in [0, 1], or a tile of unknown
            size.
    """
    if method not in (AUTO, *METHODS):
        remedy = 'Name one of those'
        raise ConfigError.mismatch(
            'method', f'be one of {[AUTO, *METHODS]}', repr(method), '--method', remedy
        )
    scores, hit, group = _detections(tiles, grouping, iou_thr)
    losses, errors = _cross_validated(scores, hit, group)
    chosen = min(METHODS, key=lambda name: losses[name]) if method == AUTO else method
    found = _FITS[chosen](scores, hit)
    probable = [replace(tile, scores=calibrated(tile.scores, found)) for tile in tiles]
    blocks = fit_blocks(blocks_of(probable, rules or Rules()), grouping.group_index)
    return {
        **found,
        'iou_thr': iou_thr,
        'num_detections': len(scores),
        'num_hits': int(hit.sum()),
        'held_out_log_loss': losses,
        'held_out_D_ECE': errors,
        'blocks': blocks,
        **grouping.as_dict(),
        'tile_ids': [tile.tile_id for tile in tiles],
    }


def require_unseen(
    tiles: Sequence[TileResult], seen: Iterable[str], by: str, where: object
) -> None:
    """Refuse tiles that a training, or a fit, has seen.

    Args:
        tiles: to be fitted or scored on.
        seen: ids, `<name>:<tile id>` or bare.
        by: what saw them, for the error.
        where: what says so.

    Raises:
        SplitOverlapError: a tile was seen.
    """
    bare = {name.rpartition(':')[2] for name in seen}
    both = sorted({tile.tile_id.rpartition(':')[2] for tile in tiles} & bare)
    if both:
        got = f'{len(both)} of {len(tiles)} seen, such as {both[:3]}'
        remedy = 'Take tiles of another split'
        raise SplitOverlapError.mismatch('tiles', f'be unseen by {by}', got, where, remedy)


def _detections(
    tiles: Sequence[TileResult], grouping: Grouping, iou_thr: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Return the scores (N,), hits (N,) and groups (N,) of all detections."""
    where = f'{len(tiles)} tuning tiles'
    unsized = next((tile.tile_id for tile in tiles if tile.tile_hw is None), None)
    if unsized is not None:
        remedy = 'Write them again: LandslideMetric(save_predictions=True) states ori_shape'
        raise DatasetError.mismatch('predictions', 'state ori_shape', unsized, where, remedy)
    scores = np.concatenate([np.zeros(0), *(tile.scores for tile in tiles)]).astype(np.float64)
    hit = np.concatenate([np.zeros(0, np.bool_), *(hits(tile, iou_thr) for tile in tiles)])
    if scores.size and not 0 <= scores.min() <= scores.max() <= 1:
        got = f'{scores.min():.3g} to {scores.max():.3g}'
        remedy = 'Calibrate a detector whose scores are shares'
        raise DatasetError.mismatch('scores', 'lie in [0, 1]', got, where, remedy)
    if min(hit.sum(), (~hit).sum()) < _LEAST:
        got = f'{hit.sum()} hits and {(~hit).sum()} misses'
        remedy = 'Predict more tiles, or train the detector longer'
        raise DatasetError.mismatch(
            'detections', f'hold {_LEAST} hits and {_LEAST} misses', got, where, remedy
        )
    group = np.repeat(grouping.group_index, [len(tile.scores) for tile in tiles])
    return scores, hit, group


def _cross_validated(
    scores: NDArray[np.float64], hit: NDArray[np.bool_], group: NDArray[np.int64]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return log loss and D-ECE on held-out groups, of each method and of the scores as they are.

    `raw` stands for the latter.
    """
    folds = group % _FOLDS
    found = {'raw': scores, **{name: np.zeros(len(scores)) for name in METHODS}}
    for fold in np.unique(folds):
        held_out = folds == fold
        # Groups may be few; a fold that would leave one class alone is fitted on everything.
        fitted = ~held_out if len(set(hit[~held_out])) == 2 else np.ones(len(hit), np.bool_)
        for name in METHODS:
            model = _FITS[name](scores[fitted], hit[fitted])
            found[name][held_out] = calibrated(scores[held_out], model)
    losses = {name: _log_loss(values, hit) for name, values in found.items()}
    return losses, {name: reliability(values, hit).d_ece for name, values in found.items()}


def _log_loss(probabilities: NDArray[np.float64], hit: NDArray[np.bool_]) -> float:
    right = np.where(hit, probabilities, 1 - probabilities)
    return float(-np.log(right.clip(1e-6)).mean())


def _fit_temperature(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> dict[str, Any]:
    """Return temperature and shift of the greatest likelihood."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6, tol=1e-8, max_iter=1000).fit(logit(scores)[:, None], hit)
    slope = max(float(model.coef_[0, 0]), 1e-3)  # a higher score never means less
    shift = float(model.intercept_[0])
    return {'method': 'temperature', 'temperature': 1 / slope, 'shift': shift}


def _fit_isotonic(scores: NDArray[np.float64], hit: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the monotone step function of the least squares, by its corners."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds='clip').fit(scores, hit.astype(np.float64))
    corners = {'scores': model.X_thresholds_, 'probabilities': model.y_thresholds_.clip(0, 1)}
    return {'method': 'isotonic', **{name: each.tolist() for name, each in corners.items()}}


_FITS = {'temperature': _fit_temperature, 'isotonic': _fit_isotonic}
