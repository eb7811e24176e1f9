"""Test-time augmentation: a detector sees each tile in several symmetries, and the boxes are fused.

Weighted boxes fusion (Solovyev et al. 2021, arXiv 1910.13302), as MMDetection ships it. The views
are those of `mmlandslide detect --tta`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.utils import weighted_boxes_fusion
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmlandslide.errors import ConfigError


@dataclass(frozen=True)
class View:
    """One of the eight symmetries of the square.

    Attributes:
        flip: mirror left and right first.
        quarter_turns: then turn counter-clockwise by so many quarters.
    """

    flip: bool = False
    quarter_turns: int = 0

    def apply(self, image: Tensor) -> Tensor:
        """Return a (..., H, W) image in this view; an odd turn swaps its sides."""
        image = image.flip(-1) if self.flip else image
        return image.rot90(self.quarter_turns, (-2, -1))

    def seen(self, pair: Sequence[float]) -> tuple[float, ...]:
        """Return a pair of one value per axis, such as (height, width), in this view."""
        return tuple(pair)[::-1] if self.quarter_turns % 2 else tuple(pair)

    def undo(self, boxes_xyxy: Tensor, viewed_hw: Sequence[float]) -> Tensor:
        """Return boxes (N, 4) of the view as boxes of the tile.

        Args:
            boxes_xyxy: in px of the view.
            viewed_hw: height and width of the view.
        """
        (x1, y1, x2, y2), (height, width) = boxes_xyxy.T, viewed_hw
        for _ in range(self.quarter_turns):
            # A quarter turn counter-clockwise has taken (x, y) to (y, height of the view - x).
            x1, y1, x2, y2 = height - y2, x1, height - y1, x2
            height, width = width, height
        if self.flip:
            x1, x2 = width - x2, width - x1
        return torch.stack([x1, y1, x2, y2], dim=1)


#: Name -> views: the tile alone, with its flips and half turn, or in all eight symmetries.
VIEWS: dict[str, tuple[View, ...]] = {
    'none': (View(),),
    'flips': (View(), View(True), View(False, 2), View(True, 2)),
    'all': tuple(View(flip, turns) for flip in (False, True) for turns in range(4)),
}


def views_named(name: str) -> tuple[View, ...]:
    """Return the views of `VIEWS` by their name.

    Raises:
        ConfigError: no such views.
    """
    if name not in VIEWS:
        remedy = 'Name one of those, as in --cfg-options test_cfg.tta=all'
        raise ConfigError.mismatch(
            'tta', f'be one of {list(VIEWS)}', repr(name), 'test_cfg.tta', remedy
        )
    return VIEWS[name]


def predict_views(
    model: Any, batch: Mapping[str, Any], views: Sequence[View], iou_thr: float = 0.55
) -> list[DetDataSample]:
    """Return a batch's samples with the fused detections of several views.

    Args:
        model: a detector of MMDetection, or a wrapper of one among several processes.
        batch: `inputs`, (C, H, W) tiles, and `data_samples` as `PackDetection` makes them.
        views: to predict.
        iou_thr: IoU above which boxes of two views show one object; the paper's.

    Returns:
        The samples with `pred_instances` in the tiles' own px, by descending score. A box that some
        views lack keeps that share of its score. No tile has more boxes than one view gave it.
    """
    by_view = [_predict(model, batch, view) for view in views]
    samples: list[DetDataSample] = list(batch['data_samples'])
    for index, sample in enumerate(samples):
        sample.pred_instances = fused([found[index] for found in by_view], iou_thr)
    return samples


def _predict(model: Any, batch: Mapping[str, Any], view: View) -> list[InstanceData]:
    """Return the detections of each tile in one view, in px of the tile as it was."""
    samples = []
    for sample in batch['data_samples']:
        seen = {
            key: view.seen(sample.metainfo[key])
            for key in ('ori_shape', 'img_shape', 'scale_factor')
            if key in sample.metainfo
        }
        samples.append(DetDataSample(metainfo={**sample.metainfo, **seen}))
    inputs = [view.apply(image) for image in batch['inputs']]
    found = [
        each.pred_instances for each in model.test_step({'inputs': inputs, 'data_samples': samples})
    ]
    for each, sample in zip(found, samples, strict=True):
        each.bboxes = view.undo(each.bboxes, sample.metainfo['ori_shape'])
    return found


def fused(found: Sequence[InstanceData], iou_thr: float) -> InstanceData:
    """Return the detections of several views of one tile, fused.

    Args:
        found: with `bboxes` (N, 4), `scores` (N,) and `labels` (N,), of each view.
        iou_thr: IoU above which boxes of two views show one object.
    """
    boxes, scores, labels = weighted_boxes_fusion(
        *([each[key].cpu().numpy() for each in found] for key in ('bboxes', 'scores', 'labels')),
        iou_thr=iou_thr,
    )
    most = max(len(each) for each in found)
    return InstanceData(
        bboxes=boxes.reshape(-1, 4)[:most], scores=scores[:most], labels=labels[:most].long()
    )
