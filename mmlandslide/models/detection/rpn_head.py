"""MMDetection's region proposal head, with less work a tile.

Suppression ends when enough proposals are found, and the tiles of a batch get their targets
together.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import nms
from mmdet.models.dense_heads import RPNHead as _RPNHead
from mmdet.models.task_modules import DeltaXYWHBBoxCoder, MaxIoUAssigner
from mmdet.models.task_modules.assigners import BboxOverlaps2D
from mmdet.structures.bbox import get_box_tensor, get_box_wh
from mmengine.structures import InstanceData
from torch import Tensor

from mmlandslide.models.detection import anchor_targets
from mmlandslide.models.detection.roi_sampler import KeyedRandomSampler
from mmlandslide.registry import MODELS

#: IoUs of a batch that are looked at together, 256 MB; beyond, one tile comes after the other.
_MOST_OVERLAPS = 2**26


@MODELS.register_module()
class RPNHead(_RPNHead):
    """MMDetection's `RPNHead`: the same parameters, losses and proposals in less time.

    Greedy suppression goes from the highest score to the lowest, so the `max_per_img` proposals
    that it keeps first are decided before most anchors are looked at, and on CPUs its time grows
    with the square of their number. Takes the arguments of MMDetection's class.
    """

    def get_anchors(
        self, featmap_sizes: Sequence[tuple[int, int]], batch_img_metas: Any, device: Any = 'cuda'
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Return the levels' anchors (A_l, 4) and which of them are valid (A_l,), for each tile.

        Both are made once for tiles of one size.

        Args:
            featmap_sizes: height and width of each level.
            batch_img_metas: of the tiles.
            device: of the anchors.
        """
        anchors = self.prior_generator.grid_priors(featmap_sizes, device=device)
        shapes = [tuple(meta['pad_shape']) for meta in batch_img_metas]
        valid = {
            shape: self.prior_generator.valid_flags(featmap_sizes, shape, device)
            for shape in {*shapes}
        }
        return [anchors] * len(shapes), [valid[shape] for shape in shapes]

    def get_targets(
        self,
        anchor_list: list[list[Tensor]],
        valid_flag_list: list[list[Tensor]],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict[str, Any]],
        batch_gt_instances_ignore: list[InstanceData] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return what the anchors learn, as MMDetection does, of all tiles together.

        Args:
            anchor_list: of each tile and level, (A_l, 4).
            valid_flag_list: likewise, (A_l,) bool.
            batch_gt_instances: true boxes of each tile.
            batch_img_metas: of the tiles.
            batch_gt_instances_ignore: boxes that teach nothing; where there is one, or tiles differ
                in size, MMDetection's loop over the tiles is taken.
            kwargs: likewise.
        """
        ignored = sum(map(len, filter(None, batch_gt_instances_ignore or ())))
        alike = all(flags is valid_flag_list[0] for flags in valid_flag_list)
        most = max(map(len, batch_gt_instances), default=0) * len(batch_gt_instances)
        size = most * sum(map(len, anchor_list[0]))
        keyed = all('sample_key' in each.metainfo_keys() for each in batch_gt_instances)
        together = keyed and alike and not ignored and size <= _MOST_OVERLAPS
        if kwargs or not together or not self._is_plain():
            return super().get_targets(
                anchor_list,
                valid_flag_list,
                batch_gt_instances,
                batch_img_metas,
                batch_gt_instances_ignore,
                **kwargs,
            )
        return self._together(anchor_list[0], torch.cat(valid_flag_list[0]), batch_gt_instances)

    def _is_plain(self) -> bool:
        """Return whether assignment, sampling and coding are those of `anchor_targets`."""
        assigner, sampler = self.assigner, self.sampler
        return (
            type(assigner) is MaxIoUAssigner
            and type(assigner.iou_calculator) is BboxOverlaps2D
            and assigner.iou_calculator.dtype is None
            and isinstance(assigner.neg_iou_thr, float)
            and assigner.gt_max_assign_all
            and assigner.gpu_assign_thr <= 0
            and assigner.perm_repeat_gt_cfg is None
            and type(sampler) is KeyedRandomSampler
            and sampler.neg_pos_ub < 0
            and not sampler.add_gt_as_proposals
            and type(self.bbox_coder) is DeltaXYWHBBoxCoder
            and not self.reg_decoded_bbox
            and self.train_cfg['pos_weight'] <= 0
            and self.train_cfg['allowed_border'] < 0
        )

    def _together(
        self, level_anchors: list[Tensor], valid: Tensor, batch: list[InstanceData]
    ) -> tuple[Any, ...]:
        anchors, assigner = torch.cat(level_anchors), self.assigner
        least = assigner.min_pos_iou if assigner.match_low_quality else None
        thresholds = anchor_targets.Thresholds(assigner.pos_iou_thr, assigner.neg_iou_thr, least)
        truth = anchor_targets.padded(
            [get_box_tensor(each.bboxes) for each in batch], [each.labels for each in batch]
        )
        inside = valid.nonzero()[:, 0]
        taken = anchor_targets.assigned(truth, anchors[inside], thresholds)  # (B, inside)
        keys = torch.tensor([each.sample_key for each in batch], device=anchors.device)
        most_positive = int(self.sampler.num * self.sampler.pos_fraction)
        positive, negative = anchor_targets.sampled(taken, keys, self.sampler.num, most_positive)
        tile, place = positive.nonzero(as_tuple=True)
        box, place = taken[tile, place] - 1, inside[place]
        drawn = anchors.new_zeros(len(batch), len(anchors))
        drawn[:, inside] = (positive | negative).to(drawn)
        labels = torch.full_like(drawn, self.num_classes, dtype=torch.long)
        labels[tile, place] = truth.labels[tile, box]
        targets, weights = anchors.new_zeros(2, *drawn.shape, 4)
        targets[tile, place] = self.bbox_coder.encode(anchors[place], truth.boxes[tile, box])
        weights[tile, place] = 1.0
        counts = [len(each) for each in level_anchors]
        by_level = [list(each.split(counts, 1)) for each in (labels, drawn, targets, weights)]
        return (*by_level, int(drawn.sum()))

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
