"""STAC item of a run: place, time and files (SpatioTemporal Asset Catalog 1.x, stacspec.org)."""

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pystac
from pystac.utils import datetime_to_str

from mmlandslide.scenes.outputs import footprint
from mmlandslide.scenes.scene import Scene

SUFFIX = '.stac.json'
_PROJECTION = 'https://stac-extensions.github.io/projection/v2.0.0/schema.json'
_PROCESSING = 'https://stac-extensions.github.io/processing/v1.2.0/schema.json'


class _Kind(NamedTuple):
    key: str
    media_type: str
    role: str
    title: str


#: Suffix of a layer -> its media type.
_LAYERS = {
    '.gpkg': 'application/geopackage+sqlite3',
    '.parquet': 'application/vnd.apache.parquet',
    '.shp': 'application/vnd.shp',
}
_PARTS = {
    suffix: _Kind(f'shapefile{suffix.replace(".", "_")}', 'application/octet-stream', 'data', title)
    for suffix, title in (
        ('.shx', 'Index of the Shapefile'),
        ('.dbf', 'Attributes of the Shapefile'),
        ('.cpg', 'Encoding of the Shapefile'),
        ('.prj', "The Shapefile's map"),
    )
}
_KINDS = {
    **{
        suffix: _Kind('landslides', kind, 'data', "Landslides, on the scene's map")
        for suffix, kind in _LAYERS.items()
    },
    **_PARTS,
    '.geojson': _Kind(
        'landslides_geojson',
        'application/geo+json',
        'data',
        'Landslides, in longitude and latitude',
    ),
    '.png': _Kind('quicklook', 'image/png', 'overview', 'Scene with landslides, coloured by score'),
    '.html': _Kind(
        'report', 'text/html', 'overview', 'Map and record of the run, to be read without a network'
    ),
    **{
        f'.expected{suffix}': _Kind('expected', kind, 'data', 'Expected landslides per km2')
        for suffix, kind in {**_LAYERS, '.geojson': 'application/geo+json'}.items()
    },
    **{
        f'.expected{suffix}': kind._replace(key=f'expected_{kind.key}')
        for suffix, kind in _PARTS.items()
    },
    '.qml': _Kind('style', 'application/xml', 'style', 'Style for QGIS'),
    '.run.json': _Kind('run', 'application/json', 'metadata', 'Record of the run'),
}


def item(scene: Scene, record: Mapping[str, Any], beside: Path) -> pystac.Item:
    """Return the item of a run.

    Its time is that of the scene. Where nobody knows that, STAC wants a range: from 1970 to when
    the run was made, which the scene is not younger than.

    Args:
        scene: on the map, that was searched.
        record: of the run: `created`, `versions` and `detections`.
        beside: path of the item; files of the same stem that are there become its assets, by
            relative path.
    """
    stem, created = beside.name.removesuffix(SUFFIX), datetime.fromisoformat(record['created'])
    properties = {
        'created': datetime_to_str(created),
        'title': f'Landslides in {scene.name}',
        'processing:software': {'mmlandslide': record['versions']['mmlandslide']},
        'landslides:count': record['detections'],
        **_projection(scene),
    }
    if scene.acquired is None:
        start = datetime_to_str(datetime(1970, 1, 1, tzinfo=timezone.utc))
        properties |= {'start_datetime': start, 'end_datetime': properties['created']}
    found = pystac.Item(
        stem,
        footprint.outline(scene.frame),
        list(footprint.bbox(scene.frame)),
        scene.acquired,
        properties,
        stac_extensions=[_PROJECTION, _PROCESSING],
    )
    for suffix, kind in _KINDS.items():
        if beside.with_name(stem + suffix).is_file():
            found.add_asset(
                kind.key,
                pystac.Asset(
                    quote(f'./{stem}{suffix}'), kind.title, None, kind.media_type, [kind.role]
                ),
            )
    return found


def _projection(scene: Scene) -> dict[str, Any]:
    """Return the fields of the projection extension.

    A map without EPSG code is described in full.
    """
    assert scene.crs is not None, 'only scenes on the map have an item'
    code = scene.crs.to_epsg()
    return {
        'proj:code': f'EPSG:{code}' if code else None,
        **({} if code else {'proj:wkt2': scene.crs.to_wkt(version='WKT2_2019')}),
        'proj:shape': [scene.height, scene.width],
        'proj:transform': list(scene.transform)[:6],
        'proj:bbox': list(scene.frame.bounds),
    }
