"""How far the scores of detections are from the share that hits: D-ECE and its bins. Pure NumPy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUM_BINS = 10


@dataclass(frozen=True, eq=False)
class Reliability:
    """Detections in bins of equal width of their score.

    Attributes:
        edges: (B + 1,) from 0 to 1.
        counts: (B,) detections of each bin.
        confidence: (B,) their mean score, NaN in an empty bin.
        precision: (B,) share of them that hit, NaN in an empty bin.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    precision: NDArray[np.float64]

    @property
    def d_ece(self) -> float:
        """Detection expected calibration error (Kueppers et al. 2020, CVPR workshops, eq. 4).

        Mean over detections of |precision - confidence| of their bin; by score alone, not by
        position or size. NaN without detections.
        """
        filled = self.counts > 0
        if not filled.any():
            return float('nan')
        gaps = np.abs(self.precision - self.confidence)[filled]
        return float(np.average(gaps, weights=self.counts[filled]))

    def as_dict(self) -> dict[str, object]:
        """Return the numbers, for JSON."""
        return {**vars(self), 'D_ECE': self.d_ece}


def reliability(
    scores: NDArray[np.floating], hit: NDArray[np.bool_], num_bins: int = NUM_BINS
) -> Reliability:
    """Return the reliability of detections.

    Args:
        scores: (N,) in [0, 1]; of others nothing is known, and all bins are empty.
        hit: (N,) bool.
        num_bins: bins of equal width.
    """
    scores = np.asarray(scores, np.float64)
    if scores.size and not 0 <= scores.min() <= scores.max() <= 1:
        scores, hit = scores[:0], hit[:0]
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.digitize(scores, edges[1:-1])
    counts = np.bincount(bins, minlength=num_bins)
    with np.errstate(invalid='ignore'):
        confidence, precision = (
            np.bincount(bins, weights=values, minlength=num_bins) / counts
            for values in (scores, hit)
        )
    return Reliability(edges, counts, confidence, precision)
