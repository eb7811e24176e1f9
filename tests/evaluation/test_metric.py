import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, InstanceData

from mmlandslide.errors import ConfigError, DatasetError, SplitOverlapError
from mmlandslide.evaluation.metric import LandslideMetric

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]
KEYS = {
    *('AP', 'AP50', 'AP75', 'AP_lt8px', 'AP_8to16px', 'AP_16to32px', 'AP_ge32px', 'AR100'),
    *('precision', 'recall', 'F1', 'score_thr', 'fp_per_empty_tile'),
    *('AP25', 'AP_border', 'AP50_border', 'AP_centre30m', 'border_fraction'),
    *('false_alarms_per_100km2', 'D_ECE', 'pixel_F1', 'pixel_IoU', 'pixel_MCC'),
}


def data_sample(img_id, predicted=(), scores=(), true=(), label=0):
    truth = {
        'native_boxes_xyxy': np.array(true, np.float32).reshape(-1, 4),
        'native_labels': np.zeros(len(true), np.int64),
    }
    boxes, labels = (
        torch.tensor(predicted).float().reshape(-1, 4),
        torch.full((len(predicted),), label),
    )
    element = BaseDataElement(metainfo={'img_id': img_id, 'ori_shape': (128, 128), **truth})
    element.pred_instances = InstanceData(
        bboxes=boxes, scores=torch.tensor(scores).float(), labels=labels
    )
    return element


def run(metric, *samples):
    metric.dataset_meta = {'classes': ('landslide',)}
    metric.process({}, [sample.to_dict() for sample in samples])
    return metric.evaluate(size=len(samples))


def test_the_file_has_exactly_the_plain_keys_and_null_for_nan(tmp_path):
    returned = run(
        LandslideMetric(out_dir=tmp_path, plots=False), data_sample('a', [BOX], [0.9], [BOX])
    )
    written = json.loads((tmp_path / 'metrics.json').read_text())
    assert set(written) == KEYS == set(returned)
    assert (written['AP_lt8px'], written['fp_per_empty_tile']) == (None, None)
    assert np.isnan(returned['AP_lt8px'])
    assert (written['AP'], written['AP_8to16px'], written['F1']) == pytest.approx((1, 1, 1))


def test_a_config_reaches_it_by_its_scoped_name(tmp_path):
    evaluator = Evaluator(
        {'type': 'mmlandslide.LandslideMetric', 'out_dir': str(tmp_path), 'iou_thrs': [0.3]}
    )
    evaluator.dataset_meta = {'classes': ('landslide',)}
    evaluator.process([data_sample('a', [[0, 0, 10, 4]], [0.9], [BOX]), data_sample('b')])  # IoU .4
    assert evaluator.evaluate(2)['AP30'] == pytest.approx(1.0)
    assert {path.name for path in tmp_path.iterdir()} == {
        *('metrics.json', 'evaluation.json', 'pr_curve.png', 'f1_confidence.png'),
        *('reliability.png', 'frequency_area.png', 'false_alarms.png'),
    }


def test_a_tile_that_a_sampler_repeated_counts_once(tmp_path):
    # Twice, 'b' would make 1 hit of 3 kept; once it is 1 of 2. The first result of a tile counts.
    samples = [
        data_sample('a', [BOX], [0.9], [BOX]),
        data_sample('b', [BOX], [0.9]),
        data_sample('b', [BOX, FAR], [0.9, 0.9]),
    ]
    metrics = run(LandslideMetric(), *samples)
    assert (metrics['precision'], metrics['fp_per_empty_tile']) == pytest.approx((1 / 2, 1))


def test_the_native_scale_moves_a_box_to_its_native_bin():
    metrics = run(
        LandslideMetric(native_scale=128 / 224),
        data_sample('a', [[0, 0, 14, 14]], [0.9], [[0, 0, 14, 14]]),
    )
    assert metrics['AP_8to16px'] == pytest.approx(1.0)


def test_files_go_to_the_work_dir_unless_a_folder_is_named(tmp_path):
    for out_dir, place in ((None, 'work'), (tmp_path / 'named', 'named')):
        metric = LandslideMetric(out_dir=out_dir, plots=False)
        metric.work_dir = tmp_path / 'work'
        run(metric, data_sample('a', true=[BOX]))
        written = {path.name for path in (tmp_path / place).iterdir()}
        assert written == {'metrics.json', 'evaluation.json'}


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(run(LandslideMetric(save_predictions=True), data_sample('a', true=[BOX]))) == KEYS
    assert not list(tmp_path.iterdir())


def test_predictions_are_kept_for_each_tile_when_asked_for(tmp_path):
    metric = LandslideMetric(out_dir=tmp_path, plots=False, save_predictions=True)
    run(metric, data_sample('b', true=[FAR]), data_sample('a', [BOX], [0.5], []))
    first, second = json.loads((tmp_path / 'predictions.json').read_text())
    assert (first['img_id'], second['img_id']) == ('a', 'b')
    assert first | {'img_id': 0} == {
        **{
            'img_id': 0,
            'ori_shape': [128, 128],
            'boxes_xyxy': [BOX],
            'scores': [0.5],
            'labels': [0],
        },
        **{'true_boxes_xyxy': [], 'true_labels': []},
    }


def test_a_prefix_is_put_before_the_keys_but_not_in_the_file(tmp_path):
    returned = run(
        LandslideMetric(out_dir=tmp_path, plots=False, prefix='iburi'), data_sample('a', true=[BOX])
    )
    assert set(returned) == {f'iburi/{key}' for key in KEYS}
    assert set(json.loads((tmp_path / 'metrics.json').read_text())) == KEYS


def test_a_second_evaluation_starts_from_nothing():
    metric = LandslideMetric()
    assert run(metric, data_sample('a', [FAR], [0.9], [BOX]))['recall'] == 0
    assert run(metric, data_sample('a', [BOX], [0.9], [BOX]))['recall'] == 1


def test_a_sample_without_truth_keys_is_refused():
    sample = data_sample('a').to_dict()
    del sample['native_boxes_xyxy']
    message = (
        r"data sample must carry .*native_boxes_xyxy.* got only \['img_id', 'native_labels', .*"
        r'Let its mmlandslide\.PackDetection'
    )
    with pytest.raises(ConfigError, match=message):
        LandslideMetric().process({}, [sample])


def test_a_label_that_is_no_class_of_the_dataset_is_refused():
    with pytest.raises(DatasetError, match=r"labels must lie in \[0, 1\), got 3 in tile 'a'"):
        run(LandslideMetric(), data_sample('a', [BOX], [0.9], [BOX], label=3))


def test_an_option_without_meaning_is_refused_at_the_start():
    with pytest.raises(ConfigError, match='native_scale must be positive, got -1'):
        LandslideMetric(native_scale=-1)


def test_the_details_hold_the_curves_in_json(tmp_path):
    run(LandslideMetric(out_dir=tmp_path, plots=False), data_sample('a', [BOX], [0.75], [BOX]))
    details = json.loads((tmp_path / 'evaluation.json').read_text())
    assert details['curve']['score_thrs'] == [0.75]
    assert details['curve']['false_alarms_per_100km2'] == [0.0]
    assert details['reliability']['D_ECE'] == pytest.approx(0.25)  # a score of .75, all hit
    assert details['frequency_area']['truth']['num'] == 1


class Store:
    """Holds one mask: BOX is landslide."""

    store = property(lambda self: self)

    def mask(self, tile_id):
        mask = np.zeros((128, 128), np.uint8)
        mask[:10, :10] = 1
        return mask


def test_masks_of_the_tested_data_are_scored_by_pixel():
    # The box covers half of the mask and nothing else: F1 = 2 * 50 / (2 * 50 + 50).
    metric = LandslideMetric()
    metric.prepare_test(Store(), {})
    metrics = run(metric, data_sample('a', [[0, 0, 10, 5]], [0.9], [BOX]))
    assert (metrics['pixel_F1'], metrics['pixel_IoU']) == pytest.approx((2 / 3, 1 / 2))


CALIBRATION = {'method': 'isotonic', 'scores': [0.0, 1.0], 'probabilities': [0.0, 0.5]}


def test_probabilities_are_scored_where_asked_for(tmp_path):
    metric = LandslideMetric(calibrated=True, out_dir=tmp_path, plots=False, save_predictions=True)
    metric.prepare_test(None, {'calibration': {**CALIBRATION, 'tile_ids': ['b']}})
    metrics = run(metric, data_sample('a', [BOX], [0.5], [BOX]))
    assert (metrics['score_thr'], metrics['D_ECE']) == (0.25, 0.75)
    (row,) = json.loads((tmp_path / 'predictions.json').read_text())
    assert (row['scores'], row['raw_scores']) == ([0.25], [0.5])
    details = json.loads((tmp_path / 'evaluation.json').read_text())
    assert details['reliability_before']['D_ECE'] == 0.5
    assert details['calibration']['method'] == 'isotonic'


def test_a_checkpoint_without_calibration_is_refused():
    metric = LandslideMetric(calibrated=True)
    metric.prepare_test(None, {'calibration': {'method': 'isotonic', 'scores': [1.0, 0.0]}})
    with pytest.raises(ConfigError, match='tested checkpoint must carry a calibration, got none'):
        run(metric, data_sample('a', [BOX], [0.5], [BOX]))


def test_tiles_that_the_calibration_was_fitted_on_are_not_scored():
    metric = LandslideMetric(calibrated=True)
    metric.prepare_test(None, {'calibration': {**CALIBRATION, 'tile_ids': ['a', 'c']}})
    with pytest.raises(SplitOverlapError, match=r"got 1 of 1 seen, such as \['a'\]"):
        run(metric, data_sample('a', [BOX], [0.5], [BOX]))


def two_regions(**more):
    """Return a tile of each of two data sets whose files have one name, with 1 and 2 boxes."""

    def tile(folder, boxes):
        return {
            'img_id': 'test/1',
            'img_path': f'{folder}/1.tif',
            'ori_shape': (64, 64),
            'native_boxes_xyxy': np.array(boxes, float),
            'native_labels': np.zeros(len(boxes), int),
            'pred_instances': {
                'bboxes': torch.tensor([[0.0, 0, 9, 9]]),
                'scores': torch.tensor([0.9]),
                'labels': torch.zeros(1).long(),
            },
            **{key: value[folder] for key, value in more.items()},
        }

    return [tile('a', [[0, 0, 9, 9]]), tile('b', [[20, 20, 40, 40], [0, 50, 9, 60]])]


@pytest.mark.parametrize(
    ('more', 'ids'),
    [
        ({}, ['a/1.tif:test/1', 'b/1.tif:test/1']),
        ({'dataset': {'a': 'north', 'b': 'south'}}, ['north:test/1', 'south:test/1']),
        ({'dataset': {'a': 'mine', 'b': 'mine'}}, ['a/1.tif:test/1', 'b/1.tif:test/1']),
    ],
)
def test_tiles_of_two_data_sets_with_one_id_are_two_tiles(tmp_path, more, ids):
    metric = LandslideMetric(plots=False, save_predictions=True, out_dir=tmp_path)
    metric.dataset_meta = {'classes': ('landslide',)}
    metric.process(None, two_regions(**more) + two_regions(**more))  # a sampler repeats tiles
    assert metric.evaluate(4)['recall'] == pytest.approx(1 / 3)  # 1 of 3 boxes
    rows = json.loads((tmp_path / 'predictions.json').read_text())
    assert [row['img_id'] for row in rows] == ids
