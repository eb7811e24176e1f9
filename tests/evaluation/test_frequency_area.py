import numpy as np
import pytest

from mmlandslide.evaluation.frequency_area import areas_m2, bin_edges, compared, frequency_area
from mmlandslide.evaluation.results import Rules


def test_areas_are_those_on_the_ground():
    boxes = np.array([[0, 0, 4, 5], [3, 3, 3, 9]])
    assert areas_m2(boxes, Rules()).tolist() == [2000, 0]
    assert areas_m2(boxes, Rules(native_scale=0.5)).tolist() == [500, 0]


def test_the_density_of_each_bin_is_its_share_over_its_width():
    # Bins 1-10 (width 9) and 10-100 (width 90) hold 3 and 1 of 4.
    found = frequency_area(np.array([2.0, 3, 4, 50]), np.array([1.0, 10, 100]))
    assert found.density_per_m2 == pytest.approx([3 / 4 / 9, 1 / 4 / 90])
    assert found.rollover_m2 == pytest.approx(10**0.5)  # middle of the first, in the logarithm


def test_the_density_sums_to_one():
    areas = np.random.default_rng(0).lognormal(7, 1, 500)
    found = frequency_area(areas)
    assert (found.density_per_m2 * np.diff(found.edges_m2)).sum() == pytest.approx(1)


def test_bins_hold_the_least_and_the_greatest_area():
    edges = bin_edges(np.array([100.0, 1000.0]))
    assert edges[0] == pytest.approx(100)
    assert edges[-1] > 1000
    assert np.diff(np.log10(edges)) == pytest.approx(np.full(edges.size - 1, 0.2))


def test_the_exponent_of_a_power_law_is_found():
    # p(A) ~ A^-2.5 above 1: A = u^(-1 / 1.5).
    areas = np.random.default_rng(0).random(20000) ** (-1 / 1.5)
    assert frequency_area(areas).tail_exponent == pytest.approx(2.5, abs=0.05)


def test_truth_and_prediction_share_their_bins_and_low_scores_do_not_count(tile):
    tiles = [tile('a', [[0, 0, 4, 4], [0, 0, 40, 40]], [0.9, 0.1], [[0, 0, 8, 8]])]
    found = compared(tiles, Rules(), score_thr=0.5)
    assert (found['truth'].num, found['prediction'].num) == (1, 1)
    np.testing.assert_array_equal(found['truth'].edges_m2, found['prediction'].edges_m2)
    assert found['truth'].rollover_m2 > found['prediction'].rollover_m2


def test_no_boxes_have_no_rollover():
    found = frequency_area(np.zeros(0))
    assert (found.num, found.density_per_m2.sum()) == (0, 0)
    assert np.isnan([found.rollover_m2, found.tail_exponent]).all()
