from dataclasses import replace

import numpy as np
import pytest

from mmlandslide.evaluation.box_areas import (
    box_mask,
    false_alarms_per_100km2,
    free_ground_km2,
    pixel_scores,
)
from mmlandslide.evaluation.results import Rules

BOX, FAR, MEETS = [0, 0, 10, 10], [50, 50, 60, 60], [9, 9, 30, 30]


def sized(result, side_px=100, mask=None):
    return replace(result, tile_hw=(side_px, side_px), true_mask=mask)


def test_a_mask_is_the_union_of_half_open_boxes():
    mask = box_mask(np.array([[0, 0, 2, 2], [1, 1, 3, 3]]), (4, 4))
    assert mask.sum() == 4 + 4 - 1
    assert not mask[3].any()


def test_ground_is_measured_in_km2_without_true_boxes(tile):
    # 100 x 100 px of 10 m are 1 km^2; 100 px under the box are .01 km^2.
    assert free_ground_km2([sized(tile('a', true=[BOX]))], Rules()) == pytest.approx(0.99)
    half = Rules(native_scale=0.5)
    assert free_ground_km2([sized(tile('a'))], half) == pytest.approx(0.25)


def test_false_alarms_are_boxes_away_from_any_truth(tile):
    # FAR at .75 and .5 are false alarms; what meets the true box, however badly, is none.
    tiles = [
        sized(tile('a', [MEETS, FAR], [0.875, 0.75], [BOX])),
        sized(tile('b', [FAR], [0.5])),
    ]
    rates = false_alarms_per_100km2(tiles, np.array([0.875, 0.75, 0.5]), Rules())
    assert rates == pytest.approx([0, 100 / 1.99, 200 / 1.99], abs=1e-4)


def test_without_tile_sizes_nothing_is_known_by_area(tile):
    assert np.isnan(false_alarms_per_100km2([tile('a')], np.array([0.5]), Rules())).all()


def test_pixel_scores_of_a_box_over_half_of_a_mask(tile):
    # 10 x 10 px of landslide; the box covers 5 columns of it and 5 beside: 50 hit, 50 false, 50
    # missed, 9850 clear.
    mask = np.zeros((100, 100), np.bool_)
    mask[:10, :10] = True
    found = pixel_scores([sized(tile('a', [[5, 0, 15, 10]], [0.9], [BOX]), mask=mask)], 0.5)
    assert (found['pixel_F1'], found['pixel_IoU']) == pytest.approx((1 / 2, 1 / 3))
    expected = (50 * 9850 - 50 * 50) / (100 * 100 * 9900 * 9900) ** 0.5
    assert found['pixel_MCC'] == pytest.approx(expected)


def test_boxes_below_the_threshold_and_tiles_without_mask_do_not_count(tile):
    mask = np.ones((100, 100), np.bool_)
    tiles = [sized(tile('a', [BOX], [0.4]), mask=mask), sized(tile('b', [BOX], [0.9]))]
    assert pixel_scores(tiles, 0.5)['pixel_F1'] == 0
    assert np.isnan(list(pixel_scores(tiles[1:], 0.5).values())).all()
