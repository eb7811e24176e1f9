"""Plain vision transformers over named bands, for tiles of any size and for strides of which a feature pyramid can be made."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models import backbones as host
from mmpretrain.models.utils import build_2d_sincos_position_embedding, resize_pos_embed
from torch import nn

from mmlandslide.models.backbones import BandBackbone, init_linear
from mmlandslide.registry import MODELS


class PlainTransformer(host.VisionTransformer):
    """MMPretrain's ViT (Dosovitskiy et al. 2021) for tiles of any size, and for a part of their tokens.

    A map of 256 px has 256 tokens of 16 px, so every block attends to all of them: the windows of ViTDet (Li et al. 2022, arXiv
    2203.16527), which cut maps of 4096 tokens, would save nothing.

    Args:
        patch_size: side of a patch as the stem sees it.
        stride: pixels of the tile that a token covers; the patch where `None`. Where it differs, tiles are resized by patch /
            stride: CLIP's 14 px patches come out at a stride of 16, of which a pyramid can be made (a tile of 256 px is seen at
            224 px, the 16 x 16 tokens of its pre-training); 16 px patches with a stride of 8 see a tile of 128 px at 256 px.
        img_size: of the tiles that the position table is made for, after that resizing; of others it is interpolated.
        fixed_positions: take sine-cosine positions and do not train them, as MAE (He et al. 2021, section 3).
        kwargs: what MMPretrain's class takes.
    """

    def __init__(self, *, patch_size: int = 16, stride: int | None = None, fixed_positions: bool = False, **kwargs: Any) -> None:
        super().__init__(patch_size=patch_size, **kwargs)
        self.patch_px, self.stride = patch_size, stride or patch_size
        self.fixed_positions = fixed_positions
        if fixed_positions:
            self.pos_embed.requires_grad_(False)

    def init_weights(self) -> None:
        """Initialise as MAE does (appendix A.1): linear layers and the stem from Xavier's uniform distribution."""
        init_linear(self)
        super().init_weights()  # the host draws the position table anew
        nn.init.xavier_uniform_(self.patch_embed.projection.weight.view(self.embed_dims, -1))
        if self.cls_token is not None:
            nn.init.normal_(self.cls_token, std=0.02)
        if self.fixed_positions:
            with_cls_token = self.num_extra_tokens > 0
            table = build_2d_sincos_position_embedding(self.patch_resolution, self.embed_dims, cls_token=with_cls_token)
            self.pos_embed.data.copy_(table)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what `out_type` says of each block in `out_indices`; a map is (B, D, H / stride, W / stride), rounded up.

        Args:
            x: (B, C, H, W), normalised.
        """
        return super().forward(self.whole_patches(x))

    def forward_visible(self, x: torch.Tensor, visible_index: torch.Tensor) -> torch.Tensor:
        """Return the tokens after the last block and its norm, as if the tile had the visible ones alone.

        Args:
            x: (B, C, H, W), normalised.
            visible_index: (B, V) int64, positions of the visible tokens, row by row of the map.

        Returns:
            (B, extra + V, D), the class token first where there is one, then the visible ones in the order of the index.
        """
        tokens, map_hw = self.patch_embed(self.whole_patches(x))  # (B, L, D)
        extra = self.num_extra_tokens
        positions = resize_pos_embed(self.pos_embed, self.patch_resolution, map_hw, self.interpolate_mode, extra)
        tokens = take(tokens + positions[:, extra:], visible_index)  # (B, V, D)
        if self.cls_token is not None:
            first = self.cls_token + positions[:, :extra]
            tokens = torch.cat([first.expand(len(x), -1, -1).to(tokens.dtype), tokens], 1)
        tokens = self.pre_norm(self.drop_after_pos(tokens))
        for layer in self.layers:
            tokens = layer(tokens)
        return self.ln1(tokens) if self.final_norm else tokens

    def whole_patches(self, x: torch.Tensor) -> torch.Tensor:
        """Return tiles of whole patches, of which each covers `stride` pixels, see `whole_patches`."""
        return whole_patches(x, self.patch_px, self.stride)


def whole_patches(x: torch.Tensor, patch_px: int, stride: int) -> torch.Tensor:
    """Return tiles padded to whole tokens, zeros below and right, and resized so that a patch covers `stride` pixels.

    Args:
        x: (B, C, H, W), normalised, so that zero is each band's mean.
        patch_px: side of a patch as the stem sees it.
        stride: pixels of the tile that a token covers.

    Returns:
        (B, C, h * patch, w * patch).
    """
    bottom, right = (-side % stride for side in x.shape[2:])
    x = F.pad(x, (0, right, 0, bottom)) if bottom or right else x
    if stride == patch_px:
        return x
    size_hw = [side // stride * patch_px for side in x.shape[2:]]
    return F.interpolate(x, size_hw, mode='bilinear', align_corners=False)


def take(tokens: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return the tokens (B, V, D) at positions (B, V) of (B, L, D)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[2]))


@MODELS.register_module()
class VisionTransformer(BandBackbone, PlainTransformer):
    """ViT over named bands."""

    stem_name = 'patch_embed.projection.weight'
    new_by_design = ('ln2.',)
