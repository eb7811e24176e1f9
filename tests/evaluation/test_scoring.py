import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mmlandslide.errors import DatasetError
from mmlandslide.evaluation.results import Rules
from mmlandslide.evaluation.scoring import evaluate

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]
KEYS = [
    *('AP', 'AP50', 'AP75', 'AP_lt8px', 'AP_8to16px', 'AP_16to32px', 'AP_ge32px', 'AR100'),
    *('AP25', 'AP_border', 'AP50_border'),
    *('precision', 'recall', 'F1', 'score_thr', 'fp_per_empty_tile'),
    *('AP_centre30m', 'border_fraction', 'false_alarms_per_100km2', 'D_ECE'),
    *('pixel_F1', 'pixel_IoU', 'pixel_MCC'),
]
OPERATING_KEYS = KEYS[11:16]


def operating_point(tiles):
    metrics = evaluate(tiles).metrics
    return [metrics[key] for key in OPERATING_KEYS]


def test_the_keys_are_these_in_this_order(tile):
    assert list(evaluate([tile('a', [BOX], [0.9], [BOX])]).metrics) == KEYS
    assert list(evaluate([]).metrics) == KEYS


def test_a_threshold_of_its_own_has_a_key_of_its_own(tile):
    # IoU 40 / 100 = .4: a hit at .3 alone of [.3, .5]; AP is the mean of 1 and 0, AP75 is there all
    # the same.
    metrics = evaluate(
        [tile('a', [[0, 0, 10, 4]], [0.9], [BOX])], Rules(iou_thrs=[0.5, 0.3])
    ).metrics
    assert (metrics['AP30'], metrics['AP50'], metrics['AP75'], metrics['AP']) == pytest.approx(
        (1.0, 0.0, 0.0, 0.5)
    )
    assert sorted(metrics) == sorted([*KEYS, 'AP30'])


def test_the_threshold_is_the_one_of_the_best_f1(tile):
    # From .95: 0 hits. From .9: 1 hit of 2 kept, F1 = 2 * 1 / (2 + 1). From .2: 1 hit of 3 kept, 2
    # / 4. Empty tiles: 2, 1 alarm.
    tiles = [tile('a', [BOX], [0.9], [BOX]), tile('b', [BOX, FAR], [0.95, 0.2]), tile('c')]
    assert operating_point(tiles) == pytest.approx([1 / 2, 1, 2 / 3, np.float32(0.9), 1 / 2])


def test_classes_are_pooled_at_the_operating_point(tile):
    # Class 0: 1 hit; class 1: 1 hit and 1 miss; no false alarm. Precision 2 / 2, recall 2 / 3, F1 =
    # 4 / 5.
    tiles = [
        tile('a', [BOX, FAR], [0.9, 0.8], [BOX, FAR, BOX], labels=[0, 1], true_labels=[0, 1, 1])
    ]
    metrics = evaluate(tiles, num_classes=2).metrics
    assert (metrics['precision'], metrics['recall'], metrics['F1']) == pytest.approx(
        (1, 2 / 3, 4 / 5)
    )
    assert metrics['AP50'] == pytest.approx((1 + 51 / 101) / 2)


def test_low_scores_and_scores_of_any_scale_count(tile):
    assert operating_point([tile('a', [BOX], [1e-6], [BOX])])[:4] == pytest.approx(
        [1, 1, 1, np.float32(1e-6)]
    )
    assert operating_point([tile('a', [BOX, FAR], [-3, -40], [BOX])])[:4] == pytest.approx(
        [1, 1, 1, -3]
    )


def test_what_the_set_does_not_define_is_nan(tile):
    nan = float('nan')
    missed, alarmed, silent = tile('a', true=[BOX]), tile('b', [BOX], [0.9]), tile('c')
    assert operating_point([missed, silent]) == pytest.approx([nan, 0, 0, nan, 0], nan_ok=True)
    assert operating_point([missed]) == pytest.approx([nan, 0, 0, nan, nan], nan_ok=True)
    assert operating_point([alarmed]) == pytest.approx([nan] * 5, nan_ok=True)
    assert operating_point([silent]) == pytest.approx([nan, nan, nan, nan, 0], nan_ok=True)


def test_alarms_alone_beside_truth_give_zero_at_the_highest_score(tile):
    assert operating_point([tile('a', [FAR], [0.5], [BOX]), tile('b', [FAR], [0.25])]) == [
        0,
        0,
        0,
        0.5,
        0,
    ]


def test_the_order_of_tiles_does_not_matter(random_tiles):
    tiles = random_tiles(4, num_classes=2)
    there, back = (evaluate(each, num_classes=2).metrics for each in (tiles, tiles[::-1]))
    assert there == pytest.approx(back, abs=1e-12, nan_ok=True)


def test_a_set_that_cannot_be_scored_is_refused(tile):
    with pytest.raises(DatasetError, match='unique'):
        evaluate([tile('a'), tile('a')])


def test_the_core_needs_no_training_framework():
    heavy = {'torch', 'mmengine', 'mmdet', 'matplotlib.pyplot'}
    code = f'import sys, mmlandslide.evaluation.plots; print({heavy} & set(sys.modules))'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert run.stdout == 'set()\n'


def test_scores_by_area_use_the_threshold_of_the_best_f1(tile):
    # Best F1 at .75: 1 hit of 1. FAR at .5 is a false alarm only below it. One true box of two
    # touches the border.
    tiles = [
        replace(tile('a', [BOX, FAR], [0.75, 0.5], [BOX]), tile_hw=(100, 100)),
        replace(tile('b', true=[[20, 20, 24, 24]]), tile_hw=(100, 100)),
    ]
    found = evaluate(tiles)
    assert found.metrics['score_thr'] == 0.75
    assert found.metrics['false_alarms_per_100km2'] == 0
    assert found.false_alarms == pytest.approx([0, 100 / (2 - 0.0116)])  # 100 + 16 px are truth
    assert found.metrics['border_fraction'] == 0.5


def test_the_border_is_ignored_in_precision_and_recall_too(tile):
    found = replace(tile('a', [FAR], [0.5], [BOX, FAR]), tile_hw=(100, 100))
    assert evaluate([found]).metrics['recall'] == 0.5
    assert evaluate([found], Rules(ignore_border=True)).metrics['recall'] == 1
    with pytest.raises(DatasetError, match="tiles must have a height and width, got none for 'b'"):
        evaluate([tile('b')], Rules(ignore_border=True))


def test_the_details_keep_few_points_of_a_long_curve(random_tiles):
    found = evaluate(random_tiles(1))
    curve = found.details(max_points=4)['curve']
    assert [len(values) for values in curve.values()] == [4] * 5
    assert (curve['score_thrs'][0], curve['score_thrs'][-1]) == (1, 0)
