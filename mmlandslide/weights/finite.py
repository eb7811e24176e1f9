"""Whether the values of a checkpoint are finite: the one check behind every reader and writer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from mmlandslide.errors import CheckpointError

#: Parts of a training's checkpoint whose values must be finite; logged scores need not.
TRAINED = ('state_dict', 'ema_state_dict', 'optimizer', 'accumulated')


def tensors_in(content: Any, name: str = '') -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of nested mappings and sequences, each with its dotted name."""
    if isinstance(content, torch.Tensor):
        yield name, content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from tensors_in(value, f'{name}.{key}' if name else str(key))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from tensors_in(value, f'{name}.{index}')


def trained_tensors(checkpoint: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return the tensors that a training has changed: of a bare state dict all, else `TRAINED`.

    The model's have their own names, others their part's before them.
    """
    if not isinstance(checkpoint.get('state_dict'), Mapping):
        return dict(tensors_in(checkpoint))
    others = {key: checkpoint[key] for key in TRAINED[1:] if key in checkpoint}
    return {**dict(tensors_in(checkpoint['state_dict'])), **dict(tensors_in(others))}


def not_finite(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, int]]:
    """Return how many values are NaN and how many infinite, of each tensor that holds any."""
    floats = (
        (name, value)
        for name, value in tensors.items()
        if (value.is_floating_point() or value.is_complex())
        and not bool(torch.isfinite(value).all())
    )
    return {
        name: {'nan': int(value.isnan().sum()), 'inf': int(value.isinf().sum())}
        for name, value in floats
    }


def described(broken: Mapping[str, Any], total: int) -> str:
    """Return what `not_finite` found as part of a message."""
    return (
        f'NaN or infinite values in {len(broken)} of {total} parameters such as {list(broken)[:3]}'
    )


def require_finite(
    tensors: Mapping[str, torch.Tensor], path: Path, subject: str = 'weights'
) -> None:
    """Refuse values that are not finite, which a diverged training leaves.

    Args:
        tensors: by their names.
        path: of the checkpoint, for the error.
        subject: what they are, for the error.

    Raises:
        CheckpointError: a value is NaN or infinite.
    """
    broken = not_finite(tensors)
    if broken:
        raise CheckpointError.mismatch(
            subject,
            'be finite',
            described(broken, len(tensors)),
            path,
            'Use a checkpoint from before its training diverged; `mmlandslide inspect` counts them',
        )
