"""Several processes.

How they find each other on GPUs and on CPUs, what they average, and which of them reports a
failure. mmengine joins processes on accelerators only: on a CPU its `init_dist` ends in
`torch.cuda.set_device`. Here, processes without an accelerator are joined with gloo; all others are
left to mmengine.
"""

import atexit
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import distributed
from torch.nn.modules.batchnorm import _BatchNorm

from mmlandslide.errors import ConfigError
from mmlandslide.registry import MODEL_WRAPPERS

#: Launcher -> the variables by which torch.distributed knows a process, and the launcher's own
#: names for them.
_RANK_VARIABLES = {
    'pytorch': {'RANK': 'RANK', 'WORLD_SIZE': 'WORLD_SIZE', 'LOCAL_RANK': 'LOCAL_RANK'},
    'slurm': {'RANK': 'SLURM_PROCID', 'WORLD_SIZE': 'SLURM_NTASKS', 'LOCAL_RANK': 'SLURM_LOCALID'},
    'mpi': {
        'RANK': 'OMPI_COMM_WORLD_RANK',
        'WORLD_SIZE': 'OMPI_COMM_WORLD_SIZE',
        'LOCAL_RANK': 'OMPI_COMM_WORLD_LOCAL_RANK',
    },
}
_FAILURES = 'mmlandslide/failures'


@MODEL_WRAPPERS.register_module()
class AveragingDataParallel(MMDistributedDataParallel):
    """mmengine's data parallel model with logged losses and statistics averaged over processes.

    mmengine logs the first process's losses, those of its own tiles, and lets the running
    statistics of batch norm drift apart, so that each process validates another model. Both are
    averaged after each step in one reduction.

    Args:
        module: the model.
        kwargs: what mmengine's class takes.
    """

    def __init__(self, module: torch.nn.Module, **kwargs: Any) -> None:
        super().__init__(module=module, **kwargs)
        self._norms = [
            each
            for each in module.modules()
            if isinstance(each, _BatchNorm) and each.track_running_stats
        ]

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, torch.Tensor]:
        """Take one step; return what is logged, each the mean over all processes."""
        log_vars = super().train_step(data, optim_wrapper)
        norms = [norm for norm in self._norms if norm.training]
        statistics: list[Any] = [
            value for norm in norms for value in (norm.running_mean, norm.running_var)
        ]
        means = mean_over_processes([*log_vars.values(), *statistics])
        for statistic, mean in zip(statistics, means[len(log_vars) :], strict=True):
            statistic.copy_(mean)
        return dict(zip(log_vars, means[: len(log_vars)], strict=True))


def mean_over_processes(values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return the mean of each tensor over all processes, float32, in one reduction.

    Args:
        values: of the same shapes in every process, on the device that the processes talk through.
    """
    flat = torch.cat([value.detach().float().reshape(-1) for value in values])
    distributed.all_reduce(flat)
    parts = torch.split(flat / distributed.get_world_size(), [value.numel() for value in values])
    return [part.view(value.shape) for part, value in zip(parts, values, strict=True)]


def init_process_group(launcher: str, dist_cfg: Mapping[str, Any]) -> None:
    """Make ready for mmengine's `init_dist`, or stand in for it where there is no accelerator.

    Args:
        launcher: `pytorch`, `slurm` or `mpi`.
        dist_cfg: of the config's `env_cfg`; on CPUs only its `timeout` (s) counts, for the backend
            is gloo there.

    Raises:
        ConfigError: the process was not started by that launcher, or there are more processes than
            GPUs.
    """
    place = _ranks(launcher)
    if torch.cuda.is_available():
        _check_gpus(int(place['LOCAL_RANK']))
    elif get_device() == 'cpu' and not distributed.is_initialized():
        os.environ.update(place)
        os.environ.setdefault('MASTER_PORT', '29500')
        if launcher == 'slurm':
            os.environ.setdefault('MASTER_ADDR', _first_host(os.environ['SLURM_NODELIST']))
        distributed.init_process_group(
            'gloo', timeout=timedelta(seconds=dist_cfg.get('timeout', 1800))
        )
    atexit.register(_leave)


def wrapper_cfg(given: Mapping[str, Any] | None, find_unused_parameters: bool) -> dict[str, Any]:
    """Return the `model_wrapper_cfg` of a distributed model.

    Args:
        given: the config's own, whose entries win.
        find_unused_parameters: look, each step, for parameters without gradient.
    """
    devices = {'device_ids': None} if get_device() == 'cpu' else {}
    defaults = {
        'type': 'mmlandslide.AveragingDataParallel',
        'broadcast_buffers': False,
        'find_unused_parameters': find_unused_parameters,
    }
    return {**defaults, **devices, **(given or {})}


def failed_before() -> bool:
    """Note that this process fails; return whether another did before, whose report is then enough.

    False where there is one process, or where the others can no longer be asked.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return False
    atexit.unregister(_leave)  # the others may never come to say goodbye
    try:
        return distributed.distributed_c10d._get_default_store().add(_FAILURES, 1) > 1
    except RuntimeError:
        return False


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _ranks(launcher: str) -> dict[str, str]:
    """Return rank, world size and local rank, by the names that torch.distributed reads."""
    names = _RANK_VARIABLES[launcher]
    missing = [name for name in names.values() if name not in os.environ]
    if missing:
        remedy = (
            'Start the processes with `mim train ... --launcher pytorch --gpus N`, torchrun or srun'
        )
        raise ConfigError.mismatch(
            f'--launcher {launcher}',
            f'find {list(names.values())}',
            f'no {missing}',
            'the environment',
            remedy,
        )
    return {ours: os.environ[theirs] for ours, theirs in names.items()}


def _check_gpus(local_rank: int) -> None:
    count = torch.cuda.device_count()
    if local_rank >= count:
        remedy = (
            'Ask for no more processes than GPUs, '
            'or hide the GPUs with CUDA_VISIBLE_DEVICES= to run on CPUs'
        )
        raise ConfigError.mismatch(
            '--gpus',
            f'be at most the {count} GPUs',
            f'at least {local_rank + 1}',
            'this machine',
            remedy,
        )


def _first_host(nodes: str) -> str:
    """Return the first host of Slurm's short form, such as `node[3-4]`."""
    return subprocess.run(
        ['scontrol', 'show', 'hostnames', nodes], check=True, capture_output=True, text=True
    ).stdout.split()[0]
