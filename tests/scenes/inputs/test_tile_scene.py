import factories
import numpy as np
import pytest

from mmlandslide.bands import GROUPS, LANDSLIDE4SENSE
from mmlandslide.errors import BandError, ConfigError, SceneError, TileError
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.tile_scene import array_scene, open_tile, scene_of

ALL = (0, 0, 16, 16)


def test_a_landslide4sense_tile_is_read_as_it_is(tmp_path):
    image = factories.image()
    tile = open_tile(factories.write_array(tmp_path / 'image_2.h5', image), ('B4', 'slope'))
    values, valid = tile.read(ALL)
    assert np.allclose(values, image[[3, 12]])
    assert valid.all()
    assert (tile.name, tile.crs, tile.gsd_m) == ('image_2', None, 1.0)


def test_whole_numbers_are_divided(tmp_path):
    raw = np.rint(factories.image() * factories.DIVISORS[:, None, None]).astype(np.uint16)
    tile = open_tile(factories.write_array(tmp_path / 'a.npy', raw), LANDSLIDE4SENSE)
    assert np.allclose(tile.read(ALL)[0], factories.image(), rtol=1e-6)


def test_a_scale_that_is_stated_counts(tmp_path):
    raw = np.full((14, 4, 4), 0.1, np.float32)
    path = factories.write_array(tmp_path / 'a.npy', raw)
    assert open_tile(path, ('B1',), InputOptions(scale='reflectance', dn_offset=-500.0)).read(
        (0, 0, 1, 1)
    )[0] == pytest.approx(500 / 1111.81236406)


def test_an_image_is_a_photograph(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    tile = open_tile(factories.write_array(tmp_path / 'a.png', array), GROUPS['photograph'])
    assert np.array_equal(tile.read((0, 0, 8, 8))[0], array)


def test_the_bands_of_other_tiles_are_named_by_the_user(tmp_path):
    path = factories.write_array(tmp_path / 'a.npy', factories.image(bands=3).astype(np.float32))
    with pytest.raises(
        BandError,
        match=r'14 bands of Landslide4Sense, got shape \(3, 16, 16\) in .*a\.npy\. Name its bands '
        r'with',
    ):
        open_tile(path, ('B3',))
    tile = open_tile(path, ('B3',), InputOptions(band_order=('B04', 'B03', 'B02')))
    assert np.allclose(tile.read(ALL)[0][0], factories.image(bands=3)[1])


def test_no_data_and_fill_count_in_tiles():
    array = np.array([[[1, 2]], [[2, 3]]], np.float32)
    tile = scene_of(array, ('B4', 'B3'), ('B4', 'B10'), InputOptions(nodata=2.0, fill={'B10': 0.5}))
    values, valid = tile.read((0, 0, 1, 2))
    assert values.tolist() == [[[1, 0]], [[0.5, 0]]]
    assert valid.tolist() == [[True, False]]


def test_a_band_that_a_tile_lacks_is_refused():
    with pytest.raises(BandError, match=r"be among \['B4'\], got \['B8'\] in array"):
        scene_of(np.ones((1, 2, 2), np.float32), ('B4',), ('B8',))


@pytest.mark.parametrize(
    'option', [{'dem': 'dem.tif'}, {'cloud_mask': 'clouds.tif'}, {'band_files': [('B1', 'a.tif')]}]
)
def test_what_only_scenes_have_is_refused(tmp_path, option):
    path = factories.write_array(tmp_path / 'a.npy', factories.image())
    with pytest.raises(
        ConfigError,
        match=rf'{next(iter(option))} must belong to a scene on the map, got a tile .*a\.npy',
    ):
        open_tile(path, ('B1',), InputOptions(**option))


@pytest.mark.parametrize('scale', ['dn', 'reflectance'])
def test_a_tile_in_other_units_needs_a_word(tmp_path, scale):
    raw = factories.image() * factories.DIVISORS[:, None, None]
    raw[:12] /= 10000 if scale == 'reflectance' else 1
    path = factories.write_array(tmp_path / 'a.npy', raw.astype(np.float32))
    with pytest.raises(
        SceneError, match=r'values must be about 1 .* in .*a\.npy\. State their unit: --scale dn'
    ):
        open_tile(path, ('B4',))
    assert np.allclose(
        open_tile(path, ('B4',), InputOptions(scale=scale)).read(ALL)[0],
        factories.image()[3],
        rtol=1e-4,
    )


def test_bands_of_a_tile_in_the_place_of_others_are_noticed(tmp_path):
    path = factories.write_array(tmp_path / 'a.npy', factories.image()[::-1])
    with pytest.raises(
        SceneError, match=r'values that fit their names, got .* in .*a\.npy\. Correct --band-order'
    ):
        open_tile(path, ('B4',))
    assert open_tile(path, ('B4',), InputOptions(check_values=False)).bands == ('B4',)


def test_an_empty_tile_is_let_through(tmp_path):
    path = factories.write_array(tmp_path / 'a.npy', np.zeros((14, 16, 16), np.float32))
    assert not open_tile(path, ('B4',)).read(ALL)[0].any()


def test_a_broken_tile_is_named(tmp_path):
    path = factories.truncate(factories.write_array(tmp_path / 'a.h5', factories.image()))
    with pytest.raises(
        TileError, match=r'be readable HDF5, got .* in .*a\.h5\. Download the file again'
    ):
        open_tile(path, ('B1',))


@pytest.mark.parametrize('empty', [np.nan, np.inf, 'masked'])
def test_what_is_not_finite_or_masked_in_an_array_is_no_data_and_nothing_else(empty):
    array = np.ones((2, 4, 4), np.float32)
    mask = np.zeros((2, 4, 4), bool)
    mask[1, 2, 3] = True
    array = np.ma.masked_array(array, mask) if empty == 'masked' else np.where(mask, empty, array)
    values, valid = array_scene(array, ('B4', 'B8')).read((0, 0, 4, 4))
    assert np.argwhere(~valid).tolist() == [[2, 3]]
    assert (values[:, valid] == 1).all()
    assert np.isfinite(values).all()


def test_an_array_of_digital_numbers_as_floats_is_refused_until_its_unit_is_stated():
    array = np.full((2, 4, 4), 1941.32229668, np.float32)
    with pytest.raises(SceneError, match=r'brightest median .* got 4\.36e\+03 in the array'):
        array_scene(array.copy() * 1000 / 445.17289745, ('B4', 'B8'))
    scene = array_scene(array, ('B4', 'B8'), InputOptions(scale='dn'))
    assert scene.read((0, 0, 1, 1))[0].ravel()[1] == pytest.approx(1)
