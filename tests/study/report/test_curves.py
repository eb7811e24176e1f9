import numpy as np
import pytest

from mmlandslide.evaluation.matching import score_curve
from mmlandslide.evaluation.scoring import evaluate
from mmlandslide.study.report.curves import (
    RunOutcome,
    confusion,
    f1_at,
    outcome,
    precision_at_recalls,
    threshold_grid,
)

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def test_the_mean_of_the_precision_curve_is_ap50(random_tiles):
    tiles = random_tiles(5)
    tiles = [tile for tile in tiles if len(tile.scores) <= 100]  # COCO looks at 100 of a tile
    assert precision_at_recalls(score_curve(tiles)).mean() == pytest.approx(
        evaluate(tiles).metrics['AP50'], abs=1e-12
    )


def test_nothing_found_is_a_precision_of_zero(tile):
    assert not precision_at_recalls(score_curve([tile('a', true=[BOX])])).any()


def test_without_truth_there_is_no_precision_curve(tile):
    assert np.isnan(precision_at_recalls(score_curve([tile('a', [BOX], [0.5])]))).all()


def test_f1_holds_down_to_the_next_score(tile):
    curve = score_curve([tile('a', [BOX, FAR], [0.75, 0.25], [BOX])])
    # One hit of one box above .25, F1 1; with the false box 2 * 1 / (2 + 1); none above .75.
    assert f1_at(curve, np.array([0.0, 0.25, 0.3, 0.75, 0.8])) == pytest.approx(
        [2 / 3, 2 / 3, 1, 1, 0]
    )


def test_thresholds_reach_as_far_as_scores_do(tile):
    inside, outside = (
        score_curve([tile('a', [BOX, FAR], scores, [BOX])]) for scores in ([0.2, 0.3], [30, -2])
    )
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
    assert [counts[name] for name in ('hits', 'false', 'missed')] == [1, 2, 2]
    names = ('tiles_found', 'tiles_missed', 'empty_alarmed', 'empty_quiet')
    assert [counts[name] for name in names] == [1, 1, 1, 1]


def test_a_run_is_judged_where_its_f1_is_highest(tile):
    found = RunOutcome(0, (tile('a', [BOX, FAR], [0.75, 0.25], [BOX]), tile('b')))
    assert found.score_thr == 0.75
    assert [(each.hits, each.false, each.missed) for each in found.outcomes] == [
        (1, 0, 0),
        (0, 0, 0),
    ]
    assert RunOutcome(0, (tile('b'),)).score_thr is None
