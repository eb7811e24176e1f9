import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from mmlandslide.signals import Stopped, ending

# Whoever starts the tests may ignore signals (nohup, a shell's `&`), which children inherit.
WRITES = """
import signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
from pathlib import Path
from mmlandslide.files import replacing
from mmlandslide.signals import ending
with ending(), replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text('half')
    print('writing', flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(('name', 'code'), [('SIGINT', 130), ('SIGTERM', 143), ('SIGHUP', 129)])
def test_a_signal_ends_in_one_line_with_its_code_and_no_temporary_file(tmp_path, name, code):
    command = [sys.executable, '-c', WRITES, str(tmp_path / 'out')]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as child:
        child.stdout.readline()
        child.send_signal(getattr(signal, name))
        assert child.stderr.read() == f'stopped by {name}\n'
    assert (child.returncode, list(tmp_path.iterdir())) == (code, [])


def test_without_it_a_temporary_file_stays(tmp_path):
    program = WRITES.replace('ending(), ', '')
    command = [sys.executable, '-c', program, str(tmp_path / 'out')]
    with subprocess.Popen(command, stdout=-1, text=True) as child:
        child.stdout.readline()
        child.terminate()
    assert len(list(tmp_path.iterdir())) == 1


class Swallows:
    """Is ended within its end, where Python shows an exception and goes on."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)


def ended(block):
    """Return the signals of which a block's end was told."""
    told = []
    with suppress(Stopped), ending(told.append):
        block()
    return [stopped.name for stopped in told]


def test_an_end_that_python_loses_is_asked_for_once_more():
    def block():
        Swallows()
        for _ in range(200):
            time.sleep(0.05)
        pytest.fail('nothing ended the block')

    assert ended(block) == ['SIGTERM']


@pytest.mark.parametrize('error', [RuntimeError('out of a clean-up'), None])
def test_what_a_block_makes_of_its_end_does_not_count(error):
    def block():
        with suppress(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        if error:
            raise error

    assert ended(block) == ['SIGTERM']


def test_handlers_of_before_are_back_after_the_block():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped), ending(lambda stopped: None):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch):
    monkeypatch.setattr(signal, 'getsignal', lambda number: signal.SIG_IGN)
    set_ = []
    monkeypatch.setattr(signal, 'signal', lambda *args: set_.append(args))
    with ending():
        pass
    assert set_ == []


def test_a_thread_leaves_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with ending():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
