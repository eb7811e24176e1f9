from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import from_origin

from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.scene import InputFile, Scene


@dataclass(frozen=True)
class Ramp(Scene):
    """Its first band holds each pixel's row, its second the column; odd columns are not valid."""

    def _read(self, window):
        row, col, height, width = window
        values = np.mgrid[row : row + height, col : col + width].astype(np.float32)
        return values, values[1] % 2 == 0


FRAME = GeoBox(8, 6, from_origin(500000.0, 5000000.0, 20.0, 20.0), CRS.from_epsg(32633))
SCENE = Ramp('ramp', ('row', 'col'), FRAME, datetime(2015, 7, 11, tzinfo=timezone.utc), ())


def test_a_window_inside_is_what_the_files_hold_and_zero_where_not_valid():
    values, valid = SCENE.read((2, 2, 2, 3))
    assert values.tolist() == [[[2, 0, 2], [3, 0, 3]], [[2, 0, 4], [2, 0, 4]]]
    assert valid.tolist() == [[True, False, True]] * 2


def test_a_window_that_reaches_beyond_is_not_valid_there():
    values, valid = SCENE.read((7, -1, 3, 3))
    assert valid.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert values[:, 0, 1].tolist() == [7, 0]
    assert values.sum() == 7


def test_a_window_elsewhere_is_all_invalid():
    values, valid = SCENE.read((100, 100, 4, 4))
    assert not values.any()
    assert not valid.any()


def test_a_scene_says_where_it_lies():
    assert (SCENE.height, SCENE.width, SCENE.crs) == (8, 6, CRS.from_epsg(32633))
    assert SCENE.transform @ (0, 0) == (500000.0, 5000000.0)
    assert round(SCENE.gsd_m) == 20


def test_a_file_is_recorded_with_its_size_and_time(tmp_path):
    path = tmp_path / 'a.tif'
    path.write_bytes(b'123')
    assert InputFile.of(path) == InputFile(str(path), 3, path.stat().st_mtime_ns)
