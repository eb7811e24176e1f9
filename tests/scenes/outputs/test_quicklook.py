import numpy as np
import planted_scene
import pytest
from PIL import Image

from mmlandslide.scenes import run
from mmlandslide.scenes.outputs import quicklook
from mmlandslide.scenes.outputs.overview import overview_of
from mmlandslide.scenes.outputs.score_colors import COLORS, rgb

LEGEND_PX = 20


def found(boxes, scores=None, **options):
    scene = planted_scene.scene(boxes=boxes, **options)
    layer = run.predict(planted_scene.job(scene))
    if scores is not None:
        layer['score'] = scores
    return overview_of(scene), layer, scene.frame


@pytest.mark.parametrize('crs', [planted_scene.UTM, None])
def test_boxes_are_drawn_where_they_are(crs):
    # 90 x 110 px grow 6 times; the outermost pixels of the box (5, 10, 9, 20) are 30..53 and
    # 60..119.
    overview, layer, frame = found([(5, 10, 9, 20)], [0.5], crs=crs)
    picture = quicklook.draw(overview, layer, frame)[LEGEND_PX:]
    rows, cols = np.nonzero((picture == rgb(COLORS[2])).all(axis=-1))
    assert (cols.min(), rows.min(), cols.max(), rows.max()) == (30, 60, 53, 119)


def test_of_two_boxes_at_one_place_the_better_is_seen():
    overview, layer, frame = found([(5, 10, 9, 20), (40, 10, 49, 20)], [0.9, 0.3])
    layer.geometry = [layer.geometry.iloc[0]] * 2
    picture = quicklook.draw(overview, layer, frame)[LEGEND_PX:]
    assert (picture == rgb(COLORS[4])).all(axis=-1).any()
    assert not (picture == rgb(COLORS[1])).all(axis=-1).any()


def test_the_legend_has_every_colour():
    picture = quicklook.draw(*found([]))
    strip = {tuple(pixel) for pixel in picture[LEGEND_PX // 2].tolist()}
    assert {rgb(color) for color in COLORS} <= strip


def test_a_narrow_scene_keeps_its_legend_whole():
    picture = quicklook.draw(*found([], height=300, width=20))
    assert picture.shape[1] > 400
    assert (picture[LEGEND_PX:, -10:] == 0).all()


def test_the_file_holds_what_is_drawn(tmp_path):
    shown = found([(5, 10, 9, 20)])
    quicklook.write(*shown, tmp_path / 'a.png')
    assert np.array_equal(Image.open(tmp_path / 'a.png'), quicklook.draw(*shown))
