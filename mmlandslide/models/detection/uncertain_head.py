"""A box head that says how sure it is of each side of a box.

He et al. 2019, arXiv 1809.08545: each side is predicted as a Gaussian, learned with the
Kullback-Leibler divergence from the true side, and boxes that overlap vote on each other's sides
with the inverse of their variances. Where labels are ambiguous the head learns a large variance in
the place of a large loss.
"""

from typing import Any, cast

import torch
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.task_modules.coders import BaseBBoxCoder
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor, scale_boxes
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmlandslide.errors import ConfigError
from mmlandslide.registry import MODELS, TASK_UTILS

_LEAST_PX = 1e-3  # standard deviation of a side; below it one box would outvote all others


@TASK_UTILS.register_module()
class SideBBoxCoder(BaseBBoxCoder):
    """A box as the shifts of its four sides from those of a proposal, in parts of its sides.

    Equation 1 of the paper; so the four errors are those of the four sides.

    Args:
        std: shift that counts as 1.
    """

    encode_size = 4

    def __init__(self, std: float = 0.1) -> None:
        super().__init__()
        self.std = std

    def encode(self, bboxes: Any, gt_bboxes: Any) -> Tensor:
        """Return the shifts (N, 4) from boxes (N, 4) xyxy to true boxes (N, 4)."""
        boxes = get_box_tensor(bboxes)
        shifts: Tensor = (get_box_tensor(gt_bboxes) - boxes) / self.unit_px(boxes)
        return shifts

    def decode(
        self, bboxes: Any, bboxes_pred: Tensor, max_shape: tuple[int, int] | None = None
    ) -> Tensor:
        """Return boxes (N, 4) xyxy moved by shifts (N, 4), clipped to (height, width)."""
        boxes = get_box_tensor(bboxes)
        moved = boxes + bboxes_pred * self.unit_px(boxes)
        if max_shape is not None:
            height, width = max_shape[:2]
            moved = torch.minimum(
                moved.clamp(min=0), moved.new_tensor([width, height, width, height])
            )
        return moved

    def unit_px(self, boxes: Tensor) -> Tensor:
        """Return the px (N, 4) that a shift of 1 is, for each side of boxes (N, 4) xyxy."""
        sides: Tensor = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        return sides * self.std


@MODELS.register_module()
class KLLoss(nn.Module):
    """Divergence of a predicted Gaussian from the true side, up to a constant.

    Equations 9 and 10: with a the logarithm of the variance, exp(-a) e^2 / 2 + a / 2 for an error
    e up to 1, and exp(-a) (e - 1/2) + a / 2 beyond.

    Args:
        loss_weight: factor of the loss.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss.

        Args:
            pred: (N, 8), four shifts and the logarithms of their variances.
            target: (N, 4), true shifts.
            weight: (N, 4).
            avg_factor: what the sum is divided by; N where `None`.
            reduction_override: `none` for the loss (N, 4) of each side.
        """
        shifts, log_variance = pred[:, :4], pred[:, 4:]
        error = (shifts - target).abs()
        smooth = torch.where(error <= 1, error.square() / 2, error - 0.5)
        loss = torch.exp(-log_variance) * smooth + log_variance / 2
        loss = self.loss_weight * (loss if weight is None else loss * weight)
        if reduction_override == 'none':
            return loss
        return loss.sum() / (avg_factor or max(len(loss), 1))


def voted(
    kept: Tensor, boxes: Tensor, stds: Tensor, allowed: Tensor, sigma_t: float = 0.02
) -> Tensor:
    """Return kept boxes, each side the mean of the boxes that overlap, weighted by certainty.

    Algorithm 1: the weight of a box is exp(-(1 - IoU)^2 / sigma_t) over the variance of the side.

    Args:
        kept: (K, 4) xyxy, of `boxes`.
        boxes: (N, 4) xyxy.
        stds: (N, 4) standard deviations of their sides, px.
        allowed: (K, N) bool, whether a box may vote on a kept box.
        sigma_t: the less, the nearer a box must be.
    """
    iou = bbox_overlaps(kept, boxes)  # (K, N)
    near = torch.exp(-(1 - iou).square() / sigma_t) * (allowed & (iou > 0))
    weight = near[..., None] / stds.clamp(min=_LEAST_PX).square()  # (K, N, 4)
    total = weight.sum(1)
    mean = (weight * boxes).sum(1) / total
    return torch.where(total > 0, mean, kept)


@MODELS.register_module()
class UncertainBBoxHead(Shared2FCBBoxHead):
    """MMDetection's head of two layers, with a variance for each side, and variance voting.

    Its detections carry `side_stds` (N, 4): standard deviations of x1, y1, x2, y2 in px of the
    boxes, as each box was predicted, before others voted on it.

    Args:
        sigma_t: of the voting, see `voted`; `None` for none.
        kwargs: what MMDetection's class takes, with `SideBBoxCoder` and `KLLoss`.

    Raises:
        ConfigError: another coder, or a regression for each class.
    """

    def __init__(self, sigma_t: float | None = 0.02, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(self.bbox_coder, SideBBoxCoder) or not self.reg_class_agnostic:
            raise ConfigError.mismatch(
                'UncertainBBoxHead',
                'have a SideBBoxCoder and one regression for all classes',
                f'{type(self.bbox_coder).__name__}, reg_class_agnostic={self.reg_class_agnostic}',
                'model.roi_head.bbox_head',
                'Take faster_rcnn_mobilenet_v2_small_kl_rgb8_augmented.py as an example',
            )
        self.sigma_t = sigma_t
        width = self.get_submodule('fc_reg').in_features
        self.fc_reg = nn.Linear(int(cast('int', width)), 8)  # shifts, logarithms of variances

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        img_meta: dict[str, Any],
        rescale: bool = False,
        rcnn_test_cfg: Any = None,
    ) -> InstanceData:
        if len(roi) == 0 or rcnn_test_cfg is None:
            raw: InstanceData = super()._predict_by_feat_single(
                roi, cls_score, bbox_pred[:, :4], img_meta, rescale, rcnn_test_cfg
            )
            raw.side_stds = roi.new_zeros(len(raw.bboxes), 4)
            return raw
        boxes, stds = self._boxes(roi, bbox_pred, img_meta, rescale)
        scores, cfg = cls_score.softmax(-1), rcnn_test_cfg
        found, labels, kept = multiclass_nms(
            boxes, scores, cfg.score_thr, cfg.nms, cfg.max_per_img, return_inds=True
        )
        sides = found[:, :4]
        if self.sigma_t is not None and len(sides):
            allowed = scores.T[labels] > cfg.score_thr  # (K, N)
            sides = voted(sides, boxes, stds, allowed, self.sigma_t)
        index = kept // self.num_classes
        return InstanceData(bboxes=sides, scores=found[:, 4], labels=labels, side_stds=stds[index])

    def _boxes(
        self, roi: Tensor, bbox_pred: Tensor, img_meta: dict[str, Any], rescale: bool
    ) -> tuple[Tensor, Tensor]:
        """Return boxes (N, 4) xyxy and the standard deviations (N, 4) of their sides, px."""
        proposals = roi[:, 1:]
        boxes = self.bbox_coder.decode(proposals, bbox_pred[:, :4], img_meta['img_shape'])
        stds = torch.exp(bbox_pred[:, 4:] / 2) * self.bbox_coder.unit_px(proposals)
        if rescale:
            factor = [1 / each for each in img_meta['scale_factor']]
            boxes, stds = scale_boxes(boxes, factor), scale_boxes(stds, factor)
        return boxes, stds
