"""SatMAE's encoder.

A vision transformer whose tokens are of groups of bands (Cong et al. 2022, arXiv 2207.08051).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import PatchEmbed
from mmengine.model import ModuleDict
from mmengine.model.weight_init import trunc_normal_
from mmpretrain.models import backbones as host
from mmpretrain.models.utils import resize_pos_embed
from torch import nn

from mmlandslide import bands as band_table
from mmlandslide.errors import BandError, ConfigError
from mmlandslide.models.backbones.band_backbone import BandBackbone, init_linear
from mmlandslide.models.backbones.vision_transformer import whole_patches
from mmlandslide.registry import MODELS
from mmlandslide.weights.sources.vit_keys import PUBLISHED_GROUPS, prefix

FUSIONS = ('average', 'concatenate')


class GroupEmbed(PatchEmbed):
    """Patch embedding of one group of bands, with the code that marks the group's tokens.

    Args:
        channel_dims: width E of the code, `channel_embed` (1, 1, E).
        kwargs: what mmcv's `PatchEmbed` takes.
    """

    def __init__(self, channel_dims: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channel_embed = nn.Parameter(torch.zeros(1, 1, channel_dims))

    def init_weights(self) -> None:
        """Draw patches as MAE does (He et al. 2021, A.1), the code as MMPretrain's positions."""
        super().init_weights()
        nn.init.xavier_uniform_(self.projection.weight.view(self.embed_dims, -1))
        trunc_normal_(self.channel_embed, std=0.02)


@MODELS.register_module()
class SatMAEViT(BandBackbone, host.VisionTransformer):
    """ViT over groups of bands as SatMAE pre-trains it on fMoW-Sentinel (Cong et al. 2022).

    Each group has patches of its own; all groups' tokens of all positions attend to each other. To
    a token is added its position in the first D - E values and its group's code in the last E; the
    class token is of no group and has zeros there.

    SatMAE standardises Sentinel-2's digital numbers by its own statistics, band by band; ours do
    the same with Landslide4Sense's quotients. A factor a band cancels in that, so the weights find
    what they know, but for how the two data sets differ.

    A group that shares no band with a published one (such as slope and DEM) starts random, by
    design; one that shares some but is not the same has no published weights and is refused by the
    bridge. Bands that are in no group are not looked at.

    Args:
        groups: bands of each, as `bands.names` takes them, in any order: a group is known by its
            bands.
        substitutes: band of a group that the input lacks -> the band that stands in for it, or
            `None` for zeros, the band's mean, which drops its column. Landslide4Sense has no B8A:
            B8, its wide neighbour (833 and 865 nm), stands in.
        fuse: `average` the groups' tokens of a position, or `concatenate` them (channels D times
            groups).
        channel_dims: E.
        img_size: px of the input whose positions are learned; others are interpolated.
        patch_size: px, as the groups' stems see it.
        stride: px of the tile that a token covers; the patch where `None`. Where it differs, tiles
            are resized by patch / stride: 16 shows the encoder tiles of 128 px, enlarged to 256 px
            for the detector, at the 10 m that it was pre-trained at.
        out_type: `featmap`, or another of MMPretrain's `VisionTransformer`.
        kwargs: `bands` and `pretrained` as `BandBackbone`, the rest as MMPretrain's
            `VisionTransformer`.

    Raises:
        BandError: a group names no band or one twice, or the input lacks a band of a group and
            nothing stands in for it.
        ConfigError: no group, a group given twice, an unknown `fuse`, or codes that leave no room
            for positions.
    """

    #: No weight runs over all bands: each group's runs over its own, which its name states.
    stem_name: Any = None

    def __init__(
        self,
        *,
        groups: Sequence[Sequence[str]] = PUBLISHED_GROUPS,
        substitutes: Mapping[str, str | None] = MappingProxyType({'B8A': 'B8'}),
        fuse: str = 'average',
        channel_dims: int = 256,
        img_size: int = 96,
        patch_size: int = 8,
        stride: int | None = None,
        out_type: str = 'featmap',
        **kwargs: Any,
    ) -> None:
        super().__init__(img_size=img_size, patch_size=patch_size, out_type=out_type, **kwargs)
        self.groups = tuple(band_table.names(group) for group in groups)
        self.fuse, self.channel_dims = fuse, channel_dims
        self.patch_px, self.stride = patch_size, stride or patch_size
        self._check()
        #: Where each band of each group stands in the input; one past the last is a band of zeros.
        self.columns = [
            [self._column(name, substitutes) for name in group] for group in self.groups
        ]
        self.patch_embed = self._patches()
        places = self.num_extra_tokens + self.patch_resolution[0] * self.patch_resolution[1]
        self.pos_embed = nn.Parameter(torch.zeros(1, places, self.embed_dims - channel_dims))
        known = {name for group in PUBLISHED_GROUPS for name in group}
        self.new_by_design = (
            'ln2.',
            *(prefix(group) for group in self.groups if known.isdisjoint(group)),
        )
        if self.frozen_stages > 0:
            self._freeze_stages()

    def init_weights(self) -> None:
        """Initialise linear layers as `init_linear` does; the rest as `BandBackbone`."""
        init_linear(self)
        super().init_weights()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the features of the blocks named by `out_indices`.

        Args:
            x: (B, C, H, W), normalised.

        Returns:
            One a block: for `featmap` (B, D, H / stride, W / stride), rounded up, D times groups
            where they are concatenated.
        """
        tokens, map_hw = self.embed(x)
        outs = []
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens)
            if index == len(self.layers) - 1 and self.final_norm:
                tokens = self.ln1(tokens)
            if index in self.out_indices:
                outs.append(self._format_output(tokens, map_hw))
        return tuple(outs)

    def embed(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
        """Return tokens before the first block, (B, 1 + groups * L, D), and the map's (h, w)."""
        padded = F.pad(
            whole_patches(x, self.patch_px, self.stride), (0, 0, 0, 0, 0, 1)
        )  # and a band of zeros
        patches = [
            each(padded[:, columns])
            for each, columns in zip(self.patch_embed.values(), self.columns, strict=True)
        ]
        map_hw, extra = patches[0][1], self.num_extra_tokens
        positions = resize_pos_embed(
            self.pos_embed, self.patch_resolution, map_hw, self.interpolate_mode, extra
        )
        first, rest = positions[:, :extra], positions[:, extra:]  # (1, 1, D - E), (1, L, D - E)
        tokens = []
        if self.cls_token is not None:
            tokens.append(
                (self.cls_token + F.pad(first, (0, self.channel_dims))).expand(len(x), -1, -1)
            )
        for each, (patch, _) in zip(self.patch_embed.values(), patches, strict=True):
            codes = each.channel_embed.expand(-1, patch.shape[1], -1)
            tokens.append(patch + torch.cat([rest, codes], 2))  # (B, L, D)
        return self.pre_norm(self.drop_after_pos(torch.cat(tokens, 1))), map_hw

    def _format_output(self, x: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
        if self.out_type != 'featmap':
            return super()._format_output(x, hw)
        maps = x[:, self.num_extra_tokens :].reshape(
            len(x), len(self.groups), *hw, self.embed_dims
        )  # (B, G, h, w, D)
        if self.fuse == 'average':
            return maps.mean(1).permute(0, 3, 1, 2)
        return maps.permute(0, 1, 4, 2, 3).flatten(1, 2)  # (B, G * D, h, w)

    def _patches(self) -> ModuleDict:
        """Return a patch embedding for each group, by its bands."""
        shared = {
            'embed_dims': self.embed_dims,
            'kernel_size': self.patch_px,
            'stride': self.patch_px,
        }
        embeds = {
            prefix(group).split('.')[1]: GroupEmbed(
                self.channel_dims, in_channels=len(group), **shared
            )
            for group in self.groups
        }
        patches = ModuleDict(embeds)
        patches.init_out_size = (
            self.patch_resolution
        )  # where MMPretrain looks when it resizes the positions of a checkpoint
        return patches

    def _column(self, name: str, substitutes: Mapping[str, str | None]) -> int:
        """Return where a band of a group, or what stands in for it, is in the input."""
        stand_in = name if name in self.bands else substitutes.get(name, name)
        if stand_in is None:
            return len(self.bands)
        if stand_in not in self.bands:
            why = 'a group looks at' if stand_in == name else f'stands in for {name}'
            raise BandError.mismatch(
                'bands',
                f'hold {stand_in!r}, which {why}',
                self.bands,
                'model.backbone',
                'Add it, or say what stands in for it: '
                f'substitutes=dict({name}=...), a band or None for zeros',
            )
        return self.bands.index(stand_in)

    def _check(self) -> None:
        """Refuse what cannot be built."""
        if not self.groups or len(set(self.groups)) != len(self.groups):
            raise ConfigError.mismatch(
                'groups',
                'be at least one and none given twice',
                self.groups,
                'model.backbone',
                'Name the bands of each',
            )
        if self.fuse not in FUSIONS:
            raise ConfigError.mismatch(
                'fuse',
                f'be one of {list(FUSIONS)}',
                repr(self.fuse),
                'model.backbone',
                'Choose one of them',
            )
        if not 0 < self.channel_dims < self.embed_dims:
            raise ConfigError.mismatch(
                'channel_dims',
                f'be less than the width {self.embed_dims}',
                self.channel_dims,
                'model.backbone',
                'Lower it',
            )
