"""Which detector a command line names, and where it runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmlandslide import zoo

if TYPE_CHECKING:
    from mmlandslide.scenes.inference.ranks import WorkerRank


def chosen_model(
    config_path: Path | None, checkpoint: str | None, model: str | None
) -> tuple[str | Path, str | None]:
    """Return the config and its checkpoint, or the exported detector and none."""
    given = [
        name
        for name, value in (('--config', config_path), ('--checkpoint', checkpoint))
        if value is not None
    ]
    if not given:
        return model or zoo.DEFAULT, None
    if model is None and config_path is not None and checkpoint is not None:
        return config_path, checkpoint
    got = ' and '.join([*given, *(['--model'] if model is not None else [])])
    raise click.UsageError(f'pass --config and --checkpoint, or --model alone; got {got}')


def device_of(name: str, worker: 'WorkerRank', checkpoint: str | None) -> str:
    """Return the device of a process: of several, each takes the GPU of its local rank."""
    if checkpoint is None or worker.size == 1 or name not in ('auto', 'cuda'):
        return name
    import torch

    if not torch.cuda.is_available():
        return name
    return f'cuda:{worker.local_rank % torch.cuda.device_count()}'
