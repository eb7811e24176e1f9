"""Scenes as other people bring them, see docs/scene_cases.md; B03 to B32 are its cases."""

import shutil
from functools import lru_cache

import numpy as np
import pytest
import rasterio
import scene_files
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.simulation.synthetic import simulate
from mmlandslide.errors import BandError, LandslideError, SceneError
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene, open_scenes
from mmlandslide.scenes.inputs.slope import slope_deg
from mmlandslide.scenes.inputs.tile_scene import array_scene

OPTICAL = LANDSLIDE4SENSE[:12]
SIDE = 128


@lru_cache
def simulated():
    """Return digital numbers, degrees and metres of simulated ground, (14, H, W) float32."""
    return simulate(np.random.default_rng(3), (SIDE, SIDE))[0].astype(np.float32)


def light():
    return simulated()[:12]


def look(source, bands=OPTICAL, **options):
    """Return the values (C, H, W) of a whole scene and where they are valid."""
    scene = open_scene(source, bands, InputOptions(**options))
    return scene.read((0, 0, scene.height, scene.width))


def write(path, array, names=OPTICAL, dtype=np.uint16, **options):
    return scene_files.write_raster(path, np.asarray(array).astype(dtype), names=names, **options)


def esa(band):
    return 'B8A' if band == 'B8A' else f'B{int(band[1:]):02}'


def band_files(folder, pattern='T33TWM_{}.tif', add=0.0, names=esa, **options):
    for band, values in zip(OPTICAL, light(), strict=True):
        write(folder / pattern.format(names(band)), values[None] + add, None, **options)
    return folder


@pytest.fixture
def plain(tmp_path):
    return look(write(tmp_path / 'plain.tif', light()))[0]


def product(root, baseline, listed='', add=0.0, form='jp2'):
    folder = root / f'S2A_MSIL1C_20180717T100031_N{baseline.replace(".", "")}_R122_T33TWM.SAFE'
    lossless = {'driver': 'JP2OpenJPEG', 'QUALITY': '100', 'REVERSIBLE': 'YES'}
    images = folder / 'GRANULE' / 'L1C_x' / 'IMG_DATA'
    band_files(images, f'T33TWM_{{}}.{form}', add, **(lossless if form == 'jp2' else {}))
    (folder / 'MTD_MSIL1C.xml').write_text(
        f'<a><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>{listed}</a>'
    )
    return folder


LISTED = ''.join(
    f'<RADIO_ADD_OFFSET band_id="{number}">-1000</RADIO_ADD_OFFSET>' for number in range(13)
)


def test_b03_metadata_without_offsets_take_none_away(tmp_path, plain):
    values, valid = look(product(tmp_path, '99.99'))
    assert valid.all()
    assert np.array_equal(values, plain)


def test_b03_products_with_an_offset_left_or_undone_before_are_refused(tmp_path):
    with pytest.raises(SceneError, match=r'Products of processing baseline 04.00'):
        look(product(tmp_path, '99.99', add=1000.0))
    with pytest.raises(SceneError, match='not turn negative by the offset -1000'):
        look(product(tmp_path, '05.10', LISTED))


@pytest.mark.parametrize('factor', [6.5535, 5.0, 3.2768, 0.2, 0.1])
def test_b04_sixteen_bits_in_another_scale_are_refused_and_the_remedy_leads_out(
    tmp_path, plain, factor
):
    path = write(tmp_path / 'a.tif', np.minimum(light() * factor, 65535))
    with pytest.raises(SceneError, match=r'must be digital numbers .*--scale 0\.1526 where 65535'):
        look(path)
    values, _ = look(path, scale=1 / factor)
    assert np.median(np.abs(values - plain)) < 0.02


@pytest.mark.parametrize('nodata', [np.nan, 65535, -9999])
def test_b05_black_edges_are_no_data_beside_another_tag(tmp_path, plain, nodata):
    wedge = np.where(np.tri(SIDE, dtype=bool), 0, light())
    path = write(tmp_path / 'a.tif', wedge, dtype=np.float32, nodata=nodata)
    values, valid = look(path)
    assert np.array_equal(valid, ~np.tri(SIDE, dtype=bool))
    assert np.array_equal(values[:, valid], plain[:, valid])


@pytest.mark.parametrize('fill', [-9999, -32768, 1e20, -3.4e38])
def test_b05_edges_of_a_fill_that_no_tag_names_are_no_data(tmp_path, plain, fill):
    wedge = np.where(np.tri(SIDE, dtype=bool), fill, light())
    values, valid = look(write(tmp_path / 'a.tif', wedge, dtype=np.float32))
    assert np.array_equal(valid, ~np.tri(SIDE, dtype=bool))
    assert np.array_equal(values[:, valid], plain[:, valid])


@pytest.mark.parametrize('fill', [0, -9999, 1e20, np.nan])
def test_b05_such_edges_are_no_data_in_arrays_too(plain, fill):
    wedge = np.where(np.tri(SIDE, dtype=bool), fill, plain).astype(np.float32)
    scene = array_scene(wedge, OPTICAL)
    values, valid = scene.read((0, 0, SIDE, SIDE))
    assert np.array_equal(valid, ~np.tri(SIDE, dtype=bool))
    assert np.array_equal(values[:, valid], plain[:, valid])


@pytest.mark.parametrize('nodata', [np.nan, None])
def test_b05_black_edges_hide_no_offset(tmp_path, nodata):
    wedge = np.where(np.tri(SIDE, k=-40, dtype=bool), 0, light() + 1000)
    path = write(tmp_path / 'a.tif', wedge, dtype=np.float32, nodata=nodata)
    with pytest.raises(SceneError, match='need --dn-offset -1000'):
        look(path)


def test_b09_a_cliff_of_voids_is_none_whatever_the_tag_says(tmp_path):
    metres = np.tile(np.arange(60, dtype=np.float32) * 5 + 400, (60, 1))
    metres[20:24, 20:24] = -9999
    dem = scene_files.write_raster(
        tmp_path / 'dem.tif', metres, 30.0, (399900.0, 5000100.0), nodata=-32768
    )
    scene = write(tmp_path / 'a.tif', light())
    values, valid = look(scene, ('B4', 'slope', 'DEM'), dem=dem)
    assert 0.85 < valid.mean() < 1
    # 5 m on 30 m are 9.5 degrees.
    assert np.median(values[1][valid]) * 20.29228266 == pytest.approx(9.46, abs=0.05)
    assert values[1][valid].max() * 20.29228266 < 15


@pytest.mark.parametrize('unit', ['percent', 'radians'])
@pytest.mark.parametrize('door', ['raster', 'tile'])
def test_b12_slope_in_another_unit_is_refused_by_every_door(tmp_path, unit, door):
    steep = simulated().copy()
    steep[13] *= 2.5
    size_m = np.full(SIDE, 10.0)
    degrees = slope_deg(np.pad(steep[13], 1, mode='edge'), size_m, size_m)
    other = {'percent': np.tan(np.radians(degrees)) * 100, 'radians': np.radians(degrees)}[unit]
    steep[12] = degrees
    write(tmp_path / 'right.tif', steep, LANDSLIDE4SENSE, np.float32)
    steep[12] = other
    assert other.max() > 90 or unit == 'radians'
    if door == 'tile':
        np.save(tmp_path / 'a.npy', steep)
        with pytest.raises(SceneError, match='degrees'):
            look(tmp_path / 'a.npy', LANDSLIDE4SENSE, scale='dn')
        return
    look(tmp_path / 'right.tif', LANDSLIDE4SENSE)
    path = write(tmp_path / 'a.tif', steep, LANDSLIDE4SENSE, np.float32)
    with pytest.raises(SceneError, match=r'slope must .* Convert it to degrees'):
        look(path, LANDSLIDE4SENSE)
    look(path, LANDSLIDE4SENSE, dem=scene_files.write_raster(tmp_path / 'dem.tif', steep[13]))


def test_b12_a_slope_from_the_zenith_is_none_without_elevation_too(tmp_path):
    degrees = np.minimum(simulated()[12], 29)
    for name, slope in (('right', degrees), ('wrong', 90 - degrees)):
        array = np.concatenate([light(), slope[None]])
        write(tmp_path / f'{name}.tif', array, [*OPTICAL, 'slope'], np.float32)
    look(tmp_path / 'right.tif', ('B4', 'slope'))
    with pytest.raises(SceneError, match='below 60 in the median'):
        look(tmp_path / 'wrong.tif', ('B4', 'slope'))


def rgba(path):
    array = np.random.default_rng(0).integers(1, 255, (4, 20, 20)).astype(np.uint8)
    array[3, :5], array[3, 5:] = 0, 255
    scene_files.write_raster(path, array)
    with rasterio.open(path, 'r+') as file:
        names = ('red', 'green', 'blue', 'alpha')
        file.colorinterp = [ColorInterp[name] for name in names]
    return path


@pytest.mark.parametrize('order', [None, 'R,G,B', 'R,G,B,-', 'R,G,B,alpha'])
def test_b15_transparency_is_no_band_and_is_heeded(tmp_path, order):
    names = order and order.split(',')
    _, valid = look(rgba(tmp_path / 'rgba.tif'), 'photograph', band_order=names)
    assert valid[5:].all()
    assert not valid[:5].any()


def test_b15_a_band_without_a_name_here_is_skipped(tmp_path, plain):
    stack = np.concatenate([light(), np.full((1, SIDE, SIDE), 4)])
    path = write(tmp_path / 'a.tif', stack, None)
    with pytest.raises(BandError, match='not to be read -'):
        look(path)
    assert np.array_equal(look(path, band_order=[*OPTICAL, '-'])[0], plain)


@pytest.mark.parametrize('north', [60.07, -68.0])
def test_b17_oblong_pixels_are_refused_with_the_zone_to_warp_to(tmp_path, north):
    degrees = from_origin(10.9, north, 8.983e-5, 8.983e-5)
    path = write(tmp_path / 'a.tif', light(), pixel=degrees, crs='EPSG:4326')
    zone = 32632 if north > 0 else 32732
    with pytest.raises(SceneError, match=rf'square .*gdalwarp -t_srs EPSG:{zone} -tr 10 10'):
        look(path)
    with pytest.raises(SceneError, match=r'square on the ground, got 30\.0.* x 5\.0'):
        look(write(tmp_path / 'b.tif', light(), pixel=rasterio.Affine(30, 0, 5e5, 0, -5, 5e6)))


@pytest.mark.parametrize(
    ('name', 'value', 'options', 'cloudy'),
    [
        ('MSK_CLDPRB_20m', 5, {}, False),
        ('MSK_CLDPRB_20m', 50, {}, True),
        ('MSK_CLDPRB_20m', 45, {'cloud_threshold': 40}, True),
        ('a_CLP', 120, {}, False),
        ('a_CLP', 130, {}, True),
        ('HLS.S30.T33TWM.2022026T100229.v2.0.Fmask', 64, {}, False),
        ('HLS.S30.T33TWM.2022026T100229.v2.0.Fmask', 8, {}, True),
        ('a_dataMask', 1, {}, False),
        ('clouds', 1, {}, True),
        ('clouds', 3, {'cloud_kind': 'nonzero'}, True),
    ],
)
def test_b18_masks_mean_what_their_kind_says(tmp_path, name, value, options, cloudy):
    mask = write(tmp_path / f'{name}.tif', np.full((1, SIDE, SIDE), value), None, np.uint8)
    source = write(tmp_path / 'a.tif', light())
    options['check_values'] = not cloudy
    if cloudy:
        with pytest.raises(SceneError, match='no data or under clouds everywhere'):
            look(source, cloud_mask=mask, **options)
    else:
        assert look(source, cloud_mask=mask, **options)[1].all()


def test_b18_a_mask_of_many_values_without_a_kind_asks_for_it(tmp_path):
    values = np.arange(SIDE * SIDE).reshape(1, SIDE, SIDE) % 90
    mask = write(tmp_path / 'clouds.tif', values, None, np.uint8)
    source = write(tmp_path / 'a.tif', light())
    with pytest.raises(SceneError, match=r"hold 0 and 1 .*got values \['0', '1'.*--mask-kind"):
        look(source, cloud_mask=mask)
    assert look(source, cloud_mask=mask, cloud_kind='cldprb')[1].mean() == pytest.approx(
        5 / 9, 0.01
    )


def test_b18_a_mask_that_contradicts_its_kind_is_refused(tmp_path):
    mask = write(tmp_path / 'SCL.tif', np.full((1, SIDE, SIDE), 50), None, np.uint8)
    with pytest.raises(SceneError, match='kind scl must hold values to 11, got 50'):
        look(write(tmp_path / 'a.tif', light()), cloud_mask=mask)


def test_the_product_s_own_classification_is_its_mask(tmp_path):
    folder = product(tmp_path, '02.06')
    with pytest.raises(SceneError, match='hold SCL, Fmask or MSK_CLASSI_B00, got none'):
        look(folder, cloud_mask='product')
    classes = np.full((1, SIDE, SIDE), 4)
    classes[0, :, :10] = 9
    write(folder / 'GRANULE/L1C_x/IMG_DATA/R20m/T33TWM_SCL_20m.tif', classes, None, np.uint8)
    valid = look(folder, cloud_mask='product')[1]
    assert (valid[:, :10].any(), valid[:, 10:].all()) == (False, True)


def test_b20_quick_looks_of_a_run_are_no_tiles(tmp_path):
    for name in ('image_2', 'image_10'):
        np.save(tmp_path / f'{name}.npy', simulated() / 1000)
        for suffix in ('.png', '.gpkg', '.run.json'):
            (tmp_path / f'{name}{suffix}').touch()
    options = InputOptions(check_values=False)
    names = [scene.name for scene in open_scenes(tmp_path, OPTICAL, options)]
    assert names == ['image_2', 'image_10']
    with pytest.raises(SceneError, match=r'got a quick look in .*image_2\.png'):
        open_scene(tmp_path / 'image_2.png', ('R', 'G', 'B'))


STAC = {
    'B1': 'coastal', 'B2': 'blue', 'B3': 'green', 'B4': 'red', 'B5': 'rededge1',
    'B6': 'rededge2', 'B7': 'rededge3',
    'B8': 'nir', 'B9': 'nir09', 'B10': 'cirrus', 'B11': 'swir16', 'B12': 'swir22',
}  # fmt: skip


@pytest.mark.parametrize(
    'pattern',
    [
        '2023-02-10-00_00_2023-02-10-23_59_Sentinel-2_L1C_{}_(Raw).tiff',
        'HLS.S30.T33TWM.2022026T100229.v2.0.{}.tif',
        'T33TWM_20220126_{}_10m.tif',
    ],
)
def test_b22_band_files_have_the_names_of_other_people(tmp_path, plain, pattern):
    assert np.array_equal(look(band_files(tmp_path / 'a', pattern))[0], plain)


def test_b22_stac_s_names_are_read_and_landsat_s_numbers_are_not(tmp_path, plain):
    folder = band_files(tmp_path / 'a', '{}.tif', names=STAC.get)
    assert np.array_equal(look(folder)[0], plain)
    for pattern in ('HLS.L30.T33TWM.2022026T100229.v2.0.{}.tif', 'LC08_L1TP_191027_{}.TIF'):
        with pytest.raises(SceneError, match=r"be Sentinel-2's, got .*B01.*, of another sensor"):
            look(band_files(tmp_path / pattern[:8], pattern))


@pytest.mark.parametrize(
    'named',
    [
        lambda band: f'{band}, central wavelength 665 nm',
        lambda band: f'{esa(band)}_10m',
        lambda band: f'2_{band}',
        lambda band: f'{band}_median',
        lambda band: f'{esa(band)} (Raw)',
        STAC.get,
    ],
    ids=['GDAL', 'ESA', 'Earth Engine', 'reducer', 'EO Browser', 'STAC'],
)
def test_b23_descriptions_are_read_as_other_tools_write_them(tmp_path, plain, named):
    path = write(tmp_path / 'a.tif', light(), [named(band) for band in OPTICAL])
    assert np.array_equal(look(path)[0], plain)


WORDS = (
    'Coastal aerosol, Blue, Green, Red, Vegetation Red Edge 1, Red Edge 2, Vegetation red-edge 3, NIR, '
    'Water vapour, SWIR - Cirrus, SWIR 1, SWIR 2'
)


def test_b23_the_words_of_esa_s_guide_are_read(tmp_path, plain):
    path = write(tmp_path / 'a.tif', light(), WORDS.split(', '))
    assert np.array_equal(look(path)[0], plain)


def test_b23_unknown_descriptions_are_named_before_bands_are_filled(tmp_path, plain):
    names = [*OPTICAL[:10], 'SWIR one', 'SWIR two']
    path = write(tmp_path / 'a.tif', light(), names)
    with pytest.raises(
        BandError, match=r"holds \['SWIR one', 'SWIR two'\] too.*--band-order.*Else"
    ):
        look(path)
    assert np.array_equal(look(path, band_order=OPTICAL)[0], plain)


@pytest.mark.parametrize('form', ['jp2', 'tif'])
@pytest.mark.parametrize(
    'shape', ['itself', 'in itself', 'manifest.safe', 'MTD_TL.xml', '.zip', 'zip in a folder']
)
def test_b24_a_product_is_found_in_all_its_shapes(tmp_path, plain, shape, form):
    folder = product(tmp_path / 'in', '02.06', form=form)
    (folder / 'manifest.safe').touch()
    (folder / 'GRANULE/L1C_x/MTD_TL.xml').touch()
    if 'zip' in shape:
        shutil.make_archive(str(tmp_path / 'out' / folder.stem), 'zip', tmp_path / 'in')
    source = {
        'itself': folder,
        'in itself': folder.parent,
        'manifest.safe': folder / 'manifest.safe',
        'MTD_TL.xml': folder / 'GRANULE/L1C_x/MTD_TL.xml',
        '.zip': tmp_path / 'out' / f'{folder.stem}.zip',
        'zip in a folder': tmp_path / 'out',
    }[shape]
    assert np.array_equal(look(source)[0], plain)


def test_b24_several_products_are_named_or_read_one_after_the_other(tmp_path):
    for baseline in ('02.06', '02.07'):
        product(tmp_path, baseline)
    with pytest.raises(
        SceneError, match=r'one product, got .*N0206.*N0207.*let --out name a folder'
    ):
        open_scene(tmp_path, OPTICAL)
    assert ['N0206' in scene.name for scene in open_scenes(tmp_path, OPTICAL)] == [True, False]


def dem(path, first_col, last_col):
    metres = np.tile(np.arange(60, dtype=np.float32) * 5 + 400, (60, 1))[:, first_col:last_col]
    corner = (399900.0 + 30 * first_col, 5000100.0)
    return scene_files.write_raster(path, metres, 30.0, corner)


def test_b27_elevation_in_tiles_is_one(tmp_path):
    scene = write(tmp_path / 'a.tif', light())
    west, east = dem(tmp_path / 'w.tif', 0, 25), dem(tmp_path / 'e.tif', 25, 60)
    bands = ('B4', 'slope', 'DEM')
    whole = look(scene, bands, dem=dem(tmp_path / 'whole.tif', 0, 60))
    for files in ([west, east], [east, west, west]):
        values, valid = look(scene, bands, dem=files)
        assert valid.all()
        assert np.allclose(values, whole[0], atol=1e-5)
    with pytest.raises(
        SceneError, match=r'DEM must cover .*--dem FILE --dem FILE, or say --dem-part'
    ):
        look(scene, bands, dem=west)
    valid = look(scene, bands, dem=west, dem_part=True)[1]
    assert 0.4 < valid.mean() < 0.6


def test_b27_a_folder_of_elevation_is_read_as_its_files(tmp_path):
    scene, bands = write(tmp_path / 'a.tif', light()), ('B4', 'slope', 'DEM')
    (tmp_path / 'dem').mkdir()
    dem(tmp_path / 'dem' / 'w.tif', 0, 25)
    dem(tmp_path / 'dem' / 'e.tif', 25, 60)
    (tmp_path / 'dem' / 'w.tif.aux.xml').write_text('<PAMDataset/>')
    whole = look(scene, bands, dem=dem(tmp_path / 'whole.tif', 0, 60))
    assert np.allclose(look(scene, bands, dem=tmp_path / 'dem')[0], whole[0], atol=1e-5)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SceneError, match=r"folder of elevation must hold files \['\.tif'.*none in"):
        look(scene, bands, dem=tmp_path / 'empty')


def test_b27_a_band_of_elevation_is_told_by_its_description(tmp_path):
    scene, bands = write(tmp_path / 'a.tif', light()), ('B4', 'DEM')
    pair = np.stack([np.full((SIDE, SIDE), 7.0), simulated()[13]])
    named = write(tmp_path / 'b.tif', pair, ('hillshade', 'DEM'), np.float32)
    assert look(scene, bands, dem=named)[0][1].max() > 0.1
    with pytest.raises(SceneError, match=r"described as 'DEM', got \['', ''\].*gdal_edit"):
        look(scene, bands, dem=write(tmp_path / 'c.tif', pair, None, np.float32))


@pytest.mark.parametrize(
    'path', ['https://host/a/B04.tif', '/vsicurl/https://host/B04.tif', 's3://bucket/a.tif']
)
def test_b28_paths_elsewhere_are_refused_as_they_were_given(tmp_path, path):
    scene = write(tmp_path / 'a.tif', light())
    options = ({'dem': path}, {'cloud_mask': path}, {'band_files': [('B4', path)]})
    with pytest.raises(SceneError, match=rf'path must be local, got {path} .*Download it first'):
        look(path)
    for given in options:
        with pytest.raises(SceneError, match=rf'path must be local, got {path}'):
            look(scene, ('DEM',) if 'dem' in given else ('B4',), **given)


def test_statements_of_one_offset_are_never_added(tmp_path, plain):
    folder = tmp_path / 'S2A_MSIL1C_20220717T100031_N0509_R122_T33TWM'
    path = write(folder / 'a.tif', light() + 1000)
    with rasterio.open(path, 'r+') as file:
        file.scales, file.offsets = (1e-4,) * 12, (-0.1,) * 12
    assert np.abs(look(path)[0] - plain).max() < 0.01
    with pytest.raises(LandslideError, match='dn_offset must be stated once'):
        look(path, dn_offset=-1000)


def test_masks_and_statements_beside_a_file_are_heeded(tmp_path):
    path = write(tmp_path / 'a.tif', light())
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, :10] = 0
    scene_files.write_raster(tmp_path / 'mask.tif', mask, crs=None).rename(tmp_path / 'a.tif.msk')
    assert (look(path)[1][0].tolist()) == [False] * 10 + [True] * (SIDE - 10)
    (tmp_path / 'a.tif.aux.xml').write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>7</NoDataValue></PAMRasterBand>'
        '</PAMDataset>'
    )
    assert look(path)[1].mean() == pytest.approx((SIDE - 10) / SIDE)
    other = write(tmp_path / 'b.tif', light(), nodata=9)
    shutil.copy(tmp_path / 'a.tif.aux.xml', tmp_path / 'b.tif.aux.xml')
    with pytest.raises(
        SceneError, match=r'one in the file and in its \.aux\.xml, got \[9\.0, 7\.0\]'
    ):
        look(other)


def test_a_mask_and_a_value_without_data_are_both_heeded_where_a_file_is_warped(tmp_path):
    coarse = np.full((40, 40), 900, np.uint16)
    coarse[:, :10], coarse[:, 30:] = 7, 40000
    path = tmp_path / 'b8.tif'
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        scene_files.write_raster(path, coarse, 40.0, nodata=7)
        with rasterio.open(path, 'r+') as file:
            mask = np.full((40, 40), 255, np.uint8)
            mask[:, 30:] = 0
            file.write_mask(mask)
    scene = write(tmp_path / 'a.tif', light()[3:4], ('B4',))
    options = {'band_files': [('B8', path)], 'check_values': False}
    values, valid = look(scene, ('B4', 'B8'), **options)
    assert valid[:, 40:115].all()
    assert not valid[:, :38].any()
    assert not valid[:, 122:].any()
    assert np.ptp(values[1][valid]) < 1e-4


def test_control_points_are_warped_first(tmp_path):
    path = write(tmp_path / 'a.tif', light(), crs=None, pixel=rasterio.Affine.identity())
    with rasterio.open(path, 'r+') as file:
        corner = rasterio.control.GroundControlPoint(0, 0, 400000, 5000000)
        other = rasterio.control.GroundControlPoint(100, 100, 401000, 4999000)
        third = rasterio.control.GroundControlPoint(0, 100, 401000, 5000000)
        file.gcps = ([corner, other, third], 'EPSG:32633')
    with pytest.raises(SceneError, match=r'grid on the map, got 3 control points .*`gdalwarp`'):
        look(path)


def test_a_fill_that_no_tag_names_is_no_data_in_files_and_arrays(tmp_path, plain):
    share = (light() / 10000).astype(np.float32)
    share[3, 5, 5], share[4, 6, 6] = -3.4e38, 3.4e38
    values, valid = look(write(tmp_path / 'fill.tif', share, dtype=np.float32))
    assert np.argwhere(~valid).tolist() == [[5, 5], [6, 6]]
    np.testing.assert_allclose(values[:, valid], plain[:, valid], rtol=1e-4)
    stored = plain.copy()
    stored[0, 2, 2] = -3.4e38
    assert np.argwhere(~array_scene(stored, OPTICAL).known).tolist() == [[2, 2]]


@pytest.mark.parametrize(
    'name', ['LC08_L2SP_191028_20200101_02_T1', 'HLS.L30.T33TWM.2022026T100229.v2.0']
)
def test_b22_numbered_bands_in_a_file_of_another_sensor_are_refused(tmp_path, name):
    bands = ('B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7')
    scene = write(tmp_path / f'{name}.tif', light()[:7], bands)
    with pytest.raises(BandError, match=r"be Sentinel-2's, got .*of another sensor.*--band-order"):
        look(scene, ('B4', 'B3', 'B2'))
    order = ['B1', 'B2', 'B3', 'B4', 'B8', 'B11', 'B12']
    assert look(scene, ('B4', 'B3', 'B2'), band_order=order)[1].all()


@pytest.mark.parametrize('lowest_m', [400, 20])
def test_b09_zero_beside_high_ground_is_a_void_unless_a_shore_lies_between(tmp_path, lowest_m):
    scene = write(tmp_path / 'a.tif', light())
    metres = np.tile(np.arange(60, dtype=np.float32) * 5 + lowest_m, (60, 1))
    metres[20:40, 20:40] = 0
    dem = scene_files.write_raster(tmp_path / 'dem.tif', metres, 30.0, (399900.0, 5000100.0))
    valid = look(scene, ('B4', 'slope', 'DEM'), dem=dem)[1]
    assert valid.all() == (lowest_m == 20)
