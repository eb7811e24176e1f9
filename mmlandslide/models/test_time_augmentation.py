"""Test-time augmentation: a detector sees each tile in several symmetries, and the boxes are fused.

Weighted boxes fusion (Solovyev et al. 2021, arXiv 1910.13302), as MMDetection ships it. The views
are those of `mmlandslide detect --tta`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.utils import weighted_boxes_fusion
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmlandslide.symmetry import Symmetry


def predict_views(
    model: Any, batch: Mapping[str, Any], views: Sequence[Symmetry], iou_thr: float = 0.55
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


def viewed(image: Tensor, view: Symmetry) -> Tensor:
    """Return a (..., H, W) image in a view; an odd turn swaps its sides."""
    image = image.flip(-1) if view.flip else image
    return image.rot90(view.quarter_turns, (-2, -1))


def _predict(model: Any, batch: Mapping[str, Any], view: Symmetry) -> list[InstanceData]:
    """Return the detections of each tile in one view, in px of the tile as it was."""
    samples = []
    for sample in batch['data_samples']:
        seen = {
            key: view.seen(sample.metainfo[key])
            for key in ('ori_shape', 'img_shape', 'scale_factor')
            if key in sample.metainfo
        }
        samples.append(DetDataSample(metainfo={**sample.metainfo, **seen}))
    inputs = [viewed(image, view) for image in batch['inputs']]
    found = [
        each.pred_instances for each in model.test_step({'inputs': inputs, 'data_samples': samples})
    ]
    for each, sample in zip(found, samples, strict=True):
        sides = view.undone(each.bboxes, sample.metainfo['ori_shape'])
        each.bboxes = torch.stack(sides, dim=1)
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
