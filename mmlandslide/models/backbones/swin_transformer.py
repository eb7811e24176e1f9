"""Swin over named bands, with a forward pass of visible tokens alone for masked autoencoders."""

from typing import Any

import torch
from mmpretrain.models import backbones as host
from mmpretrain.models.utils import resize_pos_embed

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.band_backbone import BandBackbone, init_linear
from mmlandslide.models.backbones.visible_tokens import VisibleUnits
from mmlandslide.models.backbones.window_attention import replace_attention
from mmlandslide.registry import MODELS


@MODELS.register_module()
class SwinTransformer(BandBackbone, host.SwinTransformer):
    """Swin (Liu et al. 2021) over named bands, for maps of any size (`WindowAttention`).

    Window 8 is the default: at 128 and 256 px every map of stages 1 to 3 is a multiple of it, where
    window 7 pads stage 3 from 8 to 14 tokens. Beside MMPretrain's architectures there is `nano` (48
    channels, two blocks a stage), for tests and for the demo.

    Raises:
        ConfigError: MMPretrain's `out_after_downsample` or `pad_small_map`, for which there is no
            place here.
    """

    arch_zoo = {  # noqa: RUF012 (the host's own spelling)
        **host.SwinTransformer.arch_zoo,
        'nano': {'embed_dims': 48, 'depths': [2, 2, 2, 2], 'num_heads': [3, 6, 12, 24]},
    }

    stem_name = 'patch_embed.projection.weight'
    new_by_design = ('norm0.', 'norm1.', 'norm2.')

    def __init__(self, *, window_size: int = 8, **kwargs: Any) -> None:
        refused = [name for name in ('out_after_downsample', 'pad_small_map') if kwargs.get(name)]
        if refused:
            raise ConfigError.mismatch(
                'backbone',
                'tap before merging and shrink windows to small maps',
                refused,
                'model.backbone',
                'Leave that out',
            )
        super().__init__(window_size=window_size, **kwargs)
        replace_attention(self.stages)

    def init_weights(self) -> None:
        """Initialise linear layers as `init_linear` does, which MMPretrain leaves to configs.

        The rest as `BandBackbone`.
        """
        init_linear(self)
        super().init_weights()

    def forward(
        self,
        x: torch.Tensor,
        masked: torch.Tensor | None = None,
        mask_token: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Return the features of the stages named by `out_indices`.

        Args:
            x: (B, C, H, W), normalised.
            masked: (B, L) bool over the tokens of stage 1, True = masked: those tokens are replaced
                by `mask_token`.
            mask_token: (1, 1, D); needed with `masked`.

        Returns:
            One (B, D_i, H_i, W_i) a stage.
        """
        tokens, map_hw = self.patch_embed(x)  # (B, L, D)
        if self.use_abs_pos_embed:
            tokens = tokens + self._positions(map_hw)
        if masked is not None:
            assert mask_token is not None, 'masked tokens need the token that replaces them'
            tokens = torch.where(masked[..., None], mask_token.to(tokens.dtype), tokens)
        return self._dense_stages(self.drop_after_pos(tokens), map_hw, 0)

    def forward_visible(
        self, x: torch.Tensor, units: VisibleUnits, mask_token: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return the same of a masked tile, computing visible tokens alone until a token is a unit.

        Equal to dense Swin in which no token attends to a masked one, and whose masked tokens are
        replaced once a unit has become one token. The later stages are dense.

        Args:
            x: (B, C, H, W), normalised; H and W are multiples of the unit.
            units: that are visible. A unit has a power of two of tokens down and across, at most 2
                ** (stages - 1).
            mask_token: (1, 1, D_i), of the stage at which a token is a unit.

        Returns:
            One (B, D_i, H_i, W_i) for each stage named by `out_indices` at or after that one.
        """
        batch, side = (
            len(x),
            x.shape[2] // units.grid_hw[0] // self.patch_embed.projection.stride[0],
        )
        tokens = self.patch_embed(units.cut(x))[0].view(
            batch, -1, self.embed_dims
        )  # (B, U * side * side, D)
        if self.use_abs_pos_embed:
            places = units.tokens(side, x.device)
            at = (places.rows * places.map_hw[1] + places.columns).to(x.device)
            tokens = tokens + self._positions(places.map_hw)[0][at]
        tokens, index = self.drop_after_pos(tokens), 0
        while side > 1:
            stage = self.stages[index]
            tokens, _ = stage(tokens, units.tokens(side, x.device), do_downsample=False)
            squares = tokens.view(-1, side * side, tokens.shape[-1])  # (B * U, side * side, D_i)
            tokens = stage.downsample(squares, (side, side))[0].view(
                batch, -1, 2 * tokens.shape[-1]
            )
            side, index = side // 2, index + 1
        tokens, _ = self.stages[index](tokens, units.tokens(1, x.device), do_downsample=False)
        return self._dense_stages(units.fill(tokens, mask_token), units.grid_hw, index, done=True)

    def _dense_stages(
        self, tokens: torch.Tensor, map_hw: tuple[int, int], first: int, done: bool = False
    ) -> tuple[torch.Tensor, ...]:
        """Run the stages from `first` on, less `done` blocks, on whole maps (B, H * W, D)."""
        outs = []
        for index, stage in enumerate(self.stages[first:], first):
            if index > first or not done:
                tokens, map_hw = stage(tokens, map_hw, do_downsample=False)
            if index in self.out_indices:
                out = getattr(self, f'norm{index}')(tokens)
                outs.append(out.transpose(1, 2).unflatten(2, map_hw).contiguous())
            if stage.downsample is not None:
                tokens, map_hw = stage.downsample(tokens, map_hw)
        return tuple(outs)

    def _positions(self, map_hw: tuple[int, int]) -> torch.Tensor:
        """Return the absolute position embedding of a map, (1, H * W, D)."""
        return resize_pos_embed(
            self.absolute_pos_embed, self.patch_resolution, map_hw, self.interpolate_mode, 0
        )
