import json
from dataclasses import replace
from datetime import datetime

import planted_scene
import pystac
import pytest
from rasterio.crs import CRS

from mmlandslide.scenes.outputs import stac

RECORD = {
    'created': '2026-01-02T03:04:05+00:00',
    'versions': {'mmlandslide': '1.0'},
    'detections': 3,
}


def item(folder, **changes):
    return stac.item(replace(planted_scene.scene(), **changes), RECORD, folder / 'out.stac.json')


def test_the_item_lies_where_the_scene_lies(tmp_path):
    found = item(tmp_path)
    # 110 x 90 px of 10 m, east of 15 degrees and south of northing 5 000 000 in zone 33.
    assert found.properties['proj:code'] == 'EPSG:32633'
    assert found.properties['proj:shape'] == [90, 110]
    assert found.properties['proj:transform'] == [10, 0, 500000, 0, -10, 5000000]
    assert found.properties['proj:bbox'] == [500000, 4999100, 501100, 5000000]
    assert found.bbox == pytest.approx([15, 45.145376, 15.013994, 45.153477], abs=1e-5)
    assert found.geometry['type'] == 'Polygon'


def test_the_time_is_that_of_the_scene(tmp_path):
    found = item(tmp_path, acquired=datetime(2015, 7, 11, 10, 0, 6)).to_dict()
    assert found['properties']['datetime'] == '2015-07-11T10:00:06Z'
    assert found['properties']['created'] == '2026-01-02T03:04:05Z'


def test_an_unknown_time_is_the_range_up_to_the_run(tmp_path):
    properties = item(tmp_path).to_dict()['properties']
    assert properties['datetime'] is None
    assert (properties['start_datetime'], properties['end_datetime']) == (
        '1970-01-01T00:00:00Z',
        '2026-01-02T03:04:05Z',
    )


def test_assets_are_the_files_that_are_there_by_relative_path(tmp_path):
    for name in ('out.gpkg', 'out.run.json', 'other.png'):
        (tmp_path / name).write_text('')
    assets = item(tmp_path).assets
    assert {key: asset.href for key, asset in assets.items()} == {
        'landslides': './out.gpkg',
        'run': './out.run.json',
    }
    assert assets['landslides'].media_type == pystac.MediaType.GEOPACKAGE
    assert (assets['landslides'].roles, assets['run'].roles) == (['data'], ['metadata'])


def test_a_map_without_code_is_described_in_full(tmp_path):
    own = CRS.from_proj4('+proj=laea +lat_0=45 +lon_0=15 +datum=WGS84 +units=m')
    properties = item(tmp_path, frame=replace(planted_scene.scene().frame, crs=own)).properties
    assert properties['proj:code'] is None
    assert CRS.from_wkt(properties['proj:wkt2']) == own


def test_what_is_written_comes_back_as_the_same_item(tmp_path):
    written = json.loads(json.dumps(item(tmp_path).to_dict(include_self_link=False)))
    again = pystac.Item.from_dict(written)
    assert (again.id, again.to_dict(include_self_link=False)) == ('out', written)
    assert written['type'] == 'Feature'
    assert written['links'] == []


def test_references_are_uris_whatever_the_files_are_called(tmp_path):
    (tmp_path / 'out 50% #1?.gpkg').touch()
    beside = tmp_path / f'out 50% #1?{stac.SUFFIX}'
    hrefs = [
        asset.href for asset in stac.item(planted_scene.scene(), RECORD, beside).assets.values()
    ]
    assert hrefs == ['./out%2050%25%20%231%3F.gpkg']
