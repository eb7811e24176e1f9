from pathlib import Path

import pytest
import torch
from mmdet.models.dense_heads import RPNHead as HostHead
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

CONFIG = Path(__file__).parents[3] / 'configs' / 'det' / 'faster_rcnn_r18.py'
SIZES = [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]  # of a tile of 64 px


def heads(**train_cfg):
    cfg = Config.fromfile(CONFIG)
    settings = cfg.model.rpn_head
    settings.train_cfg, settings.test_cfg = cfg.model.train_cfg.rpn, cfg.model.test_cfg.rpn
    settings.train_cfg.update(train_cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):
        ours = MODELS.build(settings)
        settings.type = 'mmdet.RPNHead'
        return ours, MODELS.build(settings)


def tile(key, boxes):
    boxes = torch.tensor(boxes).reshape(-1, 4)
    labels = torch.zeros(len(boxes), dtype=torch.long)
    return InstanceData(metainfo={'sample_key': key}, bboxes=boxes, labels=labels)


def random_tile(key):
    made = torch.Generator().manual_seed(key)
    corner = torch.rand(key % 5, 2, generator=made) * 40
    side = torch.rand(key % 5, 2, generator=made) * 30
    return tile(key, torch.cat([corner, corner + side], 1).tolist())


def targets(head, tiles, pad_shapes):
    metas = [{'pad_shape': shape, 'img_shape': shape} for shape in pad_shapes]
    return head.get_targets(*head.get_anchors(SIZES, metas, 'cpu'), tiles, metas)


TWINS = [[8.0, 8, 24, 24], [8.0, 8, 24, 24]]  # both want the same anchors


@pytest.mark.parametrize(
    'tiles',
    [
        [random_tile(key) for key in range(8)],
        [tile(1, []), tile(2, [])],
        [tile(3, TWINS), tile(4, [[0.0, 0, 0.5, 0.5]])],  # and one below every threshold
        [tile(5, [[0.0, 0, 64, 64]] * 40)],
    ],
)
@pytest.mark.parametrize(
    'pad_shape', [(64, 64), (48, 64)]
)  # of the latter some anchors are invalid
@pytest.mark.parametrize('num', [128, 100000])
def test_targets_of_a_batch_equal_those_of_one_tile_after_the_other(
    tiles, pad_shape, num, monkeypatch
):
    ours, host = heads()
    ours.sampler.num = host.sampler.num = num
    expected = targets(host, tiles, [pad_shape] * len(tiles))
    monkeypatch.setattr(HostHead, 'get_targets', None)  # ours has a way of its own
    found = targets(ours, tiles, [pad_shape] * len(tiles))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('pad_shapes', 'train_cfg'),
    [([(64, 64), (48, 48)], {}), ([(64, 64)] * 2, {'pos_weight': 2.0, 'allowed_border': 0})],
)
def test_what_a_batch_cannot_share_is_left_to_mmdetection(pad_shapes, train_cfg):
    ours, host = heads(**train_cfg)
    tiles = [random_tile(4), random_tile(3)]
    torch.testing.assert_close(
        targets(ours, tiles, pad_shapes), targets(host, tiles, pad_shapes), rtol=0, atol=0
    )
