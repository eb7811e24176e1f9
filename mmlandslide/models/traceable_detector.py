"""Faster R-CNN in a form that the ONNX exporter can trace, for any number of tiles.

MMDetection's own heads walk over the images of a batch one by one, which a trace would freeze. Here
all images pass at once: proposals and RoIs are lists of rows with the index of their tile beside
them, and both suppressions are single `NonMaxSuppression` nodes. The arithmetic, its order and the
thresholds are those of MMDetection 3.3 (`RPNHead`, `SingleRoIExtractor`, `BBoxHead`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmlandslide.errors import ConfigError
from mmlandslide.models.onnx_operators import nms, roi_align


def zoomed(batch: Tensor, zoom: float) -> Tensor:
    """Return (B, C, h, w) resampled as `datasets.windows.resize` does.

    Linear where it grows, area mean where it shrinks.

    Args:
        batch: (B, C, H, W).
        zoom: factor of height and width.
    """
    own = [int(side) for side in batch.shape[-2:]]  # plain numbers, also under a tracing exporter
    size = [max(1, round(side * zoom)) for side in own]
    if size == own:
        return batch
    mode = 'area' if zoom < 1 else 'bilinear'
    return F.interpolate(batch, size, mode=mode)


class TraceableDetector(nn.Module):
    """MMDetection's Faster R-CNN with one class, from stored tiles to their boxes.

    Args:
        model: MMDetection's `FasterRCNN` with its weights.
        zoom: factor by which tiles are resized first.

    Raises:
        ConfigError: the model has another head, class or suppression than this class computes.
    """

    def __init__(self, model: Any, zoom: float) -> None:
        super().__init__()
        require_traceable(model)
        self.model, self.zoom = model, zoom
        self.eval()  # the exporter puts back the mode that it finds, down to the last batch norm

    def forward(self, tiles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the detections of all tiles, by tile and then by descending score.

        Args:
            tiles: (B, bands, H, W) float32 in stored units.

        Returns:
            Boxes (N, 4) xyxy in px of their tile, scores (N,) and indices of the tiles (N,) int64.
        """
        image = zoomed(tiles, self.zoom)
        image_hw = int(image.shape[-2]), int(image.shape[-1])
        inputs = self.model.data_preprocessor({'inputs': image})['inputs']
        features = self.model.extract_feat(inputs)
        rois, tile_index = self._proposals(features, image_hw)
        rois, tile_index, pooled = self._pooled(features, rois, tile_index)
        logits, deltas = self.model.roi_head.bbox_head(pooled)
        coder, cfg = self.model.roi_head.bbox_head.bbox_coder, self.model.roi_head.test_cfg
        scale_xy = [float(tiles.shape[-1]) / image_hw[1], float(tiles.shape[-2]) / image_hw[0]]
        boxes = decoded(coder, rois, deltas, image_hw) * rois.new_tensor([*scale_xy, *scale_xy])
        scores = logits.softmax(-1)[:, 0]
        # A class of the operator per tile: rows of other tiles have a score that is never chosen.
        own = tile_index[None] == torch.arange(tiles.shape[0], device=tiles.device)[:, None]
        by_tile = torch.where(own, scores[None], scores.new_tensor(-1.0))  # (B, K)
        chosen = nms(
            boxes[None], by_tile[None], cfg.max_per_img, cfg.nms.iou_threshold, cfg.score_thr
        )
        row = chosen[:, 2]
        return boxes[row], scores[row], chosen[:, 1]

    def _proposals(
        self, features: Sequence[Tensor], image_hw: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Return proposals (K, 4) xyxy in px of the resized tiles and their tiles' indices (K,)."""
        head, cfg = self.model.rpn_head, self.model.rpn_head.test_cfg
        levels = head(features)
        sizes = [(int(level.shape[-2]), int(level.shape[-1])) for level in levels[0]]
        anchors = head.prior_generator.grid_priors(sizes, device=features[0].device)
        parts = [
            best_anchors(logits, deltas, priors, cfg.nms_pre)
            for logits, deltas, priors in zip(*levels, anchors, strict=True)
        ]
        scores, deltas, priors = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        level = torch.cat(
            [part[0].new_full(part[0].shape[1:], index) for index, part in enumerate(parts)]
        )  # (N,)
        flat = decoded(head.bbox_coder, priors.reshape(-1, 4), deltas.reshape(-1, 4), image_hw)
        boxes = flat.reshape(-1, int(level.shape[0]), 4)  # (B, N, 4)
        valid = (boxes[..., 2:] - boxes[..., :2] > cfg.min_bbox_size).all(-1)  # (B, N)
        # Boxes of different levels are moved apart, as mmcv's batched_nms does.
        highest = torch.where(valid[..., None], boxes, boxes.new_tensor(0.0)).amax((1, 2))
        apart = boxes + (level[None] * (highest[:, None] + 1))[..., None]
        scores = torch.where(valid, scores, scores.new_tensor(-1.0))
        chosen = nms(apart, scores[:, None], cfg.max_per_img, cfg.nms.iou_threshold, -0.5)
        return boxes[chosen[:, 0], chosen[:, 2]], chosen[:, 0]

    def _pooled(
        self, features: Sequence[Tensor], rois: Tensor, tile_index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the RoIs sorted by pyramid level, their tiles and their features (K, C, h, w)."""
        extractor = self.model.roi_head.bbox_roi_extractor
        of_level = extractor.map_roi_levels(
            torch.cat([tile_index[:, None].to(rois), rois], dim=1), extractor.num_inputs
        )
        chosen = [(of_level == level).nonzero()[:, 0] for level in range(extractor.num_inputs)]
        pooled = [
            roi_align(feature, rois[rows], tile_index[rows], layer.output_size, layer.spatial_scale)
            for feature, layer, rows in zip(features, extractor.roi_layers, chosen, strict=False)
        ]
        order = torch.cat(chosen)
        return rois[order], tile_index[order], torch.cat(pooled)


def best_anchors(
    logits: Tensor, deltas: Tensor, anchors: Tensor, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return scores (B, k), deltas (B, k, 4) and anchors (B, k, 4) of a level's best anchors.

    Args:
        logits: (B, anchors per position, h, w).
        deltas: (B, 4 per anchor, h, w).
        anchors: (N, 4) xyxy.
        most: number of anchors that are kept.
    """
    scores = logits.permute(0, 2, 3, 1).flatten(1).sigmoid()  # (B, N)
    deltas = deltas.permute(0, 2, 3, 1).reshape(-1, len(anchors), 4)  # (B, N, 4)
    if 0 < most < len(anchors):
        scores, index = scores.topk(most)
        return scores, deltas.gather(1, index[..., None].expand(-1, -1, 4)), anchors[index]
    # Arithmetic, not `expand`: the exporter may take the traced number of tiles for a constant.
    return scores, deltas, anchors[None] + 0 * deltas


def decoded(coder: Any, boxes_xyxy: Tensor, deltas: Tensor, image_hw: tuple[int, int]) -> Tensor:
    """Return boxes (N, 4) xyxy moved by deltas (N, 4) and clipped, as `delta2bbox` does.

    MMDetection's own writes into slices, which the exporter does not trace.
    """
    deltas = deltas * deltas.new_tensor(coder.stds) + deltas.new_tensor(coder.means)
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) * 0.5
    side = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    largest = float(np.abs(np.log(16 / 1000)))
    centre = centre + side * deltas[:, :2]
    side = side * deltas[:, 2:].clamp(-largest, largest).exp()
    x, y = (centre - side * 0.5), (centre + side * 0.5)
    corners = torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]])  # x1 x2 y1 y2
    across, along = corners[:2].clamp(0, image_hw[1]), corners[2:].clamp(0, image_hw[0])
    return torch.stack([across[0], along[0], across[1], along[1]], dim=1)


def require_traceable(model: Any) -> None:
    """Refuse a detector that `TraceableDetector` does not compute exactly.

    Raises:
        ConfigError: another type of detector or head, more than one class, or another suppression.
    """
    kinds: dict[str, tuple[Any, str]] = {
        'detector': (model, 'FasterRCNN'),
        'RPN head': (getattr(model, 'rpn_head', None), 'RPNHead'),
        'RoI head': (getattr(model, 'roi_head', None), 'StandardRoIHead'),
    }
    for subject, (part, expected) in kinds.items():
        if type(part).__name__ != expected:
            raise _unknown(subject, f'be a {expected}', type(part).__name__)
    head = model.roi_head.bbox_head
    facts: dict[str, tuple[Any, Any]] = {
        'RoI extractor': (type(model.roi_head.bbox_roi_extractor).__name__, 'SingleRoIExtractor'),
        'number of classes': (head.num_classes, 1),
        'class scores': (
            head.custom_cls_channels or model.rpn_head.use_sigmoid_cls is False,
            False,
        ),
        'box coders': (
            [type(each.bbox_coder).__name__ for each in (model.rpn_head, head)],
            ['DeltaXYWHBBoxCoder'] * 2,
        ),
        'suppressions': (
            [each.test_cfg.nms.get('type', 'nms') for each in (model.rpn_head, model.roi_head)],
            ['nms'] * 2,
        ),
    }
    for subject, (got, expected) in facts.items():
        if got != expected:
            raise _unknown(subject, f'be {expected}', got)


def _unknown(subject: str, expected: str, got: object) -> Exception:
    remedy = 'Export a Faster R-CNN of configs/det, or run this detector in PyTorch'
    return ConfigError.mismatch(subject, expected, got, 'the exported detector', remedy)
