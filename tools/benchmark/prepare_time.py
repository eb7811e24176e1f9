"""Run `mmlandslide prepare` and print its seconds and the peak memory of all its processes together (Linux).

Memory is the proportional set size, sampled five times a second: pages that processes share count
once. CPU seconds say how long it would take alone on a machine that others use, too: divide them by
the number of cores.

Example: python tools/benchmark/prepare_time.py --data-root data/landslide4sense
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import click
from rich.console import Console

_SAMPLED_S = 0.2


def descendants(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    try:
        children = [
            Path(f'/proc/{pid}/task/{task.name}/children').read_text()
            for task in Path(f'/proc/{pid}/task').iterdir()
        ]
    except OSError:
        return []
    return [
        pid,
        *(
            found
            for text in children
            for child in text.split()
            for found in descendants(int(child))
        ),
    ]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, 0 where it is gone."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process, 0 where it is gone."""
    try:
        lines = Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith('Pss:'))


def watched(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for a process; return the CPU seconds of all that descend from it, and MiB at most."""
    peak, used = 0, dict[int, float]()
    while process.poll() is None:
        family = descendants(process.pid)
        peak = max(peak, sum(map(pss_bytes, family)))
        used |= {pid: seconds for pid in family if (seconds := cpu_s(pid))}
        time.sleep(_SAMPLED_S)
    return sum(used.values()), peak / 2**20


@click.command(context_settings={'ignore_unknown_options': True})
@click.argument('options', nargs=-1, type=click.UNPROCESSED)
def main(options: tuple[str, ...]) -> None:
    """Run `mmlandslide prepare OPTIONS`, then once more, and print what each took."""
    for run in ('first run', 'second run'):
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, '-m', 'mmlandslide', 'prepare', *options])
        total_s, mib = watched(process)
        wall_s = time.perf_counter() - start
        Console().print(
            f'{run}: {wall_s:.1f} s, {total_s:.1f} CPU s, {mib:.0f} MiB at most', highlight=False
        )
        if process.returncode:
            raise SystemExit(process.returncode)


if __name__ == '__main__':
    main()
