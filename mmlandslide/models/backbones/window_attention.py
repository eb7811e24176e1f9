"""Shifted-window attention for maps of any size.

The window shrinks to a small map, and padding is never attended to. The same layer attends among
the visible tokens of a masked map alone, see `visible_tokens`.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from mmpretrain.models.utils import ShiftWindowMSA

from mmlandslide.models.backbones.visible_tokens import VisibleTokens, join, permuted, split

HW = tuple[int, int]


class WindowAttention(ShiftWindowMSA):
    """MMPretrain's `ShiftWindowMSA`, parameter for parameter, without its two limits.

    MMPretrain refuses a map smaller than the window, or (`pad_small_map`) lets real tokens attend
    to zero padding: at 128 px with window 8, stage 4 is 4 x 4 and 48 of 64 keys would be padding.
    Here the window shrinks to the map, with the central part of the bias table, as Swin does in
    classification; and where a map is no multiple of the window, padded tokens are masked out. On
    square maps that are multiples of the window both give the same numbers; on others MMPretrain
    shifts neither side where one is no longer than the window, here (as in torchvision) each side
    goes by itself.
    """

    def forward(self, query: torch.Tensor, hw_shape: HW | VisibleTokens) -> torch.Tensor:
        """Attend within windows.

        Args:
            query: (B, H * W, C) tokens, row by row; or (B, L, C), the visible ones.
            hw_shape: (H, W) of the map; or where the visible tokens stand on theirs.

        Returns:
            The same shape as `query`.
        """
        if isinstance(hw_shape, VisibleTokens):
            return self.drop(self._attend_visible(query, hw_shape))
        height, width = hw_shape = (
            int(hw_shape[0]),
            int(hw_shape[1]),
        )  # plain numbers, also under an exporter that traces
        window = (min(self.window_size, height), min(self.window_size, width))
        shift = tuple(self.shift_size if side > self.window_size else 0 for side in hw_shape)
        padded = tuple(-(-side // step) * step for side, step in zip(hw_shape, window, strict=True))
        tokens = query.view(query.shape[0], height, width, -1)
        tokens = F.pad(tokens, (0, 0, 0, padded[1] - width, 0, padded[0] - height))
        tokens = torch.roll(tokens, (-shift[0], -shift[1]), (1, 2)) if any(shift) else tokens
        apart = _apart(hw_shape, padded, window, shift, query.device)
        out = self._attend(partition(tokens, window), window, apart)
        out = merge(out, padded, window)  # (B, H', W', C)
        out = torch.roll(out, shift, (1, 2)) if any(shift) else out
        return self.drop(out[:, :height, :width].reshape(query.shape))

    def _attend(self, tokens: torch.Tensor, window: HW, apart: torch.Tensor | None) -> torch.Tensor:
        """Attend within each window: (B * nW, N, C) -> the same.

        `apart` (nW, N, N) is True where attention is forbidden.
        """
        msa: Any = self.w_msa
        bias = relative_bias(msa, window)[None]  # (1, heads, N, N)
        if apart is not None:
            bias = bias.masked_fill(apart[:, None], float('-inf'))  # (nW, heads, N, N)
        return msa.proj_drop(msa.proj(self._mixed(msa.qkv(tokens), bias)))

    def _attend_visible(self, tokens: torch.Tensor, places: VisibleTokens) -> torch.Tensor:
        """Attend among the visible tokens (B, L, C) of each window.

        How many windows hold how many tokens changes with every batch: nothing to compile. The
        compiler is imported where one compiles, it takes a second.
        """
        if torch.compiler.is_compiling():
            eager = torch.compiler.disable(self._attend_each)  # type: ignore[no-untyped-call]
            return cast('torch.Tensor', eager(tokens, places))
        return self._attend_each(tokens, places)

    def _attend_each(self, tokens: torch.Tensor, places: VisibleTokens) -> torch.Tensor:
        msa: Any = self.w_msa
        windows = places.windows(self.window_size, self.shift_size)
        rows = permuted(
            tokens.flatten(0, 1), windows.order, windows.back
        )  # (B * L, C), window by window
        mixed = []
        for qkv, table_rows in zip(split(msa.qkv(rows), windows), windows.table_rows, strict=True):
            bias = F.embedding(table_rows, msa.relative_position_bias_table)  # (nW, N, N, heads)
            mixed.append(self._mixed(qkv, bias.permute(0, 3, 1, 2)))
        rows = permuted(msa.proj_drop(msa.proj(join(mixed))), windows.back, windows.order)
        return rows.view(tokens.shape)

    def _mixed(self, qkv: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return each window's values (n, N, C), mixed by attention, of (n, N, 3 C) and a bias."""
        msa: Any = self.w_msa
        count, length, channels = qkv.shape
        q, k, v = (
            qkv.view(count, length, 3, msa.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        )  # each (n, heads, N, C / heads)
        dropped = msa.attn_drop.p if self.training else 0.0
        return (
            attention(q, k, v, bias, msa.scale, dropped)
            .transpose(1, 2)
            .reshape(count, length, channels // 3)
        )


def attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    bias: torch.Tensor,
    scale: float,
    dropped: float,
) -> torch.Tensor:
    """Return scaled dot-product attention with a bias.

    On GPUs this is torch's fused kernel. On CPUs torch has none for a bias that needs gradients,
    and three plain operations are mostly faster than its general path
    (tools/benchmark/attention.py).

    Args:
        q: (n, heads, N, D).
        k: likewise.
        v: likewise.
        bias: (m, heads, N, N) where m divides n, added to the scores of every m in a row; -inf
            forbids.
        scale: of the products of q and k.
        dropped: share of the attention weights that are dropped.
    """
    if q.is_cuda:
        bias = bias if len(bias) == 1 else bias.repeat(len(q) // len(bias), 1, 1, 1)
        return F.scaled_dot_product_attention(q, k, v, bias.to(q.dtype), dropped, scale=scale)
    scores = (q * scale) @ k.transpose(-2, -1)
    scores = (scores.view(-1, *bias.shape) + bias).view_as(scores)
    return F.dropout(scores.softmax(-1), dropped) @ v


def relative_bias(msa: Any, window: HW) -> torch.Tensor:
    """Return the relative position bias of a window, the centre of the table where it is smaller.

    Returns:
        (heads, N, N) with N = window height x width.
    """
    full_h, full_w = msa.window_size
    index = msa.relative_position_index.view(full_h, full_w, full_h, full_w)
    index = index[: window[0], : window[1], : window[0], : window[1]].reshape(-1)
    length = window[0] * window[1]
    return (
        F.embedding(index, msa.relative_position_bias_table)
        .view(length, length, -1)
        .permute(2, 0, 1)
    )


def partition(tokens: torch.Tensor, window: HW) -> torch.Tensor:
    """Cut (B, H, W, C) into windows, (B * nW, N, C)."""
    batch, height, width, channels = tokens.shape
    grid = tokens.view(
        batch, height // window[0], window[0], width // window[1], window[1], channels
    )
    return grid.transpose(2, 3).reshape(-1, window[0] * window[1], channels)


def merge(windows: torch.Tensor, map_hw: HW, window: HW) -> torch.Tensor:
    """Put windows (B * nW, N, C) back into maps, (B, H, W, C)."""
    rows, columns = map_hw[0] // window[0], map_hw[1] // window[1]
    grid = windows.view(-1, rows, columns, window[0], window[1], windows.shape[-1])
    return grid.transpose(2, 3).reshape(-1, *map_hw, windows.shape[-1])


@lru_cache(maxsize=64)
@torch.inference_mode(
    mode=False
)  # a tensor made in inference mode, once cached, would break the next training step
def _apart(
    map_hw: HW, padded: HW, window: HW, shift: HW, device: torch.device
) -> torch.Tensor | None:
    """Return which tokens of a window must not attend to each other, (nW, N, N) bool, or `None`.

    Tokens are apart that the cyclic shift brought together from opposite sides, and padding from
    everything real.
    """
    if map_hw == padded and not any(shift):
        return None
    regions = torch.zeros(1, *padded, 1, dtype=torch.int64)
    for axis in (0, 1):
        side = torch.zeros(padded[axis], dtype=torch.int64)
        side[map_hw[axis] :] = 1
        side = side.roll(-shift[axis])
        if shift[axis]:
            side[-shift[axis] :] += 2
        regions += side.view((-1, 1, 1) if axis == 0 else (1, -1, 1)) * 4**axis
    labels = partition(regions, window)[..., 0]  # (nW, N)
    return (labels[:, :, None] != labels[:, None, :]).to(device)


def replace_attention(stages: Iterable[Any]) -> None:
    """Put `WindowAttention` in place of MMPretrain's in every block of every stage.

    Parameters keep their names.
    """
    for stage in stages:
        for block in stage.blocks:
            block.attn = adopt(block.attn)


def adopt(host: ShiftWindowMSA) -> WindowAttention:
    """Return a `WindowAttention` that owns the submodules of MMPretrain's attention."""
    msa = host.w_msa
    attention = WindowAttention(msa.embed_dims, msa.num_heads, host.window_size, host.shift_size)
    attention.w_msa, attention.drop = msa, host.drop
    return attention
