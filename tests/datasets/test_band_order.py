"""What the values of a tile say of the order of its bands.

Simulated tiles, shuffled before and after the division.
"""

import factories
import numpy as np
import pytest

from mmlandslide.bands import LANDSLIDE4SENSE, PUBLISHED_MEAN, PUBLISHED_STD
from mmlandslide.datasets.band_order import (
    LAWS,
    misplaced_by_divisor,
    misplaced_by_law,
    normalised_as_published,
)
from mmlandslide.datasets.simulation.synthetic import simulate_tile

DIVISORS = factories.DIVISORS[:, None, None]
IMAGES = [simulate_tile(0, f'train/{number}')[0].transpose(2, 0, 1) for number in range(4)]
NAMES = list(LANDSLIDE4SENSE)
SHUFFLED = {
    'RGB reversed': [0, 3, 2, 1, *range(4, 14)],
    'slope and DEM swapped': [*range(12), 13, 12],
    'terrain first': [12, 13, *range(12)],
    'reversed': [*range(13, -1, -1)],
    'random': np.random.default_rng(5).permutation(14).tolist(),
}


@pytest.mark.parametrize('image', IMAGES)
def test_bands_in_order_raise_no_alarm(image):
    assert misplaced_by_divisor(image) == ''
    assert misplaced_by_law(image) == ''
    assert not normalised_as_published(image)


@pytest.mark.parametrize('order', SHUFFLED.values(), ids=SHUFFLED)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_bands_moved_after_the_division_show_by_their_divisors(order, dtype):
    assert all(misplaced_by_divisor(image[order].astype(dtype)) for image in IMAGES)


@pytest.mark.parametrize('order', SHUFFLED.values(), ids=SHUFFLED)
def test_bands_moved_before_the_division_show_by_the_laws(order):
    assert all(misplaced_by_law((image * DIVISORS)[order] / DIVISORS) for image in IMAGES)


def test_each_moved_band_is_named():
    assert (
        misplaced_by_divisor(IMAGES[0][SHUFFLED['RGB reversed']])
        == 'B4 in the place of B2, B2 in the place of B4'
    )


def test_a_broken_law_is_named_with_its_numbers():
    said = misplaced_by_law(IMAGES[0][SHUFFLED['slope and DEM swapped']])
    assert 'roughness 0.0' in said
    assert 'in slope and 0.' in said


def test_b8a_before_b9_shows_by_a_bright_cirrus_band():
    raw = IMAGES[0] * DIVISORS
    raw[9], raw[8] = raw[8], raw[7] * 1.05  # B8A, B9 where B9, B10 should be
    assert 'level' in misplaced_by_law(raw / DIVISORS)


def test_values_that_fit_no_divisor_are_no_witness():
    assert misplaced_by_divisor(IMAGES[0] * 1.01) == ''


def test_bands_without_values_and_flat_land_are_no_witness():
    image = IMAGES[0].copy()
    image[:9] = 0
    image[13] = np.random.default_rng(0).integers(3, 5, (128, 128)) / factories.DIVISORS[13]
    assert misplaced_by_law(image) == ''


def test_noise_breaks_no_law():
    assert misplaced_by_law(factories.image()) == ''


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_a_tile_normalised_with_the_published_statistics_gives_itself_away(dtype):
    mean, std = np.array(PUBLISHED_MEAN)[:, None, None], np.array(PUBLISHED_STD)[:, None, None]
    assert all(normalised_as_published(((image - mean) / std).astype(dtype)) for image in IMAGES)


def test_other_statistics_are_not_taken_for_the_published_ones():
    image = IMAGES[0]
    assert not normalised_as_published((image - image.mean()) / image.std())


def test_a_level_ground_gives_published_statistics_away_where_no_value_fits_a_divisor():
    image = np.random.default_rng(0).random((14, 8, 8))
    image[12, 0, 0] = -0.3338 / 0.9018  # a slope of 0
    assert normalised_as_published(image)


def test_every_law_speaks_of_bands_that_are_there():
    assert {name for law in LAWS for name in (law.more, law.less)} <= set(NAMES)
