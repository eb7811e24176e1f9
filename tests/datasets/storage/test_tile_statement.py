"""What a tile file says of its own pixels, and what comes of it."""

import ast
import logging
import re

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from mmlandslide.datasets.storage import tile_statement
from mmlandslide.datasets.storage.tile_errors import (
    MaskError,
    NoDataTileError,
    TileShapeError,
    UnreadableTileError,
)
from mmlandslide.datasets.storage.tiles import read_image, read_mask
from mmlandslide.errors import TileError

BANDS = ('R', 'G', 'B')


def tiff(path, array, names=(), mask=None, scales=None, **options):
    """Write (C, H, W) as a GeoTIFF."""
    count, height, width = array.shape
    shape = {'height': height, 'width': width, 'count': count, 'dtype': array.dtype}
    placed = {'transform': from_origin(0, 100, 10, 10), 'crs': 'EPSG:32633'}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, 'w', driver='GTiff', **shape, **placed, **options) as file,
    ):
        file.write(array)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
        if mask is not None:
            file.write_mask(mask)
        if scales is not None:
            file.scales, file.offsets = scales
    return path


def half(value, dtype='float32'):
    """Return one band, 1 but in the upper two of eight rows, which hold a value."""
    array = np.ones((1, 8, 8), dtype)
    array[0, :2] = value
    return array


@pytest.mark.parametrize('value', [-9999, float('nan'), 0])
def test_pixels_under_the_nodata_tag_hold_the_mean_of_the_others(tmp_path, value):
    path = tiff(tmp_path / '1.tif', half(value), nodata=value)
    assert (read_image(path, ('a',)) == 1).all()


@pytest.mark.parametrize(
    ('value', 'bands'),
    [(-9999, 'a'), (-32768, 'a'), (1e20, 'a'), (-3.4e38, 'a'), (-1, 'abc'), (-999, 'abc')],
)
def test_a_fill_that_nobody_names_is_refused_with_what_names_it(tmp_path, value, bands):
    path = tiff(tmp_path / '1.tif', np.repeat(half(value), len(bands), 0))
    with pytest.raises(NoDataTileError, match='say what means no data') as error:
        read_image(path, bands)
    named = re.search('nodata=({.*}) of MaskFolderDataset', str(error.value))
    assert (read_image(path, bands, nodata=ast.literal_eval(named[1])) == 1).all()


def test_negative_values_of_a_band_or_two_are_values(tmp_path):
    for bands in ('a', 'ab'):
        path = tiff(tmp_path / f'{bands}.tif', np.repeat(half(-3), len(bands), 0))
        assert read_image(path, bands).min() == -3


def test_whole_numbers_stay_whole(tmp_path):
    array = np.array([[[0, 1, 2, 2]]], 'uint8')  # mean of 1, 2, 2 is 1.67
    image = read_image(tiff(tmp_path / '1.tif', array, nodata=0), ('a',))
    assert (image.tolist(), image.dtype) == ([[[2, 1, 2, 2]]], np.uint8)


def test_nan_is_no_data_where_the_user_says_so_and_else_refused_with_that_remedy(tmp_path):
    path = tiff(tmp_path / '1.tif', half(np.nan))
    assert (read_image(path, ('d',), nodata={'d': float('nan')}) == 1).all()
    with pytest.raises(TileError, match=r'16 NaN or infinite of 64.*nodata={band: float'):
        read_image(path, ('d',))


def test_a_mask_inside_the_file_is_heeded(tmp_path):
    seen = np.full((8, 8), 255, 'uint8')
    seen[:2] = 0
    assert (read_image(tiff(tmp_path / '1.tif', half(77), mask=seen), ('a',)) == 1).all()


def test_a_mask_beside_the_file_is_refused_as_no_side_file_is_read(tmp_path):
    path = tiff(tmp_path / '1.tif', half(1))
    (tmp_path / '1.tif.msk').touch()
    with pytest.raises(UnreadableTileError, match=r'keep its mask inside, got 1\.tif\.msk beside'):
        read_image(path, ('a',))


def test_a_band_without_any_data_is_refused_with_tag_and_band(tmp_path):
    path = tiff(tmp_path / '1.tif', np.full((1, 8, 8), -9999, 'float32'), nodata=-9999)
    with pytest.raises(NoDataTileError, match=r"band 'd' must hold data, .*nodata -9999\.0"):
        read_image(path, ('d',))


def test_nodata_that_contradicts_the_file_is_refused(tmp_path):
    path = tiff(tmp_path / '1.tif', half(-9999), nodata=-9999)
    assert (read_image(path, ('d',), nodata={'d': -9999.0}) == 1).all()
    with pytest.raises(NoDataTileError, match=r'be that of the file, -9999\.0, got 0\.0'):
        read_image(path, ('d',), nodata={'d': 0.0})


def rgba(opacity):
    array = np.full((4, 8, 8), 7, 'uint8')
    array[3] = opacity
    return array


def picture(path, array, mode):
    Image.fromarray(array, mode).save(path)
    return path


@pytest.mark.parametrize('suffix', ['.tif', '.png'])
def test_an_opaque_alpha_band_is_left_out_and_told(tmp_path, suffix, caplog):
    tile_statement._tell_alpha.cache_clear()
    path, array = tmp_path / f'1{suffix}', rgba(255)
    if suffix == '.tif':
        tiff(path, array, photometric='RGB', alpha='YES')
    else:
        picture(path, array.transpose(1, 2, 0).copy(), 'RGBA')
    with caplog.at_level(logging.WARNING, 'mmlandslide'):
        assert read_image(path, BANDS).shape == (3, 8, 8)
    assert 'Alpha bands of tiles' in caplog.text


@pytest.mark.parametrize('suffix', ['.tif', '.png'])
def test_what_an_alpha_band_hides_has_no_data(tmp_path, suffix):
    opacity, path = np.full((8, 8), 255), tmp_path / f'1{suffix}'
    opacity[:2] = 0
    array = rgba(opacity)
    array[:3, :2] = 200
    if suffix == '.tif':
        tiff(path, array, photometric='RGB', alpha='YES')
    else:
        picture(path, array.transpose(1, 2, 0).copy(), 'RGBA')
    assert (read_image(path, BANDS) == 7).all()


def test_an_alpha_band_with_values_between_is_refused_with_what_to_do(tmp_path):
    path = tiff(tmp_path / '1.tif', rgba(128), photometric='RGB', alpha='YES')
    with pytest.raises(TileError, match=r'band 4 tagged as alpha, with values 128 to 128.*Name 3'):
        read_image(path, BANDS)


def test_a_band_of_data_that_is_tagged_as_alpha_is_data_where_it_is_named(tmp_path):
    array = rgba(np.arange(64).reshape(8, 8))
    path = tiff(tmp_path / '1.tif', array, photometric='RGB', alpha='YES')
    assert read_image(path, (*BANDS, 'NIR'))[3].max() == 63


def test_true_opacity_is_not_named_as_data(tmp_path):
    path = tiff(tmp_path / '1.tif', rgba(255), photometric='RGB', alpha='YES')
    with pytest.raises(TileError, match='Name 3 bands, without it'):
        read_image(path, (*BANDS, 'NIR'))


def test_an_alpha_band_before_others_leaves_them_their_own_tags(tmp_path):
    path = tmp_path / '1.tif'
    tiff(path, np.stack([np.full((4, 4), 255), np.full((4, 4), 9)]).astype('uint8'))
    with rasterio.open(path, 'r+') as file:
        file.colorinterp = [ColorInterp.alpha, ColorInterp.gray]
    assert (read_image(path, ('a',)) == 9).all()


def test_scale_and_offset_are_applied(tmp_path):
    array = np.full((2, 4, 4), 100, 'int16')
    path = tiff(tmp_path / '1.tif', array, scales=((0.5, 1.0), (-10.0, 0.0)))
    image = read_image(path, ('a', 'b'))
    assert (image.dtype, image[0, 0, 0], image[1, 0, 0]) == (np.float32, 40, 100)


def test_bands_that_the_file_names_in_another_order_are_refused(tmp_path):
    path = tiff(tmp_path / '1.tif', rgba(1)[:3], names=('B', 'G', 'R'))
    assert read_image(path, ('B', 'G', 'R')).shape == (3, 8, 8)
    assert read_image(path, ('x', 'y', 'z')).shape == (3, 8, 8)
    with pytest.raises(TileError, match=r"the order \['B', 'G', 'R'\].*Name them in source_bands"):
        read_image(path, BANDS)


def test_numbers_of_a_palette_are_no_values(tmp_path):
    Image.new('P', (4, 4)).save(tmp_path / '1.png')
    with pytest.raises(UnreadableTileError, match='numbers of a colour palette'):
        read_image(tmp_path / '1.png', ('grey',))


def test_an_image_that_a_tag_turns_is_refused(tmp_path):
    turned = Image.new('RGB', (4, 6))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / '1.jpg', exif=exif)
    with pytest.raises(UnreadableTileError, match='Save it upright'):
        read_image(tmp_path / '1.jpg', BANDS)


def test_the_transparent_colour_of_a_png_is_no_data(tmp_path):
    array = np.full((4, 4, 3), 9, 'uint8')
    array[0] = 0
    Image.fromarray(array).save(tmp_path / '1.png', transparency=(0, 0, 0))
    assert (read_image(tmp_path / '1.png', BANDS) == 9).all()


def test_a_band_too_many_that_is_no_alpha_is_named_with_the_option(tmp_path):
    with pytest.raises(TileShapeError, match='Name as many bands as the file has in source_bands'):
        read_image(tiff(tmp_path / '1.tif', np.zeros((2, 4, 4), 'float32')), BANDS)


@pytest.mark.parametrize('nodata', [255, 1])
def test_unlabelled_pixels_of_a_mask_are_no_landslide_and_no_background(tmp_path, nodata):
    path = tiff(tmp_path / 'm.tif', half(nodata, 'uint8'), nodata=nodata)
    with pytest.raises(MaskError, match=rf'px without data \(nodata: {nodata}'):
        read_mask(path)


def test_a_mask_whose_background_is_tagged_as_nodata_is_a_mask(tmp_path):
    assert read_mask(tiff(tmp_path / 'm.tif', half(0, 'uint8'), nodata=0)).sum() == 48
