"""Slope from elevation by Horn's method (1981, Proceedings of the IEEE 69, pages 14-47), as GDAL's gdaldem computes it."""

import numpy as np


def slope_deg(dem_m: np.ndarray, width_m: np.ndarray, height_m: np.ndarray) -> np.ndarray:
    """Return the slope of every pixel but the outermost.

    A neighbour without data is continued from the pixel and the neighbour opposite, or taken as level where that is missing too,
    so that a plane keeps its slope up to the edge of the data.

    Args:
        dem_m: (H + 2, W + 2) elevation in metres, NaN where there is none; one pixel of margin on each side.
        width_m: (H,) width of a pixel in each row, metres.
        height_m: (H,) height of a pixel in each row, metres.

    Returns:
        (H, W) float32 degrees in [0, 90), NaN where there is no elevation.
    """
    rows, cols = dem_m.shape[0] - 2, dem_m.shape[1] - 2
    centre = dem_m[1:-1, 1:-1].astype(np.float64)

    def neighbour(down: int, right: int) -> np.ndarray:
        there, opposite = (
            dem_m[1 + sign * down : 1 + sign * down + rows, 1 + sign * right : 1 + sign * right + cols] for sign in (1, -1)
        )
        continued = np.where(np.isnan(opposite), centre, 2 * centre - opposite)
        return np.where(np.isnan(there), continued, there)

    north_west, north, north_east = neighbour(-1, -1), neighbour(-1, 0), neighbour(-1, 1)
    west, east = neighbour(0, -1), neighbour(0, 1)
    south_west, south, south_east = neighbour(1, -1), neighbour(1, 0), neighbour(1, 1)
    rise_east = (north_east + 2 * east + south_east - north_west - 2 * west - south_west) / (8 * width_m[:, None])
    rise_south = (south_west + 2 * south + south_east - north_west - 2 * north - north_east) / (8 * height_m[:, None])
    slope = np.degrees(np.arctan(np.hypot(rise_east, rise_south)))
    return np.where(np.isnan(centre), np.nan, slope).astype(np.float32)
