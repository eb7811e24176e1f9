from math import exp, log

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from mmlandslide.errors import ConfigError
from mmlandslide.models.detection.uncertain_head import (
    KLLoss,
    SideBBoxCoder,
    UncertainBBoxHead,
    voted,
)

TEST = ConfigDict(score_thr=0.05, nms={'type': 'nms', 'iou_threshold': 0.5}, max_per_img=10)
PARTS = {
    'bbox_coder': {'type': 'mmlandslide.SideBBoxCoder'},
    'loss_bbox': {'type': 'mmlandslide.KLLoss'},
    'reg_class_agnostic': True,
}


@pytest.fixture(autouse=True)
def scope():
    """Parts are named in MMDetection's registry, as in a detection config."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def head(**changes):
    return UncertainBBoxHead(
        in_channels=2, fc_out_channels=4, roi_feat_size=1, num_classes=1, **{**PARTS, **changes}
    )


def predicted(rois, log_variances, scale_factor=(1.0, 1.0), shift=0.0, **changes):
    """Return the detections of proposals of which each is 4 times as likely as the next."""
    rois = torch.tensor([[0.0, *box] for box in rois])
    pred = torch.cat([torch.full((len(rois), 4), shift), torch.tensor(log_variances)], dim=1)
    scores = torch.stack([-log(4) * torch.arange(len(rois)), torch.zeros(len(rois))], dim=1)
    meta = {'img_shape': (100, 100), 'scale_factor': scale_factor}
    return head(**changes)._predict_by_feat_single(rois, scores, pred, meta, True, TEST)


def test_sides_are_coded_in_tenths_of_the_proposal_and_back():
    proposal, truth = torch.tensor([[10.0, 10, 30, 50]]), torch.tensor([[12.0, 6, 28, 54]])
    shifts = SideBBoxCoder().encode(proposal, truth)
    # 2 / (.1 x 20), -4 / (.1 x 40), -2 / 2, 4 / 4
    assert shifts[0].tolist() == pytest.approx([1, -1, -1, 1])
    torch.testing.assert_close(SideBBoxCoder().decode(proposal, shifts), truth)
    assert SideBBoxCoder().decode(proposal, shifts, (53, 20)).tolist() == [[12, 6, 20, 53]]


def test_the_loss_within_and_beyond_an_error_of_one_by_hand():
    log_variance = log(4)
    pred = torch.tensor([[0.5, -0.5, 1.0, 3.0, *[log_variance] * 4]])
    found = KLLoss()(pred, torch.zeros(1, 4), reduction_override='none')
    # exp(-ln 4) = 1/4: 1/4 x .125 + ln 2, twice; 1/4 x .5 + ln 2; 1/4 x 2.5 + ln 2
    expected = [0.03125 + log(2)] * 2 + [0.125 + log(2), 0.625 + log(2)]
    assert found[0].tolist() == pytest.approx(expected)
    mean = KLLoss(loss_weight=2.0)(pred, torch.zeros(1, 4), torch.ones(1, 4), avg_factor=8)
    assert mean.item() == pytest.approx(2 * sum(expected) / 8)


def test_the_variance_that_is_learned_is_the_squared_error():
    pred = torch.zeros(1, 8, requires_grad=True)
    target = torch.full((1, 4), 0.5)
    for _ in range(300):
        (gradient,) = torch.autograd.grad(KLLoss()(pred, target), pred)
        pred = (pred - torch.cat([torch.zeros(1, 4), 0.5 * gradient[:, 4:]], 1)).requires_grad_()
    assert pred[0, 4:].exp().tolist() == pytest.approx([0.25] * 4, rel=1e-3)


def test_a_vote_weighs_nearness_over_variance():
    kept, other = [0.0, 0, 10, 10], [0.0, 0, 10, 8]  # IoU .8
    boxes, stds = torch.tensor([kept, other]), torch.tensor([[1.0] * 4, [1, 1, 1, 0.5]])
    near = exp(-0.04 / 0.02)
    expected = (10 + 4 * near * 8) / (1 + 4 * near)
    allowed = torch.ones(1, 2, dtype=torch.bool)
    found = voted(boxes[:1], boxes, stds, allowed)
    assert found[0].tolist() == pytest.approx([0, 0, 10, expected])


def test_a_box_that_may_not_vote_or_does_not_touch_changes_nothing():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [20, 20, 30, 30]])
    allowed = torch.tensor([[True, False, True]])
    found = voted(boxes[:1], boxes, torch.ones(3, 4), allowed)
    assert found.tolist() == boxes[:1].tolist()


def test_a_box_without_area_keeps_its_place():
    box = torch.tensor([[4.0, 4, 4, 9]])
    assert voted(box, box, torch.ones(1, 4), torch.ones(1, 1, dtype=torch.bool)).equal(box)


def test_detections_carry_the_deviations_of_their_sides_in_px_of_the_tile():
    # exp(ln 4 / 2) = 2 tenths of 20 and 40 px, seen at twice the tile's own size
    found = predicted([[10, 10, 30, 50]], [[log(4)] * 4], scale_factor=(2.0, 2.0))
    assert found.bboxes.tolist() == [[5, 5, 15, 25]]
    assert found.side_stds[0].tolist() == pytest.approx([2, 4, 2, 4])


def test_a_suppressed_box_votes_for_the_one_that_stays():
    rois, sure = [[0, 0, 10, 10], [0, 0, 10, 8]], [[0.0] * 4, [-10.0] * 4]
    with_vote, without = predicted(rois, sure), predicted(rois, sure, sigma_t=None)
    assert without.bboxes.tolist() == [[0, 0, 10, 10]]
    assert with_vote.bboxes[0, 3].item() == pytest.approx(8, abs=0.01)
    assert with_vote.scores.tolist() == without.scores.tolist()


def test_a_tile_without_proposals_has_no_deviations():
    meta = {'img_shape': (8, 8), 'scale_factor': (1.0, 1.0)}
    empty = torch.zeros(0, 5), torch.zeros(0, 2), torch.zeros(0, 8)
    found = head()._predict_by_feat_single(*empty, meta, True, TEST)
    assert found.side_stds.shape == found.bboxes.shape == (0, 4)


def test_another_coder_is_refused():
    delta = {'type': 'DeltaXYWHBBoxCoder'}
    with pytest.raises(ConfigError, match=r'must have a SideBBoxCoder .*, got DeltaXYWHBBoxCoder'):
        head(bbox_coder=ConfigDict(delta))
