"""`--cfg-options` of a study's commands: which a file may state, and how a command states them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from mmlandslide.study.inputs.yaml_model import FaultError

#: What a study sets itself in each training: an option that said otherwise would break how it
#: counts, resumes or scores.
_RESERVED = (
    'train_cfg.max_epochs',
    'param_scheduler',
    'train_dataloader.batch_size',
    'randomness.seed',
    'work_dir',
    'resume',
)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    for key, value in options.items():
        if any(key == own or key.startswith(f'{own}.') for own in _RESERVED):
            remedy = 'Use epochs, batch_size, warmup and seeds'
            raise FaultError('', f'leave {key} to the study', value, remedy)
        if key.endswith('split_file') and not isinstance(value, str):
            raise FaultError(key, 'be a path', repr(value), 'Name a file of tile ids')
        if not _plain(value):
            remedy = 'Write dotted keys: --cfg-options reads anything else as a list or text'
            raise FaultError(key, 'be a plain value', repr(value), remedy)
    return options


def _plain(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_plain, value))
    quoted = isinstance(value, str) and {*value} & {*',()[]\'"'}
    return not quoted and isinstance(value, str | int | float | None)


#: Dotted key -> plain value, or a list of them.
Options = Annotated[dict[str, Any], AfterValidator(_checked)]


def word(value: object) -> str:
    """Return a value as `--cfg-options` reads it."""
    if isinstance(value, list | tuple):
        return '[' + ','.join(word(each) for each in value) + ']'
    return str(value)


def words(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return options as words of a command."""
    return tuple(f'{key}={word(value)}' for key, value in options.items())
