"""Trainings, checkpoint writes and studies that are killed: the scripts beside this file, run."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(script, *arguments):
    """Run a script of this folder to its end; return what it printed."""
    command = [sys.executable, HERE / script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize('kills', [40])
def test_a_kill_while_checkpoints_are_written_leaves_the_last_one_whole(kills):
    printed = run('kill_saving.py', '--kills', kills, '--seed', kills)
    assert printed.count('as it must be') == 2
    assert f'{kills} of' not in printed.replace(f'{kills} of {kills}', '')


@pytest.mark.slow
def test_a_killed_training_that_resumes_ends_as_one_that_nobody_killed():
    printed = run('kill_training.py', '--kills', 1, '--seed', 1)
    assert ' NO ' not in printed
