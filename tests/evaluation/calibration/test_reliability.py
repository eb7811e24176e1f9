import numpy as np
import pytest

from mmlandslide.evaluation.calibration.reliability import reliability


def test_the_error_is_weighted_by_detections():
    # Bin .9-1: scores .95 .95, one of two hits, gap .45. Bin .2-.3: .25, no hit, gap .25.
    found = reliability(np.array([0.95, 0.95, 0.25]), np.array([True, False, False]))
    assert found.d_ece == pytest.approx((2 * 0.45 + 1 * 0.25) / 3)
    assert found.counts[[2, 9]].tolist() == [1, 2]
    assert found.precision[9] == 0.5
    assert np.isnan(found.confidence[0])


def test_scores_that_are_the_share_of_hits_have_no_error():
    scores = np.repeat([0.25, 0.75], 4)
    hit = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert reliability(scores, hit).d_ece == 0


def test_a_score_of_one_lies_in_the_last_bin():
    assert reliability(np.array([0.0, 1.0]), np.array([False, True])).counts[[0, 9]].sum() == 2


def test_no_detections_and_scores_that_are_no_probabilities_have_none():
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).d_ece)
    assert np.isnan(reliability(np.array([0.5, 3.0]), np.array([True, True])).d_ece)
