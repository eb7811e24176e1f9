"""Frequency-area distribution of landslides, with its roll-over.

Landslide inventories follow a power law at large areas that rolls over at small ones, where
inventories, and detectors, miss (Malamud et al. 2004, Earth Surf. Process. Landforms 29, 687-711).
Truth beside prediction shows which sizes a detector misses or invents.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.evaluation.results import Rules, TileResult

#: Bins per factor of ten of area.
_BINS_PER_DECADE = 5
_LEAST = 10  # objects beyond the roll-over from which a tail exponent is given


@dataclass(frozen=True, eq=False)
class FrequencyArea:
    """Frequency density of the areas of boxes.

    Attributes:
        num: number of boxes.
        edges_m2: (B + 1,) edges of the bins, m^2, evenly spaced in the logarithm.
        density_per_m2: (B,) probability density p(A) = n / (num * width of the bin), 1 / m^2.
        rollover_m2: area at the greatest density, the geometric middle of its bin; NaN without
            boxes.
        tail_exponent: a of p(A) ~ A^-a above the roll-over, by maximum likelihood (Clauset et al.
            2009, SIAM Review 51(4), eq. 3.1); NaN with fewer than 10 boxes there.
    """

    num: int
    edges_m2: NDArray[np.float64]
    density_per_m2: NDArray[np.float64]
    rollover_m2: float
    tail_exponent: float

    def as_dict(self) -> dict[str, object]:
        """Return the numbers, for JSON."""
        return dict(vars(self))


def areas_m2(boxes_xyxy: NDArray[np.floating], rules: Rules) -> NDArray[np.float64]:
    """Return the areas of boxes on the ground, (N,), m^2."""
    wh = (boxes_xyxy[:, 2:].astype(np.float64) - boxes_xyxy[:, :2]).clip(0)
    return wh.prod(axis=1) * rules.px_m**2


def frequency_area(
    areas: NDArray[np.floating], edges_m2: NDArray[np.float64] | None = None
) -> FrequencyArea:
    """Return the frequency density of areas.

    Args:
        areas: (N,) m^2; what is 0 is left out.
        edges_m2: of the bins; where `None`, five per factor of ten around the areas.
    """
    areas = np.asarray(areas, np.float64)
    areas = areas[areas > 0]
    edges = bin_edges(areas) if edges_m2 is None else edges_m2
    counts, widths = np.histogram(areas, edges)[0], np.diff(edges)
    density = counts / (max(areas.size, 1) * widths)
    if not counts.any():
        return FrequencyArea(int(areas.size), edges, density, float('nan'), float('nan'))
    peak = int(density.argmax())
    rollover = float(np.sqrt(edges[peak] * edges[peak + 1]))
    tail = areas[areas >= rollover]
    spread = np.log(tail / rollover).sum()
    exponent = 1 + tail.size / spread if tail.size >= _LEAST and spread > 0 else float('nan')
    return FrequencyArea(int(areas.size), edges, density, rollover, float(exponent))


def bin_edges(areas: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return edges of bins around areas, m^2, at powers of 10 to the fifth part."""
    if not areas.size:
        return np.array([1.0, 10.0])
    low, high = np.log10([areas.min(), areas.max()]) * _BINS_PER_DECADE
    steps = np.arange(np.floor(low + 1e-9), np.floor(high + 1e-9) + 2)
    return np.asarray(10 ** (steps / _BINS_PER_DECADE))


def compared(
    tiles: Sequence[TileResult], rules: Rules, score_thr: float
) -> dict[str, FrequencyArea]:
    """Return the curves of a set's `truth` and `prediction`, in the same bins.

    Args:
        tiles: the evaluated set.
        rules: for the side of a pixel on the ground.
        score_thr: smallest score of a prediction that counts; NaN for none.
    """
    none = np.zeros((0, 4))
    true = np.concatenate([none, *(tile.true_boxes_xyxy for tile in tiles)])
    kept = [tile.boxes_xyxy[tile.scores >= score_thr] for tile in tiles]
    found = {'truth': true, 'prediction': np.concatenate([none, *kept])}
    return compared_areas(*(areas_m2(boxes, rules) for boxes in found.values()))


def compared_areas(
    true: NDArray[np.floating], predicted: NDArray[np.floating]
) -> dict[str, FrequencyArea]:
    """Return the curves of `truth` and `prediction` in the same bins.

    Args:
        true: (N,) m^2.
        predicted: (M,) m^2.
    """
    areas = {'truth': true, 'prediction': predicted}
    together = np.concatenate([true, predicted])
    edges = bin_edges(together[together > 0])
    return {name: frequency_area(values, edges) for name, values in areas.items()}
