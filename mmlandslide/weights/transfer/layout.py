"""From a source's names and layout to ours, every one of its tensors accounted for."""

import re
from dataclasses import dataclass, field

import torch

from mmlandslide.weights.sources.keymap import KeyMap, renamer
from mmlandslide.weights.state_dict import State

_QUERY = re.compile(r'(.*\.)q\.(weight|bias)')


@dataclass
class Translation:
    """A source's tensors in our terms.

    Attributes:
        keymap: of the source.
        found: tensors under our names and in our layout.
        dropped: keys of the source that are no part of a backbone.
        clashing: keys of the source whose name with us another has taken.
    """

    keymap: KeyMap
    found: State = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    clashing: list[str] = field(default_factory=list)


def translate(state: State, keymap: KeyMap) -> Translation:
    """Return the tensors of a source under our names and in our layout.

    Args:
        state: the backbone's tensors under the source's names, see `nesting.backbone_state`.
        keymap: of the source.
    """
    rename, result = renamer(keymap), Translation(keymap)
    for key, value in state.items():
        ours = rename(key)
        if ours is None:
            result.dropped.append(key)
        elif ours in result.found:
            result.clashing.append(key)
        else:
            result.found[ours] = value
    found = _fuse_qkv(_split_qkv(result.found, keymap))
    result.found = {name: _reordered(name, value, keymap.merging) for name, value in found.items()}
    return result


def _split_qkv(found: State, keymap: KeyMap) -> State:
    """Take a table apart whose rows we hold apart.

    One of another number of rows stays as it is, for the bridge to refuse.
    """
    out = dict(found)
    for name, rows in keymap.rows.items():
        if name in out and out[name].ndim == 3 and out[name].shape[1] == len(rows):
            out.update(
                zip(rows, torch.split(out.pop(name), 1, dim=1), strict=True)
            )  # (1, 1, E) each
    return out


def _fuse_qkv(found: State) -> State:
    """Join query, key and value where a source holds them apart."""
    out = dict(found)
    for name in found:
        match = _QUERY.fullmatch(name)
        parts = [f'{match[1]}{part}.{match[2]}' for part in 'qkv'] if match else []
        if match and all(part in found and found[part].ndim in (1, 2) for part in parts):
            out[f'{match[1]}qkv.{match[2]}'] = torch.cat([out.pop(part) for part in parts])
    return out


def _reordered(name: str, value: torch.Tensor, merging: bool) -> torch.Tensor:
    """Return one tensor in our layout."""
    if merging and '.downsample.' in name and value.ndim in (1, 2) and value.shape[-1] % 4 == 0:
        return _channel_major(value)
    if name == 'cls_token' and value.ndim == 1:  # CLIP's (D,)
        return value.reshape(1, 1, -1)
    if name == 'pos_embed' and value.ndim == 2:  # CLIP's (1 + h * w, D)
        return value[None]
    return value


def _channel_major(value: torch.Tensor) -> torch.Tensor:
    """Reorder patch merging's 4 C inputs from (0,0) (1,0) (0,1) (1,1) blocks to channel-major."""
    blocks = value.reshape(*value.shape[:-1], 4, -1)[..., [0, 2, 1, 3], :]  # (..., 4, C)
    return blocks.transpose(-1, -2).flatten(-2)
