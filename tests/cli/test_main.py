import importlib
import subprocess
import sys

import click
import factories
import pytest
from click.testing import CliRunner

from mmlandslide import __version__
from mmlandslide.cli import synth
from mmlandslide.cli.main import VERBS, main
from mmlandslide.errors import DatasetError


def test_help_lists_the_verbs_without_importing_one():
    code = (
        'import sys; from mmlandslide.cli.main import main; '
        'main(["--help"], standalone_mode=False); print(*sys.modules)'
    )
    output = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    ).stdout
    assert all(f'  {verb} ' in output for verb in VERBS)
    assert 'mmlandslide.cli.doctor' not in output
    assert ' torch ' not in output


def test_the_version_is_the_package_version():
    assert (
        CliRunner().invoke(main, ['--version']).output.strip()
        == f'mmlandslide, version {__version__}'
    )


@pytest.mark.parametrize('verb', VERBS)
def test_each_verb_has_a_help_with_an_example(verb):
    result = CliRunner().invoke(main, [verb, '--help'])
    assert result.exit_code == 0
    assert f'Example: mmlandslide {verb}' in ' '.join(result.output.split())


def test_an_unknown_verb_is_answered_with_those_that_exist():
    result = CliRunner().invoke(main, ['detekt'])
    assert result.exit_code == 2
    assert "no verb 'detekt'; there are doctor, synth" in result.output


def test_an_error_of_ours_is_one_line_on_stderr_and_exit_code_1(monkeypatch):
    @click.command()
    def command() -> None:
        raise DatasetError.mismatch('folder', 'hold tiles', '0\n(none)', 'data/x', 'Put some there')

    monkeypatch.setattr(importlib.import_module('mmlandslide.cli.doctor'), 'command', command)
    result = CliRunner().invoke(main, ['doctor'])
    assert result.exit_code == 1
    assert (
        result.stderr
        == 'error: folder must hold tiles, got 0\\n(none) in data/x. Put some there.\n'
    )


@pytest.mark.parametrize('options', [['synth', '--train', '1', '--out'], ['stats', '--json']])
def test_a_path_that_cannot_be_written_is_one_line(tmp_path, options):
    factories.write_dataset(tmp_path / 'data/landslide4sense', {'train': 1})
    (tmp_path / 'file').write_text('')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        result = CliRunner().invoke(main, [*options, str(tmp_path / 'file' / 'below')])
    assert result.exit_code == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith('error: path must be usable, got ')
    assert str(tmp_path / 'file') in line


def test_synth_hands_its_options_on(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        'mmlandslide.datasets.simulation.synthetic.write_dataset',
        lambda *args: calls.append(args[:3]),
    )
    options = ['--out', str(tmp_path), '--train', '3', '--val', '2', '--test', '1', '--seed', '7']
    assert CliRunner().invoke(synth.command, options).exit_code == 0
    assert calls == [(tmp_path, {'train': 3, 'validation': 2, 'test': 1}, 7)]
