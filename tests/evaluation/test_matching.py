import numpy as np
import pytest

from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.matching import (
    best_index,
    box_iou,
    false_alarms_per_empty_tile,
    hits,
    score_curve,
    touches_border,
)
from mmlandslide.evaluation.results import Rules

BOX, NEAR, FAR = [0, 0, 10, 10], [0, 0, 10, 8], [50, 50, 60, 60]


def test_iou_of_boxes_worked_out_by_hand():
    others = [[5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 10, 10], [2, 2, 2, 2]]
    # 50 / 150; touching edges: 0; the same: 1; a box of no area: 0.
    assert box_iou(np.array([BOX]), np.array(others)).tolist() == [
        [pytest.approx(1 / 3), 0.0, 1.0, 0.0]
    ]
    assert box_iou(np.array([[2, 2, 2, 2]]), np.array([[2, 2, 2, 2]])).tolist() == [[0.0]]


def test_a_true_box_is_taken_once_by_the_highest_score(tile):
    assert hits(tile('a', [NEAR, BOX, FAR], [0.6, 0.9, 0.8], [BOX])).tolist() == [
        False,
        True,
        False,
    ]


def test_a_prediction_takes_the_free_true_box_that_it_fits_best(tile):
    # NEAR (IoU .8 with BOX) goes first and takes BOX; BOX itself then takes [0, 0, 10, 6] (IoU .6).
    assert hits(tile('a', [BOX, NEAR], [0.5, 0.9], [BOX, [0, 0, 10, 6]])).tolist() == [True, True]


def test_an_iou_of_exactly_the_threshold_is_a_hit(tile):
    assert hits(tile('a', [[0, 0, 10, 5]], [0.9], [BOX]), 0.5).tolist() == [True]
    assert hits(tile('a', [[0, 0, 10, 4.9]], [0.9], [BOX]), 0.5).tolist() == [False]
    assert hits(tile('a', [BOX], [0.9], [BOX]), 1.0).tolist() == [True]


def test_a_box_of_another_class_is_no_hit(tile):
    assert hits(tile('a', [BOX, BOX], [0.9, 0.8], [BOX], labels=[1, 0])).tolist() == [False, True]


def test_the_curve_has_one_point_for_each_distinct_score(tile):
    # Kept from .9: 1 hit of 1. From .5: both of equal score, 1 hit of 3. From .2: 2 hits of 4;
    # there are two true boxes.
    tiles = [tile('a', [BOX, FAR], [0.9, 0.5], [BOX]), tile('b', [BOX, FAR], [0.2, 0.5], [BOX])]
    curve = score_curve(tiles)
    assert curve.score_thrs == pytest.approx([0.9, 0.5, 0.2])
    assert curve.precision == pytest.approx([1, 1 / 3, 1 / 2])
    assert curve.recall == pytest.approx([1 / 2, 1 / 2, 1])
    assert curve.f1 == pytest.approx([2 / 3, 2 / 5, 2 / 3])  # 2 * hits / (kept + truth)
    assert best_index(curve) == 0  # of equals, the highest threshold


def test_the_end_of_the_curve_is_the_recall_of_coco(random_tiles):
    tiles = random_tiles(5)
    coco = average_precision(tiles, Rules(iou_thrs=[0.5], recall_max_dets=1000), 1)
    assert score_curve(tiles).recall[-1] == pytest.approx(coco.metrics['AR1000'], abs=1e-12)


def test_a_set_without_predictions_or_truth_has_no_best_threshold(tile):
    assert score_curve([]).f1.size == 0
    assert best_index(score_curve([tile('a', true=[BOX])])) is None
    assert best_index(score_curve([tile('a', [BOX], [0.5])])) is None


def test_false_alarms_are_counted_on_empty_tiles_from_the_threshold_on(tile):
    # Empty tiles: b with .9 and .5, c with none, d with .4 -> 2 / 3 from .5 on. Tile a has truth.
    tiles = [
        tile('a', [FAR], [0.9], [BOX]),
        tile('b', [BOX, FAR], [0.9, 0.5]),
        tile('c'),
        tile('d', [BOX], [0.4]),
    ]
    assert false_alarms_per_empty_tile(tiles, 0.5) == pytest.approx(2 / 3)
    assert np.isnan(false_alarms_per_empty_tile(tiles[:1], 0.5))


def test_a_box_touches_the_border_within_half_a_pixel():
    boxes = [[0, 5, 9, 9], [5, 0.5, 9, 9], [1, 1, 99, 49], [5, 5, 99.6, 9], [5, 5, 9, 50]]
    found = touches_border(np.array(boxes, np.float32), (50, 100))
    assert found.tolist() == [True, True, False, True, True]
