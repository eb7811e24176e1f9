import pytest

from mmlandslide import bands
from mmlandslide.errors import BandError


def test_the_mars_group_names_the_bands_of_its_files_in_order():
    assert bands.names('mars') == tuple(
        f'mars_{name}' for name in ('R', 'G', 'B', 'DEM', 'thermal', 'slope', 'grey')
    )


def test_groups_and_names_mix_in_the_order_asked_for():
    assert bands.names(('B8', 'terrain', 'own')) == ('B8', 'slope', 'DEM', 'own')


@pytest.mark.parametrize('asked', [(), ('B4', 'rgb')])
def test_no_band_and_a_band_twice_are_refused(asked):
    with pytest.raises(BandError, match=r'bands must name at least one band and none twice'):
        bands.names(asked)


def test_positions_are_those_in_the_file():
    assert bands.positions('rgb', bands.LANDSLIDE4SENSE) == [3, 2, 1]
    assert bands.positions(('mars_grey', 'mars_R'), bands.names('mars')) == [6, 0]


def test_a_band_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(BandError, match=r"must be among \['B4', 'B3'\], got \['B8'\] in scene.tif"):
        bands.positions('B8', ('B4', 'B3'), 'scene.tif')


def test_statistics_come_in_the_order_asked_for():
    assert bands.statistics(('DEM', 'mars_thermal')) == ([1.6495, 0.8948], [1.0727, 0.0100])


def test_a_band_without_statistics_is_refused():
    with pytest.raises(BandError, match=r"got \['own'\] in bands="):
        bands.statistics(('B8', 'own'))


@pytest.mark.parametrize('group', ['rgb', 'photograph', ('mars_R', 'mars_G', 'mars_B')])
def test_the_colours_of_each_sensor_are_marked(group):
    assert ''.join(bands.BANDS[name].color for name in bands.names(group)) == 'RGB'


def test_landslide4sense_has_cirrus_and_no_b8a():
    assert len(bands.LANDSLIDE4SENSE) == 14
    assert 'B10' in bands.LANDSLIDE4SENSE
    assert 'B8A' not in bands.LANDSLIDE4SENSE


def test_sentinel_2_l1c_has_b8a_before_b9_and_nobody_has_measured_it_here():
    assert bands.names('s2_l1c')[7:10] == ('B8', 'B8A', 'B9')
    assert tuple(name for name in bands.names('s2_l1c') if name != 'B8A') == bands.names('s2')
    with pytest.raises(BandError, match=r"have known statistics .*got \['B8A'\]"):
        bands.statistics('s2_l1c')


def test_the_published_statistics_belong_to_no_file_whose_minimum_is_zero():
    assert min(bands.PUBLISHED_MEAN) < 0 < min(bands.statistics('all')[0])
    assert len(bands.PUBLISHED_MEAN) == len(bands.PUBLISHED_STD) == len(bands.LANDSLIDE4SENSE)


def test_a_band_that_is_not_in_the_table_is_divided_by_one():
    assert bands.divisors(('slope', 'own', 'B10')) == (20.29228266, 1.0, 9.04787384)
