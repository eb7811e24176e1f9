import json
from pathlib import Path

import numpy as np
import pytest

from mmlandslide.files import write_atomic, write_json


def test_text_and_bytes_are_written_with_their_folder(tmp_path):
    assert write_atomic(tmp_path / 'new' / 'a.txt', 'Größe').read_bytes() == 'Größe'.encode()
    assert write_atomic(tmp_path / 'new' / 'b.bin', b'\x00\xff').read_bytes() == b'\x00\xff'


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_atomic(tmp_path / 'a.txt', 'old')

    def full_disk(descriptor):
        raise OSError('no space left')

    monkeypatch.setattr('os.fsync', full_disk)
    with pytest.raises(OSError, match='no space left'):
        write_atomic(path, 'new')
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_whole_until_the_new_one_is(tmp_path, monkeypatch):
    path, seen = write_atomic(tmp_path / 'a.txt', 'old'), []
    monkeypatch.setattr('os.fsync', lambda descriptor: seen.append(path.read_text()))
    write_atomic(path, 'new')
    assert (seen, path.read_text()) == (['old'], 'new')


def test_a_written_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / 'plain').write_text('')
    assert write_atomic(tmp_path / 'a', '').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_what_is_not_finite_becomes_null(tmp_path):
    path = write_json(tmp_path / 'a.json', {'a': float('nan'), 'b': [1.5, -np.inf], 'c': np.array([np.nan, 2])})
    assert json.loads(path.read_text()) == {'a': None, 'b': [1.5, None], 'c': [None, 2.0]}


def test_numpy_and_paths_become_plain(tmp_path):
    path = write_json(tmp_path / 'a.json', {'i': np.int64(3), 'b': np.bool_(True), 'p': Path('x'), 't': (1, None), 4: 'four'})
    assert json.loads(path.read_text()) == {'i': 3, 'b': True, 'p': 'x', 't': [1, None], '4': 'four'}


def test_what_json_does_not_have_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match='set'):
        write_json(tmp_path / 'a.json', {'a': {1, 2}})
    assert not list(tmp_path.iterdir())
