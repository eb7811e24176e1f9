import json

import pytest
import torch
from mmpretrain.structures import DataSample

from mmlandslide.errors import ConfigError
from mmlandslide.evaluation.tile_metric import TileMetric


def sample(tile_id, label, score):
    return DataSample(metainfo={'img_id': tile_id}).set_gt_label(label).set_pred_score(torch.tensor([1 - score, score])).to_dict()


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
    three = DataSample(metainfo={'img_id': 'a'}).set_gt_label(1).set_pred_score(torch.ones(3) / 3).to_dict()
    with pytest.raises(ConfigError, match=r'must have 2 classes, got 3 in model\.head'):
        TileMetric().process(None, [three])


def test_tiles_without_labels_are_refused():
    with pytest.raises(ConfigError, match=r"got none of \['gt_label', 'pred_score'\].*Landslide4SenseClsDataset"):
        TileMetric().process(None, [{'img_id': 'a'}])


def test_a_threshold_that_is_no_probability_is_refused():
    with pytest.raises(ConfigError, match=r'score_thr must lie in \[0, 1\), got 1\.5'):
        TileMetric(score_thr=1.5)
