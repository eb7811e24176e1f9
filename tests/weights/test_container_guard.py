import tarfile

import pytest
import torch
from safetensors.torch import save_file

from mmlandslide.errors import CheckpointError
from mmlandslide.weights import container_guard
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.container_guard import (
    SAFETENSORS,
    TORCH_LEGACY,
    TORCH_ZIP,
    kind,
    parts,
    refuse_bombs,
    refuse_claims,
)


def training():
    """Return what a training saves: weights, an optimiser that has stepped, and a record."""
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return {
        'state_dict': model.state_dict(),
        'optimizer': optimiser.state_dict(),
        'meta': {'ids': ('a', 'b'), 'epoch': 1},
    }


@pytest.mark.parametrize(('zipped', 'form'), [(True, TORCH_ZIP), (False, TORCH_LEGACY)])
def test_a_training_is_let_through_in_either_form_of_torch(tmp_path, zipped, form):
    torch.save(training(), tmp_path / 'a.pth', _use_new_zipfile_serialization=zipped)
    assert kind(tmp_path / 'a.pth') == form
    refuse_bombs(tmp_path / 'a.pth')


def test_safetensors_are_let_through(tmp_path):
    save_file({'a': torch.ones(2)}, tmp_path / 'a.safetensors')
    assert kind(tmp_path / 'a.safetensors') == SAFETENSORS
    refuse_bombs(tmp_path / 'a.safetensors')


@pytest.mark.parametrize(
    ('limit', 'said'),
    [('MAX_OPCODES', 'opcodes'), ('MAX_INDEX_BYTES', 'bytes'), ('MAX_TUPLES', 'tuples')],
)
def test_an_index_that_is_absurdly_long_is_refused(tmp_path, monkeypatch, limit, said):
    torch.save(training(), tmp_path / 'a.pth')
    monkeypatch.setattr(container_guard, limit, 1)
    with pytest.raises(CheckpointError, match=f'at most 1 {said}'):
        refuse_bombs(tmp_path / 'a.pth')


def test_too_many_keys_are_refused(tmp_path, monkeypatch):
    (tmp_path / 'a.pth').touch()
    monkeypatch.setattr(container_guard, 'MAX_KEYS', 1)
    with pytest.raises(CheckpointError, match='at most 1 keys in a dict, got 2'):
        refuse_claims({'meta': [{'a': 1, 'b': 2}]}, tmp_path / 'a.pth')


def test_two_names_of_one_tensor_count_once(tmp_path):
    tied = torch.ones(100)
    torch.save({'a': tied, 'b': tied[:50]}, tmp_path / 'a.pth')
    (tmp_path / 'a.pth').write_bytes(bytes(400))  # 100 values of 4 bytes
    refuse_claims({'a': tied, 'b': tied[:50]}, tmp_path / 'a.pth')


def test_what_holds_itself_is_walked_once():
    content = {'a': [1]}
    content['a'].append(content)
    assert list(parts(content)) == [content]


@pytest.mark.parametrize(
    'made',
    [torch.Tensor.to_sparse, lambda dense: dense.to(torch.float8_e4m3fn)],
    ids=['sparse', 'float8'],
)
def test_a_tensor_of_a_rare_kind_is_not_called_code(tmp_path, made):
    torch.save({'a': made(torch.ones(2, 3))}, tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointError,
        match=r'must hold dense tensors .*_rebuild_.*Cast sparse, .*to dense float32 and save again',
    ):
        refuse_bombs(tmp_path / 'a.pth')


def test_a_tar_that_begins_with_pickles_is_refused(tmp_path):
    # torch < 2.6 opens it as its old `.tar`, past `weights_only` (CVE-2025-32434).
    with tarfile.open(tmp_path / 'a.pth', 'w', format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo('PICKLES'))
    content = bytearray((tmp_path / 'a.pth').read_bytes())
    content[:20] = b'\x80\x02N.' * 5
    content[148:156] = b' ' * 8
    content[148:156] = b'%06o\0 ' % sum(content[:512])  # the header's checksum
    (tmp_path / 'a.pth').write_bytes(content)
    assert tarfile.is_tarfile(tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='got a tar archive'):
        read_checkpoint(tmp_path / 'a.pth')


def test_without_the_check_such_a_tar_counts_as_a_legacy_pickle(tmp_path, monkeypatch):
    monkeypatch.setattr(container_guard.tarfile, 'is_tarfile', lambda path: False)
    (tmp_path / 'a.pth').write_bytes(b'\x80\x02N.' * 5)
    container_guard.refuse_bombs(tmp_path / 'a.pth')
