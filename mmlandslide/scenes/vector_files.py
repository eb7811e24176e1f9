"""Polygons in a stranger's vector file, which leads nowhere else.

GDAL would open what it takes a file for: one that is called `.gpkg` and holds a virtual layer or a
web service reaches the network or reads any other file, and so does the `crs` of a GeoJSON. So the
content decides, of a list of forms, and GeoJSON is read without GDAL.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import geopandas as gpd
import pyogrio
from defusedxml import ElementTree

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes import map_text

#: First bytes of the forms that GDAL reads here: GeoPackage, Shapefile, FlatGeobuf.
_MAGIC = (b'SQLite format 3\0', b'\0\0\x27\x0a', b'fgb')
#: Of a GeoJSON or KML, which are read as a whole first.
_MOST_BYTES = 2**26
#: A reference system by its authority's code, as GeoJSON names it.
_CODE = re.compile(r'(?:urn:(?:x-)?ogc:def:crs:)?(?:EPSG|OGC|ESRI|IGNF):[\w.:]+', re.IGNORECASE)
#: What GDAL goes by where it opens virtual layers and services.
_LEADS_ON = re.compile(rb'<\s*OGR\w*DataSource', re.IGNORECASE)
#: No file of this name exists on any network.
_OFFLINE = {'CPL_VSIL_CURL_ALLOWED_FILENAME': 'none'}
_SUBJECT, _REMEDY = 'area of interest', 'Save it as GeoPackage'


def read_polygons(path: Path) -> gpd.GeoDataFrame:
    """Return the polygons of a GeoPackage, Shapefile, FlatGeobuf, GeoJSON or KML.

    Args:
        path: of the file.

    Raises:
        SceneError: it is of another form, damaged, holds no polygons, or has no place on the map.
    """
    try:
        read = _read(path)
    except LandslideError:
        raise
    except Exception as error:  # GDAL's errors come as classes of private modules
        raise _refused('be a vector file', repr(str(error)), path) from error
    kinds = set(read.geom_type) if isinstance(read, gpd.GeoDataFrame) else set()
    if not kinds or kinds - {'Polygon', 'MultiPolygon'}:
        raise _refused('hold polygons', 'others', path, 'Draw it as polygons')
    if read.crs is None or read.crs.name.lower().startswith('undefined'):  # GeoPackage's own word
        raise _refused('lie on the map', 'no reference system', path, 'Add one')
    if not map_text.is_plain(read.crs.to_wkt()):
        raise _refused('name its reference system alone', 'one that names a file', path)
    return read


def _read(path: Path) -> Any:
    with path.open('rb') as file:
        start = file.read(512)
    text = start.removeprefix(b'\xef\xbb\xbf').lstrip()
    if start.startswith(_MAGIC):
        with gdal_options(_OFFLINE):
            return pyogrio.read_dataframe(path)
    if not text.startswith((b'{', b'<')) or path.stat().st_size > _MOST_BYTES:
        expected = 'be a GeoPackage, Shapefile, FlatGeobuf, GeoJSON or KML'
        raise _refused(expected, 'another form, or too large a text', path)
    content = path.read_bytes()
    if text.startswith(b'{'):
        return _geojson(json.loads(content), path)
    _require_kml(content, path)
    with gdal_options(_OFFLINE):
        return pyogrio.read_dataframe(path)


def _geojson(content: dict[str, Any], path: Path) -> gpd.GeoDataFrame:
    """Return the features of a GeoJSON."""
    crs = content.get('crs')
    code = 'OGC:CRS84'
    if crs is not None:
        code = str((crs.get('properties') or {}).get('name')) if crs.get('type') == 'name' else ''
        if not _CODE.fullmatch(code):
            expected = "name its reference system by an authority's code"
            raise _refused(expected, f'crs {str(crs)[:99]!r}', path)
    features = content.get('features')
    if 'type' not in content:
        raise _refused('be GeoJSON, where it is JSON', f'keys {list(content)[:9]}', path)
    if features is None:
        single = content.get('type') == 'Feature'
        features = [content if single else {'type': 'Feature', 'geometry': content}]
    geometries = [{**each, 'properties': {}} for each in features]
    return gpd.GeoDataFrame.from_features(geometries, crs=code)


def _require_kml(content: bytes, path: Path) -> None:
    """Refuse XML that is no KML, or that GDAL could take for a virtual layer or a service."""
    try:
        root = ElementTree.fromstring(content, forbid_dtd=True)
    except (ParseError, ValueError) as error:
        raise _refused('be well-formed KML without entities', repr(str(error)), path) from error
    if root.tag.rsplit('}', 1)[-1] != 'kml' or _LEADS_ON.search(content):
        raise _refused('be KML, where it is XML', f'<{root.tag[:99]}>', path)


@contextmanager
def gdal_options(options: dict[str, str]) -> Iterator[None]:
    """Set options of the GDAL that reads and writes vector files, for a while."""
    before = {name: pyogrio.get_gdal_config_option(name) for name in options}
    pyogrio.set_gdal_config_options(options)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def _refused(expected: str, got: str, path: Path, remedy: str = _REMEDY) -> Exception:
    return SceneError.mismatch(_SUBJECT, expected, got, path, remedy)
