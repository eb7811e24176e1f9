"""`mmlandslide prepare` as a user meets it."""

import json

import factories
import planted_faults
import pytest
from click.testing import CliRunner

from mmlandslide.cli.prepare import command
from mmlandslide.datasets.storage.faults import FAULTS


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


def test_a_second_run_says_that_it_did_not_read_the_files_again(root):
    assert 'not read again' not in run('--data-root', root).output
    assert 'train, test: packed before from files of this size' in run('--data-root', root).output


def test_a_faulty_file_is_printed_on_one_line_and_exits_1(root):
    path = factories.truncate(factories.image_path(root, 2))
    result = run('--data-root', root)
    assert result.exit_code == 1
    printed = next(
        row for row in result.output.splitlines() if row.startswith('train/2 (truncated)')
    )
    assert f'in {path}. Download the file again' in printed
    assert line(result.output, 'faulty tiles')[-2:] == ['1', '0']
    assert line(result.output, '│ truncated')[:5] == ['truncated', 'error', '1', 'x', 'train']
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
    assert (
        'train/1 (duplicate-across-splits): tile must have content of its own, '
        'got that of test/1 again' in result.output
    )


def test_many_copies_are_named_in_part(root):
    for number in range(3, 9):
        factories.write_tile(root, number, factories.image(0), factories.mask())
    assert (
        'same content: train/3, train/4, train/5, train/6, train/7 and 1 more\n'
        in run('--data-root', root).output
    )


def test_a_box_rule_is_counted_by(root):
    assert line(run('--data-root', root, '--box-rule', 'study').output, 'boxes (study)')[-2:] == [
        '0',
        '0',
    ]


def test_help_shows_an_example():
    assert 'Example: mmlandslide prepare --data-root' in run('--help').output


def test_help_lists_every_fault():
    output = run('--help').output
    assert all(f'{fault.code} ' in output for fault in FAULTS.values())


def test_all_faults_are_written_as_json(root, tmp_path):
    factories.truncate(factories.image_path(root, 2))
    assert run('--data-root', root, '--check', '--json', tmp_path / 'found.json').exit_code == 1
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['splits']['train'] == {
        'sound': 2,
        'faulty': 1,
        'with_landslide': 2,
        'unlabelled': 0,
        'boxes': 2,
        'packed': False,
    }
    assert list(found['faults']) == list(FAULTS)
    truncated = found['faults']['truncated']
    assert (truncated['severity'], truncated['count'], truncated['splits']) == (
        'error',
        1,
        {'train': 1},
    )
    assert truncated['files'][0]['path'] == str(factories.image_path(root, 2))


def test_a_config_with_published_statistics_exits_1(root, tmp_path):
    (tmp_path / 'c.py').write_text("pre = dict(mean='published')")
    result = run('--data-root', root, '--config', tmp_path / 'c.py')
    assert result.exit_code == 1
    assert 'config (published-statistics): pre.mean must be' in result.output
    assert (root / '.mmlandslide/train.tiles').is_file()


OF_LABELS = {
    'broken-image',
    'broken-label',
    'ignored-file',
    'image-size',
    'image-without-label',
    'label-without-image',
    'leads-out',
    'name-without-id',
    'unknown-class',
    'whole-image-box',
    'wrong-box',
}


def test_each_of_the_faults_is_found_in_one_pass(tmp_path):
    root, planted = planted_faults.write(tmp_path)
    result = run('--data-root', root, '--check', '--json', tmp_path / 'found.json')
    faults = json.loads((tmp_path / 'found.json').read_text())['faults']
    found = {
        code: [file['tile'] for file in fault['files']]
        for code, fault in faults.items()
        if fault['count']
    }
    assert found == planted
    # A reader that dies is in test_prepare.py, faults of label files in test_formats.py.
    assert set(planted) == set(FAULTS) - {'reader-died', *OF_LABELS}
    assert result.exit_code == 1
