"""HTML report of a run with an interactive map, in one file that needs no network.

Leaflet (BSD 2-clause, `page/leaflet.LICENSE`) is written into the page, and the page forbids its
browser every request.
"""

import base64
import io
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import geopandas as gpd
import jinja2
import numpy as np
import rasterio.warp
import shapely
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine, array_bounds

from mmlandslide.files import write_atomic
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.outputs import footprint, score_colors, vector
from mmlandslide.scenes.outputs.overview import Overview
from mmlandslide.scenes.scene import Scene

_MERCATOR, _MERCATOR_ENDS_DEG = 'EPSG:3857', 85.05
_NUM_BEST = 20
_PAGE = resources.files('mmlandslide.scenes.outputs') / 'page'
_QUALITY = 85

#: South west and north east corner, as Leaflet has them: (latitude, longitude) in degrees, or
#: (-row, column).
Corners = tuple[tuple[float, float], tuple[float, float]]


def write(
    overview: Overview, layer: gpd.GeoDataFrame, scene: Scene, record: Mapping[str, Any], path: Path
) -> None:
    """Write the report of a run.

    The map is in Web Mercator, the picture warped to it. A plain tile, and a scene that Web
    Mercator cannot show in one piece (at a pole, or across the antimeridian), is shown on its own
    grid of pixels.

    Args:
        overview: of the scene.
        layer: detections, see `vector.to_geodataframe`.
        scene: that was searched.
        record: of the run.
        path: of the page.

    Raises:
        OSError: the disk is full, or nobody may write there.
    """
    write_atomic(path, page(overview, layer, scene, record))


def page(
    overview: Overview, layer: gpd.GeoDataFrame, scene: Scene, record: Mapping[str, Any]
) -> str:
    """Return the report of a run as HTML, see `write`."""
    on_the_map, score_name = in_mercator(scene.frame), vector.score_name(layer)
    least = float(record.get('settings', {}).get('score_thr', 0.0))
    classes = score_colors.classes(layer[score_name].to_numpy())
    rgba = np.dstack([overview.picture, overview.known * np.uint8(255)])
    picture, bounds = (
        _warped(rgba, scene.frame) if on_the_map else (rgba, ((-scene.height, 0), (0, scene.width)))
    )
    data = {
        'on_the_map': on_the_map,
        'north_up': scene.crs is not None,
        'pixel_m': scene.gsd_m if scene.crs is not None else None,
        'score_name': score_name,
        'area_unit': 'm²' if scene.crs is not None else 'px²',
        'picture': _data_url(picture),
        'bounds': bounds,
        'colors': score_colors.COLORS,
        'features': _features(layer.assign(**{'class': classes}), scene.frame, on_the_map),
        'num_best': _NUM_BEST,
        'least': least,
    }
    counts = np.bincount(classes, minlength=len(score_colors.COLORS)).tolist()
    template = jinja2.Environment(autoescape=True).from_string(
        (_PAGE / 'report.html').read_text('utf-8')
    )
    return template.render(
        title=scene.name,
        facts=facts(layer, scene, record),
        detections=len(layer),
        score_name=score_name,
        classes=[
            row
            for row, high in zip(
                zip(score_colors.COLORS, score_colors.LABELS, counts, strict=True),
                score_colors.EDGES[1:],
                strict=True,
            )
            if high > least or row[2]
        ][::-1],
        shown=overview.title,
        record=json.dumps(record, indent=1, default=str),
        data=data,
        leaflet_js=_asset('leaflet.js').partition('\n//# sourceMappingURL')[0],
        leaflet_css=_asset('leaflet.css'),
        leaflet_licence=_asset('leaflet.LICENSE'),
        page_js=_asset('report.js'),
        page_css=_asset('report.css'),
    )


def facts(
    layer: gpd.GeoDataFrame, scene: Scene, record: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Return the statistics of a run, each with its name; those that nobody knows are left out."""
    unit = 'm²' if scene.crs is not None else 'px²'
    found = {
        'found': f'{len(layer)}',
        'probability': record.get('probability') or '',
        'area that boxes cover': f'{_union_area(layer):,.0f} {unit}',
        'scene': f'{scene.width} x {scene.height} px'
        + (f' of {scene.gsd_m:.1f} m' if scene.crs is not None else ''),
        'taken': '' if scene.acquired is None else f'{scene.acquired:%Y-%m-%d %H:%M} UTC',
        'searched': f'{record["created"][:16].replace("T", " ")} UTC, in {record["seconds"]} s',
    }
    if 'valid_share' in record:
        windows = f'{record["windows_searched"]} of {record["windows"]} windows'
        found['with data'] = f'{record["valid_share"]:.1%} of the scene, in {windows}'
    off = record.get('training_range')
    if off:
        beyond = ': beyond it, expect worse' if off['distance'] > 1 else ''
        found['from training range'] = f'{off["distance"]:.2f} (its edge is 1){beyond}'
    if '--no-check' in record.get('arguments', ()):
        found['values'] = 'not checked against the names and units of the bands (--no-check)'
    if record.get('masked_share'):
        found['masked'] = f'{record["masked_share"]:.0%} of the scene'
    filled = record.get('scene', {}).get('fill') or {}
    if filled:
        found['filled bands'] = ', '.join(f'{band} = {value:.3g}' for band, value in filled.items())
    if record.get('optical_without_dem_fraction'):
        found['without elevation'] = (
            f'{record["optical_without_dem_fraction"]:.1%} of the optical data; not searched there'
        )
    if layer['slope_deg'].notna().any():
        found['slope, median'] = f'{layer["slope_deg"].median():.1f}°'
    if layer['elevation_min_m'].notna().any():
        found['elevation'] = (
            f'{layer["elevation_min_m"].min():,.0f} to {layer["elevation_max_m"].max():,.0f} m'
        )
    return [(name, value) for name, value in found.items() if value]


def _union_area(layer: gpd.GeoDataFrame) -> float:
    """Return the area that boxes cover, where several overlap once."""
    boxes = layer.geometry.to_numpy()  # in degrees geopandas would warn of areas: a ratio is meant
    whole = float(shapely.area(boxes).sum())
    union = float(shapely.area(shapely.union_all(boxes)))
    return float(layer['area_m2'].sum() * union / whole) if whole else 0.0


def in_mercator(frame: GeoBox) -> bool:
    """Return whether Web Mercator shows a frame in one piece."""
    if frame.crs is None:
        return False
    west, south, east, north = footprint.bbox(frame)
    return (
        west < east
        and not footprint.beyond_antimeridian(frame)
        and south > -_MERCATOR_ENDS_DEG
        and north < _MERCATOR_ENDS_DEG
    )


def _warped(rgba: NDArray[np.uint8], frame: GeoBox) -> tuple[NDArray[np.uint8], Corners]:
    """Return a picture (h, w, 4) warped to Web Mercator, transparent around, and its corners."""
    height, width = rgba.shape[:2]
    own = frame.transform @ Affine.scale(frame.width / width, frame.height / height)
    transform, width, height = rasterio.warp.calculate_default_transform(
        frame.crs, _MERCATOR, width, height, *frame.bounds
    )
    warped = np.zeros((4, height, width), np.uint8)
    places = {
        'src_transform': own,
        'src_crs': frame.crs,
        'dst_transform': transform,
        'dst_crs': _MERCATOR,
    }
    rasterio.warp.reproject(np.ascontiguousarray(rgba.transpose(2, 0, 1)), warped, **places)
    bounds = array_bounds(height, width, transform)
    west, south, east, north = rasterio.warp.transform_bounds(_MERCATOR, 'EPSG:4326', *bounds)
    return warped.transpose(1, 2, 0), ((south, west), (north, east))


def _features(layer: gpd.GeoDataFrame, frame: GeoBox, on_the_map: bool) -> list[dict[str, Any]]:
    """Return detections as GeoJSON features, in degrees or as (column, -row)."""
    shown = layer.drop(columns='acquired')
    if on_the_map:
        shown = shown.to_crs('EPSG:4326')
    else:
        a, b, c, d, e, f = tuple(Affine.scale(1, -1) @ ~frame.transform)[:6]
        shown = gpd.GeoDataFrame(
            shown.drop(columns='geometry'),
            geometry=layer.geometry.affine_transform([a, b, d, e, c, f]).values,
        )
    features: list[dict[str, Any]] = json.loads(shown.to_json(na='null', drop_id=True))['features']
    return features


def _data_url(rgba: NDArray[np.uint8]) -> str:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgba)).save(content, 'WEBP', quality=_QUALITY)
    return f'data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}'


def _asset(name: str) -> Markup:
    """Return a file of the page as it is: ours or Leaflet's, so nothing in it is to be escaped."""
    return Markup((_PAGE / name).read_text('utf-8'))
