import numpy as np
import pytest
from scipy import ndimage

from mmlandslide import rng
from mmlandslide.datasets.simulation.scars import SMALLEST_PX, num_scars, scars
from mmlandslide.datasets.simulation.terrain import measured, terrain


def plane(down_m, size_px=96):
    """Ground that rises by so many metres a pixel towards the bottom."""
    dem_m = np.repeat(np.arange(size_px, dtype=np.float32)[:, None], size_px, 1) * np.float32(
        down_m
    )
    return measured(dem_m, valley_px=np.full((size_px, size_px), 99, np.float32))


def test_no_scars_give_an_empty_mask_and_cover():
    found = scars(rng.generator(0), plane(7), 0)
    assert not found.mask.any()
    assert not found.cover.any()


def test_scars_on_a_plane_are_longer_down_it_than_across():
    heights, widths = [], []
    for number in range(30):
        rows, cols = np.nonzero(scars(rng.generator(number), plane(7), 1).mask)
        heights.append(np.ptp(rows) + 1)
        widths.append(np.ptp(cols) + 1)
    assert np.median(heights) > 1.3 * np.median(widths)


def test_a_scar_runs_from_the_steep_part_downhill():
    # Level above row 40, rising 8 m a pixel (39 degrees) below it: debris comes up to the foot and
    # goes little further.
    dem_m = np.maximum(np.mgrid[:96, :96][0] - 40, 0).astype(np.float32) * 8
    ground = measured(dem_m, valley_px=np.full((96, 96), 99, np.float32))
    rows = np.nonzero(scars(rng.generator(1), ground, 30).mask)[0]
    assert 25 < rows.min() < 45


@pytest.mark.parametrize('down_m', [0, 1, 7])
def test_ground_of_any_slope_gets_at_least_one_labelled_pixel(down_m):
    assert all(
        scars(rng.generator(number), plane(down_m, 32), 1).mask.any() for number in range(20)
    )


def test_there_are_no_specks_beside_the_largest_component():
    for number in range(10):
        mask = scars(rng.generator(number), terrain(rng.generator(number), (128, 128), 30), 12).mask
        areas_px = np.bincount(ndimage.label(mask)[0].ravel())[1:]
        assert areas_px.min() >= SMALLEST_PX


def test_the_mask_follows_the_cover_but_for_its_edges():
    found = scars(rng.generator(3), terrain(rng.generator(3), (128, 128), 30), 8)
    seen = found.cover > 0.3
    # Away from edges (two erosions) everything seen is labelled; nothing is labelled where nothing
    # is seen.
    assert found.mask[ndimage.binary_erosion(seen, iterations=2)].mean() > 0.98
    assert not found.mask[ndimage.maximum_filter(found.cover, 3) == 0].any()
    assert 0 < (seen != found.mask).sum() < 0.3 * seen.sum()


def test_the_number_of_scars_is_at_least_one_and_grows_with_the_area():
    draws = rng.generator(0)
    per_tile = [num_scars(draws, 128**2) for _ in range(2000)]
    assert min(per_tile) == 1
    # Gamma of shape .5 and scale 14: mean 7, floored (about -.4), and the one.
    assert np.mean(per_tile) == pytest.approx(7.6, abs=0.8)
    assert np.mean([num_scars(draws, 256**2) for _ in range(2000)]) == pytest.approx(
        4 * 7 + 0.7, abs=3
    )
