"""Slope of elevation.

By Horn's method (1981, Proceedings of the IEEE 69, pages 14-47), as GDAL's gdaldem computes it.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def slope_deg(dem_m: np.ndarray, width_m: np.ndarray, height_m: np.ndarray) -> np.ndarray:
    """Return the slope of every pixel but the outermost.

    A neighbour without data is continued from the two pixels beyond it in its column, else in its
    row, as gdaldem does at the edge of a file; where those are missing too, the ground counts as
    level. So a plane keeps its slope up to the edge of the data.

    Args:
        dem_m: (H + 2, W + 2) elevation in metres, NaN where there is none; one pixel of margin on
            each side.
        width_m: (H,) width of a pixel in each row, metres.
        height_m: (H,) height of a pixel in each row, metres.

    Returns:
        (H, W) float32 degrees in [0, 90), NaN where there is no elevation.
    """
    near = _neighbours(dem_m.astype(np.float64))
    rise_east = (near[:, 2] - near[:, 0])[[0, 1, 1, 2]].sum(axis=0) / (8 * width_m[:, None])
    rise_south = (near[2] - near[0])[[0, 1, 1, 2]].sum(axis=0) / (8 * height_m[:, None])
    slope = np.degrees(np.arctan(np.hypot(rise_east, rise_south)))
    return np.where(np.isnan(dem_m[1:-1, 1:-1]), np.nan, slope).astype(np.float32)


def _neighbours(dem_m: np.ndarray) -> np.ndarray:
    """Return every pixel's neighbours from north-west to south-east, (3, 3, H, W), none missing.

    The pixel itself stands in the middle.
    """
    near = sliding_window_view(
        dem_m, (dem_m.shape[0] - 2, dem_m.shape[1] - 2)
    ).copy()  # (3, 3, H, W)
    for ring in (near, near.swapaxes(0, 1)):
        for edge in (0, 2):
            np.copyto(ring[edge], 2 * ring[1] - ring[2 - edge], where=np.isnan(ring[edge]))
    np.copyto(near, near[1, 1], where=np.isnan(near))
    return near
