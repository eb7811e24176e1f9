"""On what a study ran: source revision, packages, hardware; asked without loading torch."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from mmlandslide import __version__
from mmlandslide.hosts import HOSTS, version_of

_TIMEOUT_S = 20


def revision() -> str:
    """Return the git revision of the current folder, with `-dirty` where files differ from it.

    Empty outside a repository.
    """
    return _output('git', 'describe', '--always', '--dirty', '--abbrev=10', '--exclude=*')


def environment() -> dict[str, Any]:
    """Return packages and hardware: name -> text, number or list."""
    packages = {
        name for distributions in HOSTS.values() for name in (each.name for each in distributions)
    } | {
        'torch',
        'torchvision',
    }
    versions = {name: version_of(name) for name in sorted(packages)}
    return {
        'mmlandslide': __version__,
        'python': platform.python_version(),
        'packages': {name: version for name, version in versions.items() if version is not None},
        'platform': f'{platform.system()} {platform.machine()}',
        'cpu': _cpu(),
        'cores': os.cpu_count(),
        'gpus': _gpus(),
    }


def machine() -> str:
    """Return processor and GPUs in one line, such as `2 cores Intel(R) Xeon(R), no GPU`."""
    gpus = [name.partition(': ')[2] for name in _gpus()]
    return f'{os.cpu_count()} cores {_cpu()}, {" + ".join(gpus) or "no GPU"}'


def _gpus() -> list[str]:
    return [
        line.split(' (UUID')[0]
        for line in _output('nvidia-smi', '-L').splitlines()
        if line.startswith('GPU')
    ]


def _cpu() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text(encoding='utf-8').splitlines() if info.is_file() else []
    models = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return models[0] if models else platform.processor() or platform.machine()


def _output(*command: str) -> str:
    """Return what a command prints; nothing where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return ''
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        ).stdout.strip()
    except (subprocess.SubprocessError, OSError):
        return ''
