"""`mmlandslide probe` as a user meets it."""

import json

import factories
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from mmlandslide.cli.main import main
from mmlandslide.models.backbones.band_backbone import ResNet

CONFIG = """
model = dict(
    backbone=dict(type='mmlandslide.ResNet', depth=18, base_channels=8, bands='mars'),
    data_preprocessor=dict(
        type='mmlandslide.TilePreprocessor', bands='mars', mean=[.5] * 7, std=[.3] * 7
    ),
)
train_dataloader = dict(
    dataset=dict(
        type='mmlandslide.MaskFolderDataset',
        name='mars',
        source_bands='mars',
        data_root='mars/train',
        split='train',
    )
)
"""


def write_tile(folder, number, side_px):
    """Write a 64 px tile whose landslide is a square, `side_px` wide and bright in every band."""
    values = np.random.default_rng(number).random((7, 64, 64), np.float32)
    landslide = factories.mask((0, 0, side_px, side_px), size_px=64)
    factories.write_array(folder / 'images' / f'Image_patch_1_{number}.tif', values + 2 * landslide)
    factories.write_array(
        folder / 'masks' / f'Mask_patch_1_{number}.tif', landslide.astype(np.float32)
    )


@pytest.fixture
def place(tmp_path, monkeypatch):
    for split, count in (('train', 12), ('validation', 6)):
        for number in range(count):
            write_tile(tmp_path / 'mars' / split, number, side_px=8 + 32 * (number % 2))
    (tmp_path / 'config.py').write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def probe(*options):
    return CliRunner().invoke(
        main, ['probe', *map(str, options), '--config', 'config.py'], env={'COLUMNS': '140'}
    )


def write_checkpoint(path, **own):
    model = factories.randomised(ResNet(depth=18, base_channels=8, bands='mars'))
    torch.save(
        {
            'state_dict': model.state_dict(),
            'meta': {'mmlandslide': {'bands': list(model.bands), **own}},
        },
        path,
    )
    return path


def test_tiles_with_much_landslide_are_told_from_those_with_little(place):
    result = probe('random', '--label', 'median', '--neighbours', 3, '--json', 'probe.json')
    assert result.exit_code == 0, result.output
    found = json.loads((place / 'probe.json').read_text())
    assert (found['fit'], found['scored']['base_rate']) == (
        {'tiles': 12, 'samples': 12, 'base_rate': 0.5},
        0.5,
    )
    assert [(row['weights'], row['probe'], row['auroc']) for row in found['rows']] == [
        ('random', 'linear', 1),
        ('random', 'k-NN', 1),
    ]
    assert (
        'tile labels (median), fit 12 of 12 tiles, scored 6 of 6 tiles, landslide 50.0%; '
        'intervals over 6 single tiles' in ' '.join(result.output.split())
    )


def test_cells_are_labelled_by_the_mask(place):
    result = probe('random', '--level', 'cell', '--stage', 'last', '--json', 'probe.json')
    assert result.exit_code == 0, result.output
    found = json.loads((place / 'probe.json').read_text())
    # 8 px are a quarter of a 16 px cell; 40 px fill 2 x 2 cells and exactly half of 4 more, which
    # is not over half.
    assert found['scored'] == {'tiles': 6, 'samples': 96, 'base_rate': 3 * 4 / 96}
    assert found['fit']['samples'] == 192


def test_a_checkpoint_stands_beside_random_weights(place):
    write_checkpoint(place / 'r18.pth')
    result = probe('r18.pth', '--level', 'cell', '--fit-cells', 60, '--json', 'probe.json')
    assert result.exit_code == 0, result.output
    assert '100.00% of' in result.output
    rows = json.loads((place / 'probe.json').read_text())['rows']
    assert [row['weights'] for row in rows] == ['random', 'random', 'r18.pth', 'r18.pth']
    assert rows[2]['auroc_gain'] == pytest.approx(rows[2]['auroc'] - rows[0]['auroc'])
    assert rows[2]['auroc_gain_95'][0] <= rows[2]['auroc_gain'] <= rows[2]['auroc_gain_95'][1]


def test_scored_tiles_that_the_training_saw_are_counted_and_said(place):
    write_checkpoint(
        place / 'r18.pth', tile_ids=['mars:train/1_0', 'mars:validation/1_0', 'mars:validation/1_5']
    )
    result = probe('r18.pth', '--label', 'median', '--neighbours', 3, '--json', 'probe.json')
    assert 'warning: the training of r18.pth saw 2 of the 6 scored tiles' in result.output
    assert [
        row['scored_tiles_seen'] for row in json.loads((place / 'probe.json').read_text())['rows']
    ] == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ['random'],
            'error: labels must have both classes on at least 3 tiles each, '
            'got 12 with and 0 without landslide among',
        ),
        (
            ['none.pth'],
            'error: checkpoint must be a file or a work dir that holds one, '
            'got nothing in none.pth',
        ),
        (
            ['random', '--label', 'median', '--neighbours', '13'],
            'error: neighbours must be 1 to 12, got 13 in mars/train/images',
        ),
        (
            ['random', '--data-root', 'nowhere'],
            'error: tile folder must exist, got no folder in nowhere/train/images',
        ),
        (['random', '--device', 'nonsense'], "error: device must be there, got 'nonsense'"),
    ],
)
@pytest.mark.usefixtures('place')
def test_a_users_fault_is_one_line(options, message):
    result = probe(*options)
    assert result.exit_code == 1
    assert message in result.output
    assert 'Traceback' not in result.output


def test_a_config_that_is_not_there_is_a_fault_of_use(tmp_path):
    result = CliRunner().invoke(main, ['probe', 'random', '--config', str(tmp_path / 'none.py')])
    assert result.exit_code == 2
    assert 'none.py' in result.output


def test_a_config_that_is_none_is_refused_in_one_line(place):
    (place / 'config.py').write_text('model = dict(')
    result = probe('random')
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert 'error: config must be a config of mmengine, got' in result.output
