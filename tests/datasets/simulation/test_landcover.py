import numpy as np
import pytest

from mmlandslide import rng
from mmlandslide.datasets.simulation.landcover import CLOUD, PATH, SPECTRA, abundances, sensed
from mmlandslide.datasets.simulation.terrain import terrain

NAMES = list(SPECTRA)


@pytest.fixture(scope='module')
def ground():
    return terrain(rng.generator(0), (96, 96), 25)


def test_every_table_has_one_number_for_each_of_the_twelve_bands():
    assert {len(row) for row in (PATH, CLOUD, *SPECTRA.values())} == {12}


def test_the_shares_of_a_pixel_sum_to_one_but_for_texture(ground):
    shares = abundances(rng.generator(1), ground, np.zeros((96, 96), np.float32))
    assert shares.min() >= 0
    assert shares.sum(0).mean() == pytest.approx(1, abs=0.01)


def test_a_scar_hides_everything_but_a_road(ground):
    shares = abundances(rng.generator(1), ground, np.ones((96, 96), np.float32))
    hidden = [NAMES.index(name) for name in NAMES if name not in ('scar', 'road')]
    assert not shares[hidden].any()
    assert shares[NAMES.index('scar')].mean() > 0.8


def test_bare_soil_and_harvested_fields_keep_to_gentle_ground():
    bare, steep = 0.0, 0.0
    for number in range(10):
        ground = terrain(rng.generator(number), (96, 96), 25)
        share = abundances(rng.generator(number, 'cover'), ground, np.zeros((96, 96), np.float32))[
            NAMES.index('bare')
        ]
        bare, steep = bare + share.sum(), steep + share[ground.broad_slope_deg > 28].sum()
    assert steep < 0.1 * bare


def test_plants_are_bright_in_the_near_infrared_and_water_is_dark(ground):
    covers = np.eye(len(NAMES), dtype=np.float32)[:, :, None, None] * np.ones(
        (96, 96), np.float32
    )  # (cover, K, H, W)
    b8 = {
        name: sensed(rng.generator(2), ground, covers[NAMES.index(name)])[7].mean()
        for name in ('forest', 'scar', 'water')
    }
    assert b8['forest'] > b8['scar'] > 3 * b8['water']


def test_some_scenes_have_cloud_that_cirrus_shows(ground):
    shares = abundances(rng.generator(1), ground, np.zeros((96, 96), np.float32))
    brightest = np.array(
        [sensed(rng.generator(number), ground, shares)[9].max() for number in range(100)]
    )
    # One in ten is drawn: 10 of 100, standard deviation 3.
    assert 3 <= (brightest > 40).sum() <= 20
