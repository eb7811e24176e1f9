"""A two-stage detector in a form that an exporter can trace, for any number of tiles."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


def zoomed(batch: torch.Tensor, zoom: float) -> torch.Tensor:
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


class FeatureExtractor(nn.Module):
    """From tiles as they are stored to the feature maps that the detector's heads take.

    Args:
        model: a detector with its weights.
        zoom: factor by which tiles are resized first.
    """

    def __init__(self, model: Any, zoom: float) -> None:
        super().__init__()
        self.model, self.zoom = model, zoom
        self.eval()  # the exporter puts back the mode that it finds, down to the last batch norm

    def forward(self, tiles: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the levels of the neck, finest first, (B, C, h, w) each.

        Args:
            tiles: (B, bands, H, W) in stored units.
        """
        inputs = self.model.data_preprocessor({'inputs': zoomed(tiles, self.zoom)})['inputs']
        return tuple(self.model.extract_feat(inputs))
