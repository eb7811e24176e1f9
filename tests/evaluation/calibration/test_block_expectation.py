from dataclasses import replace

import numpy as np
import pytest

from mmlandslide.evaluation.calibration.block_expectation import (
    Blocks,
    block_coverage,
    blocks_model_of,
    blocks_of,
    expectation,
    fit_blocks,
)
from mmlandslide.evaluation.results import Rules

MODEL = {'per_km2': 0.5, 'slope': 2.0, 'low': -1.0, 'high': 2.0}


def test_a_tile_of_landslide4sense_is_one_block(tile):
    # 128 px of 10 m are 1.28 km: one block of 1.6384 km^2. Two detections of .25 and .5, of 100 m^2
    # times 4 and 9 px^2.
    boxes = [[0, 0, 2, 2], [100, 100, 103, 103]]
    found = blocks_of(
        [replace(tile('a', boxes, [0.25, 0.5], [[5, 5, 6, 6]]), tile_hw=(128, 128))], Rules()
    )
    assert found.area_km2 == pytest.approx([1.6384])
    assert found.predicted['count'] == pytest.approx([0.75])
    assert found.predicted['area_m2'] == pytest.approx([0.25 * 400 + 0.5 * 900])
    assert (found.true['count'].tolist(), found.true['area_m2'].tolist()) == ([1], [100])


def test_a_larger_tile_is_divided_and_a_box_lies_where_its_centre_does(tile):
    # 300 x 200 px: 2 rows and 3 columns of 1 km^2. Centres: (149, 50) is column 1 of row 0, (250,
    # 150) column 2 of row 1.
    boxes = [[99, 0, 199, 100], [240, 140, 260, 160]]
    found = blocks_of([replace(tile('a', boxes, [1, 1]), tile_hw=(200, 300))], Rules())
    assert found.predicted['count'].tolist() == [0, 1, 0, 0, 0, 1]
    assert found.area_km2 == pytest.approx(np.ones(6))


def test_an_expectation_adds_what_is_missed_to_what_is_found():
    # .5 a km^2 times 2 km^2 plus 2 * 1.5 = 4; sqrt(4) = 2: from 4 - 2 to 4 + 4.
    mean, low, high = expectation(np.array([1.5]), np.array([2.0]), MODEL)
    assert (mean.tolist(), low.tolist(), high.tolist()) == ([4.0], [2.0], [8.0])


def test_no_interval_begins_below_zero():
    _, low, _ = expectation(np.array([0.0]), np.array([0.5]), MODEL)
    assert low.tolist() == [0.0]  # .25 - .5


def poisson_blocks(seed, size=2000):
    """Return blocks of 1 km^2 whose truth is Poisson with a mean of .5 + 1.5 x."""
    generator = np.random.default_rng(seed)
    found = generator.exponential(2, size)
    sums = {'count': found, 'area_m2': 1000 * found}
    true = generator.poisson(0.5 + 1.5 * found).astype(float)
    truth = {'count': true, 'area_m2': 1000 * true}
    return Blocks(np.arange(size), np.ones(size), sums, truth)


def test_a_fit_finds_the_law_and_holds_nine_of_ten_new_blocks():
    models = fit_blocks(poisson_blocks(0), np.arange(2000))
    assert models['count']['per_km2'] == pytest.approx(0.5, abs=0.1)
    assert models['count']['slope'] == pytest.approx(1.5, abs=0.1)
    for found in block_coverage(poisson_blocks(1), models).values():
        assert 0.88 < found['coverage'] < 0.95
        assert found['expected'] == pytest.approx(found['true'], rel=0.05)


def test_coverage_counts_the_blocks_whose_truth_lies_inside():
    sums = {'count': np.array([1.5, 1.5]), 'area_m2': np.array([1.5, 1.5])}
    truth = {'count': np.array([8.0, 9.0]), 'area_m2': np.array([2.0, 8.0])}
    blocks = Blocks(np.arange(2), np.full(2, 2.0), sums, truth)
    found = block_coverage(blocks, {'count': MODEL, 'area_m2': MODEL})
    assert (found['count']['coverage'], found['area_m2']['coverage']) == (0.5, 1)
    assert found['count'] == {
        **{'blocks': 2, 'expected': 8.0, 'true': 17.0},
        **{'coverage': 0.5, 'mean_width': 6.0},
    }


def test_one_group_alone_is_fitted_on_itself():
    models = fit_blocks(poisson_blocks(0), np.zeros(2000, int))
    assert models['count']['slope'] == pytest.approx(1.5, abs=0.1)


def test_models_of_another_form_count_as_not_stated():
    assert blocks_model_of({'blocks': {'count': MODEL, 'area_m2': MODEL}})['count'] == MODEL
    for stated in (None, {'count': MODEL}, {'count': MODEL, 'area_m2': {**MODEL, 'low': None}}):
        assert blocks_model_of({'blocks': stated}) is None
