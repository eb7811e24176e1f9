"""Simulated terrain: the ground that simulated scars, rivers, roads and fields lie on.

Fractal relief by spectral synthesis (Musgrave, Kolb and Mace 1989, section 2; Turcotte 1997,
chapter 7), cut by one valley. All is float32 NumPy on grids of any height and width, 10 m a pixel,
so that a tile and a whole scene come from the same functions.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

GSD_M = 10.0

Grid: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Terrain:
    """The shape of the ground.

    Attributes:
        dem_m: elevation in whole metres, at least 0, (H, W).
        slope_deg: slope of `dem_m` in degrees, not rounded, (H, W).
        broad_slope_deg: slope of the elevation smoothed over about 50 m, which gullies and rounding
            do not disturb, (H, W).
        uphill_rc: gradient of the smoothed elevation along rows and columns, metres a metre, (2, H,
            W).
        valley_px: distance from the valley's axis in pixels, with a sign for the side, (H, W).
    """

    dem_m: Grid
    slope_deg: Grid
    broad_slope_deg: Grid
    uphill_rc: Grid
    valley_px: Grid


@lru_cache(maxsize=16)
def _wavelengths_px(size_hw: tuple[int, int]) -> Grid:
    """Return the wavelength of each real 2-D Fourier coefficient, (H, W // 2 + 1)."""
    rows, cols = np.fft.fftfreq(size_hw[0])[:, None], np.fft.rfftfreq(size_hw[1])[None]
    frequency = np.hypot(rows, cols)
    frequency[0, 0] = 1.0
    wavelength = 1.0 / frequency
    wavelength[0, 0] = np.inf
    return wavelength.astype(np.float32)


@lru_cache(maxsize=64)
def _amplitudes(
    size_hw: tuple[int, int], roughness: float, shortest_px: float, longest_px: float
) -> Grid:
    """Return the amplitude of every coefficient of `fractal`, 0 for the constant one."""
    wavelength = _wavelengths_px(size_hw)
    amplitude = np.where(np.isinf(wavelength), 0.0, np.minimum(wavelength, longest_px) ** roughness)
    return np.asarray(amplitude * np.exp(-((shortest_px / wavelength) ** 2)), np.float32)


def fractal(
    rng: np.random.Generator,
    size_hw: tuple[int, int],
    roughness: float,
    shortest_px: float = 0.0,
    longest_px: float = np.inf,
) -> Grid:
    """Draw a fractal surface with mean 0 and standard deviation 1.

    Args:
        rng: where the draws come from.
        size_hw: height and width in pixels.
        roughness: amplitude grows as wavelength to this power: 0 is white noise, about 1.8 bare
            mountains, more is smoother.
        shortest_px: waves much shorter than this are damped away.
        longest_px: waves longer than this grow no further, so that patches keep their size in a
            larger scene.

    Returns:
        float32 (H, W).
    """
    height, width = size_hw
    # A transform wraps around: draw a quarter more than needed and cut, so that opposite edges
    # differ.
    padded_hw = (
        fft.next_fast_len(height * 5 // 4, real=True),
        fft.next_fast_len(width * 5 // 4, real=True),
    )
    amplitude = _amplitudes(padded_hw, roughness, shortest_px, longest_px)
    draws = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
    spectrum = draws[..., 0] + 1j * draws[..., 1]
    surface = fft.irfft2(spectrum * amplitude, s=padded_hw)[:height, :width]
    surface -= surface.mean()
    return np.asarray(surface / surface.std(), np.float32)


def course(
    rng: np.random.Generator, size_hw: tuple[int, int], wander_px: float
) -> tuple[Grid, Grid]:
    """Draw a meandering line across a scene, such as a river or a road.

    Args:
        rng: where the draws come from.
        size_hw: height and width in pixels.
        wander_px: by how much the line leaves a straight one.

    Returns:
        Distance from the line (with a sign for the side) and distance along it, in pixels, each (H,
        W).
    """
    height, width = size_hw
    rows, cols = np.ogrid[:height, :width]
    rows = rows.astype(np.float32) - np.float32(height * rng.uniform(0.1, 0.9))
    cols = cols.astype(np.float32) - np.float32(width * rng.uniform(0.1, 0.9))
    angle = rng.uniform(0, np.pi)
    along = np.float32(np.cos(angle)) * cols + np.float32(np.sin(angle)) * rows
    across = np.float32(np.cos(angle)) * rows - np.float32(np.sin(angle)) * cols
    for wavelength_px, share in ((26.0, 0.16), (61.0, 0.4), (139.0, 1.0)):
        reach_px = np.float32(share * wander_px * rng.uniform(0.5, 1.5))
        across += reach_px * np.sin(
            along * np.float32(2 * np.pi / wavelength_px) + np.float32(rng.uniform(0, 2 * np.pi))
        )
    return across, along


def slope_deg(dem_m: NDArray[np.floating], gsd_m: float = GSD_M) -> Grid:
    """Return the slope in degrees by central differences (one-sided at the edges).

    Args:
        dem_m: elevation in metres, (H, W).
        gsd_m: ground sampling distance in metres.

    Returns:
        float32 (H, W) in [0, 90).
    """
    down, right = np.gradient(dem_m.astype(np.float32), gsd_m)
    return np.asarray(np.degrees(np.arctan(np.hypot(down, right))), np.float32)


def illumination(terrain: Terrain, sun_zenith_deg: float, sun_azimuth_deg: float) -> Grid:
    """Return the direct light that the ground receives, relative to level ground.

    1 there, 0 where it faces away.

    Args:
        terrain: the ground.
        sun_zenith_deg: angle of the sun from overhead.
        sun_azimuth_deg: direction of the sun, clockwise from the top of the image.

    Returns:
        float32 (H, W), at least 0.
    """
    down, right = np.gradient(terrain.dem_m, np.float32(GSD_M))
    azimuth, tangent = np.radians(sun_azimuth_deg), np.tan(np.radians(sun_zenith_deg))
    towards_sun = down * np.float32(tangent * np.cos(azimuth)) - right * np.float32(
        tangent * np.sin(azimuth)
    )
    light = (1 + towards_sun) / np.sqrt(1 + down**2 + right**2)
    return np.asarray(np.maximum(light, 0), np.float32)


def terrain(rng: np.random.Generator, size_hw: tuple[int, int], mean_slope_deg: float) -> Terrain:
    """Draw the ground: fractal relief cut by a valley with a level floor.

    Args:
        rng: where the draws come from.
        size_hw: height and width in pixels.
        mean_slope_deg: about the mean slope of the scene.

    Returns:
        The terrain; its lowest point lies between 0 and some 3300 m.
    """
    valley_px, along_px = course(rng, size_hw, wander_px=rng.uniform(3, 14))
    floor_px = np.clip(rng.lognormal(np.log(5), 0.7), 2, 24)
    away_px = np.maximum(np.abs(valley_px) - np.float32(floor_px), 0)
    relief = fractal(rng, size_hw, 2.6, shortest_px=4.0, longest_px=160.0)
    relief += 0.4 * np.abs(fractal(rng, size_hw, 2.2, shortest_px=4.0, longest_px=80.0))
    # The floor of the valley is nearly level; its walls rise and lean back towards the ridges.
    rise = np.float32(rng.uniform(1.0, 5.0)) * np.tanh(away_px / 70)
    surface = (
        relief * (0.06 + 0.94 * np.tanh(away_px / 14))
        + rise
        + along_px * np.float32(rng.uniform(-0.002, 0.002))
    )
    down, right = np.gradient(surface, np.float32(GSD_M))
    surface *= np.float32(np.tan(np.radians(mean_slope_deg)) / np.hypot(down, right).mean())
    base_m = np.clip(rng.lognormal(np.log(850), 0.75), 5, 3300)
    return measured(np.rint(surface - surface.min() + np.float32(base_m)), valley_px)


def measured(dem_m: Grid, valley_px: Grid) -> Terrain:
    """Return a terrain with everything that follows from its elevation."""
    smooth = ndimage.gaussian_filter(dem_m, 2.0, truncate=2.5)
    uphill_rc = np.stack(np.gradient(smooth, np.float32(GSD_M)))
    broad = np.degrees(np.arctan(np.hypot(uphill_rc[0], uphill_rc[1])))
    return Terrain(dem_m, slope_deg(dem_m), broad, uphill_rc, valley_px)
