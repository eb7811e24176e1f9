"""What the QGIS plugin does without QGIS: find the command, run it, pass on what it says."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[2] / 'qgis/mmlandslide/runner.py'
_SPEC = importlib.util.spec_from_file_location('qgis_runner', _PATH)
runner = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(runner)


def command(folder, program):
    path = folder / 'bin/mmlandslide'
    path.parent.mkdir()
    path.write_text(f'#!{sys.executable}\n{program}\n')
    path.chmod(0o755)
    return runner.command_in(str(folder))


def test_the_command_of_an_environment_is_found_by_its_folder(tmp_path):
    assert command(tmp_path, '') == str(tmp_path / 'bin/mmlandslide')
    assert runner.command_in(str(tmp_path / 'bin')) == str(tmp_path / 'bin/mmlandslide')


def test_an_environment_without_the_command_is_refused_with_how_to_make_one(tmp_path):
    with pytest.raises(runner.Failed, match=r'no mmlandslide command.*pip install mmlandslide'):
        runner.command_in(str(tmp_path))


def test_lines_and_progress_are_passed_on(tmp_path):
    said = []
    path = command(tmp_path, 'print("windows 3/4"); print("wrote x.gpkg")')
    assert runner.run(path, [], lambda *line: said.append(line), lambda: False)
    assert said == [('windows 3/4', 0.75), ('wrote x.gpkg', None)]


def test_a_failure_is_the_last_line_that_the_command_said(tmp_path):
    path = command(tmp_path, 'print("one"); raise SystemExit("error: scene must exist")')
    with pytest.raises(runner.Failed, match='error: scene must exist'):
        runner.run(path, [], lambda *line: None, lambda: False)


def test_a_cancelled_run_ends_its_command(tmp_path):
    said = []
    program = 'import time; print("begun", flush=True); time.sleep(60); print("ended")'
    path = command(tmp_path, program)
    assert not runner.run(path, [], lambda *line: said.append(line[0]), lambda: bool(said))
    assert said == ['begun']


def test_the_command_does_not_see_the_paths_of_qgis(tmp_path, monkeypatch):
    for name in runner.FOREIGN:
        monkeypatch.setenv(name, str(tmp_path))
    said = []
    path = command(tmp_path, f'import os; print([n for n in {runner.FOREIGN} if n in os.environ])')
    runner.run(path, [], lambda *line: said.append(line[0]), lambda: False)
    assert said == ['[]']
    assert os.environ['PROJ_LIB'] == str(tmp_path)
