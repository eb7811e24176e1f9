"""Where on earth a scene lies, in longitude and latitude."""

from typing import Any

import antimeridian
import numpy as np
from shapely import MultiPolygon, Polygon, box
from shapely.geometry import mapping
from shapely.geometry.polygon import orient

from mmlandslide.scenes.frame import GeoBox

#: Points per side: an edge that is straight on one map is a curve on another.
_DENSITY = 21
#: Decimals of a degree, 0.1 mm.
_DECIMALS = 9


def bbox(frame: GeoBox) -> tuple[float, float, float, float]:
    """Return west, south, east and north in degrees, as RFC 7946 has them.

    West is greater where the antimeridian is crossed.

    Args:
        frame: of a scene on the map.
    """
    polygon = _polygon(frame)
    if polygon.equals(polygon.envelope) and polygon.bounds[2] - polygon.bounds[0] >= 360:
        return polygon.bounds
    west, south, east, north = antimeridian.bbox(polygon)
    return float(west), float(south), float(east), float(north)


def outline(frame: GeoBox) -> dict[str, Any]:
    """Return the outline as a GeoJSON geometry, counter-clockwise.

    A `MultiPolygon` cut at the antimeridian where it is crossed.

    Args:
        frame: of a scene on the map.
    """
    return dict(mapping(_polygon(frame)))


def beyond_antimeridian(frame: GeoBox) -> bool:
    """Return whether a map in degrees reaches beyond longitude 180 or -180.

    As one from 0 to 360 does.
    """
    return (
        frame.crs is not None
        and frame.crs.is_geographic
        and (frame.bounds.left < -180 or frame.bounds.right > 180)
    )


def _polygon(frame: GeoBox) -> Polygon | MultiPolygon:
    """Return the outline cut at the antimeridian; around a pole it runs along the map's edge."""
    step, zero, one = np.arange(_DENSITY) / _DENSITY, np.zeros(_DENSITY), np.ones(_DENSITY)
    cols = np.concatenate([zero, step, one, 1 - step]) * frame.width
    rows = np.concatenate([step, one, 1 - step, zero]) * frame.height  # counter-clockwise
    lon, lat = frame.lonlat(cols, rows)
    if np.ptp(lon) >= 360:  # a map in degrees that goes once around the earth
        return box(-180.0, lat.min(), 180.0, lat.max())
    ring = np.round(np.stack([lon, lat], axis=1), _DECIMALS)
    cut = antimeridian.fix_polygon(Polygon(ring), fix_winding=False, great_circle=False)
    if isinstance(cut, MultiPolygon):
        return MultiPolygon([orient(part) for part in cut.geoms])
    return orient(cut)
