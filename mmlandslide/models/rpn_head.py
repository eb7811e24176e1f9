"""MMDetection's region proposal head, whose suppression ends when enough proposals are found."""

from typing import Any

import torch
from mmcv.ops import nms
from mmdet.models.dense_heads import RPNHead as _RPNHead
from mmdet.structures.bbox import get_box_tensor, get_box_wh
from mmengine.structures import InstanceData
from torch import Tensor

from mmlandslide.registry import MODELS


@MODELS.register_module()
class RPNHead(_RPNHead):
    """MMDetection's `RPNHead`: the same parameters, losses and proposals in less time.

    Greedy suppression goes from the highest score to the lowest, so the `max_per_img` proposals
    that it keeps first are decided before most anchors are looked at, and on CPUs its time grows
    with the square of their number. Takes the arguments of MMDetection's class.
    """

    def _bbox_post_process(
        self,
        results: InstanceData,
        cfg: Any,
        rescale: bool = False,
        with_nms: bool = True,
        img_meta: dict[str, Any] | None = None,
    ) -> InstanceData:
        """Return the proposals of one tile by descending score.

        Args:
            results: decoded anchors: `bboxes` (N, 4), `scores` (N,) and `level_ids` (N,).
            cfg: `min_bbox_size`, `max_per_img` and `nms`.
            rescale: return them in px of the tile before resizing.
            with_nms: must be true.
            img_meta: of the tile.
        """
        plain = cfg.nms.get('type') == 'nms' and set(cfg.nms) == {'type', 'iou_threshold'}
        if rescale or not with_nms or not plain:
            return super()._bbox_post_process(results, cfg, rescale, with_nms, img_meta)
        width, height = get_box_wh(results.bboxes)
        large = (width > cfg.min_bbox_size) & (height > cfg.min_bbox_size)
        results = results[large | (cfg.min_bbox_size < 0)]
        if not len(results):
            return super()._bbox_post_process(results, cfg, rescale, with_nms, img_meta)
        boxes, level = get_box_tensor(results.bboxes), results.level_ids
        # Boxes of different levels are moved apart, as mmcv's `batched_nms` does.
        apart = boxes + (level.to(boxes) * (boxes.max() + 1))[:, None]
        results = results[first_kept(apart, results.scores, cfg.nms.iou_threshold, cfg.max_per_img)]
        results.labels = results.scores.new_zeros(len(results), dtype=torch.long)
        del results.level_ids
        return results


def first_kept(boxes_xyxy: Tensor, scores: Tensor, iou_threshold: float, most: int) -> Tensor:
    """Return the indices (K,) of the first `most` boxes that suppression keeps, best score first.

    Args:
        boxes_xyxy: (N, 4).
        scores: (N,).
        iou_threshold: a box is suppressed where its IoU with one that stays is larger.
        most: number of boxes after which to stop.
    """
    order = scores.sort(descending=True).indices
    count = 2 * most
    while True:
        best = order[:count]
        kept = nms(boxes_xyxy[best], scores[best], iou_threshold)[1]
        if len(kept) >= most or count >= len(order):
            return best[kept[:most]]
        count *= 2
