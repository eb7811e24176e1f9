"""`mmlandslide grid` as a user meets it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import simulated_scene as simulated
from click.testing import CliRunner

from mmlandslide.cli.grid import command
from mmlandslide.cli.main import main

SPLITS = Path(__file__).parents[2] / 'configs/splits'
STUDY = (SPLITS / 'study_train.txt', SPLITS / 'study_valid.txt')
BLOCK = (SPLITS / 'block_train.txt', SPLITS / 'block_score.txt')


def run(*options, verb=command):
    return CliRunner().invoke(verb, list(map(str, options)), env={'COLUMNS': '120'})


@pytest.fixture(scope='module')
def tiles(tmp_path_factory):
    root = tmp_path_factory.mktemp('tiles')
    return simulated.write_tiles(root, simulated.image(), simulated.mask())


def test_the_leaks_of_the_original_lists_are_counted(tmp_path):
    result = run('--leaks', *STUDY, '--json', tmp_path / 'leaks.json', '--fail')
    assert result.exit_code == 1
    assert 'The lists leak.' in result.output
    found = json.loads((tmp_path / 'leaks.json').read_text())['leaks']
    assert (found['by_edge'], found['by_edge_or_corner'], found['leaking']) == (287, 302, True)


def test_the_block_split_does_not_leak(tmp_path):
    result = run('--leaks', *BLOCK, '--within', 2, '--fail', '--json', tmp_path / 'leaks.json')
    assert result.exit_code == 0
    assert 'The lists do not leak.' in result.output
    assert json.loads((tmp_path / 'leaks.json').read_text())['leaks']['within'] == 0


def test_the_third_tile_apart_counts_where_asked():
    assert run('--leaks', *BLOCK, '--within', 3, '--fail').exit_code == 1  # rows 49 and 52


def test_a_copy_in_order_is_put_together(tiles, tmp_path):
    options = ('--mosaic', tmp_path / 'out', '--json', tmp_path / 'grid.json')
    result = run('--data-root', tiles, *options)
    assert result.exit_code == 0
    assert 'The order holds' in result.output
    (scene,) = json.loads((tmp_path / 'grid.json').read_text())['scenes']
    assert (scene['objects'], scene['joined'], scene['cut']) == (5, 2, 0)
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'scene_c.tif',
        'scene_c_landslides.gpkg',
        'scene_c_mask.tif',
    ]


def test_a_renumbered_copy_is_found_out_and_nothing_made_of_it(tmp_path):
    numbers = np.random.default_rng(0).permutation(simulated.SCENE.numbers)
    simulated.write_tiles(tmp_path / 'tiles', simulated.image(), numbers=numbers)
    result = run('--data-root', tmp_path / 'tiles', '--mosaic', tmp_path / 'out')
    assert result.exit_code == 1
    assert 'this copy was renumbered' in result.output
    assert not (tmp_path / 'out').exists()


def test_a_copy_too_small_to_tell_is_said_and_fails(tiles, tmp_path):
    first = simulated.SCENE.first_number
    rest = [number for number in simulated.SCENE.numbers if number > first + 3]
    simulated.write_tiles(tmp_path, simulated.image(), without=rest)
    result = run('--data-root', tmp_path)
    assert result.exit_code == 1
    assert 'cannot be told' in result.output


def test_boxes_that_continue_are_counted_with_a_copy(tiles, tmp_path):
    """The largest landslide lies in rows 5 to 7: row 6 trains, rows 5 and 7 score."""
    rows = {name: [f'train/{simulated.number_at(row, column)}' for row in rows for column in (3, 4)]
            for name, rows in {'train': [6], 'scored': [5, 7]}.items()}  # fmt: skip
    for name, ids in rows.items():
        (tmp_path / f'{name}.txt').write_text('\n'.join(ids))
    lists = (tmp_path / 'train.txt', tmp_path / 'scored.txt')
    result = run('--data-root', tiles, '--leaks', *lists, '--json', tmp_path / 'leaks.json')
    found = json.loads((tmp_path / 'leaks.json').read_text())['leaks']
    assert (found['boxes'], found['continuing_boxes']) == (4, 4)
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ('train', 'scored', 'said'),
    [
        ('train/3800', 'train/1', "1 unknown: ['train/3800']"),
        ('train/2\ntrain/2', 'train/1', "a tile twice: ['train/2']"),
        ('train/1\ntrain/2', 'train/2', "got 1 in both, such as ['train/2']"),
    ],
)
def test_wrong_lists_are_one_clear_error(tmp_path, train, scored, said):
    for name, text in (('train', train), ('scored', scored)):
        (tmp_path / f'{name}.txt').write_text(text)
    lists = (tmp_path / 'train.txt', tmp_path / 'scored.txt')
    result = run('grid', '--leaks', *lists, verb=main)
    assert result.exit_code == 1
    assert said in result.output
    assert result.output.count('error:') == 1


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ((), 'name --data-root, --leaks, or both'),
        (('--leaks', *STUDY, '--mosaic', 'out'), 'name --data-root'),
        (('--data-root', '.', '--fail'), 'go with --leaks'),
    ],
)
def test_options_that_do_nothing_together_are_refused(options, said):
    result = run(*options)
    assert result.exit_code == 2
    assert said in result.output


real_tiles = pytest.mark.skipif(
    'MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles'
)


@pytest.mark.data
@real_tiles
def test_the_real_tiles_hold_the_order_and_the_original_lists_leak(tmp_path):
    root = Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_rgb'
    result = run('--data-root', root, '--leaks', *STUDY, '--json', tmp_path / 'grid.json')
    assert result.exit_code == 0
    found = json.loads((tmp_path / 'grid.json').read_text())
    assert (found['order']['verdict'], found['order']['misplaced']) == ('holds', [])
    assert (found['leaks']['boxes'], found['leaks']['continuing_boxes']) == (1338, 234)
