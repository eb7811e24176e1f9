import pytest
import torch
from mmdet.models.dense_heads import RPNHead as HostHead
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmlandslide.models.detection import rpn_head
from mmlandslide.models.detection.rpn_head import RPNHead, first_kept

CFG = {'nms': {'type': 'nms', 'iou_threshold': 0.7}, 'max_per_img': 50, 'min_bbox_size': 0}


def anchors(count, spread_px, seed=0):
    made = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=made) * spread_px
    side = torch.rand(count, 2, generator=made) * 20 - 1  # some are empty
    return InstanceData(
        bboxes=torch.cat([corner, corner + side], 1),
        scores=torch.rand(count, generator=made),
        level_ids=torch.randint(3, (count,), generator=made),
    )


def head(cls, **cfg):
    made = cls.__new__(cls)
    return lambda results: cls._bbox_post_process(made, results, ConfigDict(CFG | cfg))


@pytest.mark.parametrize(
    ('spread_px', 'cfg'),
    [
        (200, {}),  # few overlap: the first 100 anchors give 50 proposals
        (4, {}),  # nearly all overlap: all 600 are looked at
        (40, {'max_per_img': 1}),
        (40, {'max_per_img': 5000}),
        (40, {'min_bbox_size': 5}),
        (40, {'min_bbox_size': -1}),
        (40, {'nms': {'type': 'soft_nms', 'iou_threshold': 0.7}}),
        (40, {'min_bbox_size': 1000}),  # none is left
    ],
)
def test_proposals_equal_mmdetection_s(spread_px, cfg):
    found, expected = (head(cls, **cfg)(anchors(600, spread_px)) for cls in (RPNHead, HostHead))
    assert set(found.keys()) == set(expected.keys())
    for name in expected.keys():  # noqa: SIM118 (an InstanceData is no mapping)
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)


def test_suppression_stops_at_the_anchor_that_fills_the_list(monkeypatch):
    seen = []

    def counted(boxes, scores, thr):
        seen.append(len(boxes))
        return None, torch.arange(len(boxes))

    monkeypatch.setattr(rpn_head, 'nms', counted)
    scores = torch.tensor([0.1, 0.9, 0.5, 0.3, 0.7])
    assert first_kept(torch.rand(5, 4), scores, 0.7, 2).tolist() == [1, 4]
    assert seen == [4]  # 2 x 2 of 5
