"""Areas of interest from strangers: polygons of five forms, and nothing that leads elsewhere."""

import json
from contextlib import suppress

import geopandas as gpd
import pyogrio
import pytest
from shapely import Point, box

from mmlandslide.errors import SceneError
from mmlandslide.scenes.vector_files import read_polygons

SQUARE = box(0, 40, 1, 41)
RING = {'type': 'Polygon', 'coordinates': [[[0, 40], [1, 40], [1, 41], [0, 41], [0, 40]]]}
KML = (
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><Polygon><outerBoundaryIs><LinearRing>'
    '<coordinates>0,40 1,40 1,41 0,41 0,40</coordinates></LinearRing></outerBoundaryIs></Polygon>'
    '</Placemark>{}</kml>'
)


def written(path, crs='EPSG:4326', geometry=SQUARE):
    gpd.GeoDataFrame(geometry=[geometry], crs=crs).to_file(path)
    return path


def geojson(path, **more):
    feature = {'type': 'Feature', 'properties': {}, 'geometry': RING}
    path.write_text(json.dumps({'type': 'FeatureCollection', 'features': [feature], **more}))
    return path


@pytest.mark.parametrize('suffix', ['gpkg', 'shp', 'fgb', 'geojson'])
@pytest.mark.parametrize('crs', ['EPSG:4326', 'EPSG:32633', 'EPSG:3857'])
def test_polygons_of_the_usual_forms_are_read(tmp_path, suffix, crs):
    read = read_polygons(written(tmp_path / f'a.{suffix}', crs))
    assert read.crs.to_epsg() in (int(crs[5:]), None)
    assert read.geometry[0].equals(SQUARE)


@pytest.mark.parametrize('content', [RING, {'type': 'Feature', 'properties': {}, 'geometry': RING}])
def test_a_single_feature_or_geometry_is_read(tmp_path, content):
    (tmp_path / 'a.json').write_text('\ufeff' + json.dumps(content), encoding='utf-8')
    assert read_polygons(tmp_path / 'a.json').geometry[0].equals(SQUARE)


def test_a_kml_is_read(tmp_path):
    (tmp_path / 'a.kml').write_text(KML.format(''))
    assert read_polygons(tmp_path / 'a.kml').geometry[0].equals(SQUARE)


def layer(source):
    return (
        '<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>'
        f'{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    )


ATTACKS = {
    'a virtual layer': layer,
    'one behind vsicurl': lambda url: layer(f'/vsicurl/{url}'),
    'a web service': lambda url: f'<OGRWFSDataSource><URL>{url}</URL></OGRWFSDataSource>',
    'a virtual layer in KML': lambda url: KML.format(layer(url)),
    'a link in KML': lambda url: KML.format(
        f'<NetworkLink><Link><href>{url}</href></Link></NetworkLink>'
    ),
}


@pytest.mark.parametrize('name', ['a.gpkg', 'a.vrt', 'a.kml', 'a.geojson'])
@pytest.mark.parametrize('attack', ATTACKS)
def test_no_file_of_xml_reaches_a_network(tmp_path, listener, attack, name):
    url, seen = listener
    (tmp_path / name).write_text(ATTACKS[attack](f'{url}/a.geojson'))
    with suppress(SceneError):
        read_polygons(tmp_path / name)
    assert seen == []


def test_no_virtual_layer_shows_another_file(tmp_path):
    written(tmp_path / 'secret.geojson')
    path = tmp_path / 'a.gpkg'
    path.write_text(layer(tmp_path / 'secret.geojson'))
    assert len(pyogrio.read_dataframe(path)) == 1  # without us
    with pytest.raises(SceneError, match='be KML, where it is XML, got <OGRVRTDataSource>'):
        read_polygons(path)


def test_the_reference_system_of_a_geojson_is_a_code_and_no_link(tmp_path, listener):
    url, seen = listener
    path = geojson(tmp_path / 'a.geojson', crs={'type': 'link', 'properties': {'href': url}})
    with pytest.raises(SceneError, match="name its reference system by an authority's code"):
        read_polygons(path)
    assert seen == []
    with suppress(Exception):
        pyogrio.read_dataframe(path)
    assert seen  # without us
    named = {'type': 'name', 'properties': {'name': '+proj=tinshift +file=/etc/hostname'}}
    with pytest.raises(SceneError, match="authority's code"):
        read_polygons(geojson(path, crs=named))


@pytest.mark.parametrize(
    'content',
    [
        *(b'', b'text', b'PK\x03\x04', b'SQLite format 3\0', b'<kml>', b'[' * 9999),
        *(b'{', b'{"a": 1}', b'{"type": 1}', b'{"type": "FeatureCollection"}'),
        b'<!DOCTYPE a [<!ENTITY b "c">]><kml>&b;</kml>',
    ],
)
def test_what_is_no_vector_file_is_refused(tmp_path, content):
    (tmp_path / 'a.gpkg').write_bytes(content)
    with pytest.raises(SceneError, match='area of interest must'):
        read_polygons(tmp_path / 'a.gpkg')


def test_points_and_places_nowhere_are_no_area(tmp_path):
    with pytest.raises(SceneError, match='hold polygons'):
        read_polygons(written(tmp_path / 'a.gpkg', geometry=Point(0, 0)))
    with pytest.raises(SceneError, match='no reference system'):
        read_polygons(written(tmp_path / 'b.gpkg', crs=None))
