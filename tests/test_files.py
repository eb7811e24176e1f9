import json
import os
import stat
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from payload import Payload, touching
from safetensors.torch import save_file

from mmlandslide.errors import CheckpointError, MissingPathError
from mmlandslide.files import (
    lock_now,
    open_lock,
    remove_leftovers,
    replacing,
    write_atomic,
    write_json,
)
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint


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
    assert (seen[0], path.read_text()) == ('old', 'new')


def test_a_written_file_is_as_readable_as_any_other(tmp_path):
    (tmp_path / 'plain').write_text('')
    assert write_atomic(tmp_path / 'a', '').stat().st_mode == (tmp_path / 'plain').stat().st_mode


def test_what_is_not_finite_becomes_null(tmp_path):
    path = write_json(
        tmp_path / 'a.json', {'a': float('nan'), 'b': [1.5, -np.inf], 'c': np.array([np.nan, 2])}
    )
    assert json.loads(path.read_text()) == {'a': None, 'b': [1.5, None], 'c': [None, 2.0]}


def test_numpy_and_paths_become_plain(tmp_path):
    path = write_json(
        tmp_path / 'a.json',
        {'i': np.int64(3), 'b': np.bool_(True), 'p': Path('x'), 't': (1, None), 4: 'four'},
    )
    assert json.loads(path.read_text()) == {
        'i': 3,
        'b': True,
        'p': 'x',
        't': [1, None],
        '4': 'four',
    }


def test_what_json_does_not_have_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(TypeError, match='set'):
        write_json(tmp_path / 'a.json', {'a': {1, 2}})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('zipped', [True, False])
def test_a_checkpoint_that_carries_code_is_refused_and_not_run(tmp_path, zipped):
    path, canary = tmp_path / 'a.pth', tmp_path / 'canary'
    torch.save(
        {'state_dict': {'a': torch.ones(1)}, 'meta': touching(canary)},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(
        CheckpointError, match=r'checkpoint must hold tensors and plain types only.*a\.pth'
    ):
        read_checkpoint(path)
    assert not canary.exists()


def test_a_whole_model_is_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='tensors and plain types only'):
        read_checkpoint(tmp_path / 'a.pth')


def test_a_single_tensor_is_no_checkpoint(tmp_path):
    torch.save(torch.ones(2), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='must be a dict, got Tensor'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('share', [0, 0.1, 0.5, 0.9, 0.999])
def test_half_a_checkpoint_is_refused_by_name(tmp_path, suffix, share):
    path = tmp_path / f'a.{suffix}'
    state = {'a': torch.arange(1000.0)}
    save_file(state, path) if suffix == 'safetensors' else torch.save(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=rf'a\.{suffix}'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    'content',
    [
        b'<html>404</html>',
        b'version https://git-lfs.github.com/spec/v1',
        b'PK\x03\x04' + b'x' * 99,
        b'\x80',
    ],
)
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_another_file_under_a_checkpoints_name_is_refused(tmp_path, suffix, content):
    (tmp_path / f'a.{suffix}').write_bytes(content)
    with pytest.raises(CheckpointError, match=rf'a\.{suffix}'):
        read_checkpoint(tmp_path / f'a.{suffix}')


def test_what_mmengine_writes_can_be_read(tmp_path):
    hub = {
        'log_scalars': {'loss': HistoryBuffer([1.0, 3.0], [1, 1])},
        'lr': np.float64(0.5),
        'n': np.int64(2),
    }
    torch.save({'message_hub': hub, 'array': np.arange(3.0)}, tmp_path / 'a.pth')
    found = read_checkpoint(tmp_path / 'a.pth')
    assert found['message_hub']['log_scalars']['loss'].mean() == 2
    assert (found['message_hub']['lr'], found['array'].tolist()) == (0.5, [0, 1, 2])


@pytest.mark.parametrize(
    'parts',
    [(HistoryBuffer, '__init__'), (HistoryBuffer, 'register_statistics'), (torch.Tensor, 'mean')],
)
def test_no_attribute_but_a_historys_statistics_is_reached(tmp_path, parts):
    torch.save({'a': Payload(getattr, parts)}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'GLOBAL|global'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    ('old', 'new'), [(b'numpy._core', b'numpy.core'), (b'numpy.core', b'numpy._core')]
)
def test_arrays_are_read_as_either_numpy_wrote_them(tmp_path, old, new):
    torch.save(
        {'a': np.arange(3.0), 'b': np.float32(2)},
        tmp_path / 'a.pth',
        _use_new_zipfile_serialization=False,
    )
    content = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'b.pth').write_bytes(content.replace(b'c' + old + b'.', b'c' + new + b'.'))
    found = read_checkpoint(tmp_path / 'b.pth')
    assert (found['a'].tolist(), found['b']) == ([0, 1, 2], 2)


def test_the_allow_list_lasts_no_longer_than_the_reading(tmp_path):
    torch.save({'h': HistoryBuffer([1.0], [1])}, tmp_path / 'a.pth')
    before = {*torch.serialization.get_safe_globals()}  # torch gives them in no order
    read_checkpoint(tmp_path / 'a.pth')
    assert {*torch.serialization.get_safe_globals()} == before


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    torch.save(
        {'state_dict': {'a': torch.arange(3)}, 'meta': {'epoch': 2, 'ids': ('x',)}},
        tmp_path / 'a.pth',
    )
    found = read_checkpoint(tmp_path / 'a.pth')
    assert found['state_dict']['a'].tolist() == [0, 1, 2]
    assert found['meta'] == {'epoch': 2, 'ids': ('x',)}


def test_safetensors_give_their_tensors(tmp_path):
    save_file({'a': torch.ones(2)}, tmp_path / 'a.safetensors')
    assert read_checkpoint(str(tmp_path / 'a.safetensors'))['a'].tolist() == [1, 1]


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(
        MissingPathError, match=r'checkpoint must be a file, got nothing in .*absent\.pth'
    ):
        read_checkpoint(tmp_path / 'absent.pth')


def test_a_file_takes_its_name_after_the_block_and_the_flush(tmp_path, monkeypatch):
    path, seen = tmp_path / 'new' / 'a', []
    monkeypatch.setattr('os.fsync', lambda _: seen.append(path.exists()))
    with replacing(path) as temporary:
        temporary.write_text('whole')
    assert seen == [False, True]  # the file's content, then the folder's names
    assert path.read_text() == 'whole'


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / 'a').write_text('old')

    def write_half():
        with replacing(tmp_path / 'a') as temporary:
            temporary.write_text('ha')
            raise OSError('disk is full')

    with pytest.raises(OSError, match='full'):
        write_half()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('a', 'old')]


def test_the_folder_is_flushed_after_the_file_has_its_name(tmp_path, monkeypatch):
    seen, sync = [], os.fsync

    def watched(descriptor):
        seen.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / 'a').exists()))
        sync(descriptor)

    monkeypatch.setattr('os.fsync', watched)
    write_atomic(tmp_path / 'a', 'whole')
    assert seen == [(False, False), (True, True)]


def test_only_what_replacing_left_of_such_files_is_removed(tmp_path):
    left, others = (
        '.epoch_1.pth.0123456789ab.tmp',
        ['.metrics.json.0123456789ab.tmp', 'epoch_1.pth', 'epoch_2.pth.tmp'],
    )
    for name in (left, *others):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, '*.pth')
    remove_leftovers(tmp_path / 'absent', '*.pth')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize(
    ('names', 'pointer', 'latest'),
    [
        (['epoch_2.pth', 'epoch_10.pth'], 'epoch_2.pth', 'epoch_2.pth'),
        (['epoch_2.pth', 'epoch_10.pth'], 'gone/elsewhere/epoch_2.pth\n', 'epoch_2.pth'),
        (['epoch_2.pth', 'epoch_10.pth'], '', 'epoch_10.pth'),
        (['epoch_2.pth', 'epoch_10.pth'], 'epoch_11.pth', 'epoch_10.pth'),
        (['epoch_2.pth', 'iter_500.pth'], None, 'epoch_2.pth'),
        (
            ['iter_500.pth', 'iter_1000.pth', 'epoch_last.pth', 'best_epoch_3.pth'],
            '\0\0',
            'iter_1000.pth',
        ),
        (['epoch_last.pth'], 'epoch_1.pth', None),
        (['epoch_1.pth'], 'x' * 9999, 'epoch_1.pth'),
        (['epoch_1.pth'], '..', 'epoch_1.pth'),
        (['epoch_07.pth', 'epoch_6.pth'], None, 'epoch_07.pth'),
    ],
)
def test_the_latest_checkpoint_is_the_one_pointed_to_else_that_of_the_highest_number(
    tmp_path, names, pointer, latest
):
    for name in names:
        (tmp_path / name).touch()
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer)
    assert latest_checkpoint(tmp_path) == (latest and tmp_path / latest)


def test_a_folder_that_is_not_there_has_no_latest_checkpoint(tmp_path):
    assert latest_checkpoint(tmp_path / 'absent') is None


def test_the_command_line_that_mae_keeps_in_its_checkpoints_does_not_hinder(tmp_path):
    torch.save(
        {'model': {'a': torch.ones(2)}, 'args': Namespace(lr=0.1, output_dir='out')},
        tmp_path / 'mae.pth',
    )
    assert read_checkpoint(tmp_path / 'mae.pth')['model']['a'].tolist() == [1, 1]


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    with (tmp_path / 'a.lock').open('w') as one, (tmp_path / 'a.lock').open('w') as other:
        assert lock_now(one)
        assert not lock_now(other)
        one.close()
        assert lock_now(other)


def test_a_lock_file_keeps_its_content(tmp_path):
    (tmp_path / 'a.lock').write_text('4711')
    with open_lock(tmp_path / 'a.lock') as file:
        assert lock_now(file)
    assert (tmp_path / 'a.lock').read_text() == '4711'


def test_a_lock_file_that_is_a_link_is_refused(tmp_path):
    (tmp_path / 'precious').write_text('precious')
    (tmp_path / 'a.lock').symlink_to(tmp_path / 'precious')
    with pytest.raises(OSError, match='symbolic links'):
        open_lock(tmp_path / 'a.lock')
    assert (tmp_path / 'precious').read_text() == 'precious'
