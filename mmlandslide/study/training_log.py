"""Steps and losses of a training, from the `scalars.json` of each of its starts."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmlandslide.study.trial import Stage

_TAIL_BYTES = 2**14
_MOST_POINTS = 300


def steps_done(stage: Stage) -> int:
    """Return the last logged step of a training, over all its starts; 0 where none is logged.

    Args:
        stage: a training; a test logs no steps.
    """
    for log in reversed(_logs(stage.work_dir)):
        with log.open('rb') as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            steps = [step for step, _ in _losses(file.read())]
        if steps:
            return steps[-1]
    return 0


def training_loss(work_dir: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the logged loss of a training, over all its starts.

    A start resumes from a checkpoint: what an earlier start logged from there on was lost, and
    the later one counts.

    Args:
        work_dir: of the training.

    Returns:
        Steps (N,), rising, and losses (N,); at most 300 points, means over neighbours where there
        were more. A loss that is not finite is NaN.
    """
    logged: dict[int, float] = {}
    for log in _logs(work_dir):
        start = dict(_losses(log.read_bytes()))
        first = min(start, default=math.inf)
        logged = {step: loss for step, loss in logged.items() if step < first} | start
    steps = np.array(sorted(logged), np.int64)
    losses = np.array([logged[int(step)] for step in steps], np.float64)
    return _thinned(steps, np.where(np.isfinite(losses), losses, np.nan))


def _logs(work_dir: Path) -> list[Path]:
    """Return the logs of all starts, in their order: each has a folder named by its time."""
    return sorted(work_dir.glob('*/vis_data/scalars.json'))


def _losses(lines: bytes) -> Iterator[tuple[int, float]]:
    """Yield step and loss of each whole line that has both."""
    for line in lines.splitlines():
        try:
            entry = json.loads(line)
            yield int(entry['step']), float(entry['loss'])
        except (ValueError, KeyError, TypeError):  # half a line, or scores, which have no loss
            continue


def _thinned(
    steps: NDArray[np.int64], losses: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the last step and the mean loss of each block of neighbours."""
    block = max(1, -(-len(steps) // _MOST_POINTS))
    starts = np.arange(0, len(steps), block)
    if block == 1:
        return steps, losses
    sizes = np.diff(np.append(starts, len(steps)))
    return steps[starts + sizes - 1], np.add.reduceat(losses, starts) / sizes
