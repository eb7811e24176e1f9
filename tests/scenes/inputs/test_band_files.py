import numpy as np
import pytest
import scene_files

from mmlandslide.errors import BandError, SceneError
from mmlandslide.scenes.inputs.band_files import BandSource, find_bands
from mmlandslide.scenes.inputs.options import InputOptions

NAMES = ('B04', 'B03', 'B02', 'SRTM_m')


@pytest.fixture
def stack(tmp_path):
    return scene_files.write_raster(
        tmp_path / 'stack_2015-07-11.tif', np.ones((4, 5, 5), np.uint16), names=NAMES
    )


def named(*pairs):
    return InputOptions(band_files=pairs)


def test_the_descriptions_of_a_file_name_its_bands(stack):
    catalogue = find_bands(stack, InputOptions(), ('B4',))
    assert catalogue.sources == {
        name: BandSource(stack, index) for index, name in enumerate(('B4', 'B3', 'B2', 'DEM'), 1)
    }
    assert catalogue.acquired.day == 11
    assert not catalogue.of_product


def test_the_band_order_of_a_user_wins(stack):
    places = find_bands(
        stack, InputOptions(band_order=('B1', 'B8A', 'b02', 'slope')), ('B1',)
    ).sources
    assert [name for name, _ in sorted(places.items(), key=lambda item: item[1].index)] == [
        'B1',
        'B8A',
        'B2',
        'slope',
    ]


def test_a_product_speaks_for_its_names_and_units(tmp_path):
    product = scene_files.write_safe(tmp_path, '04.00', [-1000] * 13)
    catalogue = find_bands(product, InputOptions(), ('B2',))
    assert catalogue.of_product
    assert catalogue.offsets['B2'] == -1000
    assert catalogue.grid_path.name.endswith('B02.jp2')


def test_the_finest_file_gives_the_grid(tmp_path):
    folder = scene_files.write_bands(tmp_path, ('B1', 'B5', 'B8'))
    assert find_bands(folder, InputOptions(), ('B1',)).grid_path.name.endswith('B08.tif')


def test_files_may_be_named_one_by_one(tmp_path):
    paths = sorted(scene_files.write_bands(tmp_path, ('B2', 'B5')).iterdir())
    catalogue = find_bands(None, named(('B05', paths[1]), ('B2', str(paths[0]))), ('B2',))
    assert catalogue.sources == {'B5': BandSource(paths[1]), 'B2': BandSource(paths[0])}
    assert catalogue.grid_path == paths[0]


def test_a_named_file_adds_a_band_to_a_scene(stack, tmp_path):
    path = scene_files.write_raster(tmp_path / 'slope.tif', np.ones((5, 5), np.float32))
    catalogue = find_bands(stack, named(('slope_deg', path)), ('slope',))
    assert catalogue.sources['slope'] == BandSource(path)
    assert catalogue.grid_path == stack


def test_two_files_for_one_band_are_refused(stack, tmp_path):
    path = scene_files.write_raster(tmp_path / 'again.tif', np.ones((5, 5), np.uint16))
    with pytest.raises(
        SceneError,
        match=r'band B2 must come from one file, got stack_2015-07-11\.tif and again\.tif',
    ):
        find_bands(stack, named(('B2', path)), ('B2',))
    with pytest.raises(
        SceneError, match=r'band B7 must come from one file, got .*again\.tif and .*again\.tif'
    ):
        find_bands(stack, named(('B7', path), ('B07', path)), ('B2',))


def test_a_name_twice_in_one_file_is_refused(tmp_path):
    path = scene_files.write_raster(
        tmp_path / 'a.tif', np.ones((2, 5, 5), np.uint16), names=('B2', 'B02')
    )
    with pytest.raises(
        BandError, match=r"band name must stand once, got 'B2' twice in .*a\.tif\. Name the bands"
    ):
        find_bands(path, InputOptions(), ('B2',))


@pytest.mark.parametrize(
    ('names', 'shown'), [(None, r"\['', ''\]"), (('thick', 'thin'), r"\['thick', 'thin'\]")]
)
def test_a_file_without_names_that_the_table_knows_asks_for_them(tmp_path, names, shown):
    path = scene_files.write_raster(tmp_path / 'a.tif', np.ones((2, 5, 5), np.uint16), names=names)
    with pytest.raises(
        BandError,
        match=rf'must name them, got {shown} in .*a\.tif\. Name them .* --band-order B1,B2,B3',
    ):
        find_bands(path, InputOptions(), ('B2',))


def test_bands_that_no_model_asks_for_may_be_called_anything(tmp_path):
    path = scene_files.write_raster(
        tmp_path / 'a.tif', np.ones((3, 5, 5), np.uint16), names=('mask', 'mask', 'B2')
    )
    assert find_bands(path, InputOptions(), ('B2',)).sources == {'B2': BandSource(path, 3)}


def test_elevation_from_two_options_is_refused(stack, tmp_path):
    path = scene_files.write_raster(tmp_path / 'dem.tif', np.ones((5, 5), np.float32))
    with pytest.raises(
        SceneError, match=r'band DEM must come from one file, got other\.tif and dem\.tif'
    ):
        find_bands(
            stack, InputOptions(dem=tmp_path / 'other.tif', band_files=[('SRTM', path)]), ('DEM',)
        )


def test_an_order_of_another_length_is_refused(stack):
    with pytest.raises(
        BandError, match=r'--band-order must name all 4 bands, got 2 names in .*stack'
    ):
        find_bands(stack, InputOptions(band_order=('B1', 'B2')), ('B2',))


def test_an_unknown_name_is_refused(stack):
    with pytest.raises(BandError, match=r"band name must be known, got \['B13'\] in --band-order"):
        find_bands(stack, InputOptions(band_order=('B1', 'B2', 'B3', 'B13')), ('B2',))
    with pytest.raises(BandError, match=r"band name must be known, got \['thick'\] in --band\."):
        find_bands(stack, named(('thick', stack)), ('B2',))


def test_a_named_file_with_several_bands_is_refused(stack):
    with pytest.raises(
        BandError,
        match=r'file of B7 must have one band, got 4 bands in .*stack.* Pass it as the scene '
        r'instead',
    ):
        find_bands(None, named(('B7', stack)), ('B7',))


def test_elevation_alone_is_no_scene(tmp_path):
    path = scene_files.write_raster(tmp_path / 'dem.tif', np.ones((5, 5), np.float32))
    with pytest.raises(SceneError, match=r"scene must have an optical band, got only \['DEM'\]"):
        find_bands(None, named(('DEM', path)), ('DEM',))


def test_nothing_is_no_scene(tmp_path):
    with pytest.raises(BandError, match='scene must have at least one band, got none'):
        find_bands(None, InputOptions(), ('B2',))
    with pytest.raises(
        SceneError,
        match=r'hold one Sentinel-2 product or band files .*, got neither in .* --out name a',
    ):
        find_bands(tmp_path, InputOptions(), ('B2',))
