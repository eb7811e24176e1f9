import json

import numpy as np
import pytest

from mmlandslide.evaluation.matching import score_curve
from mmlandslide.evaluation.scoring import evaluate
from mmlandslide.study.curves import Found, confusion, f1_at, outcome, precision_at_recalls, threshold_grid, training_loss

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def log(work_dir, start, entries, torn=''):
    path = work_dir / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(entry) for entry in entries) + torn)


def losses(*points):
    return [{'step': step, 'loss': loss} for step, loss in points]


def test_the_mean_of_the_precision_curve_is_ap50(random_tiles):
    tiles = random_tiles(5)
    tiles = [tile for tile in tiles if len(tile.scores) <= 100]  # COCO looks at 100 of a tile
    assert precision_at_recalls(score_curve(tiles)).mean() == pytest.approx(evaluate(tiles).metrics['AP50'], abs=1e-12)


def test_nothing_found_is_a_precision_of_zero(tile):
    assert not precision_at_recalls(score_curve([tile('a', true=[BOX])])).any()


def test_without_truth_there_is_no_precision_curve(tile):
    assert np.isnan(precision_at_recalls(score_curve([tile('a', [BOX], [0.5])]))).all()


def test_f1_holds_down_to_the_next_score(tile):
    curve = score_curve([tile('a', [BOX, FAR], [0.75, 0.25], [BOX])])
    # One hit of one box above .25, F1 1; with the false box 2 * 1 / (2 + 1); none above .75.
    assert f1_at(curve, np.array([0.0, 0.25, 0.3, 0.75, 0.8])) == pytest.approx([2 / 3, 2 / 3, 1, 1, 0])


def test_thresholds_reach_as_far_as_scores_do(tile):
    inside, outside = (score_curve([tile('a', [BOX, FAR], scores, [BOX])]) for scores in ([0.2, 0.3], [30, -2]))
    assert threshold_grid([inside])[[0, -1]].tolist() == [0, 1]
    assert threshold_grid([inside, outside])[[0, -1]].tolist() == [-2, 30]


def test_a_box_below_the_threshold_does_not_count(tile):
    found = outcome(tile('a', [BOX, FAR], [0.4, 0.9], [BOX]), 0.5)
    assert (found.hits, found.false, found.missed, found.f1) == (0, 1, 1, 0)
    assert outcome(found.tile, 0.4).f1 == pytest.approx(2 / 3)


def test_confusion_counts_boxes_and_tiles(tile):
    tiles = [
        tile('found', [BOX, FAR], [0.9, 0.8], [BOX]),
        tile('missed', [BOX], [0.1], [BOX, FAR]),
        tile('alarmed', [BOX], [0.7]),
        tile('quiet'),
    ]
    counts = confusion([outcome(each, 0.5) for each in tiles])
    # Pairs of a tile with and one without landslide: .9 > .7, .9 > none, .1 < .7, .1 > none.
    assert counts.pop('auroc') == 3 / 4
    assert counts == dict(hits=1, false=2, missed=2, tiles_found=1, tiles_missed=1, empty_alarmed=1, empty_quiet=1)  # noqa: C408


def test_a_run_is_judged_where_its_f1_is_highest(tile):
    found = Found(0, (tile('a', [BOX, FAR], [0.75, 0.25], [BOX]), tile('b')))
    assert found.score_thr == 0.75
    assert [(each.hits, each.false, each.missed) for each in found.outcomes] == [(1, 0, 0), (0, 0, 0)]
    assert Found(0, (tile('b'),)).score_thr is None


def test_a_resumed_training_has_one_curve_without_what_was_lost(tmp_path):
    log(tmp_path, '20300102', losses((20, 8), (30, 7)))
    log(tmp_path, '20300101', [*losses((10, 9), (20, 5), (25, 5), (40, 4)), {'step': 1, 'AP': 0.5}], torn='\n{"loss": 3, "st')
    steps, values = training_loss(tmp_path)
    assert (steps.tolist(), values.tolist()) == ([10, 20, 30], [9, 8, 7])


def test_a_loss_that_is_not_finite_leaves_a_gap(tmp_path):
    log(tmp_path, '20300101', losses((1, 1), (2, float('nan')), (3, float('inf'))))
    assert np.isnan(training_loss(tmp_path)[1]).tolist() == [False, True, True]


def test_a_long_training_is_thinned_to_means(tmp_path):
    log(tmp_path, '20300101', losses(*((step, step % 2) for step in range(1, 602))))
    steps, values = training_loss(tmp_path)
    assert (steps[[0, 1, -1]].tolist(), len(steps)) == ([3, 6, 601], 201)  # blocks of 3, one left over
    assert values[[0, 1, -1]] == pytest.approx([2 / 3, 1 / 3, 1])


def test_a_training_that_has_logged_nothing_has_no_curve(tmp_path):
    assert [len(values) for values in training_loss(tmp_path)] == [0, 0]
