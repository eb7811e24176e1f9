"""Linear and k-NN probes on frozen features.

Both are the usual measures of an encoder that is not fine-tuned (Alain and Bengio 2016, arXiv
1610.01644; Wu et al. 2018, arXiv 1805.01978). All that is chosen (scale, strength of the
regularisation, decision threshold .5) is chosen on the samples that fit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from mmlandslide.errors import ConfigError, DatasetError
from mmlandslide.evaluation.bootstrap import RESAMPLES, Grouping, draw, interval, single_tiles
from mmlandslide.evaluation.tile_metric import auroc

#: Inverse strengths of the linear probe's regularisation, from which cross-validation chooses.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FOLDS = 3


@dataclass(frozen=True)
class Samples:
    """Labelled tiles, or labelled cells of tiles.

    Attributes:
        features: (N, D) float32.
        positive: (N,) bool, True = landslide.
        tiles: (N,) int, tile that each sample is of, 0 to T - 1; each tile has a sample.
        where: folder that they come from, for errors.
        grouping: of the tiles, for intervals; single tiles unless given.
    """

    features: np.ndarray
    positive: np.ndarray
    tiles: np.ndarray
    where: str = 'the samples'
    grouping: Grouping = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Resample single tiles where no grouping is given."""
        if self.grouping is None:
            object.__setattr__(self, 'grouping', single_tiles(int(self.tiles.max()) + 1))

    @property
    def num_tiles(self) -> int:
        """Number of tiles that the samples are of."""
        return len(np.unique(self.tiles))


@dataclass(frozen=True)
class Probed:
    """Probabilities that one probe gives to the scored samples.

    Attributes:
        probability: (N,) of landslide, in [0, 1].
        samples: that were scored.
        chosen: hyperparameters chosen on the fitting samples, by name.
    """

    probability: np.ndarray
    samples: Samples
    chosen: dict[str, float]

    def aurocs(self, seed: int = 0, resamples: int = RESAMPLES) -> NDArray[np.float64]:
        """Return the area under the ROC curve of each bootstrap resample.

        Two probes of the same samples and seed are resampled alike, so that their differences are
        paired.

        Returns:
            (resamples,) in [0, 1]; NaN where a resample has one class only.
        """
        weights = sample_weights(self.samples, seed, resamples)
        positive = self.samples.positive
        return np.concatenate([auroc(positive, self.probability, rows) for rows in weights])

    def numbers(self, seed: int = 0) -> dict[str, Any]:
        """Return accuracy (at probability .5) and AUROC, each with its 95 % interval."""
        right = (self.probability >= 0.5) == self.samples.positive
        resampled = [rows @ right / rows.sum(1) for rows in sample_weights(self.samples, seed)]
        return {
            'accuracy': float(right.mean()),
            'accuracy_95': interval(np.concatenate(resampled)),
            'auroc': float(auroc(self.samples.positive, self.probability)),
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
    """Return the share of landslides among the k nearest fitting samples.

    Distance is the angle between standardised features.

    Args:
        fit: samples to look among.
        scored: samples of other tiles.
        neighbours: number k of them; all have the same vote.

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


def tile_folds(samples: Samples) -> np.ndarray:
    """Return the cross-validation fold of each sample, (N,) int.

    Tiles stay whole and are dealt out in the order of their landslide fraction, so that every fold
    has both classes wherever as many tiles as folds hold each.
    """
    names, tiles = np.unique(samples.tiles, return_inverse=True)
    fraction = np.bincount(tiles, samples.positive) / np.bincount(tiles)
    fold = np.empty(len(names), int)
    fold[np.argsort(fraction, kind='stable')] = np.arange(len(names)) % FOLDS
    return fold[tiles]


def _logistic(strength: float, features: np.ndarray, positive: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000, tol=1e-3).fit(features, positive)


def sample_weights(
    samples: Samples, seed: int = 0, resamples: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """Yield how often each sample counts in resamples of the tiles, (50, N) at a time.

    A thousand would fill the memory.
    """
    counts = draw(samples.grouping, resamples=resamples, seed=seed).counts
    for start in range(0, resamples, 50):
        yield counts[start : start + 50, samples.tiles].astype(np.float64)


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
