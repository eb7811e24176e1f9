import errno
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import planted_scene
import pytest

from mmlandslide.errors import ConfigError, StorageError
from mmlandslide.scenes import run
from mmlandslide.scenes.outputs import writer
from mmlandslide.scenes.outputs.commit import clear_leftovers, commit_files, exclusive_lock

NAMES = [f'out{suffix}' for suffix in sorted(writer.ON_THE_MAP)]
#: Writes an output and is killed when it has given a file of some suffix its name.
KILLED = """
import os, signal, sys
from pathlib import Path
import planted_scene
from mmlandslide.scenes import run
replace = Path.replace
def until(path, target):
    replace(path, target)
    if str(target).endswith(sys.argv[2]) and '.tmp' not in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
Path.replace = until
run.write(planted_scene.job(), Path(sys.argv[1]), overwrite=True)
"""


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def written(out, boxes=(), **options):
    return run.write(planted_scene.job(planted_scene.scene(boxes=boxes)), out, **options)


def killed_at(out, suffix):
    environment = {**os.environ, 'PYTHONPATH': str(Path(planted_scene.__file__).parent)}
    done = subprocess.run(
        [sys.executable, '-c', KILLED, str(out), suffix], env=environment, check=False
    )
    assert done.returncode == -9


@pytest.mark.parametrize('older', [False, True])
@pytest.mark.parametrize('failing', ['.gpkg', '.geojson', '.stac.json'])
def test_a_disk_that_fails_to_keep_one_file_leaves_what_was_there(
    tmp_path, monkeypatch, older, failing
):
    if older:
        written(tmp_path / 'out.gpkg')
    before, sync = content(tmp_path), os.fsync

    def full(descriptor):
        if Path(f'/proc/self/fd/{descriptor}').readlink().name == f'out{failing}':
            raise OSError(errno.ENOSPC, 'No space left on device')
        sync(descriptor)

    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(StorageError, match="be written whole, got 'No space left on device'"):
        written(tmp_path / 'out.gpkg', [(5, 5, 9, 9)], overwrite=True)
    assert content(tmp_path) == before


@pytest.mark.parametrize('number', range(8))
def test_a_name_that_cannot_be_given_takes_the_others_back(tmp_path, monkeypatch, number):
    targets, calls, replace = [tmp_path / name for name in 'abcd'], [], Path.replace
    (tmp_path / 'new').mkdir()
    made = {target: tmp_path / 'new' / target.name for target in targets}
    for path in (*targets, *made.values()):
        path.write_text(str(path))
    before = content(tmp_path)

    def failing(path, target):
        calls.append(target)
        if len(calls) == number + 1:
            raise OSError('read-only')
        return replace(path, target)

    monkeypatch.setattr('pathlib.Path.replace', failing)
    with pytest.raises(OSError, match='read-only'):
        commit_files(made, targets[1], tmp_path / 'new')
    assert content(tmp_path) == before


@pytest.mark.parametrize('older', [False, True])
def test_a_kill_between_the_names_leaves_no_geopackage_and_the_same_run_goes_on(tmp_path, older):
    out = tmp_path / 'out.gpkg'
    if older:
        written(out, [(5, 5, 9, 9)])
    killed_at(out, '.png')
    assert (out.exists(), out.with_suffix('.png').exists()) == (False, True)
    written(out)
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES


def test_a_kill_between_the_names_gives_other_runs_no_right_to_replace(tmp_path):
    killed_at(tmp_path / 'out.gpkg', '.png')
    with pytest.raises(ConfigError, match=r"not be there yet, got \['out.png'"):
        written(tmp_path / 'out.gpkg', [(5, 5, 9, 9)])


def test_only_what_killed_runs_left_of_this_output_goes(tmp_path):
    for name in (
        '.a.gpkg.0123abc_.tmp',
        '.b.gpkg.0123abc_.tmp',
        '.a.gpkg.b.gpkg.0123abc_.tmp',
        'a.gpkg',
    ):
        (tmp_path / name).mkdir()
    clear_leftovers(tmp_path / 'a.gpkg')
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        '.a.gpkg.b.gpkg.0123abc_.tmp',
        '.b.gpkg.0123abc_.tmp',
        'a.gpkg',
    ]


def test_one_run_at_a_time_writes_an_output(tmp_path):
    refused = pytest.raises(
        ConfigError,
        match=r'used by one process at a time for detection, got detection by process \d+ on .*out\.gpkg',
    )
    with exclusive_lock(tmp_path / 'out.gpkg'), exclusive_lock(tmp_path / 'other.gpkg'), refused:
        written(tmp_path / 'out.gpkg')
    written(tmp_path / 'out.gpkg')
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES


def started_while_another_writes(out, monkeypatch):
    """Write an output, and once more in the moment when its first file is whole."""
    sync = os.fsync

    def second(descriptor):
        if Path(f'/proc/self/fd/{descriptor}').readlink().parent.name.startswith('.out.gpkg'):
            monkeypatch.setattr('os.fsync', sync)
            written(out, overwrite=True)
        sync(descriptor)

    monkeypatch.setattr('os.fsync', second)
    written(out, overwrite=True)


def test_a_run_that_starts_while_another_writes_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match='used by one process at a time for detection'):
        started_while_another_writes(tmp_path / 'out.gpkg', monkeypatch)


def test_without_the_lock_it_deletes_what_the_other_writes(tmp_path, monkeypatch):
    monkeypatch.setattr('mmlandslide.scenes.run.commit.exclusive_lock', lambda out: nullcontext())
    with pytest.raises((OSError, StorageError), match='No such file'):
        started_while_another_writes(tmp_path / 'out.gpkg', monkeypatch)


def test_the_lock_of_a_killed_run_holds_nobody_up(tmp_path):
    (tmp_path / 'out.gpkg.lock').touch()
    written(tmp_path / 'out.gpkg')
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES


def test_what_came_to_be_there_during_the_search_stays(tmp_path):
    mine = tmp_path / 'out.png'
    with pytest.raises(ConfigError, match=r"not be there yet, got \['out.png'\]"):
        written(tmp_path / 'out.gpkg', advance=lambda windows: mine.write_text('mine'))
    assert mine.read_text() == 'mine'


@pytest.mark.parametrize('there', [True, False])
def test_a_lock_that_is_a_link_is_refused_and_not_followed(tmp_path, there):
    target = tmp_path / 'precious'
    if there:
        target.write_text('precious')
    (tmp_path / 'out.gpkg.lock').symlink_to(target)
    refused = pytest.raises(
        StorageError, match=r'lock file must be no symbolic link, got a link to .*precious'
    )
    with refused, exclusive_lock(tmp_path / 'out.gpkg'):
        pass
    assert [target.exists() and target.read_text()] == ['precious' if there else False]
