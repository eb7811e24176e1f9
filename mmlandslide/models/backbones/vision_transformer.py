"""Plain vision transformers over named bands, for tiles of any size and for feature pyramids."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models import backbones as host
from mmpretrain.models.utils import resize_pos_embed
from torch import nn

from mmlandslide.models.backbones.band_backbone import BandBackbone, init_linear
from mmlandslide.registry import MODELS


class PlainTransformer(host.VisionTransformer):
    """MMPretrain's ViT (Dosovitskiy et al. 2021) for tiles of any size, or a subset of tokens.

    A map of 256 px has 256 tokens of 16 px, so every block attends to all of them: the windows of
    ViTDet (Li et al. 2022, arXiv 2203.16527), which cut maps of 4096 tokens, would save nothing.

    Args:
        patch_size: side of a patch as the stem sees it.
        stride: pixels of the tile that a token covers; the patch where `None`. Where it differs,
            each token's pixels are resized to a patch: CLIP's 14 px patches come out at a stride of
            16, of which a pyramid can be made (a tile of 256 px is seen at 224 px, the 16 x 16
            tokens of its pre-training); 16 px patches with a stride of 8 see a tile of 128 px at
            256 px. No token sees a pixel of another, as a masked autoencoder needs; where pixels
            are narrowed, as for CLIP, that is the same as resizing the tile.
        img_size: of the tiles that the position table is made for, after that resizing; of others
            it is interpolated.
        fixed_positions: take sine-cosine positions and do not train them, as MAE (He et al. 2021,
            section 3).
        kwargs: what MMPretrain's class takes.
    """

    def __init__(
        self,
        *,
        patch_size: int = 16,
        stride: int | None = None,
        fixed_positions: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(patch_size=patch_size, **kwargs)
        self.patch_px, self.stride = patch_size, stride or patch_size
        self.fixed_positions = fixed_positions
        if fixed_positions:
            self.pos_embed.requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise as MAE does (appendix A.1).

        Linear layers and the stem from Xavier's uniform distribution.
        """
        init_linear(self)
        super().init_weights()  # the host draws the position table anew
        nn.init.xavier_uniform_(self.patch_embed.projection.weight.view(self.embed_dims, -1))
        if self.cls_token is not None:
            nn.init.normal_(self.cls_token, std=0.02)
        if self.fixed_positions:
            table = sine_cosine(self.patch_resolution, self.embed_dims)
            self.pos_embed.data.copy_(F.pad(table, (0, 0, self.num_extra_tokens, 0)))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what `out_type` says of each block in `out_indices`.

        A map is (B, D, H / stride, W / stride), rounded up.

        Args:
            x: (B, C, H, W), normalised, so that zero is each band's mean; padded with it below and
                right to whole tokens.
        """
        return super().forward(whole_patches(x, self.patch_px, self.stride))

    def forward_visible(self, x: torch.Tensor, visible_index: torch.Tensor) -> torch.Tensor:
        """Return the tokens after the last block and norm, as if the visible ones were all.

        Args:
            x: (B, C, H, W), as `forward` takes it.
            visible_index: (B, V) int64, positions of the visible tokens, row by row of the map.

        Returns:
            (B, extra + V, D), the class token first where there is one, then the visible ones in
            the order of the index.
        """
        patches, extra = cut(x, self.stride), self.num_extra_tokens
        visible = take(patches.flatten(3).flatten(1, 2), visible_index).view(
            -1, *patches.shape[3:]
        )  # (B * V, C, stride, stride)
        tokens = self.patch_embed(zoomed(visible, self.patch_px))[0].view(
            *visible_index.shape, -1
        )  # (B, V, D)
        map_hw = (patches.shape[1], patches.shape[2])
        positions = resize_pos_embed(
            self.pos_embed, self.patch_resolution, map_hw, self.interpolate_mode, extra
        )
        tokens = tokens + take(positions[:, extra:].expand(len(x), -1, -1), visible_index)
        if self.cls_token is not None:
            first = self.cls_token + positions[:, :extra]
            tokens = torch.cat([first.expand(len(x), -1, -1).to(tokens.dtype), tokens], 1)
        tokens = self.pre_norm(self.drop_after_pos(tokens))
        for layer in self.layers:
            tokens = layer(tokens)
        return self.ln1(tokens) if self.final_norm else tokens


def whole_patches(x: torch.Tensor, patch_px: int, stride: int) -> torch.Tensor:
    """Return tiles zero-padded to whole tokens, each token's pixels resized to a patch.

    Args:
        x: (B, C, H, W), normalised, so that zero is each band's mean.
        patch_px: side of a patch.
        stride: pixels of the tile that a token covers.

    Returns:
        (B, C, h * patch, w * patch).
    """
    patches = cut(x, stride)  # (B, h, w, C, stride, stride)
    seen = zoomed(patches.flatten(0, 2), patch_px).view(*patches.shape[:4], patch_px, patch_px)
    return seen.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def cut(x: torch.Tensor, stride: int) -> torch.Tensor:
    """Return pixels by token, (B, h, w, C, stride, stride), of zero-padded tiles (B, C, H, W)."""
    bottom, right = (-side % stride for side in x.shape[2:])
    x = F.pad(x, (0, right, 0, bottom)) if bottom or right else x
    rows, columns = x.shape[2] // stride, x.shape[3] // stride
    grid = x.reshape(*x.shape[:2], rows, stride, columns, stride)  # (B, C, h, stride, w, stride)
    return grid.permute(0, 2, 4, 1, 3, 5)


def zoomed(patches: torch.Tensor, patch_px: int) -> torch.Tensor:
    """Return tokens' pixels (N, C, stride, stride) as the stem sees them, (N, C, patch, patch)."""
    if patches.shape[-1] == patch_px:
        return patches
    return F.interpolate(patches, (patch_px, patch_px), mode='bilinear', align_corners=False)


def take(tokens: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return the tokens (B, V, D) at positions (B, V) of (B, L, D)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[2]))


def sine_cosine(map_hw: tuple[int, int], width: int) -> torch.Tensor:
    """Return fixed positions (1, h * w, width) of a map, row by row.

    Half of the channels tell the column and half the row, each by sines and then cosines of `width
    / 4` frequencies from 1 to nearly 1 / 10000 (Vaswani et al. 2017, section 3.5, for two axes).
    MMPretrain's own lays out the tokens of a map that is not square column by column.

    Args:
        map_hw: tokens down and across.
        width: channels, a multiple of four.
    """
    frequencies = 10000.0 ** -(torch.arange(width // 4) / (width // 4))
    rows, columns = (torch.arange(side)[:, None] * frequencies for side in map_hw)
    rows, columns = (
        torch.cat([angles.sin(), angles.cos()], 1) for angles in (rows, columns)
    )  # (side, width / 2)
    return torch.cat(
        [columns.expand(map_hw[0], -1, -1), rows[:, None].expand(-1, map_hw[1], -1)], 2
    ).flatten(0, 1)[None]


@MODELS.register_module()
class VisionTransformer(BandBackbone, PlainTransformer):
    """ViT over named bands."""

    stem_name = 'patch_embed.projection.weight'
    new_by_design = ('ln2.',)
