"""What a classifier as simple as possible makes of frozen features.

A linear probe and nearest neighbours, scored with intervals. Both are the usual measures of an
encoder that is not fine-tuned (Alain and Bengio 2016, arXiv 1610.01644; Wu et al. 2018, arXiv
1805.01978). All that is chosen (scale, strength of the regularisation, decision threshold .5) is
chosen on the samples that fit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from mmlandslide import rng
from mmlandslide.errors import ConfigError, DatasetError

#: Inverse strengths of the linear probe's regularisation, from which cross-validation chooses.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 3
RESAMPLES = 1000


@dataclass(frozen=True)
class Samples:
    """Tiles, or cells of tiles, as a probe sees them.

    Attributes:
        features: (N, D) float32.
        positive: (N,) bool, True = landslide.
        tiles: (N,) int, the tile that each sample is of.
        where: they come from, for errors.
    """

    features: np.ndarray
    positive: np.ndarray
    tiles: np.ndarray
    where: str = 'the samples'

    @property
    def num_tiles(self) -> int:
        """Return the number of tiles that the samples are of."""
        return len(np.unique(self.tiles))


@dataclass(frozen=True)
class Probed:
    """What one probe says of each scored sample.

    Attributes:
        probability: (N,) of landslide, in [0, 1].
        samples: that were scored.
        chosen: what was chosen on the fitting samples, by name.
    """

    probability: np.ndarray
    samples: Samples
    chosen: dict[str, float]

    def aurocs(self, seed: int = 0, resamples: int = RESAMPLES) -> NDArray[np.float64]:
        """Return the area under the ROC curve of each bootstrap resample of tiles, not a number where it has one class only.

        Two probes of the same samples and seed are resampled alike, so that their differences are
        paired.

        Returns:
            (resamples,) in [0, 1].
        """
        drawn = resampled_tiles(self.samples, seed, resamples)
        return np.concatenate(
            [auroc(self.probability, self.samples.positive, weights) for weights in drawn]
        )

    def numbers(self, seed: int = 0) -> dict[str, Any]:
        """Return accuracy (at probability .5) and AUROC, each with the 95 % interval of a bootstrap over tiles."""
        right = (self.probability >= 0.5) == self.samples.positive
        resampled = [
            weights @ right / weights.sum(1) for weights in resampled_tiles(self.samples, seed)
        ]
        return {
            'accuracy': float(right.mean()),
            'accuracy_95': interval(np.concatenate(resampled)),
            'auroc': float(auroc(self.probability, self.samples.positive)),
            'auroc_95': interval(self.aurocs(seed)),
            **self.chosen,
        }


def linear_probe(fit: Samples, scored: Samples) -> Probed:
    """Fit a logistic regression to standardised features.

    Its regularisation is chosen by cross-validation over the fit's tiles.

    Args:
        fit: samples to fit and to choose on.
        scored: samples of other tiles.

    Raises:
        DatasetError: too few tiles of a class to fit.
    """
    _require_classes(fit, FOLDS)
    scaler = StandardScaler().fit(fit.features)
    features, folds = scaler.transform(fit.features), tile_folds(fit)
    losses = {}
    for strength in STRENGTHS:
        held_out = np.zeros(len(features))
        for fold in range(FOLDS):
            inside = folds != fold
            held_out[~inside] = _logistic(
                strength, features[inside], fit.positive[inside]
            ).predict_proba(features[~inside])[:, 1]
        losses[strength] = log_loss(fit.positive, held_out, labels=[False, True])
    best = min(losses, key=lambda strength: losses[strength])
    model = _logistic(best, features, fit.positive)
    return Probed(model.predict_proba(scaler.transform(scored.features))[:, 1], scored, {'C': best})


def nearest_probe(fit: Samples, scored: Samples, neighbours: int = 20) -> Probed:
    """Take the share of landslide among the nearest fitting samples, by the angle between standardised features.

    Args:
        fit: samples to look among.
        scored: samples of other tiles.
        neighbours: that vote, all alike.

    Raises:
        DatasetError: the fitting samples are of one class.
        ConfigError: there are fewer fitting samples than neighbours.
    """
    _require_classes(fit, 1)
    if not 1 <= neighbours <= len(fit.features):
        raise ConfigError.mismatch(
            'neighbours', f'be 1 to {len(fit.features)}', neighbours, fit.where, 'Ask for fewer'
        )
    scaler = StandardScaler().fit(fit.features)
    model = KNeighborsClassifier(neighbours, metric='cosine', algorithm='brute')
    model.fit(scaler.transform(fit.features), fit.positive)
    return Probed(
        model.predict_proba(scaler.transform(scored.features))[:, 1],
        scored,
        {'neighbours': neighbours},
    )


def auroc(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None
) -> NDArray[np.float64]:
    """Return the area under the ROC curve.

    The chance that a positive sample scores above a negative one, a tie counting half.

    Args:
        score: (N,), larger = landslide.
        positive: (N,) bool.
        weights: (..., N), how often each sample counts; once each where `None`.

    Returns:
        (...) in [0, 1]; not a number where one class has no weight.
    """
    _, level = np.unique(score, return_inverse=True)
    order = np.argsort(level, kind='stable')
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    counts = np.ones(len(score)) if weights is None else weights
    above, below = (
        np.add.reduceat(np.where(wanted, counts, 0.0)[..., order], starts, axis=-1)
        for wanted in (positive, ~positive)
    )
    beaten = np.cumsum(below, axis=-1) - below / 2
    with np.errstate(invalid='ignore'):
        area: NDArray[np.float64] = (above * beaten).sum(-1) / (above.sum(-1) * below.sum(-1))
    return area


def interval(values: np.ndarray) -> list[float]:
    """Return the middle 95 % of some resampled values; nothing where none is a number."""
    known = values[np.isfinite(values)]
    return [float(edge) for edge in np.quantile(known, (0.025, 0.975))] if len(known) else []


def tile_folds(samples: Samples) -> np.ndarray:
    """Return the fold of each sample, (N,) int: whole tiles, dealt out by their share of landslide.

    So every fold has its part of both classes wherever as many tiles as folds hold each.
    """
    names, tiles = np.unique(samples.tiles, return_inverse=True)
    share = np.bincount(tiles, samples.positive) / np.bincount(tiles)
    fold = np.empty(len(names), int)
    fold[np.argsort(share, kind='stable')] = np.arange(len(names)) % FOLDS
    return fold[tiles]


def _logistic(strength: float, features: np.ndarray, positive: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000, tol=1e-3).fit(features, positive)


def resampled_tiles(
    samples: Samples, seed: int = 0, resamples: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """Yield how often each sample counts in resamples of the tiles, (50, N) at a time.

    A thousand would fill the memory.
    """
    names, tiles = np.unique(samples.tiles, return_inverse=True)
    drawn = rng.generator(seed, 'bootstrap').multinomial(
        len(names), np.full(len(names), 1 / len(names)), resamples
    )
    for start in range(0, resamples, 50):
        yield drawn[start : start + 50, tiles].astype(np.float64)


def _require_classes(samples: Samples, num_tiles: int) -> None:
    """Refuse samples to fit where a class is on fewer tiles than needed."""
    found = {
        name: len(np.unique(samples.tiles[samples.positive == wanted]))
        for name, wanted in (('with', True), ('without', False))
    }
    if min(found.values()) < num_tiles:
        got = ' and '.join(f'{count} {name}' for name, count in found.items())
        raise DatasetError.mismatch(
            'labels',
            f'have both classes on at least {num_tiles} tiles each',
            f'{got} landslide among {len(samples.positive)} samples of {samples.num_tiles} tiles',
            samples.where,
            'Label otherwise (--label median, or --level cell) or name a split that holds both',
        )
