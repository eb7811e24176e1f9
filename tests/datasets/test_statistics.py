"""Moments of bands and quantiles of boxes."""

import numpy as np
import pytest

from mmlandslide.datasets.statistics import QUANTILES, band_moments, box_quantiles


def test_moments_over_tiles_are_those_of_all_pixels_at_once():
    tiles = [
        np.random.default_rng(n).normal(3, n + 1, (2, 4, n + 3)) for n in range(4)
    ]  # of different sizes
    pixels = np.concatenate([tile.reshape(2, -1) for tile in tiles], axis=1)
    found = band_moments(iter(tiles))
    assert found.pixels == 4 * (3 + 4 + 5 + 6)
    for name, expected in (
        ('mean', pixels.mean(1)),
        ('std', pixels.std(1)),
        ('minimum', pixels.min(1)),
        ('maximum', pixels.max(1)),
    ):
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12)


def test_a_small_spread_on_a_large_mean_keeps_its_digits():
    tiles = (np.full((1, 1, 2), 1e9) + np.array([0.0, 2.0]) for _ in range(1000))
    assert band_moments(tiles).std == pytest.approx([1.0])  # values 1e9 and 1e9 + 2, half each


def test_one_constant_tile_has_no_spread():
    found = band_moments([np.full((3, 2, 2), 7, np.float32)])
    assert (found.mean.tolist(), found.std.tolist()) == ([7, 7, 7], [0, 0, 0])


def test_quantiles_of_boxes_count_empty_tiles():
    boxes = [np.array([[0, 0, 8, 2], [0, 0, 4, 4]], np.float32), np.zeros((0, 4), np.float32)]
    found = box_quantiles(boxes)
    assert QUANTILES[2] == 0.5
    assert found['sqrt_area_px'] == [4, 4, 4, 4, 4]  # 8 x 2 and 4 x 4
    assert found['aspect_ratio'][2] == 2.5  # between 8 / 2 and 1
    assert found['boxes_per_tile'][2] == 1  # between 2 and 0


def test_no_boxes_have_no_quantiles():
    assert box_quantiles([]) == {'sqrt_area_px': [], 'aspect_ratio': [], 'boxes_per_tile': []}
