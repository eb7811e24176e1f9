"""The chain that `tools/smoke.py` runs for every detector, and its table."""

import importlib.util
import sys
from pathlib import Path

import one_step
import pytest
from click.testing import CliRunner
from mmengine.registry import DefaultScope
from one_step import CONFIGS

pytestmark = pytest.mark.filterwarnings('ignore')


@pytest.fixture
def place(tmp_path, monkeypatch):
    one_step.write_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    (tmp_path / 'configs').symlink_to(CONFIGS)
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield tmp_path


@pytest.fixture
def smoke(monkeypatch):
    """Return tools/smoke.py as a module."""
    spec = importlib.util.spec_from_file_location('smoke', CONFIGS.parent / 'tools' / 'smoke.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_detector_goes_from_its_pretraining_to_a_test(place):
    row = one_step.chain(CONFIGS / 'det' / 'faster_rcnn_demo.py')
    assert (row['config'], row['starts_from'], row['carried']) == (
        'faster_rcnn_demo',
        'swin_mae_demo.py',
        1.0,
    )
    assert row['backbone_parameters'] == 5_141_226
    assert row['loss'] > 0
    assert 0 <= row['AP50'] <= 1
    assert (place / 'work_dirs' / 'faster_rcnn_demo' / 'metrics.json').exists()


def test_a_student_waits_for_its_teacher_and_a_detector_for_its_pretraining():
    student = one_step.small(CONFIGS / 'pretrain' / 'kd_swin_b_to_r18.py')
    detector = one_step.small(CONFIGS / 'det' / 'faster_rcnn_r18.py')
    assert [path.stem for path in one_step.before(student)] == ['supervised_l4s_swin_b']
    assert [path.stem for path in one_step.before(detector)] == ['supervised_l4s_r18']
    assert one_step.before(one_step.small(CONFIGS / 'det' / 'faster_rcnn_r18_mars.py')) == []


def test_every_file_to_be_downloaded_has_a_stand_in():
    from foreign.published_files import FILES

    checkpoints = [
        (one_step.small(path).model.backbone.get('pretrained') or {}).get('checkpoint', '')
        for path in (CONFIGS / 'det').glob('*.py')
    ]
    assert set(FILES) == {
        name.removeprefix('data/weights/')
        for name in checkpoints
        if name.startswith('data/weights/')
    }


@pytest.mark.parametrize(
    ('child', 'row'),
    [
        ('open("row.json", "w").write("[3]")', [3]),
        (
            'import sys; sys.exit("first\\nlast {config}")',
            {'config': 'broken', 'error': 'last broken.py'},
        ),
        ('import os; os._exit(7)', {'config': 'broken', 'error': 'exit code 7'}),
    ],
)
def test_a_detector_that_fails_has_its_error_in_the_row(smoke, tmp_path, monkeypatch, child, row):
    monkeypatch.setattr(smoke, '_CHILD', child)
    assert smoke.row_of(Path('broken.py'), tmp_path) == row
    assert not list(tmp_path.iterdir())


ROW = {
    'config': 'a',
    'starts_from': 'b.py',
    'backbone_parameters': 1234,
    'carried': 0.5,
    'loss': 1.5,
    'seconds_train': 2.0,
    'seconds_test': 1.25,
}


@pytest.mark.parametrize(
    ('rows', 'code'), [([ROW], 0), ([ROW, {'config': 'c', 'error': 'no [such] thing'}], 1)]
)
def test_the_table_shows_every_detector_and_one_failure_is_the_exit_code(
    smoke, monkeypatch, rows, code
):
    remaining = iter(rows)
    monkeypatch.setattr(smoke, 'row_of', lambda config, place: next(remaining))
    monkeypatch.setattr(smoke.subprocess, 'run', lambda *args, **options: None)
    names = ['faster_rcnn_r18', 'faster_rcnn_swin_t'][: len(rows)]
    result = CliRunner().invoke(smoke.main, names)
    assert result.exit_code == code
    assert ['a', 'b.py', '1,234', '50.00%', '1.500', '3.2'] in [
        line.replace(' ', '').strip('│').split('│') for line in result.output.splitlines()
    ]
    assert ('failed: no [such] thing' in result.output) == bool(code)


def test_names_that_match_no_config_are_refused(smoke):
    result = CliRunner().invoke(smoke.main, ['faster_rcnn_vgg'])
    assert result.exit_code == 2
    assert "must match a config in configs/det, got ['faster_rcnn_vgg']" in result.output
