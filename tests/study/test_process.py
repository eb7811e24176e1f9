import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmlandslide import locks
from mmlandslide.errors import ConfigError
from mmlandslide.study import process
from mmlandslide.study.process import LOCK, LOG, end_orphans, exclusive, reason
from mmlandslide.study.trial import Stage


@pytest.fixture
def said(tmp_path):
    """Returns why a stage failed that has printed some text."""

    def told(text, code=1):
        (tmp_path / LOG).write_text(text)
        stage = Stage('a', 'detect', 'mmdet', 'a.py', {}, None, tmp_path, (), 1, ())
        return reason(stage, code)

    return told


def test_an_error_of_ours_is_the_reason(said):
    assert (
        said(
            'Epoch 1\nTraceback (most recent call last):\nValueError: 3\nerror: loss must be finite\nbye\n'
        )
        == 'loss must be finite'
    )


def test_the_first_traceback_s_last_line_is_the_reason_else(said):
    assert said(
        'Traceback (most recent call last):\n  x\ntorch.OutOfMemoryError: CUDA\nsubprocess.CalledProcessError: 1\n'
    ) == ('torch.OutOfMemoryError: CUDA')


def test_a_signal_is_the_reason_whatever_was_printed(said):
    assert said('ValueError: caught long ago\nEpoch(train) [1][10/100] loss: 0.5\n', -9) == (
        'killed by signal 9, as the system does where memory is short; its last words: Epoch(train) [1][10/100] loss: 0.5'
    )


def test_an_end_without_a_result_is_told(said):
    assert said('', 0) == 'ended with 0, but left no result; its last words: none'


def test_a_system_without_process_groups_is_named(tmp_path, monkeypatch):
    monkeypatch.delattr(os, 'killpg')
    with (
        pytest.raises(ConfigError, match='study must run on Linux or macOS, got'),
        exclusive(tmp_path),
    ):
        pass


OWN_GROUP = """
import fcntl, sys, time
file = open(sys.argv[1], 'r+')
fcntl.flock(file, fcntl.LOCK_EX)
print('held', flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Yield a process, in a group of its own, that holds the lock of a stage."""
    (tmp_path / LOCK).touch()
    with subprocess.Popen(
        [sys.executable, '-c', OWN_GROUP, str(tmp_path / LOCK)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        child.stdout.readline()
        yield child
        child.kill()


def test_an_orphan_is_ended_though_the_file_names_another_process(tmp_path, holder):
    with subprocess.Popen(['sleep', '60'], start_new_session=True) as innocent:
        (tmp_path / LOCK).write_text(str(innocent.pid))
        end_orphans(tmp_path)
        assert (holder.wait(), innocent.poll()) == (-signal.SIGKILL, None)
        innocent.kill()


def test_who_cannot_be_proven_to_be_a_stage_is_named_and_lives(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(locks, 'processes_with', lambda file: [])
    with pytest.raises(ConfigError, match='work dir must be used by no other process, got one'):
        end_orphans(tmp_path)
    assert holder.poll() is None


def test_without_the_proof_an_innocent_process_is_ended(tmp_path, holder, monkeypatch):
    with subprocess.Popen(['sleep', '60'], start_new_session=True) as innocent:
        (tmp_path / LOCK).write_text(str(innocent.pid))
        said = lambda file: [int((tmp_path / LOCK).read_text()), holder.pid]  # noqa: E731
        monkeypatch.setattr(locks, 'processes_with', said)
        end_orphans(tmp_path)
        assert innocent.wait() == -signal.SIGKILL


def test_a_command_of_mim_starts_the_script_of_the_host():
    config = 'configs/det/faster_rcnn_r18.py'
    options = ('--work-dir', 'w', '--cfg-options', 'a=1')
    command = ('mim', 'test', 'mmdet', config, '--checkpoint', 'c.pth', *options)
    python, script, *words = process.started(command)
    assert (python, Path(script).parts[-4:]) == (
        sys.executable,
        ('mmdet', '.mim', 'tools', 'test.py'),
    )
    assert words == [config, 'c.pth', '--launcher', 'none', *options]
    resumed = process.started(('mim', 'train', 'mmpretrain', config, '--resume', *options))
    assert resumed[2:] == [config, '--launcher', 'none', '--resume', *options]


def test_mim_itself_is_started_where_it_has_to_look_for_the_config():
    command = ('mim', 'train', 'mmdet', 'none.py', '--work-dir', 'w')
    assert process.started(command) == [sys.executable, '-m', *command]
