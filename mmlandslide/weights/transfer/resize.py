"""Tables of positions, interpolated for another grid or window."""

from collections.abc import Callable

import torch
import torch.nn.functional as F


def resized(name: str, theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor | None:
    """Return a parameter in the backbone's shape, `None` where it cannot be resized.

    Args:
        name: of the parameter, ours.
        theirs: the checkpoint's.
        ours: the backbone's.
    """
    resize = _RESIZERS.get(name.rsplit('.', 1)[-1])
    return None if resize is None else resize(theirs, ours)


def _bias_table(theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor | None:
    """Return a relative position bias table ((2 w - 1)^2, heads), bicubic, for another window."""
    side, wanted = (round(table.shape[0] ** 0.5) for table in (theirs, ours))
    if (
        theirs.shape[1:] != ours.shape[1:]
        or side**2 != theirs.shape[0]
        or wanted**2 != ours.shape[0]
    ):
        return None
    grid = theirs.float().T.reshape(1, -1, side, side)
    return F.interpolate(grid, (wanted, wanted), mode='bicubic', align_corners=True).flatten(2)[0].T


def _positions(theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor | None:
    """Return position embeddings (1, extra + h * w, D) for another square grid.

    The class token's stays as it is, or goes.
    """
    if theirs.ndim != 3 or theirs.shape[2] != ours.shape[2]:
        return None
    (extra, side), (wanted_extra, wanted) = _grid(theirs.shape[1]), _grid(ours.shape[1])
    if side is None or wanted is None or wanted_extra > extra:
        return None
    grid = theirs[:, extra:].float().transpose(1, 2).reshape(1, -1, side, side)
    if side != wanted:
        grid = F.interpolate(grid, (wanted, wanted), mode='bicubic', align_corners=False)
    return torch.cat(
        [theirs[:, :wanted_extra], grid.flatten(2).transpose(1, 2).to(theirs.dtype)], 1
    )


def _grid(tokens: int) -> tuple[int, int | None]:
    """Return the tokens beside a square grid, one or none, and the grid's side.

    `None` where there is no such grid.
    """
    sides = ((extra, round(max(tokens - extra, 0) ** 0.5)) for extra in (1, 0))
    return next(
        ((extra, side) for extra, side in sides if side and side**2 + extra == tokens), (0, None)
    )


_RESIZERS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor | None]] = {
    'relative_position_bias_table': _bias_table,
    'pos_embed': _positions,
    'absolute_pos_embed': _positions,
}
