from dataclasses import replace

import numpy as np
import pytest

from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.centre_precision import (
    centre_average_precision,
    interpolated_precision,
)
from mmlandslide.evaluation.matching import HIT, IGNORED, MISS, iou_outcomes
from mmlandslide.evaluation.results import Rules

BOX = [40, 40, 46, 46]  # its centre is at 43, 43


def shifted(right_px, down_px=0):
    return [BOX[0] + right_px, BOX[1] + down_px, BOX[2] + right_px, BOX[3] + down_px]


@pytest.mark.parametrize(
    ('box', 'rules', 'expected'),
    [
        (shifted(3), Rules(), 1),  # 3 px of 10 m: the limit itself
        (shifted(3, 1), Rules(), 0),  # sqrt(10) * 10 m = 31.6 m
        (shifted(5), Rules(native_scale=0.5), 1),  # 25 m
        (shifted(5), Rules(gsd_m=3), 1),  # 15 m
        (shifted(3), Rules(centre_m=20), 0),
    ],
)
def test_a_hit_is_a_centre_within_the_distance_on_the_ground(tile, box, rules, expected):
    assert centre_average_precision([tile('a', [box], [0.9], [BOX])], rules, 1) == expected


def test_each_true_box_is_found_once_and_the_nearest_first(tile):
    # Both predictions lie within 30 m of both true boxes; each takes its own: two hits.
    near = tile('a', [shifted(0), shifted(2)], [0.9, 0.8], [shifted(2), BOX])
    assert centre_average_precision([near], Rules(), 1) == 1
    # The second prediction of one box is a false alarm: ranked .9 false, .8 hit, so 1/2.
    twice = tile('a', [shifted(9), shifted(0), shifted(1)], [0.9, 0.8, 0.7], [BOX])
    assert centre_average_precision([twice], Rules(), 1) == 1 / 2


def test_classes_without_truth_do_not_lower_the_mean(tile):
    tiles = [tile('a', [BOX, BOX], [0.9, 0.8], [BOX], labels=[0, 1])]
    assert centre_average_precision(tiles, Rules(), 2) == 1
    assert np.isnan(centre_average_precision([tile('a', [BOX], [0.9])], Rules(), 1))


def test_the_border_can_be_ignored(tile):
    cut = [0, 0, 6, 6]
    found = replace(tile('a', [BOX], [0.5], [cut, BOX]), tile_hw=(128, 128))
    assert centre_average_precision([found], Rules(), 1) == pytest.approx(51 / 101)
    assert centre_average_precision([found], Rules(ignore_border=True), 1) == 1


def test_the_interpolation_is_that_of_coco(random_tiles):
    tiles = random_tiles(2)
    outcome = np.concatenate([iou_outcomes(tile, 0.5) for tile in tiles])
    scores = np.concatenate([tile.scores for tile in tiles])
    num_true = sum(len(tile.true_labels) for tile in tiles)
    coco = average_precision(tiles, Rules(max_dets=1000), 1)
    np.testing.assert_allclose(
        interpolated_precision(scores, outcome, num_true), coco.precision_at[0.5], atol=1e-12
    )


def test_what_is_ignored_is_left_out_of_the_precision():
    scores, outcome = np.array([0.9, 0.8, 0.7]), np.array([IGNORED, HIT, MISS], np.int8)
    assert interpolated_precision(scores, outcome, 1).tolist() == [1.0] * 101
