import json

import pytest
import torch
from click.testing import CliRunner

from mmlandslide.cli.inspect import plain
from mmlandslide.cli.main import main


@pytest.fixture
def checkpoint(tmp_path):
    """Write the work dir of a small training, one value of whose weights is lost.

    Its record would write to the terminal.
    """
    state = {
        'backbone.conv1.weight': torch.ones(2, 14, 3, 3),
        'backbone.layer1.0.conv1.weight': torch.ones(2, 2),
        'head.fc': torch.ones(3),
    }
    state['head.fc'][1] = float('nan')
    own = {
        'config': 'x\x1b[2J.py',
        'bands': ['B4'],
        'tile_ids': ['a:1', 'a:2'],
        'lineage': {'tile_ids': ['a:3']},
    }
    meta = {'epoch': 3, 'iter': 12, 'mmlandslide': own}
    torch.save({'state_dict': state, 'meta': meta, 'optimizer': {}}, tmp_path / 'epoch_3.pth')
    return tmp_path / 'epoch_3.pth'


def inspect(*arguments):
    return CliRunner().invoke(main, ['inspect', *map(str, arguments)])


def test_a_checkpoint_is_told_by_its_record_and_its_tensors(checkpoint):
    output = inspect(checkpoint).output
    for said in (
        'torch zip',
        '3, 12',
        'state_dict, meta, optimizer',
        "['B4']",
        'ResNet of torchvision or MMPretrain',
        'in_channels 14',
    ):
        assert said in output
    assert '3 of 259 values (float32 259)' in output  # 2 * 14 * 9 + 4 + 3


def test_a_broken_value_is_named(checkpoint):
    assert 'not finite: head.fc has 1 NaN and 0 infinite values' in inspect(checkpoint).output


def test_a_work_dir_stands_for_its_latest_checkpoint(checkpoint):
    assert str(checkpoint) in inspect(checkpoint.parent).output


def test_what_a_checkpoint_states_does_not_write_to_the_terminal(checkpoint):
    output = inspect(checkpoint).output
    assert '\x1b' not in output
    assert r'x\x1b[2J.py' in output


def test_a_text_is_shown_as_it_stands_and_not_as_markup():
    assert plain('[red]a\n') == r'\[red]a\n'
    assert plain('a' * 300) == 'a' * 200 + '...'


def test_the_numbers_are_written_as_json(checkpoint, tmp_path):
    assert inspect(checkpoint, '--json', tmp_path / 'a.json').exit_code == 0
    found = json.loads((tmp_path / 'a.json').read_text())
    assert (
        found['epoch'],
        found['record']['tile_ids'],
        found['record']['lineage']['tile_ids'],
    ) == (3, 2, 1)
    assert found['modules'] == {
        'backbone': {'tensors': 2, 'parameters': 256},
        'head': {'tensors': 1, 'parameters': 3},
    }


def test_a_file_that_is_refused_is_one_line_and_an_exit_code(tmp_path):
    (tmp_path / 'a.pth').write_text('<html>404</html>')
    result = inspect(tmp_path / 'a.pth')
    assert result.exit_code == 1
    assert result.output.startswith(
        'error: checkpoint must be a file of torch or safetensors, '
        "got one that starts with b'<html>"
    )
