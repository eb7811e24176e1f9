import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmpretrain.structures import DataSample
from sklearn import metrics as reference

from mmlandslide.errors import ConfigError
from mmlandslide.evaluation.tile_metric import TileMetric, auroc, tile_scores


def sample(tile_id, label, score):
    return (
        DataSample(metainfo={'img_id': tile_id})
        .set_gt_label(label)
        .set_pred_score(torch.tensor([1 - score, score]))
        .to_dict()
    )


def scored(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_the_second_class_is_the_landslide():
    found = scored(TileMetric(), [sample('a', 1, 0.9), sample('b', 0, 0.2)])
    assert (found['accuracy'], found['AUROC'], found['base_rate']) == (1, 1, 0.5)


def test_a_tile_that_comes_twice_counts_once_and_as_at_first():
    found = scored(TileMetric(), [sample('a', 1, 0.9), sample('b', 0, 0.2), sample('a', 1, 0.1)])
    assert (found['accuracy'], found['base_rate']) == (1, 0.5)


def test_metrics_json_is_written_into_the_work_dir_in_plain_keys(tmp_path):
    metric = TileMetric(prefix='tiles')
    metric.work_dir = tmp_path
    found = scored(metric, [sample('a', 0, 0.9), sample('b', 0, 0.2)])
    kept = json.loads((tmp_path / 'metrics.json').read_text())
    assert kept['accuracy'] == found['tiles/accuracy'] == 0.5
    assert kept['AUROC'] is None


def test_nothing_is_written_where_no_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scored(TileMetric(), [sample('a', 1, 0.9)])
    assert not list(tmp_path.iterdir())


def test_a_classifier_of_three_classes_is_refused():
    three = (
        DataSample(metainfo={'img_id': 'a'})
        .set_gt_label(1)
        .set_pred_score(torch.ones(3) / 3)
        .to_dict()
    )
    with pytest.raises(ConfigError, match=r'must have 2 classes, got 3 in model\.head'):
        TileMetric().process(None, [three])


def test_tiles_without_labels_are_refused():
    with pytest.raises(
        ConfigError, match=r"got none of \['gt_label', 'pred_score'\].*Landslide4SenseClsDataset"
    ):
        TileMetric().process(None, [{'img_id': 'a'}])


def test_a_threshold_that_is_no_probability_is_refused():
    with pytest.raises(ConfigError, match=r'score_thr must lie in \[0, 1\), got 1\.5'):
        TileMetric(score_thr=1.5)


def test_scores_of_five_tiles_are_those_worked_out_by_hand():
    # Found above .5: tiles 0, 1, 3; right of them: 0 and 1; missed: 2.
    found = tile_scores(np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.8, 0.3, 0.6, 0.1]))
    assert (found['accuracy'], found['precision'], found['recall']) == (3 / 5, 2 / 3, 2 / 3)
    assert (found['F1'], found['base_rate'], found['majority']) == (2 / 3, 3 / 5, 3 / 5)
    assert found['AUROC'] == 5 / 6  # of the pairs (.9 .8 .3) x (.6 .1) only .3 < .6 is wrong


def test_the_threshold_itself_is_not_above_it():
    assert tile_scores(np.array([1]), np.array([0.5]))['recall'] == 0
    assert tile_scores(np.array([1]), np.array([0.5]), score_thr=0.49)['recall'] == 1


def test_the_majority_may_be_the_tiles_without_landslide():
    found = tile_scores(np.array([1, 0, 0, 0]), np.zeros(4))
    assert (found['base_rate'], found['majority'], found['accuracy']) == (0.25, 0.75, 0.75)


def test_what_a_set_does_not_define_is_not_a_number():
    found = tile_scores(np.array([0, 0]), np.array([0.2, 0.1]))
    assert [key for key, value in found.items() if np.isnan(value)] == [
        'precision',
        'recall',
        'F1',
        'AUROC',
    ]


def test_a_constant_score_is_at_chance():
    assert auroc(np.array([1, 0, 1, 0, 0]), np.full(5, 0.7)) == 0.5


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=40))
def test_scores_equal_those_of_scikit_learn_with_ties(tiles):
    labels, scores = np.array(tiles).T[0], np.array(tiles).T[1] / 5
    found, guessed = tile_scores(labels, scores), scores > 0.5
    assert found['accuracy'] == pytest.approx(reference.accuracy_score(labels, guessed))
    if guessed.any() and labels.any():
        assert found['F1'] == pytest.approx(reference.f1_score(labels, guessed))
    if 0 < labels.sum() < len(labels):
        assert found['AUROC'] == pytest.approx(reference.roc_auc_score(labels, scores))


@pytest.mark.parametrize(
    ('score', 'positive', 'area'),
    [
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], 1.0),
        ([0.4, 0.3, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.5, 0.5], [0, 1], 0.5),
        ([0.1, 0.3, 0.3, 0.9], [0, 1, 0, 0], 0.5),  # above one, level with one, below one of three
    ],
)
def test_the_area_counts_pairs_in_order_and_ties_half(score, positive, area):
    assert auroc(np.array(positive, bool), np.array(score)) == pytest.approx(area)


def test_the_area_is_scikit_learns_with_weights_and_ties():
    generator = np.random.default_rng(0)
    score, positive = generator.integers(0, 9, 50) / 9, generator.random(50) < 0.4
    weights = generator.integers(0, 4, (3, 50)).astype(float)
    theirs = [reference.roc_auc_score(positive, score, sample_weight=row) for row in weights]
    np.testing.assert_allclose(auroc(positive, score, weights), theirs)


def test_one_class_alone_has_no_area():
    assert np.isnan(auroc(np.array([True, True]), np.array([0.2, 0.4])))
