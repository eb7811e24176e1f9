"""Non-maximum suppression and RoIAlign as single nodes of an ONNX graph."""

from typing import Any

import torch
from torch import Tensor
from torchvision import ops


class _NonMaxSuppression(torch.autograd.Function):
    """ONNX's `NonMaxSuppression` (since opset 11)."""

    @staticmethod
    def forward(
        _context: Any, boxes: Tensor, scores: Tensor, most: int, iou_thr: float, score_thr: float
    ) -> Tensor:
        found = [boxes.new_zeros((0, 3), dtype=torch.int64)]
        for image in range(scores.shape[0]):
            for label in range(scores.shape[1]):
                [row] = torch.where(scores[image, label] > score_thr)
                kept = ops.nms(boxes[image, row], scores[image, label, row], iou_thr)[:most]
                head = row.new_tensor([image, label]).expand(len(kept), 2)
                found.append(torch.cat([head, row[kept, None]], dim=1))
        return torch.cat(found)

    @staticmethod
    def symbolic(
        graph: Any, boxes: Any, scores: Any, most: int, iou_thr: float, score_thr: float
    ) -> Any:
        limits = (
            torch.tensor([most]),
            torch.tensor([iou_thr], dtype=torch.float32),
            torch.tensor([score_thr], dtype=torch.float32),
        )
        constants = [graph.op('Constant', value_t=limit) for limit in limits]
        return graph.op('NonMaxSuppression', boxes, scores, *constants)


class _RoiAlign(torch.autograd.Function):
    """ONNX's `RoiAlign` with half-pixel coordinates (since opset 16)."""

    @staticmethod
    def forward(
        _context: Any,
        features: Tensor,
        rois: Tensor,
        index: Tensor,
        size_hw: tuple[int, int],
        scale: float,
    ) -> Tensor:
        rows = torch.cat([index[:, None].to(rois), rois], dim=1)
        return ops.roi_align(features, rows, size_hw, scale, sampling_ratio=0, aligned=True)

    @staticmethod
    def symbolic(
        graph: Any, features: Any, rois: Any, index: Any, size_hw: tuple[int, int], scale: float
    ) -> Any:
        return graph.op(
            'RoiAlign',
            features,
            rois,
            index,
            coordinate_transformation_mode_s='half_pixel',
            mode_s='avg',
            output_height_i=size_hw[0],
            output_width_i=size_hw[1],
            sampling_ratio_i=0,
            spatial_scale_f=scale,
        )


def nms(boxes_xyxy: Tensor, scores: Tensor, most: int, iou_thr: float, score_thr: float) -> Tensor:
    """Return the detections that greedy non-maximum suppression keeps.

    Args:
        boxes_xyxy: (B, N, 4).
        scores: (B, classes, N).
        most: detections that are kept per image and class.
        iou_thr: IoU above which the box with the lower score is suppressed.
        score_thr: score above which boxes are considered.

    Returns:
        (K, 3) int64: indices of image, class and box, by image, class and descending score.
    """
    found: Tensor = _NonMaxSuppression.apply(boxes_xyxy, scores, most, iou_thr, score_thr)
    return found


def roi_align(
    features: Tensor, rois_xyxy: Tensor, index: Tensor, size_hw: tuple[int, int], scale: float
) -> Tensor:
    """Return the features of regions, (K, C, h, w).

    Bins are sampled adaptively and averaged (He et al. 2017, arXiv 1703.06870, section 3).

    Args:
        features: (B, C, H, W).
        rois_xyxy: (K, 4) in px of the image.
        index: (K,) int64, the image of each region.
        size_hw: of the result.
        scale: px of the feature map per px of the image.
    """
    found: Tensor = _RoiAlign.apply(features, rois_xyxy, index, size_hw, scale)
    return found
