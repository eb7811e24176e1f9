"""Reading one tile in every format, and refusing what no tile may hold."""

import factories
import h5py
import numpy as np
import pytest
from PIL import Image

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.storage import tile_errors
from mmlandslide.datasets.storage.tiles import read_image, read_mask
from mmlandslide.errors import LandslideError, MissingPathError, TileError

FIVE = ('a', 'b', 'c', 'd', 'e')


@pytest.mark.parametrize('name', ['tile.h5', 'tile.tif', 'tile.npy'])
@pytest.mark.parametrize('dtype', ['float32', 'float64'])
def test_bands_come_back_channel_first_in_the_type_of_the_file(tmp_path, name, dtype):
    array = np.arange(5 * 3 * 4, dtype=dtype).reshape(5, 3, 4)
    read = read_image(factories.write_array(tmp_path / name, array), FIVE)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ('name', 'dtype'),
    [('t.png', 'uint8'), ('t.tif', 'uint16'), ('t.npy', 'uint8'), ('t.bmp', 'uint8')],
)
def test_whole_numbers_are_fine_outside_hdf5(tmp_path, name, dtype):
    array = np.arange(3 * 2 * 5, dtype=dtype).reshape(3, 2, 5)
    np.testing.assert_array_equal(
        read_image(factories.write_array(tmp_path / name, array), 'RGB'), array
    )


def test_a_grey_picture_is_one_band(tmp_path):
    array = np.array([[1, 2, 3]], np.uint8)
    assert read_image(factories.write_array(tmp_path / 't.png', array), ['grey']).tolist() == [
        [[1, 2, 3]]
    ]


def test_another_byte_order_becomes_the_machines_own(tmp_path):
    read = read_image(factories.write_array(tmp_path / 't.h5', np.full((1, 2, 2), 7, '>f8')), ['a'])
    assert read.dtype.isnative
    assert read.sum() == 28  # 4 px of 7


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        MissingPathError, match=r'tile file must exist, got no file in .*image_9\.h5'
    ):
        read_image(tmp_path / 'image_9.h5', FIVE)


def test_a_suffix_that_is_not_known_lists_those_that_are(tmp_path):
    with pytest.raises(TileError, match=r"end in one of \.h5, .* got '\.xyz'"):
        read_image(tmp_path / 'a.xyz', FIVE)


@pytest.mark.parametrize('name', ['t.h5', 't.tif', 't.npy', 't.png'])
def test_a_file_cut_in_half_is_unreadable(tmp_path, name):
    array = (
        np.random.default_rng(0)
        .integers(0, 255, (3, 64, 64))
        .astype('uint8' if name == 't.png' else 'float32')
    )
    path = factories.truncate(factories.write_array(tmp_path / name, array))
    with pytest.raises(tile_errors.UnreadableTileError, match=f'must be readable .* in .*{name}'):
        read_image(path, 'abc')


def test_a_text_file_under_a_tiles_name_is_unreadable(tmp_path):
    for name in ('t.h5', 't.tif', 't.npy', 't.jpg'):
        (tmp_path / name).write_text('<html>404</html>')
        with pytest.raises(tile_errors.UnreadableTileError, match=name):
            read_image(tmp_path / name, FIVE)


def test_a_missing_key_lists_the_keys_found(tmp_path):
    path = factories.write_array(tmp_path / 't.h5', np.zeros((5, 2, 2)), key='image')
    with pytest.raises(
        tile_errors.UnreadableTileError,
        match=r"hold dataset 'img', got keys \['image'\] in .*t\.h5",
    ):
        read_image(path, FIVE)


def test_a_wrong_number_of_bands_is_named_with_the_shape(tmp_path):
    path = factories.write_array(tmp_path / 't.h5', factories.image(bands=12))
    with pytest.raises(
        tile_errors.TileShapeError,
        match=r"dataset 'img' must have 14 bands .* got shape \(16, 16, 12\) in .*t\.h5",
    ):
        read_image(path, LANDSLIDE4SENSE)


@pytest.mark.parametrize(
    'array', [np.zeros((5, 4)), np.zeros((5, 0, 4)), np.zeros((4, 4, 5)), np.zeros((1, 5, 4, 4))]
)
def test_other_shapes_are_refused(tmp_path, array):
    np.save(tmp_path / 't.npy', array)
    with pytest.raises(tile_errors.TileShapeError, match='must have 5 bands'):
        read_image(tmp_path / 't.npy', FIVE)


@pytest.mark.parametrize('dtype', ['float16', 'uint8', 'int32'])
def test_hdf5_takes_32_and_64_bit_floats_only(tmp_path, dtype):
    path = factories.write_array(tmp_path / 't.h5', np.ones((5, 2, 2), dtype))
    with pytest.raises(
        tile_errors.TileDtypeError, match=f'be one of float32, float64, got {dtype}'
    ):
        read_image(path, FIVE)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, bad):
    array = np.zeros((5, 2, 2))
    array[1, 0, 0] = array[4, 1, 1] = bad
    with pytest.raises(tile_errors.NonFiniteTileError, match='got 2 NaN or infinite of 20 in'):
        read_image(factories.write_array(tmp_path / 't.h5', array), FIVE)


def test_an_absurd_shape_is_refused_before_it_is_read(tmp_path):
    with h5py.File(
        tmp_path / 't.h5', 'w'
    ) as file:  # chunks that are never written take no space: 2**30 values in a few kB
        file.create_dataset('img', (2**15, 2**15, 1), 'f8', chunks=(128, 128, 1))
    with pytest.raises(
        tile_errors.TileShapeError, match=r'at most 67108864 values, got shape \(32768, 32768, 1\)'
    ):
        read_image(tmp_path / 't.h5', ['a'])


def test_no_pickled_array_is_loaded(tmp_path):
    np.save(tmp_path / 't.npy', np.array([{'a': 1}], object), allow_pickle=True)
    with pytest.raises(tile_errors.UnreadableTileError, match='readable NumPy'):
        read_image(tmp_path / 't.npy', FIVE)


def secret(folder):
    with h5py.File(folder / 'secret.h5', 'w') as file:
        file['img'] = np.ones((2, 2, 5))
    (folder / 'secret.bin').write_bytes(np.ones((2, 2, 5)).tobytes())


def link_soft(file):
    file['other'] = np.ones((2, 2, 5))
    file['img'] = h5py.SoftLink('/other')


def link_external(file):
    file['img'] = h5py.ExternalLink('secret.h5', '/img')


def store_externally(file):
    file.create_dataset('img', (2, 2, 5), 'f8', external=[('secret.bin', 0, 160)])


def store_virtually(file):
    layout = h5py.VirtualLayout((2, 2, 5), 'f8')
    layout[:] = h5py.VirtualSource('secret.h5', 'img', (2, 2, 5))
    file.create_virtual_dataset('img', layout)


def make_group(file):
    file.create_group('img')


@pytest.mark.parametrize(
    'plant', [link_soft, link_external, store_externally, store_virtually, make_group]
)
def test_hdf5_that_keeps_its_values_elsewhere_is_not_followed(tmp_path, monkeypatch, plant):
    monkeypatch.chdir(tmp_path)
    secret(tmp_path)
    with h5py.File(tmp_path / 't.h5', 'w') as file:
        plant(file)
    with pytest.raises(tile_errors.UnreadableTileError, match='keep its values in its own file'):
        read_image(tmp_path / 't.h5', FIVE)


def test_a_gdal_description_under_a_tiff_name_is_not_followed(tmp_path):
    factories.write_tiff(tmp_path / 'secret.tif', np.ones((1, 2, 2)))
    source = (
        f'<SimpleSource><SourceFilename>{tmp_path / "secret.tif"}</SourceFilename></SimpleSource>'
    )
    band = f'<VRTRasterBand dataType="Float64" band="1">{source}</VRTRasterBand>'
    text = f'<VRTDataset rasterXSize="2" rasterYSize="2">{band}</VRTDataset>'
    (tmp_path / 't.tif').write_text(text)
    with pytest.raises(tile_errors.UnreadableTileError, match='readable GeoTIFF'):
        read_image(tmp_path / 't.tif', ['a'])


@pytest.mark.parametrize('name', ['m.h5', 'm.tif', 'm.npy', 'm.png'])
def test_a_mask_comes_back_as_zeros_and_ones(tmp_path, name):
    path = factories.write_array(tmp_path / name, np.array([[0, 1], [1, 0]], np.uint8), 'mask')
    read = read_mask(path, shape_hw=(2, 2))
    assert read.dtype == np.uint8
    assert read.tolist() == [[0, 1], [1, 0]]


def test_a_picture_may_spell_landslide_as_255(tmp_path):
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).save(tmp_path / 'm.png')
    assert read_mask(tmp_path / 'm.png').tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ('name', 'values', 'said'),
    [
        ('m.h5', [0, 255], r'0 and 1 only, got \[255\]'),
        ('m.png', [1, 255], r'0 and 255 only, got \[1\]'),
    ],
)
def test_other_mask_values_are_named(tmp_path, name, values, said):
    path = factories.write_array(tmp_path / name, np.array([values], np.uint8), 'mask')
    with pytest.raises(tile_errors.MaskError, match=said):
        read_mask(path)


@pytest.mark.parametrize('values', [[0.5, 0.0], [np.nan, 1.0], [-1.0, 0.0]])
def test_a_mask_of_fractions_is_refused(tmp_path, values):
    path = factories.write_array(tmp_path / 'm.h5', np.array([values]), 'mask')
    with pytest.raises(tile_errors.MaskError, match='must hold 0 and 1 only'):
        read_mask(path)


@pytest.mark.parametrize(
    'values', [np.zeros((2, 2), [('a', 'f4')]), np.full((2, 2), b'1'), np.ones((2, 2), 'c8')]
)
def test_a_mask_of_anything_but_numbers_is_refused(tmp_path, values):
    with pytest.raises(
        tile_errors.TileDtypeError, match="dataset 'mask' must hold numbers, got type"
    ):
        read_mask(factories.write_array(tmp_path / 'm.h5', values, 'mask'))


def test_a_mask_of_another_size_than_its_image_is_refused(tmp_path):
    path = factories.write_array(tmp_path / 'm.h5', factories.mask(size_px=8), 'mask')
    with pytest.raises(
        tile_errors.MaskError,
        match=r'must have the shape \(16, 16\) of its image, got shape \(8, 8\) in .*m\.h5',
    ):
        read_mask(path, shape_hw=(16, 16))


@pytest.mark.parametrize(('name', 'checked'), [('t.h5', True), ('t.tif', False), ('t.png', False)])
def test_only_what_prepare_reads_is_to_be_checked_with_it(tmp_path, name, checked):
    (tmp_path / name).write_text('<html>404</html>')
    with pytest.raises(TileError, match='Download the file again') as caught:
        read_image(tmp_path / name, FIVE)
    assert ('mmlandslide prepare --check' in str(caught.value)) is checked


def test_every_message_is_one_line(tmp_path):
    path = factories.truncate(factories.write_array(tmp_path / 't.h5', factories.image()))
    with pytest.raises(LandslideError) as caught:
        read_image(path, LANDSLIDE4SENSE)
    assert '\n' not in str(caught.value)
