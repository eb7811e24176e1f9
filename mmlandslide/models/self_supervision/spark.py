"""SparK: masked autoencoding with a convolutional network (Tian et al. 2023, arXiv 2301.03580).

A convolution would smear visible pixels into masked ones and shrink the mask layer by layer. So
the backbone's layers are made sparse: after each convolution and pooling the masked positions are
zero again, and batch norms count the visible ones alone. A light decoder (MMPretrain's) fills the
masked positions of every stage with a token of its own and predicts pixels. The layers are computed
densely, so what is masked saves no time.
"""

from typing import Any

import torch
from mmengine.model import BaseModule
from mmpretrain.models.necks import SparKLightDecoder
from torch import Tensor, nn

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.backbones.inverted_residuals import EfficientNetLite, MobileNetV2
from mmlandslide.models.self_supervision.masked_autoencoder import (
    HW,
    MaskedAutoencoder,
    patchify,
)
from mmlandslide.registry import MODELS

#: Backbones without layers that look at a whole map, as squeeze-and-excitation does.
_LOCAL = (ResNet, EfficientNetLite, MobileNetV2)
_STRIDE = 32


class SparseNorm(nn.BatchNorm2d):
    """Batch norm over the visible positions alone; masked ones are zero afterwards.

    Attributes:
        visible: (B, 1, h, w) bool of the coarsest map, True = visible; `None` for all.
    """

    visible: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W), normalised."""
        if self.visible is None:
            return super().forward(x)
        seen = spread(self.visible, x)[:, 0]  # (B, H, W)
        values = x.permute(0, 2, 3, 1)[seen]  # (n, C)
        normal = super().forward(values.T[None, :, :, None])[0, :, :, 0].T
        out = torch.zeros_like(x.permute(0, 2, 3, 1), dtype=normal.dtype)
        out[seen] = normal
        return out.permute(0, 3, 1, 2)


def spread(visible: Tensor, like: Tensor) -> Tensor:
    """Return (B, 1, H, W) bool of a coarser (B, 1, h, w), for a map (B, C, H, W)."""
    factor = like.shape[-1] // visible.shape[-1]
    return visible.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def _masked_forward(self: Any, x: Tensor) -> Tensor:
    out: Tensor = super(type(self), self).forward(x)
    return out if self.visible is None else out * spread(self.visible, out)


def make_sparse(backbone: nn.Module) -> list[Any]:
    """Make convolutions, poolings and batch norms of a backbone sparse, and return them.

    Their parameters, and so the keys of a checkpoint, stay. Each computes as before until its
    `visible` is set.
    """
    made: list[Any] = []
    for module in backbone.modules():
        kind = type(module)
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SparseNorm
        elif isinstance(module, nn.Conv2d | nn.MaxPool2d):
            layer = {'forward': _masked_forward, 'visible': None}
            module.__class__ = type(f'Sparse{kind.__name__}', (kind,), layer)
        else:
            continue
        made.append(module)
    return made


class Densify(BaseModule):
    """Fills the masked positions of one stage with a learnable token (section 3.3).

    Args:
        in_channels: of the stage.
        out_channels: of the decoder there.
        kernel_size: of the projection.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.norm = SparseNorm(in_channels)
        self.mask_token = nn.Parameter(torch.zeros(1, in_channels, 1, 1))
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)
        self.project = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """Return (B, out_channels, H, W) of (B, in_channels, H, W).

        Args:
            x: sparse map.
            visible: (B, 1, h, w) bool of the coarsest map.
        """
        self.norm.visible = visible
        normal = self.norm(x)
        filled = torch.where(spread(visible, x), normal, self.mask_token.to(normal.dtype))
        out: Tensor = self.project(filled)
        return out


@MODELS.register_module()
class SparK(MaskedAutoencoder):
    """Pre-train a convolutional backbone by reconstructing masked squares of a tile.

    A square is what one position of the coarsest map covers, 32 px.

    Args:
        backbone: config of a `ResNet`, `MobileNetV2` or `EfficientNetLite` with the four taps of a
            pyramid; its `bands` are reconstructed.
        data_preprocessor: a `TilePreprocessor` config with the same bands.
        masked_ratio: share of squares masked, in (0, 1); the paper's is .6.
        norm_target: as in `MaskedAutoencoder`.
        decoder_width: channels of the decoder at the coarsest map, halved at each of the others.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a ratio outside (0, 1), another backbone, or other taps.
    """

    patch_px = _STRIDE

    def __init__(
        self,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any],
        masked_ratio: float = 0.6,
        norm_target: bool = True,
        decoder_width: int = 256,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone, data_preprocessor, masked_ratio, norm_target, init_cfg)
        channels = _channels(self.backbone)
        self.sparse_layers = make_sparse(self.backbone)  # a list: no modules of a second name
        self.densify = nn.ModuleList(
            Densify(count, decoder_width // 2**index, 1 if index == 0 else 3)
            for index, count in enumerate(reversed(channels))
        )
        self.decoder = SparKLightDecoder(
            feature_dim=decoder_width, upsample_ratio=_STRIDE, norm_cfg={'type': 'BN'}
        )
        last = self.decoder.proj.in_channels
        self.decoder.proj = nn.Conv2d(last, len(self.backbone.bands), 1)  # MMPretrain has three

    def reconstruct(self, inputs: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Mask, encode what is visible, and decode.

        Arguments and returns as `MaskedAutoencoder.reconstruct`.
        """
        map_hw = self._map_hw(inputs)
        masked = self.choose(keys, map_hw[0] * map_hw[1]).to(inputs.device, non_blocking=True)
        visible = ~masked.view(-1, 1, *map_hw)
        maps = self._encode(inputs, visible)
        filled = [
            fill(each, visible) for fill, each in zip(self.densify, reversed(maps), strict=True)
        ]
        return patchify(self.decoder(filled), self.patch_px), masked

    def _encode(self, inputs: Tensor, visible: Tensor) -> tuple[Tensor, ...]:
        """Return the backbone's sparse maps, finest first."""
        for layer in self.sparse_layers:
            layer.visible = visible
        try:
            maps: tuple[Tensor, ...] = self.backbone(inputs * spread(visible, inputs))
        finally:
            for layer in self.sparse_layers:
                layer.visible = None
        return maps

    def _map_hw(self, inputs: Tensor) -> HW:
        height, width = inputs.shape[-2:]
        if height % self.patch_px or width % self.patch_px:
            raise ConfigError.mismatch(
                'tile size',
                f'be a multiple of {self.patch_px} px',
                (height, width),
                'the training pipeline',
                'Resize or crop the tiles to such a size',
            )
        return height // self.patch_px, width // self.patch_px


@torch.no_grad()
def _channels(backbone: Any) -> list[int]:
    """Return the channels of a backbone's four taps.

    Raises:
        ConfigError: another backbone, or other taps.
    """
    known = isinstance(backbone, _LOCAL)
    training, strides, channels = backbone.training, [], []
    if known:
        backbone.eval()  # MMPretrain's returns nothing
        maps = backbone(torch.zeros(1, len(backbone.bands), 64, 64))
        strides, channels = (
            [64 // each.shape[-1] for each in maps],
            [each.shape[1] for each in maps],
        )
        backbone.train(training)
    if strides != [4, 8, 16, 32]:
        raise ConfigError.mismatch(
            'backbone',
            f'be one of {[kind.__name__ for kind in _LOCAL]} with taps of strides 4, 8, 16 and 32',
            f'{type(backbone).__name__} with out_indices={getattr(backbone, "out_indices", None)}',
            'model.backbone',
            'Take that of a detector, such as ResNet with out_indices=(0, 1, 2, 3)',
        )
    return channels
