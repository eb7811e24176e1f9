"""Simulated land cover.

What grows and lies on simulated terrain, and what Sentinel-2 would see of it. River gravel, roads,
harvested fields and bare soil look nearly like fresh scars; they differ by where they lie and by
their shape. The spectra are rounded values as they occur in real Landslide4Sense tiles, without the
path radiance that `sensed` adds.
"""

import math

import numpy as np

from mmlandslide.datasets.simulation.terrain import Grid, Terrain, course, fractal, illumination

# Surface part of the top-of-atmosphere reflectance in level sunlight, 1e-4, for B1..B8, B9, B10,
# B11, B12.
SPECTRA: dict[str, tuple[float, ...]] = {
    'forest': (70, 90, 190, 130, 410, 1500, 2000, 2020, 790, 1, 1000, 400),
    'grass': (120, 170, 350, 340, 730, 1750, 2150, 2250, 880, 1, 1600, 800),
    'crop': (120, 170, 420, 300, 800, 2200, 2900, 3000, 1050, 1, 1450, 680),
    'bare': (260, 400, 640, 900, 1130, 1400, 1550, 1650, 680, 2, 2050, 1520),
    'gravel': (350, 560, 760, 900, 1010, 1120, 1190, 1230, 560, 2, 1450, 1150),
    'water': (110, 160, 190, 110, 90, 70, 60, 50, 30, 1, 30, 20),
    'scar': (300, 460, 700, 920, 1080, 1250, 1350, 1420, 620, 2, 1800, 1480),
    'road': (300, 450, 640, 820, 980, 1200, 1320, 1400, 600, 2, 1600, 1250),
}
# Light that the air scatters into the sensor without touching the ground.
PATH = (905.0, 610.0, 390.0, 245.0, 170.0, 105.0, 75.0, 55.0, 20.0, 8.5, 15.0, 8.0)
# How much brighter thin high cloud of optical share 1 makes each band.
CLOUD = (1500.0, 1550.0, 1500.0, 1450.0, 1400.0, 1400.0, 1380.0, 1350.0, 800.0, 190.0, 700.0, 450.0)
# How rough each cover looks within itself: forest has tree shadows, water none.
_TEXTURE = {
    'forest': 0.10,
    'grass': 0.08,
    'crop': 0.05,
    'bare': 0.12,
    'gravel': 0.13,
    'water': 0.03,
    'scar': 0.15,
    'road': 0.06,
}


def abundances(rng: np.random.Generator, ground: Terrain, scar_cover: Grid) -> Grid:
    """Draw how much of each pixel each cover takes.

    Args:
        rng: where the draws come from.
        ground: the terrain.
        scar_cover: share of each pixel that shows a fresh scar, (H, W).

    Returns:
        float32 (K, H, W) in the order of `SPECTRA`; sums to 1 over K before the texture that
        multiplies it.
    """
    size_hw = (ground.dem_m.shape[0], ground.dem_m.shape[1])
    patches = fractal(rng, size_hw, 1.2, shortest_px=2.0, longest_px=50.0)
    gravel, water = _river(rng, ground)
    crop, harvested = _fields(rng, ground)
    above = {
        'grass': _soft(
            patches + 0.6 * fractal(rng, size_hw, 0.7) - np.float32(rng.uniform(0.4, 2.6)), 0.5
        ),
        'crop': crop,
        'bare': np.maximum(_clearings(rng, ground), harvested),
        'gravel': gravel,
        'water': water,
        'scar': scar_cover,
        'road': _roads(rng, ground),
    }
    texture = fractal(rng, size_hw, 0.5)
    left = np.ones(size_hw, np.float32)
    shares = []
    # From the top layer down: what lies above hides what lies below.
    for name in reversed(SPECTRA):
        share = left * above.get(name, np.float32(1))
        left -= share
        shares.append(share * (1 + np.float32(_TEXTURE[name]) * texture))
    return np.stack(shares[::-1])


def sensed(rng: np.random.Generator, ground: Terrain, shares: Grid) -> Grid:
    """Return what the satellite's 12 bands see.

    Spectra under the sun of one day, haze and at times thin cloud, without noise.

    Args:
        rng: where the draws come from.
        ground: the terrain.
        shares: as `abundances` gives them, (K, H, W).

    Returns:
        float32 (12, H, W), top-of-atmosphere reflectance in 1e-4.
    """
    size_hw = (ground.dem_m.shape[0], ground.dem_m.shape[1])
    spectra = np.asarray(list(SPECTRA.values()), np.float32)
    # Soils and plants differ from region to region; green plants most in the near infrared.
    spectra = spectra * rng.lognormal(0, 0.1, spectra.shape).astype(np.float32)
    spectra[:3, 5:9] *= np.float32(rng.lognormal(0, 0.22))
    surface = np.einsum('kb,khw->bhw', spectra * np.float32(rng.lognormal(0, 0.22)), shares)
    light = illumination(ground, rng.uniform(22, 54), rng.uniform(90, 200))
    skylight = np.linspace(0.36, 0.18, len(surface), dtype=np.float32)[:, None, None]
    surface *= skylight + (1 - skylight) * np.clip(light, 0, 1.7)
    path = np.asarray(PATH, np.float32) * np.linspace(
        rng.uniform(0.8, 1.3), 1.0, len(surface), dtype=np.float32
    )
    path[9] *= np.float32(rng.lognormal(0, 0.28))
    surface += path[:, None, None]
    if rng.random() < 0.1:
        veil = (
            np.clip(
                fractal(rng, size_hw, 1.6, shortest_px=6.0) + np.float32(rng.uniform(-1.2, 0.6)),
                0,
                3,
            )
            * 0.12
        )
        surface += np.asarray(CLOUD, np.float32)[:, None, None] * veil
    return np.asarray(surface, np.float32)


def _soft(distance: Grid, width: float) -> Grid:
    """Return a share that falls from 1 to 0 as `distance` goes from `width` to `-width`."""
    return np.clip(distance / np.float32(2 * width) + np.float32(0.5), 0, 1)


def _river(rng: np.random.Generator, ground: Terrain) -> tuple[Grid, Grid]:
    """Draw gravel and water along the valley in about two thirds of the scenes.

    The gravel comes and goes as bars do.
    """
    size_hw = (ground.dem_m.shape[0], ground.dem_m.shape[1])
    if rng.random() > 0.65:
        nothing = np.zeros(size_hw, np.float32)
        return nothing, nothing
    bars = fractal(rng, size_hw, 1.3, shortest_px=3.0, longest_px=40.0)
    half_px = np.float32(np.clip(rng.lognormal(math.log(1.7), 0.6), 0.6, 8))
    away_px = np.abs(ground.valley_px)
    gravel = _soft(half_px * (1 + np.float32(0.8) * bars) - away_px, 0.7)
    water_px = half_px * np.float32(rng.uniform(0, 0.5))
    return gravel, _soft(water_px - np.abs(ground.valley_px + half_px * 0.5 * bars), 0.6)


def _clearings(rng: np.random.Generator, ground: Terrain) -> Grid:
    """Draw patches of bare soil on ground too gentle to slide, some the size of a scar."""
    size_hw = (ground.dem_m.shape[0], ground.dem_m.shape[1])
    blobs = fractal(rng, size_hw, 1.2, shortest_px=4.0, longest_px=18.0)
    share = _soft(blobs - np.float32(rng.uniform(1.2, 2.6)), 0.35)
    return (
        share
        * _soft(np.float32(20) - ground.broad_slope_deg, 3.0)
        * np.float32(rng.uniform(0.6, 1.0))
    )


def _fields(rng: np.random.Generator, ground: Terrain) -> tuple[Grid, Grid]:
    """Draw rectangular fields on gentle ground: green ones and harvested ones."""
    height, width = ground.dem_m.shape
    green, bare = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    num_sites = rng.poisson(60 * height * width / 128**2)
    angle = rng.uniform(0, math.pi / 2)
    most = rng.uniform(2, 16) * height * width / 128**2
    for row, col in rng.uniform(0, (height, width), (num_sites, 2)):
        if ground.broad_slope_deg[int(row), int(col)] > 18:
            continue
        half_px = np.clip(rng.lognormal(math.log(3.4), 0.5, 2), 1.2, 16).astype(np.float32)
        into = bare if rng.random() < 0.7 else green
        _rectangle(into, row, col, half_px, angle + rng.normal(0, 0.15), rng.uniform(0.55, 1.0))
        most -= 1
        if most <= 0:
            break
    return green, bare


def _rectangle(
    into: Grid, row: float, col: float, half_px: Grid, angle: float, share: float
) -> None:
    """Draw one rotated rectangle into a cover, in place."""
    reach = float(np.hypot(*half_px)) + 1
    top, left = max(int(row - reach), 0), max(int(col - reach), 0)
    window = np.s_[top : int(row + reach) + 2, left : int(col + reach) + 2]
    height, width = into[window].shape
    rows = np.arange(top, top + height, dtype=np.float32)[:, None] - row
    cols = np.arange(left, left + width, dtype=np.float32)[None] - col
    along = np.abs(math.cos(angle) * cols + math.sin(angle) * rows)
    across = np.abs(math.cos(angle) * rows - math.sin(angle) * cols)
    inside = np.minimum(half_px[0] - along, half_px[1] - across).astype(np.float32)
    np.maximum(into[window], np.float32(share) * _soft(inside, 0.6), out=into[window])


def _roads(rng: np.random.Generator, ground: Terrain) -> Grid:
    """Draw up to three roads, narrower than a pixel or two.

    One may follow the valley, others cross the scene.
    """
    size_hw = (ground.dem_m.shape[0], ground.dem_m.shape[1])
    share = np.zeros(size_hw, np.float32)
    for number in range(int(rng.choice((0, 1, 2, 3), p=(0.25, 0.4, 0.25, 0.1)))):
        if number == 0 and rng.random() < 0.5:
            away_px = ground.valley_px + np.float32(rng.choice((-1, 1)) * rng.uniform(6, 25))
        else:
            away_px, _ = course(rng, size_hw, wander_px=rng.uniform(2, 12))
        half_px = np.float32(rng.uniform(0.35, 0.9))
        share = np.maximum(
            share, np.float32(rng.uniform(0.5, 0.95)) * _soft(half_px - np.abs(away_px), 0.6)
        )
    return share
