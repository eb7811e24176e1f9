import pytest
import torch
from safetensors.torch import load_file, save_file

from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.lineage import add_to_record, stated

WEIGHTS = {'layer.weight': torch.arange(6.0).reshape(2, 3)}
ENTRY = {'calibration': {'method': 'temperature', 'temperature': 0.5, 'shift': -1.0}}


def test_the_rest_of_a_checkpoint_stays(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    record = {'tile_ids': ['a:1'], 'calibration': {'method': 'old'}}
    content = {'state_dict': WEIGHTS, 'meta': {'epoch': 1, 'mmlandslide': record}}
    torch.save({**content, 'optimizer': {'step': 3}}, path)
    add_to_record(path, ENTRY, path)
    found = read_checkpoint(path)
    assert stated(found, path) == {'tile_ids': ['a:1'], **ENTRY}
    assert (found['meta']['epoch'], found['optimizer']) == (1, {'step': 3})
    torch.testing.assert_close(found['state_dict'], WEIGHTS, rtol=0, atol=0)
    assert [each.name for each in tmp_path.iterdir()] == ['epoch_1.pth']


def test_bare_weights_get_a_record(tmp_path):
    torch.save(WEIGHTS, tmp_path / 'bare.pth')
    out = add_to_record(tmp_path / 'bare.pth', ENTRY, tmp_path / 'out.pth')
    assert stated(read_checkpoint(out), out) == ENTRY
    assert set(read_checkpoint(out)['state_dict']) == set(WEIGHTS)


def test_a_safetensors_file_keeps_its_record_as_text(tmp_path):
    path = tmp_path / 'detector.safetensors'
    save_file(WEIGHTS, path, metadata={'mmlandslide': '{"bands": ["B4"]}'})
    add_to_record(path, ENTRY, path)
    assert stated(read_checkpoint(path), path) == {'bands': ['B4'], **ENTRY}
    torch.testing.assert_close(load_file(path), WEIGHTS, rtol=0, atol=0)


def test_a_broken_file_is_left_as_it_is(tmp_path):
    path = tmp_path / 'broken.pth'
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'broken\.pth'):
        add_to_record(path, ENTRY, path)
    assert path.read_bytes() == b'nothing'
