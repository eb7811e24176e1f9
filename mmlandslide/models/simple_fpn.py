"""The simple feature pyramid of plain ViTs (ViTDet: Li et al. 2022, 2203.16527, section 3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.models.utils import LayerNorm2d
from torch import nn

from mmlandslide.errors import ConfigError
from mmlandslide.registry import MODELS


@MODELS.register_module()
class SimpleFPN(BaseModule):
    """Make every level of the pyramid from the backbone's last map.

    No top-down path, no lateral connection. Finer levels come of 2 x 2 transposed convolutions,
    each halving the channels, with norm and GELU between two of them; coarser ones of max pooling.
    Each level then passes a 1 x 1 and a 3 x 3 convolution, both followed by a norm over channels
    and neither by an activation.

    Args:
        in_channels: of the map.
        out_channels: of every level.
        in_stride: of the map, a power of two.
        strides: of the levels that are made so, finest first, powers of two.
        num_outs: levels in all; those beyond `strides` take every second value of the level before,
            as in MMDetection's FPN.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a stride that is no power of two, or fewer outputs than strides.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        in_stride: int = 16,
        strides: Sequence[int] = (4, 8, 16, 32),
        num_outs: int = 5,
        init_cfg: dict[str, object] | None = None,
    ) -> None:
        super().__init__(
            init_cfg
            or {'type': 'Xavier', 'layer': ['Conv2d', 'ConvTranspose2d'], 'distribution': 'uniform'}
        )
        odd = [stride for stride in (in_stride, *strides) if stride < 1 or stride & (stride - 1)]
        if odd:
            raise ConfigError.mismatch(
                'strides', 'be powers of two', odd, 'model.neck', 'Give the backbone such a stride'
            )
        if num_outs < len(strides):
            raise ConfigError.mismatch(
                'num_outs',
                f'be at least {len(strides)}',
                num_outs,
                'model.neck',
                'Name fewer strides',
            )
        self.num_outs = num_outs
        self.levels = nn.ModuleList(
            _level(in_channels, out_channels, in_stride, stride) for stride in strides
        )

    def forward(self, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Return `num_outs` maps (B, out_channels, H_i, W_i), finest first.

        Args:
            inputs: the backbone's only map, (B, in_channels, H, W).

        Raises:
            ConfigError: the backbone gives more than one.
        """
        if len(inputs) != 1:
            raise ConfigError.mismatch(
                'backbone',
                'give one map',
                len(inputs),
                'model.backbone.out_indices',
                'Name one block',
            )
        outs = [level(inputs[0]) for level in self.levels]
        while len(outs) < self.num_outs:
            outs.append(F.max_pool2d(outs[-1], 1, stride=2))
        return tuple(outs)


def _level(in_channels: int, out_channels: int, in_stride: int, stride: int) -> nn.Sequential:
    """Return what makes one level from the map."""
    layers, channels = _rescaling(in_channels, in_stride, stride)
    return nn.Sequential(
        *layers,
        nn.Conv2d(channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )


def _rescaling(channels: int, in_stride: int, stride: int) -> tuple[list[nn.Module], int]:
    """Return the layers that bring a map to another stride, and the channels that it has then."""
    if stride >= in_stride:
        return ([nn.MaxPool2d(stride // in_stride)] if stride > in_stride else []), channels
    layers: list[nn.Module] = []
    while in_stride > stride:
        if layers:
            layers += [LayerNorm2d(channels), nn.GELU()]
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 2, stride=2))
        channels, in_stride = channels // 2, in_stride // 2
    return layers, channels
