"""`mmlandslide stats` as a user meets it."""

import json
import os
from pathlib import Path

import factories
import numpy as np
import pytest
from click.testing import CliRunner

from mmlandslide.cli.stats import anchors_of, command
from mmlandslide.datasets.anchors import Anchors
from mmlandslide.errors import ConfigError


def run(*options):
    return CliRunner().invoke(command, list(map(str, options)), env={'COLUMNS': '120'})


def test_bands_and_boxes_of_a_split_are_measured(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3})
    result = run('--data-root', tmp_path, '--json', tmp_path / 'stats.json')
    assert result.exit_code == 0
    found = json.loads((tmp_path / 'stats.json').read_text())
    pixels = np.stack([factories.image(seed).astype(np.float32) for seed in (1, 2, 3)])
    assert found['bands']['B8']['mean'] == pytest.approx(pixels[:, 7].mean(dtype=float))
    assert found['bands']['DEM']['std'] == pytest.approx(pixels[:, 13].std(dtype=float))
    assert (found['tiles'], found['boxes'], found['boxes_per_tile'][2]) == (3, 2, 1)
    assert found['sqrt_area_px'] == pytest.approx([12**0.5] * 5)  # 4 x 3 px


def test_fitted_anchors_reach_the_boxes_at_the_detectors_scale(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3}, size_px=32)
    run('--data-root', tmp_path, '--input-px', 64, '--json', tmp_path / 'stats.json')
    anchors = json.loads((tmp_path / 'stats.json').read_text())['anchors']
    assert (anchors['input_px'], anchors['recall_at_iou_50']) == (64, 1.0)


def test_a_split_without_boxes_has_no_anchors(tmp_path):
    factories.write_dataset(tmp_path, {'test': 1}, labelled=False)
    result = run('--data-root', tmp_path, '--split', 'test')
    assert result.exit_code == 0
    assert '0 boxes on 1 tiles' in result.output
    assert 'anchors' not in result.output


@pytest.mark.parametrize(
    ('bands', 'names'), [('mars', ['mars_R', 'mars_grey']), ('a, b,c,d,e,f,g', ['a', 'g'])]
)
def test_a_folder_of_masks_is_measured_with_any_bands(tmp_path, bands, names):
    factories.write_mask_folder(tmp_path)
    result = run('--masks', tmp_path, '--source-bands', bands, '--json', tmp_path / 'stats.json')
    assert result.exit_code == 0
    found = json.loads((tmp_path / 'stats.json').read_text())
    pixels = np.stack(
        [np.random.default_rng(seed).random((7, 64, 64), np.float32) for seed in (1, 2)]
    )
    assert [list(found['bands'])[index] for index in (0, -1)] == names
    assert found['bands'][names[1]]['std'] == pytest.approx(pixels[:, 6].std(dtype=float))
    assert (found['boxes'], found['sqrt_area_px'][0]) == (2, pytest.approx(600**0.5))  # 30 x 20 px


@pytest.mark.parametrize(
    'options', [['--masks', 'x'], ['--source-bands', 'mars'], ['--pattern', '(1)']]
)
def test_options_of_a_mask_folder_go_together(options):
    result = run(*options)
    assert result.exit_code == 2
    assert '--masks and --source-bands go together' in result.output


def test_two_data_sets_are_not_measured_at_once():
    assert 'two data sets' in run('--masks', 'x', '--source-bands', 'a', '--voc', 'y').output


def test_anchors_of_a_config_are_measured_beside_the_fitted_ones(tmp_path):
    factories.write_dataset(tmp_path, {'train': 3})
    config = tmp_path / 'config.py'
    config.write_text(
        "model = dict(rpn_head=dict(anchor_generator=dict(type='AnchorGenerator', "
        'octave_base_scale=30, scales_per_octave=1, '
        'ratios=[1.0], strides=[64])))'
    )
    result = run('--data-root', tmp_path, '--config', config, '--json', tmp_path / 'stats.json')
    found = json.loads((tmp_path / 'stats.json').read_text())
    assert f'anchors in {config}: input_px 256, octave_base_scale 30.0' in result.output
    assert (
        found['anchors']['recall_at_iou_50'],
        found['anchors_of_config']['recall_at_iou_50'],
    ) == (1.0, 0.0)  # 1920 px


def test_the_anchors_of_our_configs_are_read_as_they_stand():
    found = anchors_of(Path(__file__).parents[2] / 'configs/det/faster_rcnn_r18.py')
    assert found == Anchors(3.0, 2, (0.25, 0.5, 1.0, 2.0, 4.0), (4, 8, 16, 32, 64))


def test_a_config_without_anchors_is_refused():
    with pytest.raises(
        ConfigError, match=r'anchor_generator must have .* got none in .*swin_mae\.py'
    ):
        anchors_of(Path(__file__).parents[2] / 'configs/pretrain/swin_mae.py')


@pytest.mark.data
@pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles')
def test_anchors_reach_98_percent_of_the_real_boxes(tmp_path):
    folder = Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_rgb/train'
    assert run('--voc', folder, '--json', tmp_path / 'stats.json').exit_code == 0
    found = json.loads((tmp_path / 'stats.json').read_text())
    assert (found['tiles'], found['boxes']) == (1440, 6098)
    assert found['anchors']['recall_at_iou_50'] >= 0.98
