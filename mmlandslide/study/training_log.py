"""The log that a training writes, `scalars.json`: how far it is, and its losses."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmlandslide.study.plan import Stage

_TAIL_BYTES = 2**14
_MOST_POINTS = 300


def steps_done(stage: Stage) -> int:
    """Return the step that a training has logged last, over all its starts.

    0 where it has logged none.

    Args:
        stage: a training; a test logs no steps.
    """
    logs = sorted(
        stage.work_dir.glob('*/vis_data/scalars.json')
    )  # a folder a start, named by its time
    return next((step for log in reversed(logs) if (step := _last_step(log))), 0)


def _last_step(log: Path) -> int:
    with log.open('rb') as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:  # half a line, at either end
            continue
        if isinstance(entry, dict) and 'loss' in entry and isinstance(entry.get('step'), int):
            return int(entry['step'])
    return 0


def training_loss(work_dir: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the loss that a training has logged, over all its starts.

    A start goes on from a checkpoint: what an earlier start has logged from there on was lost, and
    the later one counts.

    Args:
        work_dir: of the training.

    Returns:
        Steps (N,), rising, and losses (N,); at most 300 points, means over neighbours where there
        were more. A loss that is not finite is NaN.
    """
    logged: dict[int, float] = {}
    for log in sorted(
        work_dir.glob('*/vis_data/scalars.json')
    ):  # a folder a start, named by its time
        start = dict(_losses(log))
        first = min(start, default=math.inf)
        logged = {step: loss for step, loss in logged.items() if step < first} | start
    steps = np.array(sorted(logged), np.int64)
    losses = np.array([logged[int(step)] for step in steps], np.float64)
    return _thinned(steps, np.where(np.isfinite(losses), losses, np.nan))


def _losses(log: Path) -> Iterator[tuple[int, float]]:
    for line in log.read_text(encoding='utf-8', errors='replace').splitlines():
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
