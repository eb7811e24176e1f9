from math import exp, log

import pytest
import torch
from mmdet.models.task_modules import MaxIoUAssigner
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from mmlandslide.errors import ConfigError
from mmlandslide.models.detection.assigners import (
    NormalizedWasserstein,
    ReceptiveFieldAssigner,
    receptive_field_distance,
    scaled,
)

TRUTH = torch.tensor([[0.0, 0, 8, 8]])


@pytest.fixture(autouse=True)
def scope():
    """Parts are named in MMDetection's registry, as in a detection config."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def instances(boxes, **labels):
    key = 'bboxes' if labels else 'priors'
    return InstanceData(**{key: torch.tensor(boxes).reshape(-1, 4).float()}, **labels)


def truths(boxes):
    return instances(boxes, labels=torch.arange(len(boxes)))


def test_nwd_of_a_shifted_and_a_larger_box():
    others = torch.tensor([[0.0, 0, 8, 8], [3, 4, 11, 12], [-2, -4, 10, 12]])
    # Centres 3, 4 apart: W = 5. The same centre, sides 4 and 8 longer: W^2 = (16 + 64) / 4 = 20.
    expected = [1, exp(-5 / 10), exp(-(20**0.5) / 10)]
    assert NormalizedWasserstein(10)(TRUTH, others)[0].tolist() == pytest.approx(expected)


def test_nwd_of_boxes_that_do_not_touch_falls_with_their_distance():
    near, far = NormalizedWasserstein(10)(TRUTH, TRUTH + torch.tensor([[10.0], [20.0]]))[0]
    assert near.item() == pytest.approx(exp(-(200**0.5) / 10))
    assert 0 < far < near


def test_nwd_gives_a_small_box_the_anchor_that_the_iou_leaves_out():
    anchor, truth = instances([[4, 4, 12, 12]]), truths([[0, 0, 8, 8]])  # IoU 16 / 112 = .14
    thresholds = {'pos_iou_thr': 0.7, 'neg_iou_thr': 0.3, 'match_low_quality': False}
    nwd = {'type': 'mmlandslide.NormalizedWasserstein', 'constant_px': 26.0}  # exp(-5.7 / 26) = .80
    assert MaxIoUAssigner(**thresholds).assign(anchor, truth).gt_inds.tolist() == [0]
    by_nwd = MaxIoUAssigner(**thresholds, iou_calculator=nwd)
    assert by_nwd.assign(anchor, truth).gt_inds.tolist() == [1]


def test_ignored_boxes_are_still_compared_by_their_area():
    half = NormalizedWasserstein()(TRUTH, torch.tensor([[4.0, 0, 12, 8]]), mode='iof')
    assert half.tolist() == [[0.5]]


def test_the_receptive_field_distance_of_a_shifted_and_a_smaller_prior():
    priors = torch.tensor([[0.0, 0, 8, 8], [4, 0, 12, 8], [2, 2, 6, 6]])
    # Shifted by a standard deviation of 4 px: KL = 1 / 2. Half the sides: a variance ratio of 1/4
    # on each axis, KL = 2 x (1/4 + ln 4 - 1) / 2.
    smaller = 0.25 + log(4) - 1
    found = receptive_field_distance(TRUTH, priors)
    assert found[0].tolist() == pytest.approx([1, 1 / 1.5, 1 / (1 + smaller)])


def test_the_distance_is_that_of_torchs_gaussians_and_keeps_when_both_grow():
    truth, prior = torch.tensor([[3.0, 5, 13, 11]]), torch.tensor([[1.0, 2, 21, 10]])
    gaussian = [
        torch.distributions.MultivariateNormal(
            torch.tensor(centre), torch.diag(torch.tensor(side).square() / 4)
        )
        for centre, side in (([8.0, 8], [10.0, 6]), ([11.0, 6], [20.0, 8]))
    ]
    expected = 1 / (1 + torch.distributions.kl_divergence(gaussian[1], gaussian[0]))
    torch.testing.assert_close(receptive_field_distance(truth, prior)[0, 0], expected)
    torch.testing.assert_close(receptive_field_distance(3 * truth, 3 * prior)[0, 0], expected)


def priors_at(*centres, side=8):
    return instances([[x - side / 2, -side / 2, x + side / 2, side / 2] for x in centres])


def test_every_true_box_takes_its_nearest_priors_and_the_rest_is_background():
    assigner = ReceptiveFieldAssigner(topk=(2, 0))
    truth = truths([[-4, -4, 4, 4], [96, -4, 104, 4]])
    found = assigner.assign(priors_at(0, 4, 8, 100, 140, 180), truth)
    assert found.gt_inds.tolist() == [1, 1, 0, 2, 2, 0]
    assert found.labels.tolist() == [0, 0, -1, 1, 1, -1]


def test_a_near_prior_that_no_box_took_is_left_out_of_the_loss():
    # 2 px of a standard deviation of 4: KL = 1/8, distance .89; 4 px: KL = 1/2, .67.
    found = ReceptiveFieldAssigner(topk=(1, 0)).assign(priors_at(0, 2, 4), truths([[-4, -4, 4, 4]]))
    assert found.gt_inds.tolist() == [1, -1, 0]


def test_a_prior_that_two_boxes_want_goes_to_the_nearer():
    truth = truths([[-4, -4, 4, 4], [-2, -4, 6, 4]])
    found = ReceptiveFieldAssigner(topk=(1, 0)).assign(priors_at(1.5), truth)
    assert found.gt_inds.tolist() == [2]


def test_the_second_step_adds_what_fits_when_priors_are_scaled():
    assert scaled(TRUTH, 0.5).tolist() == [[2, 2, 6, 6]]
    priors = instances([[-4, -4, 4, 4], [-8, -8, 8, 8]])  # as the box; twice its sides
    truth = truths([[-4, -4, 4, 4]])
    one = ReceptiveFieldAssigner(topk=(1, 0), ratio=0.5).assign(priors, truth)
    both = ReceptiveFieldAssigner(topk=(1, 1), ratio=0.5).assign(priors, truth)
    assert (one.gt_inds.tolist(), both.gt_inds.tolist()) == ([1, 0], [1, 1])


def test_a_tile_without_landslides_is_all_background():
    found = ReceptiveFieldAssigner().assign(priors_at(0, 8), truths([]))
    assert (found.num_gts, found.gt_inds.tolist(), found.labels.tolist()) == (0, [0, 0], [-1, -1])


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: NormalizedWasserstein(0), 'constant_px must be above 0, got 0'),
        (lambda: ReceptiveFieldAssigner(topk=(0, 1)), r'got topk=\(0, 1\), ratio=0.9'),
    ],
)
def test_what_assigns_nothing_is_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
