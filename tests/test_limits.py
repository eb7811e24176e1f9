"""What a machine lacks is one line with the file or the limit, and nothing half-written stays.

`tests/stress/machine_limits.py` tries every verb on file systems that are full.
"""

import errno
import json
import logging
import multiprocessing
import os
import resource
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError

from mmlandslide import limits, locks
from mmlandslide.engine.checkpoints import concerns_folder, storing
from mmlandslide.engine.process import OneLineHook, let_logs_fail
from mmlandslide.errors import DatasetError, StorageError
from mmlandslide.files import replacing, write_json

FULL = os.strerror(errno.ENOSPC)
CASES = {
    'a number': (OSError(errno.ENOSPC, FULL, 'a/b'), 'a/b', 'Free space'),
    'text of HDF5': (
        OSError("Unable to create (filename = 'x.h5', errno = 28, error message = 'No')"),
        'x.h5',
        'Free space',
    ),
    'text of safetensors': (
        SafetensorError('I/O error: No space left on device (os error 28)'),
        'the file system of',
        'Free space',
    ),
    'text of torch.save': (
        RuntimeError('[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0'),
        'the file system of',
        'Free space',
    ),
    'a quota': (OSError(errno.EDQUOT, 'quota', 'q'), 'in q', 'quota'),
    'a largest file': (OSError(errno.EFBIG, 'big', 'f'), 'in f', 'ulimit -f'),
    'a read-only disk': (OSError(errno.EROFS, 'ro', 'r'), 'in r', 'Name another place'),
    'few files': (OSError(errno.EMFILE, 'many'), 'at once in this process', 'ulimit -n 4096'),
    "few files, a worker's text": (
        RuntimeError('Caught OSError\n[Errno 24] Too many open files: "img_1.h5"'),
        'open files must be within the limit',
        'num_workers',
    ),
    'few files, where a batch is shared': (
        RuntimeError(
            'unable to open shared memory object </torch_1_2_2>: Too many open files (24)'
        ),
        'open files must be within the limit',
        'ulimit -n 4096',
    ),
    'shared memory': (
        RuntimeError('unable to write to file </torch_12_3_0>: No space left on device (28)'),
        '/dev/shm',
        'num_workers=0',
    ),
    'a killed worker': (
        RuntimeError('DataLoader worker (pid 3) is killed by signal: Bus error.'),
        '/dev/shm',
        '--shm-size',
    ),
    'memory': (MemoryError(), 'memory must suffice', 'smaller batch'),
}


@pytest.mark.parametrize('case', CASES)
def test_it_is_said_with_file_or_limit_and_remedy(case):
    error, named, remedy = CASES[case]
    message = str(limits.explained(error))
    assert '\n' not in message
    assert named in message
    assert remedy in message


@pytest.mark.parametrize('error', [ValueError('no'), OSError(errno.ENOENT, 'none', 'a')])
def test_other_errors_are_not_its_business(error):
    assert limits.explained(error) is None


def test_a_full_shared_memory_is_not_taken_for_a_full_work_dir(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, FULL)

    monkeypatch.setattr('multiprocessing.synchronize.SemLock._make_name', full)
    with (
        pytest.raises(StorageError, match=r'shared memory must hold.*num_workers=0'),
        storing('work dir', tmp_path, concerns_folder(tmp_path)),
    ):
        multiprocessing.get_context('fork').Lock()


def test_what_caused_an_error_is_looked_at():
    error = ValueError('cannot')
    error.__cause__ = OSError(errno.ENOSPC, FULL, 'deep')
    assert 'in deep' in str(limits.explained(error))


def test_a_disk_without_inodes_has_room(monkeypatch, tmp_path):
    room = SimpleNamespace(f_files=9, f_favail=0, f_bavail=9)
    monkeypatch.setattr(os, 'statvfs', lambda path: room)
    message = str(limits.explained(OSError(errno.ENOSPC, FULL, str(tmp_path / 'a/b'))))
    assert 'no inodes are left' in message
    assert 'Remove files there' in message


def write_nothing(path, error):
    with replacing(path) as temporary:
        temporary.write_text('half')
        raise error


def test_an_error_without_a_name_gets_that_of_the_file(tmp_path):
    with pytest.raises(OSError, match=r'a\.json') as caught:
        write_nothing(tmp_path / 'a.json', OSError(errno.ENOSPC, FULL))
    assert (caught.value.errno, [*tmp_path.iterdir()]) == (errno.ENOSPC, [])
    with pytest.raises(OSError, match=r'must be written whole.*a\.bin'):
        write_nothing(tmp_path / 'a.bin', SafetensorError(FULL))
    with pytest.raises(DatasetError, match='mine'):
        write_nothing(tmp_path / 'a.bin', DatasetError('mine'))


def limited(code, tmp_path, kind=resource.RLIMIT_FSIZE, to=100):
    """Run a verb in a process whose files may have few bytes."""
    limit = partial(resource.setrlimit, kind, (to, to))
    # Without -B Python would leave half of its bytecode files, too.
    command = [sys.executable, '-B', '-c', f'import sys; {code}']
    return subprocess.run(
        command, cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(os.name != 'posix', reason='has no such limit')
def test_a_simulated_data_set_is_whole_or_gone(tmp_path):
    code = "from mmlandslide.cli.main import main; main(['synth', '--out', 'd/e', '--train', '2'])"
    done = limited(code, tmp_path, to=4096)
    [line] = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert (done.returncode, [*tmp_path.rglob('*.h5'), *tmp_path.rglob('*.partial')]) == (1, [])
    assert 'd/e/TrainData/img' in line
    assert 'ulimit -f' in line


@pytest.mark.skipif(os.name != 'posix', reason='has no such limit')
def test_without_the_two_defences_half_a_data_set_stays_and_no_file_is_named(tmp_path):
    code = (
        'from contextlib import nullcontext; from mmlandslide import limits\n'
        'from mmlandslide.datasets.simulation import synthetic\n'
        'limits.explained = lambda *_: None; synthetic._whole_or_gone = lambda out: nullcontext([])\n'
        "from mmlandslide.cli.main import main; main(['synth', '--out', 'd/e', '--train', '2'])"
    )
    done = limited(code, tmp_path, to=4096)
    assert (tmp_path / 'd/e/TrainData/img').is_dir()
    assert 'ulimit -f' not in done.stderr
    assert 'errno = 27' in done.stderr  # HDF5's own text


def test_a_lock_that_cannot_be_signed_lasts_and_leaves_no_half_a_name(tmp_path):
    code = (
        'from pathlib import Path; from mmlandslide import locks\n'
        "with locks.exclusive(Path('a.lock'), 'training', Path('a')): print('held')"
    )
    done = limited(code, tmp_path, to=20)
    assert (done.stdout, done.stderr) == ('held\n', '')
    assert (tmp_path / 'a.lock').read_bytes() == b''
    with locks.exclusive(tmp_path / 'a.lock', 'training', tmp_path):
        assert json.loads((tmp_path / 'a.lock').read_text())['doing'] == 'training'


def test_a_training_says_it_in_one_line_too(capsys):
    error = RuntimeError('DataLoader worker (pid 3) is killed by signal: Bus error.')
    OneLineHook(lambda *_: None)(RuntimeError, error, None)
    assert capsys.readouterr().err.startswith('error: shared memory must hold ')


@pytest.mark.parametrize('case', ["few files, a worker's text", 'a killed worker'])
def test_without_the_explanation_a_training_ends_in_a_traceback(monkeypatch, case):
    seen, error = [], CASES[case][0]
    monkeypatch.setattr(limits, 'explained', lambda *_: None)
    OneLineHook(lambda *told: seen.append(told[1]))(RuntimeError, error, None)
    assert seen == [error]


def test_a_log_file_that_cannot_be_written_ends_the_training(tmp_path):
    logger = logging.Logger('full')
    handler = logging.FileHandler('/dev/full')
    logger.addHandler(handler)
    with pytest.raises(OSError, match='No space left'):
        let_logs_fail(logger).info('x')


def test_numbers_that_cannot_be_written_name_their_file(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='file') as caught:
        write_json(tmp_path / 'file' / 'a.json', {})
    assert 'a file stands where' in str(limits.explained(caught.value))
