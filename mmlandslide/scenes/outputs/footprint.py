"""Where on earth a scene lies, in longitude and latitude."""

import math
from typing import Any

from rasterio.crs import CRS
from rasterio.warp import transform_bounds, transform_geom
from shapely import MultiPolygon, box
from shapely.affinity import translate
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from mmlandslide.scenes.frame import GeoBox

WGS84 = CRS.from_epsg(4326)
#: Points a side: an edge that is straight on one map is a curve on another.
_DENSITY = 21


def bbox(frame: GeoBox) -> tuple[float, float, float, float]:
    """Return west, south, east and north in degrees, as RFC 7946 has them.

    West is greater where the antimeridian is crossed.

    Args:
        frame: of a scene on the map.
    """
    west, south, east, north = transform_bounds(
        frame.crs, WGS84, *frame.bounds, densify_pts=_DENSITY
    )
    if beyond_antimeridian(frame):  # a map in degrees goes on where the earth begins anew
        west, east = (
            (-180.0, 180.0)
            if east - west >= 360
            else ((west + 180) % 360 - 180, 180 - (180 - east) % 360)
        )
    return float(west), float(south), float(east), float(north)


def beyond_antimeridian(frame: GeoBox) -> bool:
    """Return whether a map in degrees reaches beyond longitude 180 or -180, as one from 0 to 360 does."""
    return (
        frame.crs is not None
        and frame.crs.is_geographic
        and (frame.bounds.left < -180 or frame.bounds.right > 180)
    )


def outline(frame: GeoBox) -> dict[str, Any]:
    """Return the outline as a GeoJSON geometry, against the clock.

    A `MultiPolygon` cut at the antimeridian where it is crossed.
    """
    steps = [index / _DENSITY for index in range(_DENSITY)]
    around = [(0, step) for step in steps] + [(step, 1) for step in steps]
    around += [(1, 1 - step) for step in steps] + [(1 - step, 0) for step in steps] + [(0, 0)]
    ring = [frame.transform * (col * frame.width, row * frame.height) for col, row in around]
    found: dict[str, Any] = transform_geom(
        frame.crs,
        WGS84,
        {'type': 'Polygon', 'coordinates': [ring]},
        antimeridian_cutting=True,
        precision=9,
    )
    return _wrapped(shape(found)) if beyond_antimeridian(frame) else found


def _wrapped(outline: BaseGeometry) -> dict[str, Any]:
    """Return an outline cut at the antimeridian and laid into longitudes from -180 to 180."""
    west, _, east, _ = outline.bounds
    turns = range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360))
    parts = [
        translate(
            outline.intersection(box(turn * 360 - 180, -90, turn * 360 + 180, 90)), -360 * turn
        )
        for turn in turns
    ]
    return dict(
        mapping(
            orient(parts[0]) if len(parts) == 1 else MultiPolygon([orient(part) for part in parts])
        )
    )
