"""Swin-MAE: masked autoencoding with a Swin encoder (Xu et al. 2023, arXiv 2212.13805).

Written from the paper. Units of `unit_px` pixels are masked whole; the decoder is Swin blocks with
patch expanding and no skips; the loss is the mean squared error of the masked pixels alone. The
encoder has two forms. `all`, the paper's: masked tokens are replaced in place by one learnable
token and computed like any other. `visible`: visible tokens alone are computed until a token is a
unit (see `SwinTransformer.forward_visible`), at a fraction of the cost
(tools/benchmark/swin_mae_time.py).
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule, ModuleList
from mmengine.model.weight_init import trunc_normal_
from mmpretrain.models.backbones.swin_transformer import SwinBlockSequence
from torch import nn

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.band_backbone import init_linear
from mmlandslide.models.backbones.swin_transformer import SwinTransformer
from mmlandslide.models.backbones.visible_tokens import VisibleUnits
from mmlandslide.models.backbones.window_attention import replace_attention
from mmlandslide.models.self_supervision.masked_autoencoder import (
    HW,
    MaskedAutoencoder,
    patchify,
    unpatchify,
)
from mmlandslide.models.self_supervision.masking import to_tokens
from mmlandslide.registry import MODELS

#: What the encoder computes of a masked tile.
ENCODERS = ('all', 'visible')


class PatchExpanding(BaseModule):
    """Double a map's height and width and halve its channels.

    A linear layer to 2 C, then channels to a 2 x 2 block.

    Args:
        in_channels: C of the map.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.expansion = nn.Linear(in_channels, 2 * in_channels, bias=False)
        self.norm = nn.LayerNorm(in_channels // 2)

    def init_weights(self) -> None:
        """Give the four tokens made of one the same start (ICNR, Aitken et al. 2017, 1707.02937).

        The untrained decoder is then a nearest-neighbour enlargement, from which one linear layer
        reads what the encoder knows; with four unrelated projections a place it must first learn to
        undo them.
        """
        weight = self.expansion.weight
        child = nn.init.xavier_uniform_(weight.new_empty(weight.shape[0] // 4, weight.shape[1]))
        with torch.no_grad():
            weight.copy_(child.repeat(4, 1))
        super().init_weights()

    def forward(self, tokens: torch.Tensor, map_hw: HW) -> tuple[torch.Tensor, HW]:
        """Return (B, 4 L, C / 2) and the new map's height and width, from (B, L, C)."""
        height, width = map_hw
        grid = self.expansion(tokens).view(
            len(tokens), height, width, 2, 2, -1
        )  # (B, H, W, 2, 2, C / 2)
        grid = grid.permute(0, 1, 3, 2, 4, 5).reshape(len(tokens), 4 * height * width, -1)
        return self.norm(grid), (2 * height, 2 * width)


@MODELS.register_module()
class SwinMAEDecoder(BaseModule):
    """Patch expanding and Swin blocks from the last stage's map, then a linear layer to pixels.

    With an expanding for each merging of the encoder it ends at the encoder's patches, as in the
    paper. With fewer it is light: one ends at the units of 16 px, none is SimMIM's single layer
    (Xie et al. 2022, arXiv 2111.09886).

    Args:
        in_channels: of the last stage's map, 8 C for an embedding of C.
        num_heads: of the blocks after each expanding; its length is the number of expandings.
        patch_values: values of one patch at the end, patch height x width x bands.
        depth: blocks after each expanding.
        window_size: of the blocks, in tokens.
    """

    def __init__(
        self,
        in_channels: int,
        num_heads: Sequence[int],
        patch_values: int,
        depth: int = 2,
        window_size: int = 8,
    ) -> None:
        super().__init__()
        self.expandings, self.stages = (
            ModuleList(),
            ModuleList(),
        )  # mmengine's, whose init_weights reaches the blocks
        for index, heads in enumerate(num_heads):
            self.expandings.append(PatchExpanding(in_channels >> index))
            self.stages.append(
                SwinBlockSequence(in_channels >> (index + 1), depth, heads, window_size)
            )
        replace_attention(self.stages)
        out_channels = in_channels >> len(num_heads)
        self.norm = nn.LayerNorm(out_channels)
        self.to_pixels = nn.Linear(out_channels, patch_values)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return predicted patches (B, L, patch_values) of the last stage's map (B, 8 C, h, w)."""
        map_hw: HW = (features.shape[2], features.shape[3])
        tokens = features.flatten(2).transpose(1, 2)  # (B, h * w, 8 C)
        for expanding, stage in zip(self.expandings, self.stages, strict=True):
            tokens, map_hw = expanding(tokens, map_hw)
            tokens, map_hw = stage(tokens, map_hw)
        return self.to_pixels(self.norm(tokens))


@MODELS.register_module()
class SwinMAE(MaskedAutoencoder):
    """Pre-train a Swin backbone by reconstructing masked units of a tile.

    Args:
        backbone: a `SwinTransformer` config with `out_indices=(3,)`; its `bands` are reconstructed.
        data_preprocessor: a `TilePreprocessor` config with the same bands.
        unit_px: side of a masked unit; a multiple of the patch, 16 px in the paper.
        masked_ratio: share of units masked, in (0, 1).
        norm_target: whether each patch's target is brought to mean 0 and variance 1 over its pixels
            and bands (He et al. 2021, section 4.1).
        encoder: `all` tokens, or `visible` ones alone.
        decoder_depth: Swin blocks after each patch expanding.
        decoder_expandings: of the decoder, at most one for each merging of the encoder; `None` for
            as many.
        init_cfg: mmengine's.

    Raises:
        ConfigError: a backbone that is no Swin or taps other stages than the last alone; a unit
            that is no multiple of the patch, and for visible tokens no power of two of them; a
            ratio outside (0, 1); no such encoder; more expandings than there are mergings.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any],
        unit_px: int = 16,
        masked_ratio: float = 0.75,
        norm_target: bool = False,
        encoder: str = 'all',
        decoder_depth: int = 2,
        decoder_expandings: int | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(backbone, data_preprocessor, masked_ratio, norm_target, init_cfg)
        swin = _require_swin(self.backbone)
        mergings = len(swin.stages) - 1
        self.patch_px: int = swin.patch_embed.projection.stride[0]
        self.unit_px, self.encoder = unit_px, encoder
        expandings = mergings if decoder_expandings is None else decoder_expandings
        self._check(mergings, expandings)
        # The token stands for masked ones where they are filled in: before the first stage, or
        # where a token is a unit.
        stage = 0 if encoder == 'all' else (unit_px // self.patch_px).bit_length() - 1
        self.mask_token = nn.Parameter(torch.zeros(1, 1, swin.num_features[stage]))
        self.decoded_px = self.patch_px << (mergings - expandings)
        self.decoder = SwinMAEDecoder(
            in_channels=swin.num_features[-1],
            num_heads=tuple(reversed(swin.num_heads[:-1]))[:expandings],
            patch_values=self.decoded_px**2 * len(swin.bands),
            depth=decoder_depth,
            window_size=swin.stages[0].blocks[0].attn.window_size,
        )

    def _check(self, mergings: int, expandings: int) -> None:
        """Refuse what cannot be."""
        unit_tokens, patch, most = self.unit_px / self.patch_px, f'{self.patch_px} px', 2**mergings
        if unit_tokens < 1 or unit_tokens % 1:
            raise _fault('unit_px', f'be a multiple of the patch ({patch})', self.unit_px)
        if self.encoder not in ENCODERS:
            raise _fault('encoder', f'be one of {ENCODERS}', repr(self.encoder))
        if self.encoder == 'visible' and unit_tokens not in [
            2**stage for stage in range(mergings + 1)
        ]:
            raise _fault(
                'unit_px',
                f'be {patch} times a power of two up to {most} where visible tokens are encoded',
                self.unit_px,
            )
        if not 0 <= expandings <= mergings:
            raise _fault('decoder_expandings', f'lie between 0 and {mergings}', expandings)

    def init_weights(self) -> None:
        """Initialise decoder layers as the encoder's, the mask token, then the backbone."""
        init_linear(self.decoder)
        trunc_normal_(self.mask_token, std=0.02)
        super().init_weights()

    def masked_units(self, inputs: torch.Tensor, keys: torch.Tensor) -> tuple[torch.Tensor, HW]:
        """Choose the masked units of each tile by its key.

        Args:
            inputs: (B, C, H, W), for its size.
            keys: (B,) int64, one per tile.

        Returns:
            (B, h * w) bool, True = masked, where the keys are, and the units' (h, w).

        Raises:
            ConfigError: the tile is no multiple of the unit or of the encoder's stride, or the
                ratio masks none or all of its units.
        """
        stride = self.patch_px * 2 ** (len(self.backbone.stages) - 1)
        for side in inputs.shape[-2:]:
            if side % self.unit_px or side % stride:
                raise ConfigError.mismatch(
                    'tile size',
                    f'be a multiple of the masked unit ({self.unit_px} px) '
                    f'and of the encoder stride ({stride} px)',
                    tuple(inputs.shape[-2:]),
                    'the training pipeline',
                    'Resize or crop the tiles to such a size',
                )
        grid_hw = (inputs.shape[2] // self.unit_px, inputs.shape[3] // self.unit_px)
        return self.choose(keys, grid_hw[0] * grid_hw[1]), grid_hw

    def masked_tokens(self, inputs: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        """Return the same over the patches, (B, L) bool, True = masked."""
        units, grid_hw = self.masked_units(inputs, keys)
        return to_tokens(units, grid_hw, self.unit_px // self.patch_px)

    def reconstruct(
        self, inputs: torch.Tensor, keys: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask, encode and decode.

        Args:
            inputs: (B, C, H, W), normalised by band.
            keys: (B,) int64, one per tile, on the CPU: there the masks are drawn, so that a GPU is
                never waited for.

        Returns:
            Predicted patches (B, L, values) and the masked tokens (B, L) bool, True = masked.
        """
        units, grid_hw = self.masked_units(inputs, keys)
        masked = to_tokens(units, grid_hw, self.unit_px // self.patch_px).to(
            inputs.device, non_blocking=True
        )
        if self.encoder == 'visible':
            features = self.backbone.forward_visible(
                inputs, VisibleUnits.of(units, grid_hw), self.mask_token
            )[-1]
        else:
            features = self.backbone(inputs, masked=masked, mask_token=self.mask_token)[-1]
        predicted = self.decoder(features)
        if self.decoded_px != self.patch_px:
            predicted = patchify(
                unpatchify(predicted, self.decoded_px, (inputs.shape[2], inputs.shape[3])),
                self.patch_px,
            )
        return predicted, masked


def _require_swin(backbone: Any) -> SwinTransformer:
    """Return a backbone that this can train; the norm of any other tap would never learn."""
    expected, last = (
        'be an mmlandslide SwinTransformer that taps its last stage alone',
        len(getattr(backbone, 'stages', ())) - 1,
    )
    if not isinstance(backbone, SwinTransformer) or tuple(backbone.out_indices) != (last,):
        got = f'{type(backbone).__name__} with out_indices={getattr(backbone, "out_indices", None)}'
        remedy = 'Take a SwinTransformer, and leave out_indices out'
        raise ConfigError.mismatch('backbone', expected, got, 'model.backbone', remedy)
    return backbone


def _fault(argument: str, expected: str, got: object) -> Exception:
    """Return the error of an argument of the model."""
    return ConfigError.mismatch(
        argument, expected, got, f'model.{argument}', 'Change it in the config'
    )
