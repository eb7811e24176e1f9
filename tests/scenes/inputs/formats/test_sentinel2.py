from datetime import datetime, timezone

import pytest
import scene_files

from mmlandslide.errors import SceneError
from mmlandslide.scenes.inputs.formats.product_names import date_in
from mmlandslide.scenes.inputs.formats.sentinel2 import find_product


def test_a_product_knows_its_bands_its_time_and_its_name(tmp_path):
    product = find_product(scene_files.write_safe(tmp_path))
    assert set(product.files) == set(scene_files.SENTINEL2)
    assert product.files['B8A'].name == 'T33TWM_20150711T100006_B8A.jp2'
    assert product.acquired == datetime(2015, 7, 11, 10, 0, 6, 27000, tzinfo=timezone.utc)
    assert product.name == scene_files.NAME


def test_a_folder_of_images_keeps_the_metadata_of_its_product(tmp_path):
    images = next(
        scene_files.write_safe(tmp_path, '04.00', [-1000] * 13).glob('GRANULE/*/IMG_DATA')
    )
    assert find_product(images).offsets['B2'] == -1000
    assert set(find_product(images).files) == set(scene_files.SENTINEL2)


@pytest.mark.parametrize(
    ('name', 'offsets'), [('N0509', {-1000.0}), ('N0301', set()), ('N05091', set())]
)
def test_names_tell_the_baseline_of_a_bare_folder(tmp_path, name, offsets):
    folder = scene_files.write_bands(tmp_path / f'S2B_MSIL1C_{name}_R122.SAFE' / 'images', ['B2'])
    assert set(find_product(folder).offsets.values()) == offsets


@pytest.mark.parametrize(
    ('baseline', 'offsets'), [('02.04', {0}), ('03.01', {0}), ('04.00', set()), ('99.99', set())]
)
def test_metadata_without_a_list_of_offsets_say_none_where_the_baseline_had_none(
    tmp_path, baseline, offsets
):
    product = find_product(scene_files.write_safe(tmp_path, baseline))
    assert set(product.offsets.values()) == offsets


def test_stated_offsets_win_and_belong_to_their_bands(tmp_path):
    # Band 8 of the metadata is B8A, so 9 is B9.
    product = find_product(
        scene_files.write_safe(tmp_path, '04.00', offsets=[-1000 - number for number in range(13)])
    )
    said = [product.offsets[band] for band in ('B1', 'B8A', 'B9', 'B12')]
    assert said == [-1000, -1008, -1009, -1012]


def test_a_granule_is_as_good_as_its_product(tmp_path):
    granule = next((scene_files.write_safe(tmp_path, '04.00', [-1000] * 13) / 'GRANULE').iterdir())
    assert find_product(granule).offsets['B2'] == -1000
    assert find_product(granule).name == scene_files.NAME


def test_of_several_resolutions_the_finest_is_taken(tmp_path):
    for name in (
        'a_B02_60m.tif',
        'a_B02_10m.tif',
        'a_B02_20m.tif',
        'a_B05_20m.tif',
        'a_SCL_20m.tif',
        'preview.jp2',
    ):
        (tmp_path / name).touch()
    files = find_product(tmp_path).files
    assert {band: path.name for band, path in files.items()} == {
        'B2': 'a_B02_10m.tif',
        'B5': 'a_B05_20m.tif',
    }


def test_a_folder_without_bands_is_no_product(tmp_path):
    (tmp_path / 'image_1.h5').touch()
    assert find_product(tmp_path) is None


def test_two_files_for_one_band_are_refused(tmp_path):
    for name in ('a_B02.tif', 'b_B2.tif'):
        (tmp_path / name).touch()
    with pytest.raises(
        SceneError,
        match=r'B2 must come from one file, got a_B02\.tif and b_B2\.tif in .*Name one of them',
    ):
        find_product(tmp_path)


def test_a_product_without_bands_is_refused(tmp_path):
    with pytest.raises(
        SceneError,
        match=r'hold GRANULE/\*/IMG_DATA/\*\.jp2 or \.tif, got no band in .*SAFE\. Unpack or '
        r'download',
    ):
        find_product(scene_files.write_safe(tmp_path, bands=()))


@pytest.mark.parametrize(
    'text',
    [
        '<cut',
        '<?xml version="1.0" encoding="UTF-E"?><a/>',
        '<a><PROCESSING_BASELINE>four</PROCESSING_BASELINE></a>',
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
)
def test_broken_metadata_are_named(tmp_path, text):
    folder = scene_files.write_safe(tmp_path, bands=('B2',))
    (folder / 'MTD_MSIL1C.xml').write_text(text)
    with pytest.raises(
        SceneError, match=r'metadata must .* in .*MTD_MSIL1C\.xml\. Download the product again'
    ):
        find_product(folder)


@pytest.mark.parametrize(
    ('old', 'new', 'said'),
    [
        ('>10000<', '>0<', 'hold numbers, got .quantification 0.0'),
        ('>10000<', '>nan<', 'hold numbers, got .quantification nan'),
        ('>10000<', '>1e308<', 'hold numbers, got .quantification 1e'),
        ('>10000<', '>1e-300<', 'hold numbers, got .quantification 1e'),
        ('>-7<', '>inf<', r'hold numbers, got .*offsets \[inf'),
        ('2015-07-11T10:00:06.027Z', '9999-12-31T23:59-23:59', 'hold numbers, got .a scene of 9999'),
        ('2015-07-11T10:00:06.027Z', '0001-01-01T00:00+23:59', 'hold numbers, got .a scene of 0001'),
        ('<PROCESS', '<PROCESSING_BASELINE>1.0</PROCESSING_BASELINE><PROCESS', 'BASELINE once, got'),
        ('<QUANTIFICATION_VALUE unit="none">', '<QUANTIFICATION_VALUE>1</QUANTIFICATION_VALUE>'
         '<QUANTIFICATION_VALUE>', 'say QUANTIFICATION_VALUE once'),
        ('</n1:General_Info>', '<a>' * 2**21, 'XML, got .more than 4194304 bytes'),
    ],
)  # fmt: skip
def test_metadata_that_say_what_no_product_has_are_named(tmp_path, old, new, said):
    path = scene_files.write_safe(tmp_path, '04.00', [-7]) / 'MTD_MSIL1C.xml'
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SceneError, match=rf'metadata must {said}|metadata must .*{said}'):
        find_product(path.parent)


@pytest.mark.parametrize(
    ('name', 'date'),
    [
        ('T33TWM_20150711T100006_B02', datetime(2015, 7, 11, 10, 0, 6, tzinfo=timezone.utc)),
        ('s2_l1c_dem_2015-07-31', datetime(2015, 7, 31, tzinfo=timezone.utc)),
        ('S2B_52SFA_20220126_0_L2A', datetime(2022, 1, 26, tzinfo=timezone.utc)),
        ('HLS.S30.T33TWM.2022026T100229', datetime(2022, 1, 26, 10, 2, 29, tzinfo=timezone.utc)),
        ('x_20230210', datetime(2023, 2, 10, tzinfo=timezone.utc)),
        ('tile_2015-13-31', None),
        ('tile_99991231', None),
        ('120150711T1000061', None),
    ],
)
def test_a_name_may_hold_a_date(name, date):
    assert date_in(name) == date
