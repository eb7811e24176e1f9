import threading
from dataclasses import replace

import numpy as np
import planted_scene
import pytest

from mmlandslide.errors import BandError, ConfigError, SceneError
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.grid import Grid
from mmlandslide.scenes.inference.sliding_window import (
    SLACK_PX,
    BlockPixels,
    predict_blocks,
    read_block,
    with_ground_values,
)

GRID = Grid(90, 110, 32, 12, block_windows=2)


def searched(
    scene, predictor=None, score_thr=0.0, batch_size=8, grid=GRID, advance=lambda windows: None
):
    predictor = predictor or planted_scene.predictor()
    walk = predict_blocks(scene, predictor, grid, grid.blocks, score_thr, batch_size, advance)
    return [(block, searched.detections) for block, searched in walk]


class Counting:
    """Finds nothing and notes what it is shown."""

    bands, fill = planted_scene.BANDS, np.float32([7, 8, 9])

    def __init__(self):
        self.seen = []

    def predict(self, images):
        self.seen.extend(images)
        return [(np.zeros((0, 4)), np.zeros(0))] * len(images)


def test_every_planted_box_is_owned_once_and_others_lie_near_a_border():
    boxes = planted_scene.boxes()
    found = Detections.concatenate([each for _, each in searched(planted_scene.scene(boxes=boxes))])
    own = GRID.owned(found.boxes_xyxy, found.window_rc)
    assert sorted(map(tuple, found[own].boxes_xyxy)) == boxes
    assert GRID.owned(found.boxes_xyxy, found.window_rc, SLACK_PX).all()


@pytest.mark.parametrize('batch_size', [1, 3, 1000])
def test_the_batch_size_decides_how_many_windows_are_shown_at_once(batch_size):
    predictor, shown = Counting(), []
    predictor.predict = lambda images: (
        shown.append(len(images)),
        [(np.zeros((0, 4)), np.zeros(0))] * len(images),
    )[1]
    searched(planted_scene.scene(), predictor, batch_size=batch_size)
    assert (sum(shown), max(shown)) == (len(GRID), min(batch_size, 4))


def test_pixels_without_data_show_the_fill_values():
    valid = np.ones((90, 110), bool)
    valid[:20, :20] = False
    predictor = Counting()
    searched(planted_scene.scene(valid=valid), predictor)
    corner = predictor.seen[0]
    assert (corner[:, :20, :20] == predictor.fill[:, None, None]).all()
    assert (corner[0, 20:] == 0).all()


def test_a_window_without_a_valid_pixel_is_not_searched_but_counted():
    valid = np.zeros((90, 110), bool)
    valid[40, 50] = True  # in the windows that start at row 20 or 40 and column 20 or 40
    predictor, done = Counting(), []
    searched(planted_scene.scene(valid=valid), predictor, advance=done.append)
    assert (len(predictor.seen), sum(done)) == (4, len(GRID))


def test_what_is_found_where_there_are_no_data_is_dropped():
    valid = np.ones((90, 110), bool)
    valid[:, :60] = False
    predictor = planted_scene.predictor()
    predictor.fill = np.float32([2, 0, 0])  # makes the predictor find the part without data
    found = [each for _, each in searched(planted_scene.scene(valid=valid), predictor)]
    assert all(each.pixels.min(initial=1) > 0 for each in found)
    assert not any((each.boxes_xyxy[:, 2] <= 60).any() for each in found)


def test_the_ground_under_a_box_is_that_of_its_valid_pixels():
    # The ground rises by 1 a column: columns 4 to 7 of which the last has no data.
    valid = np.ones((90, 110), bool)
    valid[:, 7] = False
    scene = planted_scene.scene(boxes=[(4, 4, 7, 8)], valid=valid)
    [found] = [each for _, each in searched(scene) if len(each)]
    assert found.table[:, 7:11].tolist() == [[12, 1, 4, 6]]


def test_scores_below_the_threshold_are_dropped():
    scene = planted_scene.scene(boxes=[(4, 4, 8, 8), (20, 4, 24, 8)])
    scene.values[0, 4, 20] = 0  # 15 of 16 pixels
    assert sum(len(each) for _, each in searched(scene, score_thr=15 / 16)) == 2
    assert sum(len(each) for _, each in searched(scene, score_thr=0.95)) == 1


def test_a_block_is_read_once_while_the_one_before_is_searched():
    scene, reads = planted_scene.scene(), []

    class Watched(type(scene)):
        def _read(self, window):
            reads.append((window, threading.current_thread().name))
            return super()._read(window)

    watched = Watched(**{name: getattr(scene, name) for name in scene.__dataclass_fields__})
    walk = predict_blocks(watched, Counting(), GRID, GRID.blocks, 0.0, 8)
    next(walk)
    next(walk)  # the second block is searched: the third is being read, the fourth is not
    walk.close()
    assert 2 <= len(reads) <= 3
    assert all(name.startswith('read-ahead') for _, name in reads)


def test_a_window_at_another_origin_reaches_beyond_the_scene():
    grid = replace(GRID, origin_rc=(5, 9))
    pixels = read_block(planted_scene.scene(), grid, grid.blocks[0], np.float32([7, 8, 9]))
    assert (pixels.top, pixels.left) == (-5, -9)
    assert not pixels.valid[:5].any()
    assert (pixels.values[:, :, :9] == np.float32([7, 8, 9])[:, None, None]).all()


def test_an_error_of_the_reading_arrives():
    scene = planted_scene.scene()

    class Broken(type(scene)):
        def _read(self, window):
            raise SceneError.mismatch('raster file', 'be readable', 'nothing', 'a', 'Get it again')

    with pytest.raises(SceneError, match='be readable, got nothing in a'):
        searched(Broken(**{name: getattr(scene, name) for name in scene.__dataclass_fields__}))


def test_a_scene_of_other_bands_is_refused():
    scene = replace(planted_scene.scene(), bands=('B8', 'slope', 'DEM'))
    with pytest.raises(
        BandError,
        match=r"have the bands \['B4', 'slope', 'DEM'\], got \['B8', 'slope', 'DEM'\] in planted",
    ):
        searched(scene)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'batch_size': 0}, 'at least 1 window, got 0'),
        ({'score_thr': 1.1}, r'from 0 to 1, got 1\.1'),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        searched(planted_scene.scene(), **options)


@pytest.mark.parametrize('origin_rc', [(0, 0), (5, 9)])
@pytest.mark.parametrize('block_windows', [1, 2, 8])
def test_every_pixel_with_data_is_counted_once_and_windows_without_any_are_not(
    origin_rc, block_windows
):
    valid = np.zeros((90, 110), bool)
    valid[17:60, 23:71] = True
    grid, predictor = replace(GRID, origin_rc=origin_rc, block_windows=block_windows), Counting()
    parts = [
        part
        for _, part in predict_blocks(
            planted_scene.scene(valid=valid), predictor, grid, grid.blocks, 0.0, 8
        )
    ]
    assert sum(part.valid_px for part in parts) == 43 * 48
    assert sum(part.windows for part in parts) == len(predictor.seen) < len(grid)


def test_boxes_that_lie_mostly_in_no_data_are_dropped():
    valid = np.zeros((10, 20), bool)
    valid[:, :10] = True
    pixels = BlockPixels(np.zeros((1, 10, 20), np.float32), valid, 0, 0)
    # 4 px wide: 4, 2 and 1 of them, and none, have data.
    boxes = np.array([[left, 2.0, left + 4.0, 6.0] for left in (2, 8, 9, 12)])
    found = with_ground_values(Detections.of(boxes, np.ones(4), (0, 0)), pixels, ('B4',))
    assert found.boxes_xyxy[:, 0].tolist() == [2, 8]
    assert found.pixels.tolist() == [16, 8]
