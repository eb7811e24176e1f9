import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint_imports(folder):
    code = 'from importlinter.cli import lint_imports_command; lint_imports_command()'
    return subprocess.run(
        [sys.executable, '-c', code, '--no-cache'],
        cwd=folder,
        env={'PYTHONPATH': str(folder), 'COLUMNS': '200'},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_walls_stand():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ('module', 'target'),
    [
        ('bands', 'datasets.boxes'),
        ('models.teacher', 'datasets.boxes'),
        ('scenes.inputs.units', 'scenes.inference.grid'),
        ('scenes.outputs.vector', 'scenes.inputs.units'),
        ('scenes.outputs.vector', 'scenes.inference.grid'),
        ('scenes.frame', 'study.plan'),
    ],
)
def test_a_wrong_import_breaks_a_wall(tmp_path, module, target):
    shutil.copytree(
        ROOT / 'mmlandslide', tmp_path / 'mmlandslide', ignore=lambda *_: {'__pycache__'}
    )
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    path = tmp_path / 'mmlandslide' / f'{module.replace(".", "/")}.py'
    path.write_text(f'{path.read_text()}\nimport mmlandslide.{target}\n')
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout
    assert f'mmlandslide.{module} -> mmlandslide.{target}' in done.stdout
