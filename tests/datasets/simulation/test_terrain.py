import numpy as np
import pytest

from mmlandslide import rng
from mmlandslide.datasets.simulation.terrain import (
    course,
    fractal,
    illumination,
    measured,
    slope_deg,
    terrain,
)


def plane(down_m, right_m, size_px=24):
    """Ground that rises by so many metres a pixel towards the bottom and the right."""
    rows, cols = np.mgrid[:size_px, :size_px].astype(np.float32)
    return measured(
        rows * down_m + cols * right_m + 500, valley_px=np.full((size_px, size_px), 99, np.float32)
    )


@pytest.mark.parametrize(
    ('down_m', 'right_m', 'expected_deg'),
    [
        (0, 0, 0),
        (10, 0, 45),
        (0, -10, 45),
        (10 / 3**0.5, 0, 30),
        (6, 8, 45),
    ],  # a pixel is 10 m wide; hypot(6, 8) = 10
)
def test_the_slope_of_a_plane_is_its_inclination(down_m, right_m, expected_deg):
    np.testing.assert_allclose(slope_deg(plane(down_m, right_m).dem_m), expected_deg, atol=0.01)


def test_a_coarser_grid_makes_the_same_rise_gentler():
    np.testing.assert_allclose(
        slope_deg(plane(10, 0).dem_m, gsd_m=20), np.degrees(np.arctan(0.5)), atol=0.01
    )


def test_a_fractal_surface_has_mean_zero_and_deviation_one_and_does_not_wrap_around():
    surface = fractal(rng.generator(1), (96, 130), 2.0)
    assert surface.shape == (96, 130)
    assert abs(surface.mean()) < 1e-5
    assert surface.std() == pytest.approx(1, abs=1e-5)
    assert np.abs(surface[0] - surface[-1]).mean() > 5 * np.abs(surface[0] - surface[1]).mean()


def test_more_roughness_exponent_gives_a_smoother_surface():
    steps = [
        np.abs(np.diff(fractal(rng.generator(1), (64, 64), power))).mean()
        for power in (0.0, 1.0, 2.0)
    ]
    assert steps[0] > 2 * steps[1] > 4 * steps[2]


def test_level_ground_receives_the_light_of_level_ground():
    np.testing.assert_allclose(illumination(plane(0, 0), 40, 135), 1)


@pytest.mark.parametrize(
    ('sun_azimuth_deg', 'down_m', 'right_m'), [(0, 5, 0), (180, -5, 0), (90, 0, -5), (270, 0, 5)]
)
def test_a_slope_that_falls_towards_the_sun_is_bright_and_its_back_is_dark(
    sun_azimuth_deg, down_m, right_m
):
    # At 45 degrees from overhead: (1 +- tan 45 x .5) / sqrt(1 + .5 ** 2).
    np.testing.assert_allclose(
        illumination(plane(down_m, right_m), 45, sun_azimuth_deg), 1.5 / 1.25**0.5, rtol=1e-4
    )
    np.testing.assert_allclose(
        illumination(plane(-down_m, -right_m), 45, sun_azimuth_deg), 0.5 / 1.25**0.5, rtol=1e-4
    )


@pytest.mark.parametrize('mean_slope_deg', [8, 20, 32])
def test_the_terrain_is_about_as_steep_as_asked_and_in_whole_metres(mean_slope_deg):
    ground = terrain(rng.generator(4), (128, 128), mean_slope_deg)
    assert ground.slope_deg.mean() == pytest.approx(mean_slope_deg, rel=0.2)
    np.testing.assert_array_equal(ground.dem_m, np.rint(ground.dem_m))
    assert ground.dem_m.min() >= 0


def test_the_floor_of_the_valley_is_gentler_than_its_sides():
    ground = terrain(rng.generator(5), (128, 128), 30)
    away_px = np.abs(ground.valley_px)
    assert ground.slope_deg[away_px < 2].mean() < 0.4 * ground.slope_deg[away_px > 15].mean()


def test_a_straight_course_measures_distance_in_pixels():
    across, along = course(rng.generator(2), (40, 60), wander_px=0)
    for distance in (across, along):
        np.testing.assert_allclose(np.hypot(*np.gradient(distance)), 1, rtol=1e-3)
