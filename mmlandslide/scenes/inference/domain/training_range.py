"""How far a scene is off from what a detector was trained on: a small statistic of its windows.

A window is described by brightness, contrast and texture of each band and by how bands go together,
as the network sees them. The training tiles give mean, covariance and the distance (Mahalanobis)
within which all but a hundredth of them lie; a distance is given in units of that one, so that 1 is
the edge of the training range. A scene lies where the median of its windows does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.scenes.inference.job import InferenceJob

#: Key in the metadata of an exported detector.
KEY = 'training_range'
#: Share of the training tiles within the range; fewest of them that make one.
_INSIDE, FEWEST = 0.99, 100
#: Windows of a scene that are looked at, and the share of pixels with data that each needs.
_MOST_WINDOWS, _LEAST_KNOWN = 64, 0.5
#: Pixels that one is taken from in each direction: the finest detail is of the sensor, or of JPEG.
_SHRINK = 2
_TINY = 1e-6


@dataclass(frozen=True)
class TrainingRange:
    """Where the training tiles of a detector lie.

    Attributes:
        scale: (C,) by which bands are divided first: the means that normalisation takes.
        mean: (F,) of the tiles' descriptions.
        whitening: (F, F): a description minus the mean, times this, has the unit covariance.
        limit: distance within which 99 % of the tiles lie.
        known: scenes whose distance and score were measured: name -> `distance` and `AP50`.
    """

    scale: NDArray[np.float64]
    mean: NDArray[np.float64]
    whitening: NDArray[np.float64]
    limit: float
    known: Mapping[str, Mapping[str, float]]

    def distances(self, described: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the distance of each of (N, F) windows; 1 is the edge of the training range."""
        off = (described - self.mean) @ self.whitening
        return np.asarray(np.linalg.norm(off, axis=1) / self.limit)

    def as_dict(self) -> dict[str, Any]:
        """Return what `range_of` takes."""
        return {
            'scale': self.scale.tolist(),
            'mean': self.mean.round(6).tolist(),
            'whitening': self.whitening.round(6).tolist(),
            'limit': round(self.limit, 6),
            'known': dict(self.known),
        }


def range_of(metadata: Mapping[str, Any]) -> TrainingRange | None:
    """Return the range that a detector's metadata state; `None` where none of this form is there.

    Args:
        metadata: of an exported detector.
    """
    found: Any = metadata.get(KEY)
    try:
        made = TrainingRange(
            np.asarray(found['scale'], float),
            np.asarray(found['mean'], float),
            np.asarray(found['whitening'], float),
            float(found['limit']),
            dict(found.get('known') or {}),
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    size = len(made.mean) if made.mean.ndim == 1 else 0
    bands = len(made.scale) if made.scale.ndim == 1 else 0
    whole = size == 4 * bands - 1 > 0 and made.whitening.shape == (size, size) and made.limit > 0
    finite = whole and bool(np.isfinite(made.whitening).all() and np.isfinite(made.mean).all())
    return made if finite else None


def describe(
    images: NDArray[np.float32], known: NDArray[np.bool_], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what describes each window, (B, F).

    Args:
        images: (B, C, h, w) as the network is given them.
        known: (B, h, w) bool, true where there are data.
        scale: (C,) by which bands are divided first.

    Returns:
        By band mean, logarithm of the standard deviation and of the mean step between neighbouring
        pixels; then for each pair of bands that follow each other their correlation.
    """
    divisor = np.maximum(np.abs(scale), _TINY)[:, None, None]
    images, known = _shrunk(images), _shrunk(known.astype(np.float32)) == 1
    return np.stack(
        [
            _described(image.astype(np.float64) / divisor, seen)
            for image, seen in zip(images, known, strict=True)
        ]
    )


def _shrunk(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (..., h, w) as means of squares of pixels, (..., h / 2, w / 2)."""
    rows, cols = (side // _SHRINK for side in images.shape[-2:])
    cut = images[..., : rows * _SHRINK, : cols * _SHRINK]
    squares = cut.reshape(*images.shape[:-2], rows, _SHRINK, cols, _SHRINK)
    return np.asarray(squares.mean(axis=(-3, -1)))


def _described(image: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    pixels = image[:, known]  # (C, N)
    both = known[:, 1:] & known[:, :-1]
    steps = np.abs(np.diff(image, axis=2))[:, both]
    texture = steps.mean(axis=1) if steps.size else np.zeros(len(image))
    off = pixels - pixels.mean(axis=1, keepdims=True)
    deviation = off.std(axis=1)
    pairs = (off[1:] * off[:-1]).mean(axis=1) / np.maximum(deviation[1:] * deviation[:-1], _TINY)
    logs = np.log(np.concatenate([deviation, texture]) + _TINY)
    return np.concatenate([pixels.mean(axis=1), logs, pairs])


def fit(described: NDArray[np.float64], scale: NDArray[np.float64]) -> TrainingRange:
    """Return the range of training tiles.

    Args:
        described: (N, F) of the tiles, see `describe`.
        scale: (C,) that they were described with.

    Raises:
        ConfigError: too few tiles.
    """
    if len(described) < FEWEST:
        expected = f'be at least {FEWEST} to give a range'
        raise ConfigError.mismatch(
            'training tiles', expected, len(described), 'the config', 'Leave the range out'
        )
    mean = described.mean(axis=0)
    covariance = np.cov(described.T) + _TINY * np.eye(len(mean))
    values, axes = np.linalg.eigh(covariance)
    whitening = axes / np.sqrt(np.maximum(values, _TINY))
    limit = float(np.quantile(np.linalg.norm((described - mean) @ whitening, axis=1), _INSIDE))
    return TrainingRange(scale, mean, whitening, limit, {})


def trained_on(
    config: Mapping[str, Any],
    scale: NDArray[np.float32],
    known: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Return the metadata of where a config's training tiles lie; none where they are not there.

    Args:
        config: of a detector.
        scale: (C,) by which bands are divided.
        known: see `TrainingRange`.

    Raises:
        LandslideError: the tiles are there and cannot be read.
    """
    from mmlandslide.registry import DATASETS

    stated = config.get('train_dataloader', {}).get('dataset')
    try:
        tiles = DATASETS.build({**stated, 'pipeline': []})
    except (TypeError, MissingPathError):  # no training in the config, or elsewhere
        return {}
    images = (tiles.load_image(tiles.get_data_info(index)) for index in range(len(tiles)))
    divisors = scale.astype(float)
    described = [
        describe(image[None], np.asarray(np.isfinite(image).all(0))[None], divisors)
        for image in images
    ]
    if len(described) < FEWEST:
        return {}
    return {KEY: {**fit(np.concatenate(described), divisors).as_dict(), 'known': dict(known)}}


def measure(job: InferenceJob) -> dict[str, Any] | None:
    """Return how far a scene is off from what its detector was trained on.

    Args:
        job: of the scene; at most 64 of its windows are read, evenly over it.

    Returns:
        `distance`, the median of the windows', `windows` and `beyond`, the share of them beyond
        the training range; `None` where the detector states no range or no window has data.
    """
    found = getattr(job.predictor, KEY, None)
    if found is None:
        return None
    parts = (_window(job, place, found.scale) for place in _places(job))
    described = [part for part in parts if part is not None]
    if not described:
        return None
    distances = found.distances(np.concatenate(described))
    return {
        'distance': round(float(np.median(distances)), 3),
        'windows': len(distances),
        'beyond': round(float((distances > 1).mean()), 3),
    }


def _places(job: InferenceJob) -> list[tuple[int, int]]:
    """Return rows and columns of windows, evenly over the grid."""
    rows, cols = len(job.grid.row_starts), len(job.grid.col_starts)
    chosen = np.unique(np.linspace(0, rows * cols - 1, _MOST_WINDOWS).round().astype(int))
    return [divmod(int(each), cols) for each in chosen]


def _window(
    job: InferenceJob, place: tuple[int, int], scale: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the description of a window, (1, F); `None` where too little of it has data."""
    row, col = place
    top, left, side = (
        int(job.grid.row_starts[row]),
        int(job.grid.col_starts[col]),
        job.grid.window_px,
    )
    values, valid = job.scene.read((top, left, side, side))
    if valid.mean() < _LEAST_KNOWN:
        return None
    values[:, ~valid] = job.predictor.fill[:, None]
    shown = getattr(job.predictor, 'shown', None)
    images = values[None] if shown is None else shown(values[None])
    rows, cols = (np.arange(size) * side // size for size in images.shape[2:])
    return describe(images, valid[np.ix_(rows, cols)][None], scale)


def warning(job: InferenceJob, off: Mapping[str, Any] | None) -> str | None:
    """Return what to say of a scene beyond the training range; `None` of one within it.

    Args:
        job: of the scene.
        off: what `measure` returned.
    """
    if off is None or off['distance'] <= 1:
        return None
    found = getattr(job.predictor, KEY, None)
    measured = [
        f'AP50 {each["AP50"]:.2f} at {each["distance"]:.2f} ({name})'
        for name, each in sorted(
            (found.known if found else {}).items(), key=lambda pair: pair[1]['distance']
        )
    ]
    seen = f'; measured within it: {", ".join(measured)}' if measured else ''
    return (
        f'{job.scene.name} is beyond what the detector was trained on (distance '
        f'{off["distance"]:.1f}, the edge of the training tiles is 1){seen}. '
        'Expect worse; look at the boxes before using them'
    )
