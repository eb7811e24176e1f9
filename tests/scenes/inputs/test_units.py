import numpy as np
import pytest

from mmlandslide.bands import LANDSLIDE4SENSE, divisors
from mmlandslide.scenes.inputs.units import Units


def converted(band, value, **options):
    return Units((band,), **options).convert(np.full((1, 1, 1), value, np.float32)).item()


def test_digital_numbers_are_divided_band_by_band():
    values = np.array(divisors(LANDSLIDE4SENSE), np.float32)[:, None, None]
    assert np.allclose(Units(LANDSLIDE4SENSE).convert(values), 1)


def test_reflectance_and_offset_are_undone_before_the_division():
    # Reflectance .1823 with offset is (1823 - 1000) / 824.63 in B2.
    assert converted('B2', 0.1823, per_unit=10000.0, offsets={'B2': -1000.0}) == pytest.approx(
        823 / 824.63171476, rel=1e-4
    )


def test_elevation_knows_neither_reflectance_nor_offset():
    assert converted(
        'DEM', 772.83144788, per_unit=10000.0, offsets={'DEM': -1000.0}
    ) == pytest.approx(1)


def test_light_is_never_negative_and_elevation_may_be():
    assert converted('B12', 990.0, offsets={'B12': -1000.0}) == 0
    assert converted('DEM', -77.283144788) == pytest.approx(-0.1)


def test_bands_in_landslide4sense_units_and_bands_of_no_table_stay():
    assert converted('B2', 0.9, stored=('B2',)) == pytest.approx(0.9)
    assert converted('thermal', 300.0, per_unit=10000.0) == 300
