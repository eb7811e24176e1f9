"""From the scores of a detector to probabilities, by what its checkpoint keeps. Pure NumPy.

A calibration is a plain dict in a checkpoint's record (`meta.mmlandslide.calibration`), in the
metadata of its `.safetensors` or of an exported graph:

- `method`: `temperature` or `isotonic`;
- `temperature`, `shift` of the former: p = sigmoid(logit(score) / temperature + shift);
- `scores`, `probabilities` of the latter, both ascending: p interpolates between them;
- `iou_thr`: what p is the probability of: the box hits a true one at this IoU;
- `tile_ids`: tiles that it was fitted on; `blocks`: see `block_expectation`; and what was measured.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError

#: Key of a calibration in a checkpoint's record.
KEY = 'calibration'
METHODS = ('temperature', 'isotonic')
#: Scores nearer to 0 and 1 have no finite logit.
_EDGE = 1e-6


def calibration_of(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the calibration that a checkpoint's record states.

    A checkpoint may come from anybody: what is not of the form that `calibrated` takes counts as
    not stated.

    Args:
        record: what `weights.lineage.stated` returned, or another mapping with the key
            `calibration`.

    Returns:
        The calibration; `None` where none is stated.
    """
    found = record.get(KEY)
    return dict(found) if isinstance(found, Mapping) and _is_whole(found) else None


def calibrated(scores: NDArray[np.floating], calibration: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the probability that each detection hits a true box, by what was fitted.

    Monotone: a higher score never has a lower probability.

    Args:
        scores: of the detector, in [0, 1], any shape.
        calibration: what `calibration_of` returned.

    Returns:
        Probabilities in [0, 1], of the same shape.

    Raises:
        ConfigError: a calibration without meaning.
    """
    if not _is_whole(calibration):
        remedy = 'Fit it with `mmlandslide calibrate`'
        raise ConfigError.mismatch(
            'calibration', f'be of a method in {METHODS}', dict(calibration), 'the record', remedy
        )
    values = np.asarray(scores, np.float64)
    if calibration['method'] == 'isotonic':
        edges = calibration['scores'], calibration['probabilities']
        return np.asarray(np.interp(values, *edges), np.float64)
    logits = logit(values) / calibration['temperature'] + calibration['shift']
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)


def logit(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log(s / (1 - s)), finite at 0 and 1."""
    inside = np.asarray(scores, np.float64).clip(_EDGE, 1 - _EDGE)
    return np.asarray(np.log(inside / (1 - inside)), np.float64)


def _is_whole(found: Mapping[str, Any]) -> bool:
    if found.get('method') == 'temperature':
        temperature, shift = found.get('temperature'), found.get('shift')
        return _finite([temperature, shift]) and float(temperature or 0) > 0
    scores, probabilities = found.get('scores'), found.get('probabilities')
    return (
        found.get('method') == 'isotonic'
        and _finite(scores)
        and _finite(probabilities)
        and len(scores or ()) == len(probabilities or ()) > 0
        and all(a <= b for each in (scores, probabilities) for a, b in pairwise(each or ()))
        and all(0 <= value <= 1 for value in probabilities or ())
    )


def _finite(values: Any) -> bool:
    return isinstance(values, Sequence) and all(
        isinstance(value, int | float) and math.isfinite(value) for value in values
    )
