"""Scripts beside the package: each is imported, and says what it is for."""

import runpy
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

ROOT = Path(__file__).parents[1] / 'tools'
#: All but what mkdocs calls.
SCRIPTS = sorted(path for path in ROOT.rglob('*.py') if path.stem != 'docs_hooks')


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs_as_far_as_its_help(path, monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(path.parent), *sys.path])
    found = runpy.run_path(str(path), run_name='script')
    main = found.get('main')
    assert isinstance(main, click.Command), 'a script has a command `main`'
    result = CliRunner().invoke(main, ['--help'])
    assert result.exit_code == 0
    assert result.output
