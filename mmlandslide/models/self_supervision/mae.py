"""MAE: masked autoencoding with a plain ViT (He et al. 2021, arXiv 2111.06377), for any bands.

Written from the paper. The encoder computes the visible tokens alone; a light decoder sees them in
their places among copies of one learnable token and predicts the pixels of every patch.
"""

from typing import Any

import torch
from mmengine.model import BaseModule, ModuleList
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch import nn

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.band_backbone import init_linear
from mmlandslide.models.backbones.vision_transformer import VisionTransformer, sine_cosine
from mmlandslide.models.self_supervision.masked_autoencoder import HW, MaskedAutoencoder
from mmlandslide.registry import MODELS


@MODELS.register_module()
class MAEDecoder(BaseModule):
    """Transformer blocks over all patches, then a linear layer to their pixels (section 3).

    Its sine-cosine positions are computed, not kept, so that it takes maps of any size.

    Args:
        in_channels: D of the encoder's tokens.
        patch_values: values of one patch, height x width x bands.
        width: channels of the blocks, a multiple of four and of the heads.
        depth: number of blocks.
        num_heads: of the attention.
    """

    def __init__(
        self,
        in_channels: int,
        patch_values: int,
        width: int = 512,
        depth: int = 8,
        num_heads: int = 16,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(in_channels, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.layers = ModuleList(
            TransformerEncoderLayer(width, num_heads, 4 * width) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.to_pixels = nn.Linear(width, patch_values)

    def init_weights(self) -> None:
        """Initialise linear layers (Xavier, uniform) and the mask token as the paper's A.1."""
        init_linear(self)
        nn.init.normal_(self.mask_token, std=0.02)
        super().init_weights()

    def forward(
        self, visible: torch.Tensor, visible_index: torch.Tensor, map_hw: HW
    ) -> torch.Tensor:
        """Return predicted patches (B, L, patch_values).

        Args:
            visible: (B, 1 + V, D), the class token first.
            visible_index: (B, V) int64, positions of the others in the map.
            map_hw: patches down and across, L = h * w.
        """
        embedded = self.embed(visible)  # (B, 1 + V, width)
        batch, width = len(embedded), embedded.shape[2]
        tokens = self.mask_token.to(embedded.dtype).expand(batch, map_hw[0] * map_hw[1], width)
        tokens = tokens.scatter(1, visible_index[..., None].expand(-1, -1, width), embedded[:, 1:])
        tokens = torch.cat(
            [embedded[:, :1], tokens + sine_cosine(map_hw, width).to(tokens)], 1
        )  # (B, 1 + L, width)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.to_pixels(self.norm(tokens[:, 1:]))


@MODELS.register_module()
class MAE(MaskedAutoencoder):
    """Pre-train a plain vision transformer by reconstructing masked patches of a tile.

    A masked patch is what one token covers, `backbone.stride` pixels of the tile: with 16 px
    patches and a stride of 8 the encoder sees tiles of 128 px at 256 px, while the target stays in
    the tile's own pixels.

    Args:
        backbone: a `VisionTransformer` config with its class token; its `bands` are reconstructed.
        data_preprocessor: a `TilePreprocessor` config with the same bands.
        masked_ratio: share of patches masked, in (0, 1).
        norm_target: whether each patch's target is brought to mean 0 and variance 1 over its pixels
            and bands (section 4.1).
        decoder_width: channels of the decoder.
        decoder_depth: blocks of the decoder.
        decoder_heads: of the decoder's attention.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a ratio outside (0, 1), or a backbone that is no plain ViT, has no class token,
            or has a norm after pooling.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any],
        masked_ratio: float = 0.75,
        norm_target: bool = False,
        decoder_width: int = 512,
        decoder_depth: int = 8,
        decoder_heads: int = 16,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone, data_preprocessor, masked_ratio, norm_target, init_cfg)
        encoder = self.backbone
        if (
            not isinstance(encoder, VisionTransformer) or encoder.out_type == 'avg_featmap'
        ):  # its second norm would never learn
            got = f'{type(encoder).__name__} with out_type={getattr(encoder, "out_type", None)!r}'
            remedy = "Take a VisionTransformer with out_type='featmap'"
            raise ConfigError.mismatch(
                'backbone',
                'be an mmlandslide VisionTransformer without a norm after pooling',
                got,
                'model.backbone',
                remedy,
            )
        if encoder.cls_token is None:
            raise ConfigError.mismatch(
                'backbone',
                'have a class token',
                'none',
                'model.backbone.with_cls_token',
                'Leave it on',
            )
        self.patch_px = encoder.stride
        values = self.patch_px**2 * len(encoder.bands)
        self.decoder = MAEDecoder(
            encoder.embed_dims, values, decoder_width, decoder_depth, decoder_heads
        )

    def masked_patches(self, inputs: torch.Tensor, keys: torch.Tensor) -> tuple[torch.Tensor, HW]:
        """Choose the masked patches of each tile by its key.

        Args:
            inputs: (B, C, H, W), for its size.
            keys: (B,) int64, one per tile.

        Returns:
            (B, h * w) bool, True = masked, where the keys are, and the map's (h, w).

        Raises:
            ConfigError: the tile is no multiple of the patch, or the ratio masks none or all of its
                patches.
        """
        if any(side % self.patch_px for side in inputs.shape[-2:]):
            raise ConfigError.mismatch(
                'tile size',
                f'be a multiple of the patch ({self.patch_px} px)',
                tuple(inputs.shape[-2:]),
                'the training pipeline',
                'Resize or crop the tiles to such a size, or choose another model.backbone.stride',
            )
        map_hw = (inputs.shape[2] // self.patch_px, inputs.shape[3] // self.patch_px)
        return self.choose(keys, map_hw[0] * map_hw[1]), map_hw

    def reconstruct(
        self, inputs: torch.Tensor, keys: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask, encode what is visible, and decode.

        Arguments and returns as `MaskedAutoencoder.reconstruct`.
        """
        masked, map_hw = self.masked_patches(inputs, keys)
        visible_index = visible_of(masked).to(inputs.device, non_blocking=True)
        visible = self.backbone.forward_visible(inputs, visible_index)
        return self.decoder(visible, visible_index, map_hw), masked.to(
            inputs.device, non_blocking=True
        )


def visible_of(masked: torch.Tensor) -> torch.Tensor:
    """Return visible patches' positions in order, (B, V) int64, of (B, L) bool, True = masked."""
    num_visible = masked.shape[1] - int(masked[0].sum())
    return masked.to(torch.uint8).argsort(dim=1, stable=True)[:, :num_visible]
