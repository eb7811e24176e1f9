"""`mmlandslide stats` as a user meets it."""

import json
import os
from pathlib import Path

import factories
import numpy as np
import pytest
from click.testing import CliRunner

from mmlandslide.cli.stats import command


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


@pytest.mark.data
@pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles')
def test_anchors_reach_98_percent_of_the_real_boxes(tmp_path):
    folder = Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_rgb/train'
    assert run('--voc', folder, '--json', tmp_path / 'stats.json').exit_code == 0
    found = json.loads((tmp_path / 'stats.json').read_text())
    assert (found['tiles'], found['boxes']) == (1440, 6098)
    assert found['anchors']['recall_at_iou_50'] >= 0.98
