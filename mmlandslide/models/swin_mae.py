"""Swin-MAE: masked autoencoding with a Swin encoder (Xu et al. 2023, arXiv 2212.13805), for any number of bands.

Written from the paper. Units of `unit_px` pixels are masked whole; their tokens are replaced in place by one learnable token,
so the encoder keeps its dense maps; the decoder is Swin blocks with patch expanding and no skips; the loss is the mean squared
error of the masked pixels alone.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule, ModuleList
from mmengine.model.weight_init import trunc_normal_
from mmpretrain.models.backbones.swin_transformer import SwinBlockSequence
from mmpretrain.models.selfsup.base import BaseSelfSupervisor
from torch import nn

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones import init_linear
from mmlandslide.models.masking import masked_units, to_tokens
from mmlandslide.models.window_attention import replace_attention
from mmlandslide.registry import MODELS

HW = tuple[int, int]


class PatchExpanding(BaseModule):
    """Double a map's height and width and halve its channels: a linear layer to 2 C, then channels to a 2 x 2 block.

    Args:
        in_channels: C of the map.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.expansion = nn.Linear(in_channels, 2 * in_channels, bias=False)
        self.norm = nn.LayerNorm(in_channels // 2)

    def init_weights(self) -> None:
        """Give the four tokens that come of one the same start (ICNR, Aitken et al. 2017, arXiv 1707.02937).

        The untrained decoder is then a nearest-neighbour enlargement, from which one linear layer reads what the encoder knows;
        with four unrelated projections a place it must first learn to undo them.
        """
        weight = self.expansion.weight
        child = nn.init.xavier_uniform_(weight.new_empty(weight.shape[0] // 4, weight.shape[1]))
        with torch.no_grad():
            weight.copy_(child.repeat(4, 1))
        super().init_weights()

    def forward(self, tokens: torch.Tensor, map_hw: HW) -> tuple[torch.Tensor, HW]:
        """Return (B, 4 L, C / 2) and the new map's height and width, from (B, L, C)."""
        height, width = map_hw
        grid = self.expansion(tokens).view(len(tokens), height, width, 2, 2, -1)  # (B, H, W, 2, 2, C / 2)
        grid = grid.permute(0, 1, 3, 2, 4, 5).reshape(len(tokens), 4 * height * width, -1)
        return self.norm(grid), (2 * height, 2 * width)


@MODELS.register_module()
class SwinMAEDecoder(BaseModule):
    """Patch expanding and Swin blocks from the last stage's map to the patches of the first.

    Args:
        in_channels: of the last stage's map, 8 C for an embedding of C.
        num_heads: of the blocks after each expanding; its length is the number of expandings.
        patch_values: values of one patch, patch height x width x bands.
        depth: blocks after each expanding.
        window_size: of the blocks, in tokens.
    """

    def __init__(self, in_channels: int, num_heads: Sequence[int], patch_values: int, depth: int = 2, window_size: int = 8) -> None:
        super().__init__()
        self.expandings, self.stages = ModuleList(), ModuleList()  # mmengine's, whose init_weights reaches the blocks
        for index, heads in enumerate(num_heads):
            self.expandings.append(PatchExpanding(in_channels >> index))
            self.stages.append(SwinBlockSequence(in_channels >> (index + 1), depth, heads, window_size))
        replace_attention(self.stages)
        out_channels = in_channels >> len(num_heads)
        self.norm = nn.LayerNorm(out_channels)
        self.to_pixels = nn.Linear(out_channels, patch_values)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return predicted patches (B, L, patch_values) from the last stage's map (B, 8 C, h, w)."""
        map_hw: HW = (features.shape[2], features.shape[3])
        tokens = features.flatten(2).transpose(1, 2)  # (B, h * w, 8 C)
        for expanding, stage in zip(self.expandings, self.stages, strict=True):
            tokens, map_hw = expanding(tokens, map_hw)
            tokens, map_hw = stage(tokens, map_hw)
        return self.to_pixels(self.norm(tokens))


@MODELS.register_module()
class SwinMAE(BaseSelfSupervisor):
    """Pre-train a Swin backbone by reconstructing masked units of a tile.

    Args:
        backbone: a `SwinTransformer` config with `out_indices=(3,)`; its `bands` are reconstructed.
        data_preprocessor: a `TilePreprocessor` config with the same bands.
        unit_px: side of a masked unit; a multiple of the patch, 16 px in the paper.
        masked_ratio: share of units masked, in (0, 1).
        norm_target: whether each patch's target is brought to mean 0 and variance 1 over its pixels and bands (He et al.
            2021, section 4.1).
        decoder_depth: Swin blocks after each patch expanding.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a unit that is no multiple of the patch, or a ratio outside (0, 1).
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any],
        unit_px: int = 16,
        masked_ratio: float = 0.75,
        norm_target: bool = False,
        decoder_depth: int = 2,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone=backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        encoder = self.backbone
        self.patch_px: int = encoder.patch_embed.projection.stride[0]
        if unit_px % self.patch_px or unit_px < self.patch_px:
            raise ConfigError.mismatch(
                'unit_px', f'be a multiple of the patch ({self.patch_px} px)', unit_px, 'model.unit_px', 'Choose such a multiple'
            )
        if not 0 < masked_ratio < 1:
            raise ConfigError.mismatch('masked_ratio', 'lie between 0 and 1', masked_ratio, 'model.masked_ratio', 'Take .75')
        self.unit_px, self.masked_ratio, self.norm_target = unit_px, masked_ratio, norm_target
        self.mask_token = nn.Parameter(torch.zeros(1, 1, encoder.embed_dims))
        self.decoder = SwinMAEDecoder(
            in_channels=encoder.num_features[-1],
            num_heads=tuple(reversed(encoder.num_heads[:-1])),
            patch_values=self.patch_px**2 * len(encoder.bands),
            depth=decoder_depth,
            window_size=encoder.stages[0].blocks[0].attn.window_size,
        )

    def init_weights(self) -> None:
        """Initialise the decoder's linear layers as the encoder's, the mask token from a truncated normal, then the backbone."""
        init_linear(self.decoder)
        trunc_normal_(self.mask_token, std=0.02)
        super().init_weights()

    def masked_tokens(self, inputs: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """Choose the masked tokens of each tile by its key.

        Args:
            inputs: (B, C, H, W), for its size.
            keys: (B,) int64, one a tile.

        Returns:
            (B, L) bool over the patches, True = masked.

        Raises:
            ConfigError: the tile is no multiple of the unit or of the encoder's stride, or the ratio masks none or all of its
                units.
        """
        stride = self.patch_px * 2 ** (len(self.backbone.stages) - 1)
        for side in inputs.shape[-2:]:
            if side % self.unit_px or side % stride:
                raise ConfigError.mismatch(
                    'tile size',
                    f'be a multiple of the masked unit ({self.unit_px} px) and of the encoder stride ({stride} px)',
                    tuple(inputs.shape[-2:]),
                    'the training pipeline',
                    'Resize or crop the tiles to such a size',
                )
        grid = (inputs.shape[2] // self.unit_px, inputs.shape[3] // self.unit_px)
        num_units = grid[0] * grid[1]
        if not 0 < round(self.masked_ratio * num_units) < num_units:
            raise ConfigError.mismatch(
                'masked_ratio', f'mask some and not all of the {num_units} units of a tile', self.masked_ratio, 'model', 'Take .75'
            )
        units = masked_units(keys, num_units, self.masked_ratio)
        return to_tokens(units, grid, self.unit_px // self.patch_px)

    def reconstruct(self, inputs: torch.Tensor, keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask, encode and decode.

        Args:
            inputs: (B, C, H, W), normalised by band.
            keys: (B,) int64, one a tile.

        Returns:
            Predicted patches (B, L, values) and the masked tokens (B, L) bool, True = masked.
        """
        masked = self.masked_tokens(inputs, keys)
        features = self.backbone(inputs, masked=masked, mask_token=self.mask_token)[-1]
        return self.decoder(features), masked

    def target(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what each patch is compared with, (B, L, values), from normalised tiles."""
        patches = patchify(inputs, self.patch_px)
        if self.norm_target:
            mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
            patches = (patches - mean) / (variance + 1e-6).sqrt()
        return patches

    def loss(self, inputs: torch.Tensor, data_samples: Sequence[Any], **_: Any) -> dict[str, torch.Tensor]:
        """Return the mean squared error over the masked patches, and beside it the target's variance there.

        `target_variance` is what a model would score that predicts each band's mean: a loss that stays there has learnt
        nothing (`VarianceHook` warns).
        """
        keys = torch.tensor([sample.sample_key for sample in data_samples], device=inputs.device)
        predicted, masked = self.reconstruct(inputs, keys)
        wanted = self.target(inputs)[masked]  # (masked, values)
        error = (predicted[masked] - wanted).square().mean()
        by_band = wanted.view(len(wanted), -1, inputs.shape[1]).detach()
        return {'loss': error, 'target_variance': by_band.var((0, 1), correction=0).mean()}

    @torch.no_grad()
    def panels(self, inputs: torch.Tensor, data_samples: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Return pictures of what is learnt, each (B, C, H, W) in stored units.

        Returns:
            `original`; `masked`, NaN where the encoder did not look; `reconstruction`, the prediction in masked patches and the
            original elsewhere. With `norm_target` a prediction is given its true patch's mean and variance back, which the
            model does not predict.
        """
        keys = torch.tensor([sample.sample_key for sample in data_samples], device=inputs.device)
        predicted, masked = self.reconstruct(inputs, keys)
        patches = patchify(inputs, self.patch_px)
        if self.norm_target:
            predicted = predicted * (patches.var(-1, keepdim=True) + 1e-6).sqrt() + patches.mean(-1, keepdim=True)
        hidden = patches.masked_fill(masked[..., None], float('nan'))
        mixed = torch.where(masked[..., None], predicted, patches)
        size = (inputs.shape[2], inputs.shape[3])
        restore = self.data_preprocessor.denormalise
        return {
            'original': restore(inputs),
            'masked': restore(unpatchify(hidden, self.patch_px, size)),
            'reconstruction': restore(unpatchify(mixed, self.patch_px, size)),
        }


def patchify(images: torch.Tensor, patch_px: int) -> torch.Tensor:
    """Cut images into patches.

    Args:
        images: (B, C, H, W), H and W multiples of the patch.
        patch_px: side of a patch.

    Returns:
        (B, H / p * W / p, p * p * C), values row by row, bands last.
    """
    batch, bands, height, width = images.shape
    grid = images.view(batch, bands, height // patch_px, patch_px, width // patch_px, patch_px)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, patch_px**2 * bands)


def unpatchify(patches: torch.Tensor, patch_px: int, size_hw: HW) -> torch.Tensor:
    """Put patches back: the inverse of `patchify`.

    Args:
        patches: (B, L, p * p * C).
        patch_px: side of a patch.
        size_hw: height and width of the images.

    Returns:
        (B, C, H, W).
    """
    rows, columns = size_hw[0] // patch_px, size_hw[1] // patch_px
    grid = patches.view(len(patches), rows, columns, patch_px, patch_px, -1)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, *size_hw)
