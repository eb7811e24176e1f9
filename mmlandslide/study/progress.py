"""How far the training of a stage is, read off the log that it writes."""

import json
from pathlib import Path

from mmlandslide.study.plan import Stage

_TAIL_BYTES = 2**14


def steps_done(stage: Stage) -> int:
    """Return the step that a training has logged last, over all its starts; 0 where it has logged none.

    Args:
        stage: a training; a test logs no steps.
    """
    logs = sorted(stage.work_dir.glob('*/vis_data/scalars.json'))  # a folder a start, named by its time
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
