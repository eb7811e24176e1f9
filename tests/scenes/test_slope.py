import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlandslide.scenes.slope import slope_deg

grades = st.floats(-2, 2)


def slope(dem_m, width_m=10.0, height_m=10.0):
    rows = dem_m.shape[0] - 2
    return slope_deg(dem_m.astype(np.float32), np.full(rows, width_m), np.full(rows, height_m))


@given(grades, grades, st.floats(1, 100), st.floats(1, 100))
def test_a_plane_has_the_slope_of_its_gradient_on_pixels_of_any_shape(east, south, width_m, height_m):
    rows, cols = np.mgrid[:6, :7]
    found = slope(east * cols * width_m + south * rows * height_m, width_m, height_m)
    assert np.allclose(found, np.degrees(np.arctan(np.hypot(east, south))), atol=0.02)


def test_horn_weighs_the_middle_twice():
    # East: (0 + 2*0 + 8) - 0 = 8, over 8 * 10 m = 0.1; south: 8 / 80 = 0.1; atan(hypot) = 8.05 degrees.
    dem_m = np.zeros((3, 3))
    dem_m[2, 2] = 8.0
    assert slope(dem_m)[0, 0] == pytest.approx(np.degrees(np.arctan(np.hypot(0.1, 0.1))), abs=1e-4)


def test_a_plane_keeps_its_slope_up_to_the_edge_of_the_data():
    dem_m = np.mgrid[:6, :6][0] * 10.0
    dem_m[0], dem_m[:, -1] = np.nan, np.nan
    assert np.allclose(slope(dem_m)[:, :-1], 45, atol=1e-4)


def test_ground_without_elevation_has_no_slope():
    dem_m = np.zeros((5, 5))
    dem_m[2, 2] = np.nan
    found = slope(dem_m)
    assert np.isnan(found[1, 1])
    assert (found[np.isfinite(found)] == 0).all()


def test_each_row_has_its_own_pixel_size():
    dem_m = np.mgrid[:4, :5][1] * 10.0
    found = slope_deg(dem_m.astype(np.float32), np.array([10.0, 20.0]), np.array([10.0, 10.0]))
    assert np.allclose(found[0], 45, atol=1e-4)
    assert np.allclose(found[1], np.degrees(np.arctan(0.5)), atol=1e-4)
