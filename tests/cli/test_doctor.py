from pathlib import Path

import pytest
from click.testing import CliRunner

from mmlandslide import installation
from mmlandslide.cli import doctor
from mmlandslide.installation import Finding


@pytest.mark.parametrize(('fault', 'code'), [(True, 1), (False, 0)])
def test_a_fault_makes_the_exit_code_1_and_is_shown_whole(monkeypatch, fault, code):
    findings = [Finding('mmdet', 'none', "Run `pip install 'mmlandslide[openmmlab]'`", fault)]
    monkeypatch.setattr(installation, 'examine', lambda: findings)
    result = CliRunner().invoke(doctor.command, env={'COLUMNS': '200'})
    assert result.exit_code == code
    assert 'mmlandslide[openmmlab]' in result.output


@pytest.mark.parametrize('training', [True, False])
def test_data_sets_are_asked_for_where_one_can_train(monkeypatch, tmp_path, training):
    monkeypatch.setattr(installation, 'examine', lambda: [])
    monkeypatch.setattr(installation, 'is_for_training', lambda: training)
    result = CliRunner().invoke(doctor.command, ['--data', str(tmp_path)], env={'COLUMNS': '200'})
    assert ('no Landslide4Sense folder' in result.output) is training


def test_the_folder_of_the_configs_is_printed_alone():
    result = CliRunner().invoke(doctor.command, ['--configs'])
    assert (Path(result.stdout.strip()) / 'pretrain/swin_mae.py').is_file()
