"""MMDetection's extractor of box features, without a copy of them for each level of the pyramid."""

from collections.abc import Sequence

import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor as _SingleRoIExtractor
from torch import Tensor

from mmlandslide.registry import MODELS


@MODELS.register_module()
class SingleRoIExtractor(_SingleRoIExtractor):
    """MMDetection's `SingleRoIExtractor`: the same features and gradients in less time.

    The host writes each level's features into zeros for all boxes, and its gradient copies all of
    them once a level; here the levels' features are joined and put in order once. Takes the
    arguments of MMDetection's class.
    """

    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None
    ) -> Tensor:
        """Return the features (K, C, h, w) of boxes.

        Args:
            feats: (B, C, H, W) of each level.
            rois: (K, 5) index into B, then xyxy.
            roi_scale_factor: by which the boxes grow before they are read.
        """
        if len(feats) == 1 or not len(rois):
            found: Tensor = super().forward(feats, rois, roi_scale_factor)
            return found
        rois = rois.type_as(feats[0])
        level = self.map_roi_levels(rois, len(feats))
        if roi_scale_factor is not None:
            rois = self.roi_rescale(rois, roi_scale_factor)
        order = level.argsort(stable=True)
        counts = level.bincount(minlength=len(feats)).tolist()
        parts = [
            # A level without boxes stays in the graph: several processes must agree on it.
            layer(level_feats, boxes) if len(boxes) else level_feats.sum() * 0.0
            for layer, level_feats, boxes in zip(
                self.roi_layers, feats, torch.split(rois[order], counts), strict=False
            )
        ]
        joined = torch.cat([part for part in parts if part.dim()])[order.argsort()]
        for part in parts:
            joined = joined if part.dim() else joined + part
        return joined
