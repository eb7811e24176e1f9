"""Whether the numbers of a copy's tiles are their places: edges that touch look alike."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mmlandslide.datasets.l4s.copies import TileCopy
from mmlandslide.datasets.l4s_grid import SCENES, GridScene, position_of

HOLDS, BROKEN, UNKNOWN = 'holds', 'broken', 'unknown'
#: Pixel columns (rows) that are averaged to an edge.
EDGE_PX = 2
#: Mean correlation that neighbours reach at least, and tiles that are none at most. Measured on the
#: RGB tiles: neighbours of each scene .77 to .90, row ends and random pairs -.14 to .03.
NEIGHBOURS_MIN, STRANGERS_MAX = 0.6, 0.5
#: Pairs below which a mean says nothing (the spread of a random pair is .23).
MIN_PAIRS, MIN_ROW_ENDS = 10, 3
#: A tile that fits its neighbours (two at least) less than this lies elsewhere; the lowest of the
#: RGB tiles is .43.
MISPLACED_BELOW, MISPLACED_SHARE_MAX = 0.3, 0.05
_RANDOM_PAIRS = 2000
_LEFT, _TOP, _RIGHT, _BOTTOM = range(4)


@dataclass(frozen=True)
class EdgeCorrelation:
    """Correlation of touching edges.

    Attributes:
        mean: over the pairs, in [-1, 1]; NaN without any.
        pairs: how many.
    """

    mean: float
    pairs: int


@dataclass(frozen=True)
class SceneOrder:
    """What the edges of one scene say.

    Attributes:
        scene: its letter.
        tiles: that the copy holds of it.
        right: of a tile and its neighbour to the right.
        below: of a tile and its neighbour below.
        row_ends: of the last tile of a row and the first of the next: neighbours by number alone.
    """

    scene: str
    tiles: int
    right: EdgeCorrelation
    below: EdgeCorrelation
    row_ends: EdgeCorrelation


@dataclass(frozen=True)
class OrderReport:
    """What the edges of a copy say.

    Attributes:
        tiles: that the copy holds.
        scenes: one entry each.
        random: of random pairs, for comparison.
        misplaced: numbers of tiles that fit none of their neighbours.
        verdict: `holds`, `broken` (the copy was renumbered, or holds other data) or `unknown` (too
            few neighbours).
        reasons: why, one sentence each.
    """

    tiles: int
    scenes: tuple[SceneOrder, ...]
    random: EdgeCorrelation
    misplaced: tuple[int, ...]
    verdict: str
    reasons: tuple[str, ...]


def measure_order(
    copy: TileCopy, seed: int = 0, progress: Callable[[Iterable[int]], Iterable[int]] = iter
) -> OrderReport:
    """Compare the touching edges of a copy's tiles; each tile is read once.

    An edge is the mean of the tile's last two pixel columns (rows), per red, green and blue; the
    channels' means are taken out and the three are correlated as one with the edge that it touches.

    Args:
        copy: of the tiles.
        seed: of the random pairs.
        progress: wraps the numbers while tiles are read.

    Raises:
        TileError: a broken tile, or one of another size.
    """
    edges = {
        number: _edges(copy.image(number)[copy.color_indices]) for number in progress(copy.images)
    }
    fits: dict[int, list[float]] = {number: [] for number in edges}
    scenes = tuple(_scene_order(scene, edges, fits) for scene in SCENES.values())
    misplaced = tuple(
        number
        for number, found in fits.items()
        if len(found) > 1 and np.mean(found) < MISPLACED_BELOW
    )
    judged = sum(len(found) > 1 for found in fits.values())
    reasons = _faults(scenes, misplaced, judged)
    verdict = BROKEN if reasons else HOLDS
    if not any(_enough(scene.right) or _enough(scene.below) for scene in scenes):
        verdict, reasons = UNKNOWN, [f'fewer than {MIN_PAIRS} pairs of neighbours in each scene']
    random = _random_pairs(edges, seed)
    return OrderReport(len(edges), scenes, random, misplaced, verdict, tuple(reasons))


def _edges(image: np.ndarray) -> np.ndarray:
    """Return left, top, right and lower edge, (4, C, side) float32 without the channels' means."""
    pixels = image.astype(np.float32)
    edges = np.stack(
        [
            pixels[..., :EDGE_PX].mean(-1),
            pixels[..., :EDGE_PX, :].mean(-2),
            pixels[..., -EDGE_PX:].mean(-1),
            pixels[..., -EDGE_PX:, :].mean(-2),
        ]
    )
    return np.asarray(edges - edges.mean(-1, keepdims=True))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two edges, (C, side), without means; NaN where one is constant."""
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / norm if norm > 0 else float('nan')


def _scene_order(
    scene: GridScene, edges: dict[int, np.ndarray], fits: dict[int, list[float]]
) -> SceneOrder:
    """Compare the edges of a scene; add to `fits` what each tile's neighbours say of it."""
    right: list[float] = []
    below: list[float] = []
    row_ends: list[float] = []
    for number in (number for number in scene.numbers if number in edges):
        _, row, column = position_of(number)
        steps = (
            (scene.number(row, column + 1), _RIGHT, _LEFT, right),
            (scene.number(row + 1, column), _BOTTOM, _TOP, below),
        )
        for other, edge, touching, found in steps:
            if other in edges:
                value = _correlation(edges[number][edge], edges[other][touching])
                found.append(value)
                for tile in (number, other):
                    fits[tile].append(value)
        if column == scene.columns - 1 and row < scene.rows - 1 and number + 1 in edges:
            row_ends.append(_correlation(edges[number][_RIGHT], edges[number + 1][_LEFT]))
    tiles = sum(number in edges for number in scene.numbers)
    return SceneOrder(scene.name, tiles, _mean(right), _mean(below), _mean(row_ends))


def _mean(values: Sequence[float]) -> EdgeCorrelation:
    known = np.array([value for value in values if np.isfinite(value)])
    return EdgeCorrelation(float(known.mean()) if len(known) else float('nan'), len(known))


def _random_pairs(edges: dict[int, np.ndarray], seed: int) -> EdgeCorrelation:
    numbers = list(edges)
    drawn = np.random.default_rng(seed).choice(numbers, (_RANDOM_PAIRS, 2))
    return _mean(
        [_correlation(edges[one][_RIGHT], edges[two][_LEFT]) for one, two in drawn if one != two]
    )


def _enough(found: EdgeCorrelation) -> bool:
    return found.pairs >= MIN_PAIRS


def _faults(scenes: Sequence[SceneOrder], misplaced: Sequence[int], judged: int) -> list[str]:
    """Return what speaks against the order."""
    found = []
    for scene in scenes:
        for name, edges in (('right', scene.right), ('below', scene.below)):
            if _enough(edges) and edges.mean < NEIGHBOURS_MIN:
                found.append(
                    f'scene {scene.scene}: neighbours {name} correlate at {edges.mean:.2f}, '
                    f'below {NEIGHBOURS_MIN}'
                )
    ends = [scene.row_ends for scene in scenes if scene.row_ends.pairs]
    pairs = sum(end.pairs for end in ends)
    mean = sum(end.mean * end.pairs for end in ends) / max(pairs, 1)
    if pairs >= MIN_ROW_ENDS and mean > STRANGERS_MAX:
        found.append(f'row ends correlate at {mean:.2f}, above {STRANGERS_MAX}: rows end elsewhere')
    if judged and len(misplaced) > MISPLACED_SHARE_MAX * judged:
        found.append(f'{len(misplaced)} of {judged} tiles fit none of their neighbours')
    return found
