"""Simulated landslide scars.

They break out on steep ground, run downhill and leave bare ground behind.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmlandslide.datasets.simulation.terrain import Grid, Terrain, fractal

# Slope at which most rainfall- and earthquake-triggered slides of this kind break out, and below
# which debris comes to rest.
START_SLOPE_DEG = 29.0
REST_SLOPE_DEG = 11.0
# Components of fewer pixels are not labelled.
SMALLEST_PX = 6


@dataclass(frozen=True)
class Scars:
    """The scars of a scene.

    Attributes:
        cover: share of each pixel that shows fresh ground, in [0, 1], soft at the edges, (H, W).
        mask: 1 where a labeller saw a landslide, else 0: the scars with slightly wrong edges, uint8
            (H, W).
    """

    cover: Grid
    mask: NDArray[np.uint8]


def num_scars(rng: np.random.Generator, num_px: int) -> int:
    """Draw how many scars a scene that has any holds.

    At least 1, 8 on average for a tile of 128 x 128 px, half of them under 5.
    """
    per_tile = min(rng.gamma(0.5, 14.0), 60)
    return 1 + int(per_tile * num_px / 128**2)


def scars(rng: np.random.Generator, ground: Terrain, count: int) -> Scars:
    """Draw scars on the steep parts of a terrain.

    Args:
        rng: where the draws come from.
        ground: the terrain.
        count: how many scars to start; those that touch one another grow together. 0 gives an empty
            mask.

    Returns:
        Cover and mask; at least one pixel is labelled where `count` > 0.
    """
    size_hw = (ground.dem_m.shape[0], ground.dem_m.shape[1])
    cover, label = np.zeros(size_hw, np.float32), np.zeros(size_hw, np.float32)
    if count == 0:
        return Scars(cover, label.astype(np.uint8))
    edge = fractal(rng, size_hw, 0.8, shortest_px=1.5)
    for start_rc in _starts(rng, ground, count):
        size_px = _size_px(rng)
        # Above 1.5 x the size the track would be a thread; wide scars are also the long ones.
        length_px, half_width_px = (
            1.15 * size_px * rng.uniform(0.75, 1.25),
            0.16 * size_px * rng.uniform(0.65, 1.5),
        )
        freshness = rng.uniform(0.65, 1.0)
        for points, half_widths in _tracks(rng, ground, start_rc, length_px, half_width_px):
            _stamp(cover, label, points, half_widths, edge, freshness)
    # A labeller's outline leaves the true one by about half a pixel.
    wrong = 0.12 * fractal(rng, size_hw, 0.5, shortest_px=1.0)
    return Scars(cover, _without_specks(label > 0.5 + wrong).astype(np.uint8))


def _without_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask without components too small to be outlined; the largest always stays."""
    labels, _ = ndimage.label(mask)
    areas_px = np.bincount(labels.ravel())
    areas_px[0] = 0
    return np.asarray((areas_px >= min(SMALLEST_PX, areas_px.max()))[labels] & mask)


def _size_px(rng: np.random.Generator) -> float:
    """Draw the size of a scar, about the square root of its box's area.

    Median 11, 5 % under 6, 5 % above 40.
    """
    if rng.random() < 0.2:
        return float(rng.uniform(24, 76))
    return float(np.clip(rng.lognormal(math.log(11), 0.36), 6, 76))


def _starts(rng: np.random.Generator, ground: Terrain, count: int) -> NDArray[np.int64]:
    """Draw where scars break out, (count, 2) row and column.

    On steep ground, in clusters as a storm or earthquake leaves them.
    """
    shape = ground.broad_slope_deg.shape
    steepest = float(np.percentile(ground.broad_slope_deg, 90))
    # Ground without steep slopes fails where it is steepest.
    steep = np.flatnonzero(ground.broad_slope_deg >= min(START_SLOPE_DEG, steepest))
    cluster = np.exp(
        1.2 * fractal(rng, (shape[0], shape[1]), 1.5, shortest_px=12.0, longest_px=90.0)
    ).ravel()[steep]
    total = np.cumsum(cluster, dtype=np.float64)
    chosen = steep[np.searchsorted(total, rng.random(count) * total[-1])]
    return np.stack(np.unravel_index(chosen, shape), 1)


def _tracks(
    rng: np.random.Generator,
    ground: Terrain,
    start_rc: NDArray[np.int64],
    length_px: float,
    half_width_px: float,
) -> list[tuple[Grid, Grid]]:
    """Return the tracks of one scar as points (N, 2) and half widths (N,).

    The main one and at times a fork.
    """
    points = _descend(rng, ground, (float(start_rc[0]), float(start_rc[1])), length_px)
    run = np.linspace(0, 1, len(points), dtype=np.float32)
    # A track that soon came to rest has not spread far either.
    half_widths = np.float32(max(min(half_width_px, 0.22 * len(points)), 1.0)) * (
        0.45 + 0.75 * run**0.7
    )
    tracks = [(points, half_widths)]
    if length_px > 10 and rng.random() < 0.35:
        branch = int(len(points) * rng.uniform(0.3, 0.7))
        turn = math.radians(rng.uniform(30, 60)) * rng.choice((-1, 1))
        fork = _descend(
            rng, ground, (float(points[branch, 0]), float(points[branch, 1])), 0.5 * length_px, turn
        )
        tracks.append((fork, np.full(len(fork), 0.7 * half_widths[branch], np.float32)))
    return tracks


def _descend(
    rng: np.random.Generator,
    ground: Terrain,
    start_rc: tuple[float, float],
    length_px: float,
    turn_rad: float = 0.0,
) -> Grid:
    """Follow the slope downhill with the inertia of debris, (N, 2) row and column.

    It ends after `length_px`, at the edge of the scene, or a little after the ground has become
    gentle.
    """
    height, width = ground.dem_m.shape
    row, col = start_rc
    sway = rng.normal(0, 0.25, int(length_px) + 1)
    heading: float | None = None
    points = [(row, col)]
    for step in range(int(length_px)):
        at = (int(row), int(col))
        uphill_row, uphill_col = float(ground.uphill_rc[0][at]), float(ground.uphill_rc[1][at])
        downhill = math.atan2(-uphill_row, -uphill_col)
        if heading is None:
            heading = downhill + turn_rad
        change = math.remainder(downhill - heading, 2 * math.pi)
        heading += 0.3 * change + sway[step]
        row, col = row + math.sin(heading), col + math.cos(heading)
        if not (0 <= row < height and 0 <= col < width):
            break
        points.append((row, col))
        gentle = ground.broad_slope_deg[int(row), int(col)] < REST_SLOPE_DEG
        # Debris that circles in a hollow has come to rest too.
        if step > 4 and (gentle or math.dist(points[-1], points[-6]) < 3):
            break
    return np.asarray(points, np.float32)


def _stamp(
    cover: Grid, label: Grid, points: Grid, half_widths: Grid, edge: Grid, freshness: float
) -> None:
    """Draw one track into cover and label, in place.

    Discs along the points, roughened by the edge noise.
    """
    reach = float(half_widths.max()) + 2.5
    top, left = np.maximum(np.floor(points.min(0) - reach), 0).astype(int)
    bottom, right = (np.ceil(points.max(0) + reach) + 1).astype(int)
    window = np.s_[top:bottom, left:right]
    height, width = cover[window].shape
    rows = np.arange(top, top + height, dtype=np.float32)[:, None, None] - points[:, 0]
    cols = np.arange(left, left + width, dtype=np.float32)[None, :, None] - points[:, 1]
    outside_px = (np.sqrt(rows**2 + cols**2) - half_widths).min(-1)  # (h, w)
    rough_px = np.float32(min(0.25 * float(half_widths.max()), 1.2))
    share = np.clip(0.5 - (outside_px + rough_px * edge[window]) / 1.6, 0, 1)
    np.maximum(label[window], share, out=label[window])
    np.maximum(cover[window], share * np.float32(freshness), out=cover[window])
