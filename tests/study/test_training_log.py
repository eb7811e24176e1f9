import json

import numpy as np
import pytest

from mmlandslide.study.training_log import steps_done, training_loss
from mmlandslide.study.trial import Stage


def log(work_dir, start, entries, torn=''):
    path = work_dir / start / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(entry) for entry in entries) + torn)


def losses(*points):
    return [{'step': step, 'loss': loss} for step, loss in points]


def test_a_resumed_training_has_one_curve_without_what_was_lost(tmp_path):
    log(tmp_path, '20300102', losses((20, 8), (30, 7)))
    log(
        tmp_path,
        '20300101',
        [*losses((10, 9), (20, 5), (25, 5), (40, 4)), {'step': 1, 'AP': 0.5}],
        torn='\n{"loss": 3, "st',
    )
    steps, values = training_loss(tmp_path)
    assert (steps.tolist(), values.tolist()) == ([10, 20, 30], [9, 8, 7])


def test_a_loss_that_is_not_finite_leaves_a_gap(tmp_path):
    log(tmp_path, '20300101', losses((1, 1), (2, float('nan')), (3, float('inf'))))
    assert np.isnan(training_loss(tmp_path)[1]).tolist() == [False, True, True]


def test_a_long_training_is_thinned_to_means(tmp_path):
    log(tmp_path, '20300101', losses(*((step, step % 2) for step in range(1, 602))))
    steps, values = training_loss(tmp_path)
    assert (steps[[0, 1, -1]].tolist(), len(steps)) == (
        [3, 6, 601],
        201,
    )  # blocks of 3, one left over
    assert values[[0, 1, -1]] == pytest.approx([2 / 3, 1 / 3, 1])


def test_a_training_that_has_logged_nothing_has_no_curve(tmp_path):
    assert [len(values) for values in training_loss(tmp_path)] == [0, 0]


def test_the_last_whole_line_of_the_last_start_tells_the_step(tmp_path):
    stage = Stage('a', 'detect', 'mmdet', 'a.py', {}, None, tmp_path, (), 1, ())
    assert steps_done(stage) == 0
    log(tmp_path, '20300101', losses((10, 9), (20, 8)))
    log(tmp_path, '20300102', [*losses((30, 7)), {'step': 3, 'AP': 0.5}], torn='\n{"loss": 3, "st')
    assert steps_done(stage) == 30
