"""What a checkpoint states of itself, and what its weights have seen.

No torch at module level.

A checkpoint may come from anybody: what is not of the form that our runner writes counts as not
stated.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlandslide.errors import shown
from mmlandslide.files import replacing
from mmlandslide.weights.checkpoint_file import read_checkpoint

#: Where a `.safetensors` file, whose metadata is text, keeps its record as JSON.
METADATA_KEY = 'mmlandslide'
#: More than the deepest of our own, the lineage of a chain of pre-trainings.
_MOST_LEVELS = 32


def stated(checkpoint: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a checkpoint's record, as `record` does, also of a `.safetensors` file.

    Args:
        checkpoint: as `checkpoint_file.read_checkpoint` returns it.
        path: of the file that was read.
    """
    if path.suffix != '.safetensors':
        return record(checkpoint)
    from safetensors import safe_open

    with safe_open(path, 'numpy') as file:
        text = (file.metadata() or {}).get(METADATA_KEY, '{}')
    try:
        return record({'meta': {METADATA_KEY: json.loads(text)}})
    except (
        ValueError,
        RecursionError,
    ):  # what is not of the form that we write counts as not stated
        return {}


def record(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a checkpoint states of itself under `meta.mmlandslide`; empty for a foreign one.

    Args:
        checkpoint: as `checkpoint_file.read_checkpoint` returns it.

    Returns:
        What is stated; `bands`, `tile_ids` and `classes`, where present, are lists of text,
        `lineage` and `settings` dicts, `version` and `config` text; `units`, `statistics` and
        `input_zoom` as `gate.terms_of` gives them.
    """
    meta = checkpoint.get('meta')
    found = _mapping(meta if isinstance(meta, Mapping) else {}, 'mmlandslide')
    found = {key: value for key, value in found.items() if _is_shallow(value)}
    for key in ('version', 'config'):
        if key in found:
            found[key] = None if found[key] is None else shown(found[key])
    lists = {
        key: _texts(found[key])
        for key in ('bands', 'tile_ids', 'classes')
        if found.get(key) is not None
    }
    nested: dict[str, Any] = {
        key: _mapping(found, key) for key in ('lineage', 'settings') if key in found
    }
    return {**found, **lists, **nested, **_fed(found)}


def _is_shallow(value: Any) -> bool:
    """Return whether a value holds no more than some levels of others, and so not itself."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        inner = {
            id(part): part
            for each in level
            if isinstance(each, Mapping | list | tuple | set)
            for part in (each.values() if isinstance(each, Mapping) else each)
        }
        level = list(inner.values())
    return not level


def _fed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record states of a model's input, `None` for what is not of our form."""
    given: dict[str, Any] = {}
    if 'units' in found:
        units = found['units']
        well = isinstance(units, list) and all(isinstance(each, str | None) for each in units)
        given['units'] = units if well else None
    if 'input_zoom' in found:
        zoom = found['input_zoom']
        given['input_zoom'] = zoom if isinstance(zoom, int | float) else None
    if 'statistics' in found:
        stated = _mapping(found, 'statistics')
        clip, moments = stated.get('clip_std'), [stated.get('mean'), stated.get('std')]
        well = isinstance(clip, int | float | None) and all(
            isinstance(values, list) and all(isinstance(each, int | float) for each in values)
            for values in moments
        )
        given['statistics'] = (
            {'mean': moments[0], 'std': moments[1], 'clip_std': clip} if well else None
        )
    return given


def tiles_seen(own: Mapping[str, Any]) -> set[str]:
    """Return all tiles seen in training and every pre-training, as `<name>:<tile id>`.

    Args:
        own: what `record` returned.
    """
    return {*_texts(own.get('tile_ids')), *_texts(_mapping(own, 'lineage').get('tile_ids'))}


def inherited(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lineage of a model that starts from a checkpoint.

    `tile_ids` seen before it, and the `config` of its training.

    Args:
        own: what `record` returned.
    """
    return {'tile_ids': sorted(tiles_seen(own)), 'config': own.get('config')}


def classes_of(dataset: Any) -> list[str]:
    """Return the names of a dataset's classes in their order, none where it states none.

    Args:
        dataset: with `metainfo`, as mmengine's; or none.
    """
    return _texts(
        _mapping({'metainfo': getattr(dataset, 'metainfo', None)}, 'metainfo').get('classes')
    )


def _mapping(owner: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = owner.get(key)
    return dict(found) if isinstance(found, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return (
        [item for item in value if isinstance(item, str)]
        if isinstance(value, list | tuple | set)
        else []
    )


def add_to_record(path: str | Path, entries: Mapping[str, Any], out: str | Path) -> Path:
    """Write a checkpoint with more in its record.

    Args:
        path: of the checkpoint: `.safetensors`, or as our runner writes it.
        entries: plain values, such as `calibration`; those of the same names are replaced.
        out: of the file, of the same kind, written whole or not at all; may be `path`.

    Returns:
        The path of the file.

    Raises:
        CheckpointError: as `read_checkpoint`.
        OSError: the file cannot be written.
    """
    path, out = Path(path), Path(out)
    checkpoint = read_checkpoint(path)
    record = {**stated(checkpoint, path), **entries}
    with replacing(out) as temporary:
        if path.suffix == '.safetensors':
            from safetensors.torch import save_file

            save_file(checkpoint, temporary, metadata={METADATA_KEY: json.dumps(record)})
        else:
            import torch

            meta = checkpoint.get('meta')
            meta = {**(meta if isinstance(meta, Mapping) else {}), METADATA_KEY: record}
            torch.save({**with_weights(checkpoint), 'meta': meta}, temporary)
    return out


def with_weights(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint whose weights lie under `state_dict`, as bare ones do not."""
    return checkpoint if 'state_dict' in checkpoint else {'state_dict': checkpoint}


def without_folders(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a lineage whose checkpoints are named by file and work dir alone.

    The rest is of the machine that trained.
    """
    short = {
        key: str(Path(*Path(value).parts[-2:]))
        for key, value in known.items()
        if key == 'checkpoint'
    }
    inner = {
        key: without_folders(value) for key, value in known.items() if isinstance(value, Mapping)
    }
    return {**known, **short, **inner}
