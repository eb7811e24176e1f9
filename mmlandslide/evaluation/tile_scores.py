"""How well a classifier tells tiles that hold a landslide from those that do not. Pure NumPy."""

import numpy as np
from numpy.typing import NDArray


def tile_scores(labels: NDArray[np.integer], scores: NDArray[np.floating], score_thr: float = 0.5) -> dict[str, float]:
    """Score a classifier of `any landslide in the tile?`.

    Args:
        labels: (N,), 1 = the tile holds a landslide, 0 = it holds none.
        scores: (N,), probability of 1.
        score_thr: a tile counts as found where its score is above it.

    Returns:
        `accuracy`, `precision`, `recall` and `F1` at the threshold, `AUROC` over all of them, `base_rate` (share of tiles with a
        landslide) and `majority` (the accuracy of giving all tiles the more frequent label); NaN where the set does not define one.
    """
    true, found = labels == 1, scores > score_thr
    hits, num_true, num_found = (int(which.sum()) for which in (true & found, true, found))
    return {
        'accuracy': _ratio(int((true == found).sum()), len(labels)),
        'precision': _ratio(hits, num_found),
        'recall': _ratio(hits, num_true),
        'F1': _ratio(2 * hits, num_true + num_found),
        'AUROC': auroc(labels, scores),
        'base_rate': _ratio(num_true, len(labels)),
        'majority': _ratio(max(num_true, len(labels) - num_true), len(labels)),
    }


def auroc(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> float:
    """Return the area under the receiver operating characteristic, NaN where there is no pair.

    It is the share of pairs of a tile with and one without landslide in which the former scores higher, ties counting half (Hanley
    and McNeil 1982).

    Args:
        labels: (N,), 1 or 0.
        scores: (N,); any scale on which more means surer.
    """
    positive, negative = scores[labels == 1], np.sort(scores[labels != 1])
    below, up_to = (np.searchsorted(negative, positive, side) for side in ('left', 'right'))
    return _ratio(int((below + up_to).sum()), 2 * len(positive) * len(negative))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')
