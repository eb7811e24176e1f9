import json
import multiprocessing
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmlandslide import locks
from mmlandslide.errors import ConfigError, StorageError
from mmlandslide.locks import Holder, exclusive, holder_of, processes_with

HOLD = """
import sys, time
from pathlib import Path
from mmlandslide.locks import exclusive
with exclusive(Path(sys.argv[1]), 'training', Path('work')):
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """Yield a lock file that another process holds, and that process."""
    path = tmp_path / 'a.lock'
    with subprocess.Popen([sys.executable, '-c', HOLD, str(path)], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        yield path, child
        child.kill()


def test_a_lock_that_is_held_says_who_holds_it(held):
    path, child = held
    with (
        pytest.raises(ConfigError, match=rf'got training by process {child.pid} on .* since 20'),
        exclusive(path, 'training', Path('work')),
    ):
        pass


def test_the_lock_of_a_killed_process_is_free_and_its_number_proves_nothing(held):
    path, child = held
    with path.open('rb') as file:
        holder = holder_of(file)
    assert holder.is_running_here()
    child.kill()
    child.wait()
    assert not holder.is_running_here()
    with exclusive(path, 'training', Path('work')):
        pass


def test_a_recycled_number_and_another_start_of_the_machine_are_told_apart():
    this = Holder.this('training')
    assert this.is_running_here()
    for changed in ({'started': this.started + 1}, {'boot': 'other'}, {'host': 'elsewhere'}):
        assert not Holder(**{**vars(this), **changed}).is_running_here()


def test_a_wait_says_once_for_what_it_waits(held, monkeypatch):
    path, child = held
    told, naps = [], []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            child.kill()
            child.wait()

    monkeypatch.setattr(locks.time, 'sleep', nap)
    with exclusive(path, 'building', Path('store'), waiting=told.append):
        pass
    assert len(told) == 1
    assert f'waiting for store: training by process {child.pid} on' in told[0]


def test_a_holder_that_has_not_signed_yet_is_asked_once_more(held, monkeypatch):
    path, child = held
    signed = path.read_bytes()
    path.write_bytes(b'')
    monkeypatch.setattr(locks.time, 'sleep', lambda seconds: path.write_bytes(signed))
    with (
        pytest.raises(ConfigError, match=rf'got training by process {child.pid} on'),
        exclusive(path, 'training', Path('work')),
    ):
        pass


def test_a_link_is_not_followed_and_its_file_stays(tmp_path):
    (tmp_path / 'victim.txt').write_text('precious')
    (tmp_path / 'a.lock').symlink_to('victim.txt')
    with (
        pytest.raises(
            StorageError, match=r'no symbolic link, got a link to victim\.txt in .*a\.lock'
        ),
        exclusive(tmp_path / 'a.lock', 'x', tmp_path),
    ):
        pass
    assert (tmp_path / 'victim.txt').read_text() == 'precious'


def test_a_hard_link_to_something_else_is_locked_and_not_written(tmp_path):
    (tmp_path / 'victim.txt').write_text('precious')
    os.link(tmp_path / 'victim.txt', tmp_path / 'a.lock')
    with exclusive(tmp_path / 'a.lock', 'training', tmp_path):
        pass
    assert (tmp_path / 'victim.txt').read_text() == 'precious'


@pytest.mark.parametrize('made', [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_no_lock(tmp_path, made):
    made(tmp_path / 'a.lock')
    with (
        pytest.raises(StorageError, match=r'lock file must be a file, got a (pipe|folder)'),
        exclusive(tmp_path / 'a.lock', 'x', tmp_path),
    ):
        pass


def test_a_holder_s_words_write_nothing_to_the_terminal():
    assert str(Holder.this('\x1b]0;owned\x07')).startswith(r'\x1b]0;owned\x07 by process')


@pytest.mark.parametrize('content', ['[' * 10**5, '{"pid": 1}', json.dumps({'since': '9999'})])
def test_content_of_another_form_keeps_nobody_from_the_lock(tmp_path, content):
    (tmp_path / 'a.lock').write_text(content)
    with exclusive(tmp_path / 'a.lock', 'training', tmp_path):
        assert (tmp_path / 'a.lock').read_text() == content


def emptied(tmp_path, name, monkeypatch):
    """Hold a lock as if what stands in its file were a holder's; return what became of a file."""
    monkeypatch.setattr(locks, 'holder_of', lambda file: 'anybody')
    with exclusive(tmp_path / name, 'training', tmp_path):
        pass
    return b'precious' not in (tmp_path / 'victim.txt').read_bytes()


def test_without_the_defences_a_lock_overwrites_what_a_link_leads_to(tmp_path, monkeypatch):
    (tmp_path / 'victim.txt').write_text('precious')
    os.link(tmp_path / 'victim.txt', tmp_path / 'hard.lock')
    assert emptied(tmp_path, 'hard.lock', monkeypatch)
    (tmp_path / 'victim.txt').write_text('precious')
    (tmp_path / 'soft.lock').symlink_to('victim.txt')
    monkeypatch.setattr(locks, 'open_lock', lambda path: path.open('rb+', buffering=0))
    assert emptied(tmp_path, 'soft.lock', monkeypatch)


def test_the_last_holder_is_replaced(tmp_path):
    for doing in ('a long piece of work', 'short'):
        with exclusive(tmp_path / 'a.lock', doing, tmp_path):
            assert json.loads((tmp_path / 'a.lock').read_text())['doing'] == doing


@contextmanager
def child_of_a_holder(path):
    """Yield while a child lives that was forked while a lock was held, and the lock is let go."""
    context = multiprocessing.get_context('fork')
    begun, gate = context.Event(), context.Event()

    def work():
        begun.set()
        gate.wait()

    with exclusive(path, 'training', path.parent):
        child = context.Process(target=work)
        child.start()
        begun.wait()
    yield
    gate.set()
    child.join()


def test_a_forked_child_does_not_hold_on_to_the_lock(tmp_path):
    path = tmp_path / 'a.lock'
    with child_of_a_holder(path), exclusive(path, 'training', tmp_path):
        pass


class Forgetful(set):
    """A set that keeps nothing."""

    def add(self, item):
        pass


def test_without_closing_its_copy_a_forked_child_holds_on_to_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, '_held', Forgetful())
    path = tmp_path / 'a.lock'
    refused = pytest.raises(ConfigError, match='must be used by one process at a time')
    with child_of_a_holder(path), refused, exclusive(path, 'training', tmp_path):
        pass


def test_the_system_proves_who_holds_a_lock_and_a_reader_is_not_among_them(held):
    path, child = held
    with path.open('rb') as file:
        assert processes_with(file) == [child.pid]


def test_a_lock_file_that_is_to_go_is_gone_and_one_that_was_removed_is_made_again(held, tmp_path):
    path, _ = held
    path.unlink()  # as its owner does at the end, after this process has opened it
    with exclusive(path, 'detection', tmp_path, remove=True):
        assert json.loads(path.read_text())['doing'] == 'detection'
    assert not path.exists()
