import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import planted_scene
import pytest
from PIL import Image
from rasterio.crs import CRS
from rasterio.transform import from_origin
from shapely.geometry import shape

from mmlandslide.scenes import run
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.outputs import webmap
from mmlandslide.scenes.outputs.overview import overview_of

RECORD = {'created': '2026-01-02T03:04:05+00:00', 'seconds': 1.5, 'detections': 1}
BOX = (40, 30, 50, 50)
#: A scene whose map crosses 180 degrees.
ACROSS = GeoBox(90, 110, from_origin(833000, 100000, 100, 100), CRS.from_epsg(32660))
#: In degrees, across 180 and all beyond it.
BEYOND = [
    GeoBox(90, 110, from_origin(west, 10, 1e-4, 1e-4), CRS.from_epsg(4326))
    for west in (179.9945, 190)
]


def report(boxes=(BOX,), record=RECORD, **changes):
    scene = replace(planted_scene.scene(boxes=boxes), **changes)
    layer = run.predict(planted_scene.job(scene))
    return webmap.page(overview_of(scene), layer, scene, record)


def data(html):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1]
    )


def picture(html):
    return np.array(
        Image.open(io.BytesIO(base64.b64decode(data(html)['picture'].partition(',')[2])))
    )


def test_nothing_is_loaded_from_anywhere():
    html = report()
    markup = re.sub(r'<(script|style)[^>]*>.*?</\1>', '', html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="([^"]*)"', markup) == ['data:,']
    assert "default-src 'none'; img-src data:;" in markup
    assert ('sourceMappingURL' in html, 'BSD 2-Clause License' in html) == (False, True)


def test_boxes_lie_in_the_picture_where_they_lie_in_the_scene():
    html = report()
    (south, west), (north, east) = data(html)['bounds']
    left, bottom, right, top = shape(data(html)['features'][0]['geometry']).bounds
    # UTM near its central meridian is Web Mercator to within a pixel in so small a scene: fractions
    # are those of 110 x 90 px.
    across = [(edge - west) / (east - west) * 110 for edge in (left, right)]
    down = [(north - edge) / (north - south) * 90 for edge in (top, bottom)]
    assert (across, down) == (pytest.approx([40, 50], abs=0.5), pytest.approx([30, 50], abs=0.5))


def test_the_picture_is_warped_to_web_mercator():
    # At 60 degrees north a degree of latitude is twice as long on this map: 100 x 100 px become
    # about 100 x 200.
    values = np.random.default_rng(0).random((3, 100, 100)).astype(np.float32)
    frame = GeoBox(100, 100, from_origin(10, 60.5, 0.01, 0.01), CRS.from_epsg(4326))
    html = report(boxes=(), values=values, known=np.ones((100, 100), bool), frame=frame)
    height, width = picture(html).shape[:2]
    assert height / width == pytest.approx(2, rel=0.02)
    assert data(html)['bounds'] == [
        pytest.approx([59.5, 10], abs=0.01),
        pytest.approx([60.5, 11], abs=0.01),
    ]


@pytest.mark.parametrize('frame', [GeoBox(90, 110), ACROSS, *BEYOND])
def test_what_web_mercator_cannot_show_keeps_its_own_grid(frame):
    found = data(report(frame=frame))
    assert (found['on_the_map'], found['bounds']) == (False, [[-90, 0], [0, 110]])
    assert shape(found['features'][0]['geometry']).bounds == pytest.approx((40, -50, 50, -30))
    assert found['area_unit'] == ('m²' if frame.crs else 'px²')


def test_pixels_without_data_are_transparent():
    html = report(boxes=(), frame=GeoBox(90, 110), known=np.arange(110) >= 55 + np.zeros((90, 1)))
    alpha = picture(html)[..., 3]
    assert (
        alpha[:, : alpha.shape[1] // 2 - 2].max(),
        alpha[:, alpha.shape[1] // 2 + 2 :].min(),
    ) == (0, 255)


def test_every_detection_has_what_the_page_shows_of_it():
    found = data(report())['features'][0]['properties']
    # 200 pixels of 100 m2; the ground slopes by 20.29 degrees and rises by 772.8 m a column.
    assert (found['score'], found['class']) == (1.0, 4)
    assert found['area_m2'] == pytest.approx(20000, rel=0.01)
    assert found['slope_deg'] == pytest.approx(20.29, abs=0.01)
    assert found['elevation_min_m'] == pytest.approx(40 * 772.83, rel=1e-4)


def test_a_scene_without_landslides_has_a_report():
    html = report(boxes=())
    assert data(html)['features'] == []
    assert '<tr><th>found</th><td>0</td></tr>' in html


def test_names_and_records_are_text_and_never_markup():
    attack = '</script><img src=x onerror=alert(1)>'
    html = report(name=attack, record={**RECORD, 'arguments': [attack]})
    assert attack not in html
    assert '&lt;/script&gt;&lt;img src=x' in html


def test_what_was_not_searched_is_told():
    seen = {
        'valid_share': 0.5,
        'windows_searched': 6,
        'windows': 12,
        'optical_without_dem_fraction': 0.25,
    }
    html = report(record={**RECORD, **seen})
    assert '<td>50.0% of the scene, in 6 of 12 windows</td>' in html
    assert '<td>25.0% of the optical data; not searched there</td>' in html


@pytest.mark.parametrize(
    ('frame', 'north_up', 'pixel_m'),
    [(planted_scene.scene().frame, True, 10), (ACROSS, True, 100), (GeoBox(90, 110), False, None)],
)
def test_north_and_the_length_of_a_pixel_are_told_where_they_are_known(frame, north_up, pixel_m):
    found = data(report(frame=frame))
    assert found['north_up'] is north_up
    assert found['pixel_m'] == (pixel_m and pytest.approx(pixel_m, rel=0.02))


def test_classes_that_the_threshold_leaves_empty_are_not_listed():
    labels = re.findall(r'<td>(\d\.\d - \d\.\d)</td>', report())
    assert labels == [f'0.{low} - {(low + 2) / 10:.1f}' for low in (8, 6, 4, 2, 0)]
    high = report(record={**RECORD, 'settings': {'score_thr': 0.4}})
    assert re.findall(r'<td>(\d\.\d - \d\.\d)</td>', high) == [
        '0.8 - 1.0',
        '0.6 - 0.8',
        '0.4 - 0.6',
    ]


def test_values_that_nobody_checked_are_told():
    html = report(record={**RECORD, 'arguments': ['detect', 'x.tif', '--no-check']})
    assert '<th>values</th><td>not checked against the names and units' in html
    assert '<th>values</th>' not in report()


def test_boxes_are_outlines_and_the_best_bear_their_numbers():
    html = report()
    assert 'fill: true, fillOpacity: 0' in html  # clickable, nothing seen
    assert 'bindTooltip(String(id), { permanent: true' in html
