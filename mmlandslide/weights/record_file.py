"""Adds to what a checkpoint file states of itself, its weights left as they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlandslide.files import replacing
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.lineage import METADATA_KEY, stated


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
            torch.save({**_with_weights(checkpoint), 'meta': meta}, temporary)
    return out


def _with_weights(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint whose weights lie under `state_dict`, as bare ones do not."""
    return checkpoint if 'state_dict' in checkpoint else {'state_dict': checkpoint}
