"""Filling a whole model from a checkpoint: all of it, or not at all."""

from pathlib import Path
from typing import Any

import torch

from mmlandslide.errors import CheckpointError, CheckpointMismatchError

_OWN = (
    'Pass the checkpoint that this config trained; '
    'to start from other weights use model.backbone.pretrained'
)


def fill(
    model: Any, state: Any, path: Path, subject: str = 'checkpoint', remedy: str = _OWN
) -> None:
    """Load a state dict that must fill a model exactly.

    Args:
        model: a bare module.
        state: name -> tensor; a `module.` prefix is stripped.
        path: of the checkpoint, for the error.
        subject: what is loaded, for the error.
        remedy: what a user does about a checkpoint that does not fit.

    Raises:
        CheckpointError: `state` does not hold tensors.
        CheckpointMismatchError: keys or shapes differ from the model's; the model is then as it
            was.
    """
    if not isinstance(state, dict) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise CheckpointError.mismatch(
            subject,
            'hold the tensors of a model',
            type(state).__name__,
            path,
            'Pass a checkpoint of a training',
        )
    state = {str(key).removeprefix('module.'): value for key, value in state.items()}
    own = model.state_dict()
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    misshapen = [key for key in own if key in state and own[key].shape != state[key].shape]
    if missing or unexpected or misshapen:
        raise CheckpointMismatchError.mismatch(
            subject,
            'fill the model exactly',
            f'{len(missing)} keys missing {missing[:2]}, '
            f'{len(unexpected)} unexpected {unexpected[:2]}, '
            f'{len(misshapen)} of another shape {misshapen[:2]}',
            path,
            remedy,
        )
    model.load_state_dict(state)
