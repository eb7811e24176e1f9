"""What a checkpoint holds, inferred from its tensors, keys and record without running it."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mmlandslide.weights import lineage, state_dict
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.container_guard import kind
from mmlandslide.weights.finite import not_finite
from mmlandslide.weights.sources import keymaps

_BLOCK = 2**20


def inspect(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds.

    Args:
        path: of the file.

    Returns:
        `path`, `sha256`, `bytes`, `container`, `holds` (its own keys), `epoch`, `iter`, `meta`
        (keys), `record` (what our runner states), `source` (of `keymaps`, `None` where not known),
        `architecture`, `tensors`, `parameters` (values in them), `dtypes` (values of each),
        `modules` (first part of the key -> tensors and parameters) and `not_finite` (key -> NaN and
        infinite values).

    Raises:
        MissingPathError: there is no such file.
        CheckpointError: the file cannot be read safely.
    """
    content = read_checkpoint(path)
    tensors, backbone = state_dict.tensors_of(content), state_dict.backbone_state(content)
    keymap = keymaps.recognise(backbone.keys())
    dtypes: Counter[str] = Counter()
    for tensor in tensors.values():
        dtypes[str(tensor.dtype).removeprefix('torch.')] += tensor.numel()
    meta = content.get('meta')
    meta = meta if isinstance(meta, Mapping) else {}
    return {
        'path': str(path),
        'sha256': sha256(path),
        'bytes': path.stat().st_size,
        'container': kind(path),
        'holds': [str(key) for key in content] if tensors.keys() != content.keys() else ['tensors'],
        **{key: meta[key] if isinstance(meta.get(key), int) else None for key in ('epoch', 'iter')},
        'meta': sorted(map(str, meta)),
        'record': _record(lineage.stated(content, path)),
        'source': None if keymap is None else keymap.name,
        'architecture': None if keymap is None else architecture(backbone, keymap),
        'tensors': len(tensors),
        'parameters': sum(tensor.numel() for tensor in tensors.values()),
        'dtypes': dict(dtypes),
        'modules': _modules(tensors),
        'not_finite': not_finite(tensors),
    }


def architecture(state: Mapping[str, torch.Tensor], keymap: keymaps.KeyMap) -> dict[str, Any]:
    """Return what shapes and keys tell of a backbone.

    Args:
        state: its tensors under the keys of the source.
        keymap: of that source.

    Returns:
        `width` (channels after the stem), `in_channels` (of all stems, where each group of bands
        has its own) and `depths` (blocks of each stage), as far as they are known.
    """
    rename = keymaps.renamer(keymap)
    shapes = {
        ours: value.shape for key, value in state.items() if (ours := rename(key)) is not None
    }
    stems = [
        shape
        for name, shape in shapes.items()
        if len(shape) == 4 and name.startswith('patch_embed.')
    ]
    stems = stems or [shape for shape in shapes.values() if len(shape) == 4][:1]
    blocks: dict[str, set[str]] = {}
    for name in shapes:
        parts = name.split('.')
        if parts[0] == 'stages' and 'blocks' in parts[:-1] and len(parts) > 3:
            blocks.setdefault(parts[1], set()).add(parts[3])
        elif parts[0].startswith('layer') and len(parts) > 1:
            blocks.setdefault('' if parts[0] == 'layers' else parts[0], set()).add(parts[1])
    known = {'width': stems[0][0], 'in_channels': sum(shape[1] for shape in stems)} if stems else {}
    return {**known, 'depths': [len(blocks[stage]) for stage in sorted(blocks)]}


def _record(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what our runner stated; of tile ids their number."""
    before = own.get('lineage') or {}
    stated = {key: own.get(key) for key in ('version', 'config', 'bands')}
    inherited = {key: before.get(key) for key in ('config', 'checkpoint', 'source')}
    if not own:
        return {}
    seen = len(lineage.tiles_seen({'tile_ids': before.get('tile_ids')}))
    return {
        **stated,
        'tile_ids': len(own.get('tile_ids') or ()),
        'lineage': {**inherited, 'tile_ids': seen},
    }


def _modules(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for key, tensor in tensors.items():
        row = found.setdefault(key.split('.')[0], {'tensors': 0, 'parameters': 0})
        row['tensors'] += 1
        row['parameters'] += tensor.numel()
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
