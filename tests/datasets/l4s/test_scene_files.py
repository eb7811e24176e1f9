"""A simulated scene, cut into tiles and put together again."""

import factories
import geopandas as gpd
import numpy as np
import pytest
import rasterio
import simulated_scene as simulated
from shapely.geometry import box

from mmlandslide.datasets.boxes import RULES, BoxRule
from mmlandslide.datasets.l4s.copies import open_copy
from mmlandslide.datasets.l4s.mask_objects import objects_from_masks
from mmlandslide.datasets.l4s.mosaic import write_mosaic
from mmlandslide.datasets.l4s.scene_files import write_scenes
from mmlandslide.errors import TileError

MISSING = simulated.number_at(5, 4)  # holds a part of the largest landslide


@pytest.fixture(scope='module')
def scene():
    return simulated.image(), simulated.mask()


@pytest.fixture(scope='module')
def copy(tmp_path_factory, scene):
    return open_copy(simulated.write_tiles(tmp_path_factory.mktemp('tiles'), *scene))


@pytest.fixture(scope='module')
def with_gap(tmp_path_factory, scene):
    root = tmp_path_factory.mktemp('gap')
    return open_copy(simulated.write_tiles(root, *scene, without=[MISSING]))


def bounds(objects):
    return {tuple(map(int, each.geometry.bounds)): each for each in objects}


def test_the_mosaic_is_the_scene_bit_for_bit(copy, scene, tmp_path):
    (written,) = write_scenes(copy, tmp_path, RULES['components'])
    with rasterio.open(written.mosaic.image_path) as raster:
        assert raster.descriptions == copy.bands
        assert raster.read().tobytes() == scene[0].tobytes()
    with rasterio.open(written.mosaic.mask_path) as raster:
        np.testing.assert_array_equal(raster.read(1), scene[1])
    assert (written.mosaic.tiles, written.mosaic.missing) == (121, 0)


def test_whole_objects_are_the_planted_ones(copy):
    found = bounds(objects_from_masks(copy, simulated.SCENE, RULES['components']))
    assert set(found) == set(simulated.PLANTED)
    for planted, tiles in simulated.PLANTED.items():
        assert found[planted].geometry.equals(box(*planted))
        assert found[planted].numbers == tuple(sorted(simulated.number_at(*at) for at in tiles))
        assert not found[planted].cut


def test_a_missing_tile_is_no_data_and_what_reaches_it_is_cut(with_gap, tmp_path):
    (written,) = write_scenes(with_gap, tmp_path, RULES['components'])
    with (
        rasterio.open(written.mosaic.image_path) as image,
        rasterio.open(written.mosaic.mask_path) as mask,
    ):
        gap = np.isnan(image.read(1))
        assert image.dataset_mask().astype(bool).tobytes() == (~gap).tobytes()
        np.testing.assert_array_equal(mask.read(1) == 255, gap)
    rows, columns = np.nonzero(gap)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (80, 96, 64, 80)
    assert (written.mosaic.missing, written.objects, written.cut) == (1, 5, 1)


def test_the_geopackage_lies_on_the_mosaic(with_gap, tmp_path):
    (written,) = write_scenes(with_gap, tmp_path, RULES['components'])
    layer = gpd.read_file(written.objects_path).sort_values('area_px2')
    assert layer.crs is None
    largest = layer.iloc[-1]
    assert largest.geometry.bounds == (60, -120, 70, -90)  # y = -row
    # 10 x 30 px less the 6 x 6 px in the missing tile; 80 m px: 128 px of 10 m on 16 px
    assert (largest.area_px2, largest.area_m2) == (264, 264 * 80**2)
    assert (largest.tiles, largest.cut) == (5, True)
    assert largest.tile_ids.split()[0] == f'train/{simulated.number_at(5, 3)}'


def test_corners_join_where_the_rule_says_so(tmp_path):
    """Two squares meet at the corner of four tiles alone."""
    mask = np.zeros(simulated.HW, np.uint8)
    mask[12:16, 12:16] = mask[16:20, 16:20] = 1
    copy = open_copy(simulated.write_tiles(tmp_path, np.ones((14, *simulated.HW)), mask))
    by_corner = objects_from_masks(copy, simulated.SCENE, BoxRule(connectivity=8))
    by_edge = objects_from_masks(copy, simulated.SCENE, BoxRule(connectivity=4))
    assert [each.geometry.area for each in by_corner] == [32]
    assert [each.geometry.area for each in by_edge] == [16, 16]


def test_the_least_size_is_that_of_the_whole_object(tmp_path):
    mask = np.zeros(simulated.HW, np.uint8)
    mask[5:6, 13:19] = 1  # 3 px in each of two tiles
    mask[40, 40:43] = 1
    copy = open_copy(simulated.write_tiles(tmp_path, np.ones((14, *simulated.HW)), mask))
    found = objects_from_masks(copy, simulated.SCENE, BoxRule(connectivity=4, min_pixels=4))
    assert list(bounds(found)) == [(13, 5, 19, 6)]


def test_tiles_that_no_block_of_a_tiff_fits_are_refused(tmp_path):
    factories.write_voc(tmp_path, {'train': 1}, size_px=20)
    with pytest.raises(TileError, match='multiple of 16 px, got 20'):
        write_mosaic(open_copy(tmp_path), simulated.SCENE, tmp_path / 'out')
