from dataclasses import replace

import numpy as np
import pytest

from mmlandslide.errors import ConfigError, DatasetError, SplitOverlapError
from mmlandslide.evaluation.bootstrap import single_tiles
from mmlandslide.evaluation.calibration import calibrated, calibration_of
from mmlandslide.evaluation.calibration.fitting import fit_calibration, require_unseen
from mmlandslide.evaluation.calibration.reliability import reliability
from mmlandslide.evaluation.matching import hits

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def tiles_of(tile, probability, seed=0, count=400):
    """Return tiles with one detection each, which hits with a probability of its score."""
    generator = np.random.default_rng(seed)
    scores = generator.random(count)
    hit = generator.random(count) < probability(scores)
    found = [
        tile(f'{seed}/{number}', [BOX], [score], [BOX if which else FAR])
        for number, (score, which) in enumerate(zip(scores, hit, strict=True))
    ]
    return [replace(each, tile_hw=(128, 128)) for each in found]


def error_of(tiles, calibration=None):
    scores = np.concatenate([each.scores for each in tiles])
    scores = scores if calibration is None else calibrated(scores, calibration)
    return reliability(scores, np.concatenate([hits(each) for each in tiles])).d_ece


@pytest.mark.parametrize('method', ['temperature', 'isotonic', 'auto'])
def test_scores_that_are_too_high_become_probabilities(tile, method):
    fitted, fresh = (tiles_of(tile, lambda score: score**3, seed, 2000) for seed in (0, 1))
    found = fit_calibration(fitted, single_tiles(2000), method=method)
    assert error_of(fresh) > 0.2  # mean of s - s^3 is 1/4
    assert error_of(fresh, found) < 0.04
    assert calibration_of({'calibration': found}) == found


def test_the_method_with_the_lower_loss_on_held_out_groups_is_chosen(tile):
    # Plateaus of 0 and .5 are no logistic curve; a logistic curve is smoother than steps.
    step = fit_calibration(
        tiles_of(tile, lambda score: 0.5 * (score > 0.1), count=1000), single_tiles(1000)
    )
    logistic = fit_calibration(
        tiles_of(tile, lambda score: score**2 / (score**2 + (1 - score) ** 2)), single_tiles(400)
    )
    assert (step['method'], logistic['method']) == ('isotonic', 'temperature')
    assert logistic['temperature'] == pytest.approx(0.5, rel=0.2)
    assert logistic['held_out_log_loss']['temperature'] < logistic['held_out_log_loss']['raw']


def test_the_fit_keeps_what_it_saw(tile):
    found = fit_calibration(tiles_of(tile, lambda score: score, count=100), single_tiles(100))
    assert found['tile_ids'][:2] == ['0/0', '0/1']
    assert (found['num_detections'], found['iou_thr']) == (100, 0.5)
    assert found['interval_grouping_known'] is False
    assert set(found['blocks']) == {'count', 'area_m2'}


def test_what_cannot_be_fitted_is_refused(tile):
    few = tiles_of(tile, lambda score: score > 2)
    with pytest.raises(DatasetError, match='10 hits and 10 misses, got 0 hits and 400 misses'):
        fit_calibration(few, single_tiles(400))
    unsized = [tile('a', [BOX], [0.5], [BOX])]
    with pytest.raises(DatasetError, match='predictions must state ori_shape, got a in'):
        fit_calibration(unsized, single_tiles(1))
    beyond = [replace(tile('a', [BOX], [1.5], [BOX]), tile_hw=(128, 128))]
    with pytest.raises(DatasetError, match=r'scores must lie in \[0, 1\], got 1.5 to 1.5'):
        fit_calibration(beyond, single_tiles(1))
    with pytest.raises(ConfigError, match=r"method must be one of .*, got 'magic'"):
        fit_calibration(few, single_tiles(400), method='magic')


def test_tiles_that_the_training_saw_are_refused_whatever_their_prefix(tile):
    with pytest.raises(SplitOverlapError, match=r"got 1 of 2 seen, such as \['train/2'\] in here"):
        require_unseen([tile('train/2'), tile('train/3')], ['landslide4sense:train/2'], 'x', 'here')
    require_unseen([tile('train/3')], ['landslide4sense:train/2'], 'x', 'here')
