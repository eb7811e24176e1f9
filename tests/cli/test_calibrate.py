"""`mmlandslide calibrate` as a user meets it."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from mmlandslide.cli.main import main
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.lineage import stated


@pytest.fixture
def place(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    rows = []
    for number, score in enumerate(generator.random(200).tolist(), start=1):
        box = [0, 0, 10, 10] if generator.random() < score**3 else [50, 50, 60, 60]
        found = {'boxes_xyxy': [[0, 0, 10, 10]], 'scores': [score], 'labels': [0]}
        truth = {'true_boxes_xyxy': [box], 'true_labels': [0]}
        rows.append({'img_id': f'train/{number}', 'ori_shape': [128, 128], **found, **truth})
    (tmp_path / 'predictions.json').write_text(json.dumps(rows))
    record = {'tile_ids': ['landslide4sense:train/3000']}
    torch.save({'state_dict': {}, 'meta': {'mmlandslide': record}}, tmp_path / 'r18.pth')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calibrate(*options):
    words = ['calibrate', 'r18.pth', '--predictions', 'predictions.json', *map(str, options)]
    return CliRunner().invoke(main, words)


def test_a_calibration_is_stored_with_the_weights(place):
    result = calibrate('--grouping', 'l4s_blocks', '--json', 'calibration.json')
    assert result.exit_code == 0, result.output
    record = stated(read_checkpoint(place / 'r18.pth'), place / 'r18.pth')
    assert record['tile_ids'] == ['landslide4sense:train/3000']
    assert record['calibration'] == json.loads((place / 'calibration.json').read_text())
    # 41 columns: tiles 1 to 200 are rows 0 to 4, in 2 x 11 blocks of which the last two rows have
    # 9 columns (36 = 200 - 164): 11 + 9.
    assert 'held out: 20 4 x 4 tiles' in result.output
    assert result.output.count('(chosen)') == 1


def test_single_tiles_are_said(place):
    result = calibrate('--out', 'new.pth', '--method', 'isotonic')
    assert 'no grouping is known' in result.output
    assert 'calibration' not in stated(read_checkpoint('r18.pth'), place / 'r18.pth')
    assert stated(read_checkpoint('new.pth'), place / 'new.pth')['calibration']['tile_ids']


def test_the_rules_beside_the_predictions_are_taken(place):
    for px_m, scale in ((10, 1.0), (5, 0.5)):
        text = json.dumps({'rules': {'native_scale': scale, 'gsd_m': 10.0}})
        (place / 'evaluation.json').write_text(text)
        calibrate('--out', f'{px_m}.pth')
    found = [stated(read_checkpoint(f'{px}.pth'), place)['calibration'] for px in (10, 5)]
    per_km2 = [each['blocks']['count']['slope'] for each in found]
    assert per_km2[0] == pytest.approx(per_km2[1], rel=0.2)
    assert found[0]['blocks'] != found[1]['blocks']


@pytest.mark.parametrize(
    ('seen', 'options', 'message'),
    [
        (['landslide4sense:train/7'], [], r'unseen by the training of r18.pth, got 1 of 200 seen'),
        ([], ['--grouping', 'none.csv'], 'group file must be a file, got nothing in none.csv'),
        ([], ['--predictions', 'r18.pth'], 'predictions must be those of LandslideMetric, got'),
    ],
)
@pytest.mark.usefixtures('place')
def test_a_users_fault_is_one_line(seen, options, message):
    torch.save({'state_dict': {}, 'meta': {'mmlandslide': {'tile_ids': seen}}}, 'r18.pth')
    result = calibrate(*options)
    assert (result.exit_code, 'Traceback' in result.output) == (1, False)
    assert message in result.output
