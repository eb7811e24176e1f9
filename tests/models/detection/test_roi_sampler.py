from pathlib import Path

import pytest
import torch
from mmdet.models.task_modules import AssignResult
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

from mmlandslide.errors import ConfigError
from mmlandslide.models.detection.roi_sampler import KeyedRandomSampler

CONFIG = Path(__file__).parents[3] / 'configs' / 'det' / 'faster_rcnn_demo.py'
TRUE_BOX = torch.tensor([[0.0, 0, 8, 8]])


def sampled(key, positives=range(20), count=100, num=16, with_truth=False):
    """Return what is drawn of `count` candidates."""
    assigned = torch.zeros(count, dtype=torch.int64)
    assigned[list(positives)] = 1
    truth = InstanceData(
        metainfo={'sample_key': key}, bboxes=TRUE_BOX, labels=torch.zeros(1, dtype=torch.int64)
    )
    result = AssignResult(
        1, assigned, torch.zeros(count), labels=torch.zeros(count, dtype=torch.int64)
    )
    sampler = KeyedRandomSampler(num=num, pos_fraction=0.25, add_gt_as_proposals=with_truth)
    return sampler.sample(result, InstanceData(priors=torch.rand(count, 4)), truth)


def drawn(key, **options):
    """Return which candidates are drawn as positive and which as negative."""
    found = sampled(key, **options)
    return set(found.pos_inds.tolist()), set(found.neg_inds.tolist())


def test_a_quarter_is_positive_and_the_rest_negative():
    positive, negative = drawn(key=1)
    assert (len(positive), len(negative)) == (4, 12)
    assert max(positive) < 20 <= min(negative)


def test_a_tile_has_its_own_draw_whatever_was_drawn_before():
    first = drawn(key=1)
    torch.rand(7)
    assert drawn(key=2) != first
    assert drawn(key=1) == first


def test_one_candidate_more_changes_one_choice_at_most():
    few, more = drawn(key=1)[0], drawn(key=1, positives=range(21))[0]
    assert len(few - more) <= 1


def test_true_boxes_are_candidates_where_they_are_added():
    seen = set.union(*(drawn(key, positives=[], with_truth=True)[0] for key in range(3)))
    assert seen == {0}  # the true box comes first


def test_each_candidate_is_drawn_as_often_as_another():
    counts = torch.zeros(100)
    for key in range(400):
        counts[list(drawn(key, positives=[], num=10)[1])] += 1
    assert counts.mean() == 40  # 400 draws of 10 of 100
    assert counts.std() < 9  # sqrt(400 * .1 * .9) = 6


def test_a_tile_without_positives_weighs_as_much_as_another():
    assert sampled(key=1, positives=[]).avg_factor == sampled(key=1).avg_factor == 16


def tile(key, num_boxes):
    """Return the data sample of a 64 px tile."""
    sample = DetDataSample(
        metainfo={'img_shape': (64, 64), 'pad_shape': (64, 64), 'scale_factor': (1.0, 1.0)}
    )
    labels = torch.zeros(num_boxes, dtype=torch.int64)
    sample.gt_instances = InstanceData(
        metainfo={'sample_key': key}, bboxes=TRUE_BOX.repeat(num_boxes, 1) * 4, labels=labels
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)
    )
    return sample


def test_a_detectors_loss_on_tiles_is_the_mean_of_its_losses_on_each():
    cfg = Config.fromfile(CONFIG).model
    cfg.backbone.pretrained = None
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg).train()
    samples, inputs = [tile(1, num_boxes=1), tile(2, num_boxes=0)], torch.randn(2, 14, 64, 64)
    both = model.parse_losses(model(inputs, samples, mode='loss'))[1]
    each = [
        model.parse_losses(model(inputs[[index]], [samples[index]], mode='loss'))[1]
        for index in range(2)
    ]
    for name, value in both.items():
        torch.testing.assert_close((each[0][name] + each[1][name]) / 2, value, rtol=1e-4, atol=1e-6)


def test_a_truth_without_a_key_is_refused():
    truth = InstanceData(bboxes=TRUE_BOX, labels=torch.zeros(1, dtype=torch.int64))
    sampler = KeyedRandomSampler(num=2, pos_fraction=0.5)
    with pytest.raises(
        ConfigError, match=r"gt_instances must carry 'sample_key', got \[\] in the pipeline"
    ):
        sampler.sample(AssignResult(0, None, None, None), InstanceData(priors=TRUE_BOX), truth)
