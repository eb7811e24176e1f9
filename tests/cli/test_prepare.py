"""`mmlandslide prepare` as a user meets it."""

import factories
import pytest
from click.testing import CliRunner

from mmlandslide.cli.prepare import command


@pytest.fixture
def root(tmp_path):
    return factories.write_dataset(tmp_path / 'l4s', {'train': 3, 'test': 2})


def run(*options):
    return CliRunner().invoke(command, list(map(str, options)), env={'COLUMNS': '100'})


def line(output, start):
    return next(row for row in output.splitlines() if start in row).replace('│', ' ').split()


def test_a_sound_data_set_is_tabulated_and_exits_0(root):
    result = run('--data-root', root)
    assert result.exit_code == 0
    assert line(result.output, 'sound tiles')[-2:] == ['3', '2']
    assert line(result.output, 'with landslide')[-2:] == ['2', '1']
    assert line(result.output, 'boxes (components)')[-2:] == ['2', '1']
    assert 'All files are sound and packed in' in result.output


def test_a_faulty_file_is_printed_on_one_line_and_exits_1(root):
    path = factories.truncate(factories.image_path(root, 2))
    result = run('--data-root', root)
    assert result.exit_code == 1
    printed = next(row for row in result.output.splitlines() if row.startswith('train/2 (unreadable)'))
    assert f'in {path}. Get the file again' in printed
    assert line(result.output, 'faulty: unreadable')[-2:] == ['1', '0']
    assert '1 faulty tiles; nothing was packed' in result.output


def test_quarantine_goes_on_and_exits_0(root):
    factories.truncate(factories.image_path(root, 2))
    result = run('--data-root', root, '--quarantine')
    assert result.exit_code == 0
    assert '1 faulty tiles left out from now on' in result.output
    assert line(result.output, 'sound tiles')[-2:] == ['2', '2']


def test_a_check_says_that_nothing_was_written(root):
    result = run('--data-root', root, '--check')
    assert result.exit_code == 0
    assert 'All files are sound; nothing was written.' in result.output
    assert not (root / '.mmlandslide').exists()


def test_copies_are_named_and_counted_apart_across_splits(root):
    factories.write_tile(root, 2, factories.image(1), factories.mask())
    factories.write_tile(root, 1, factories.image(1), factories.mask(), split='test')
    result = run('--data-root', root)
    assert 'same content: train/1, train/2, test/1' in result.output
    assert line(result.output, '│ same content ')[-2:] == ['2', '1']
    assert line(result.output, '... in another split')[-2:] == ['2', '1']


def test_many_copies_are_named_in_part(root):
    for number in range(3, 9):
        factories.write_tile(root, number, factories.image(0), factories.mask())
    assert 'same content: train/3, train/4, train/5, train/6, train/7 and 1 more\n' in run('--data-root', root).output


def test_a_box_rule_is_counted_by(root):
    assert line(run('--data-root', root, '--box-rule', 'study').output, 'boxes (study)')[-2:] == ['0', '0']


def test_help_shows_an_example():
    assert 'Example: mmlandslide prepare --data-root' in run('--help').output
