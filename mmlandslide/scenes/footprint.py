"""Where on earth a scene lies, in longitude and latitude."""

from typing import Any

from rasterio.crs import CRS
from rasterio.warp import transform_bounds, transform_geom

from mmlandslide.scenes.frame import MapFrame

WGS84 = CRS.from_epsg(4326)
#: Points a side: an edge that is straight on one map is a curve on another.
_DENSITY = 21


def bbox(frame: MapFrame) -> tuple[float, float, float, float]:
    """Return west, south, east and north in degrees, as RFC 7946 has them: west is greater where the antimeridian is crossed.

    Args:
        frame: of a scene on the map.
    """
    west, south, east, north = transform_bounds(frame.crs, WGS84, *frame.bounds, densify_pts=_DENSITY)
    return float(west), float(south), float(east), float(north)


def outline(frame: MapFrame) -> dict[str, Any]:
    """Return the outline as a GeoJSON geometry, against the clock; a `MultiPolygon` cut at the antimeridian where it is crossed."""
    steps = [index / _DENSITY for index in range(_DENSITY)]
    around = [(0, step) for step in steps] + [(step, 1) for step in steps]
    around += [(1, 1 - step) for step in steps] + [(1 - step, 0) for step in steps] + [(0, 0)]
    ring = [frame.transform * (col * frame.width, row * frame.height) for col, row in around]
    found: dict[str, Any] = transform_geom(
        frame.crs, WGS84, {'type': 'Polygon', 'coordinates': [ring]}, antimeridian_cutting=True, precision=9
    )
    return found
