"""Filling a whole model from a checkpoint: all of it, or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mmlandslide.errors import CheckpointError, CheckpointMismatchError, ConfigError

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
    state = _tensors(state, path, subject)
    misfits = _misfits(model.state_dict(), state)
    if any(misfits.values()):
        if remedy == _OWN and misfits['of another shape']:
            modules = sorted({key.rpartition('.')[0] for key in misfits['of another shape']})
            remedy += (
                '; to train on with those parts anew, as for other classes, pass '
                f'--cfg-options "start_random=[{",".join(modules)}]"'
            )
        raise _misfit_error(misfits, subject, 'fill the model exactly', path, remedy)
    model.load_state_dict(state)


def fill_but(model: Any, state: Any, path: Path, allowed: Sequence[str]) -> list[str]:
    """Load what fits of a state dict into a model, where the rest may start at random by name.

    Args:
        model: a bare module, initialised.
        state: name -> tensor; a `module.` prefix is stripped.
        path: of the checkpoint, for the error.
        allowed: names of modules or parameters that may keep their start, such as
            `roi_head.bbox_head.fc_cls`.

    Returns:
        The names of the parameters that kept their start.

    Raises:
        ConfigError: a name of `allowed` is none of the model's.
        CheckpointError: `state` does not hold tensors.
        CheckpointMismatchError: another parameter is missing or of another shape; the model is then
            as it was.
    """
    allowed = (allowed,) if isinstance(allowed, str) else tuple(allowed)
    state, own = _tensors(state, path, 'checkpoint'), model.state_dict()

    def may(key: str) -> bool:
        return any(key == name or key.startswith(f'{name}.') for name in allowed)

    for name in allowed:
        if not any(key == name or key.startswith(f'{name}.') for key in own):
            raise ConfigError.mismatch(
                'start_random',
                'name modules of the model',
                repr(name),
                'the config',
                f'Name such as {sorted({key.rpartition(".")[0] for key in own})[-4:]}',
            )
    misfits = _misfits(own, state)
    refused = {kind: [key for key in keys if not may(key)] for kind, keys in misfits.items()}
    if any(refused.values()):
        expected = f'fill the model but for {list(allowed)}'
        raise _misfit_error(refused, 'checkpoint', expected, path, 'Name them in start_random, too')
    left = {key for keys in misfits.values() for key in keys}
    model.load_state_dict(
        {key: value for key, value in state.items() if key not in left}, strict=False
    )
    return [key for key in own if key in left]


def _tensors(state: Any, path: Path, subject: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a state dict, a `module.` prefix stripped."""
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
    return {str(key).removeprefix('module.'): value for key, value in state.items()}


def _misfits(
    own: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]
) -> dict[str, list[str]]:
    """Return the keys that keep a state dict from filling a model, by what is wrong."""
    return {
        'keys missing': [key for key in own if key not in state],
        'unexpected': [key for key in state if key not in own],
        'of another shape': [
            key for key in own if key in state and own[key].shape != state[key].shape
        ],
    }


def _misfit_error(
    misfits: Mapping[str, list[str]], subject: str, expected: str, path: Path, remedy: str
) -> CheckpointMismatchError:
    got = ', '.join(f'{len(keys)} {kind} {keys[:2]}' for kind, keys in misfits.items())
    return CheckpointMismatchError(
        str(CheckpointMismatchError.mismatch(subject, expected, got, path, remedy))
    )
