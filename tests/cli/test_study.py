"""`mmlandslide study` as a user meets it.

Its stages are not run here, see tests/study/test_execute.py.
"""

import json

import pytest
from click.testing import CliRunner
from rich.errors import MarkupError

from mmlandslide.cli.main import main
from mmlandslide.study.plan import plan
from mmlandslide.study.specification import read

STUDY = """
name: One
protocols:
  study: {train_ids: train.txt, score_ids: score.txt}
detect: {epochs: 3, batch_size: 2}
backbones:
  R18: {config: det.py, strategies: {scratch: {}}}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / 'train.txt').write_text('train/1\ntrain/2\ntrain/3\n')
    (tmp_path / 'score.txt').write_text('train/4\n')
    (tmp_path / 'det.py').write_text('')
    (tmp_path / 'study.yaml').write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(*options):
    return CliRunner().invoke(main, ['study', *options], env={'COLUMNS': '140'})


def test_a_dry_run_prints_commands_and_steps_and_writes_nothing(place):
    result = study('study.yaml', '--dry-run')
    assert result.exit_code == 0, result.output
    assert (
        'mim train mmdet det.py --work-dir work_dirs/studies/study/R18_scratch_study_100pct_seed0_'
        in result.output
    )
    assert (
        '1 trials, 2 stages; to do: 1 trainings, 6 steps at most.' in result.output
    )  # 3 epochs of ceil(3 / 2)
    assert not (place / 'work_dirs').exists()


def test_a_spent_budget_exits_with_3_and_writes_what_there_is(place):
    result = study('study.yaml', '--budget', '0s', '--markdown', 'docs/results.md')
    assert result.exit_code == 3, result.output
    assert '2 of 2 stages are not done; start it again to continue.' in result.output
    assert (place / 'work_dirs/studies/study/results.json').is_file()
    assert 'not measured' in (place / 'docs/results.md').read_text()


@pytest.mark.parametrize('said', ['', '25', '5x', 'm'])
def test_a_budget_that_is_no_duration_is_a_fault_of_use(place, said):
    result = study('study.yaml', '--budget', said)
    assert result.exit_code == 2
    assert f'{said!r} is no duration such as 90s, 25m or 1h30m' in result.output


def test_a_fault_of_the_file_is_one_line(place):
    (place / 'study.yaml').write_text(STUDY.replace('epochs: 3', 'epochs: 0'))
    result = study('study.yaml')
    assert result.exit_code == 1
    assert result.stderr.startswith(
        'error: detect.warmup must be at least 1 and below the 0 epochs, got 1 in study.yaml'
    )


def test_pages_are_renewed_under_the_name_of_the_file(place):
    page = place / 'page.md'
    page.write_text('<!-- study: study, scores -->\n<!-- /study -->\n')
    result = study('study.yaml', '--budget', '0s', '--page', str(page))
    assert result.exit_code == 3
    assert '| R18 | scratch | 100 % | 0 of 1 | not measured |' in page.read_text()


def test_the_minutes_of_all_attempts_are_told(place):
    name = next(stage.name for stage in plan(read('study.yaml')).stages.values())
    folder = place / 'work_dirs/studies/study'
    folder.mkdir(parents=True)
    (folder / 'state.json').write_text(
        json.dumps(
            {name: {'seconds': 7200.0, 'attempts': 3}, 'of an older study.yaml': {'seconds': 60.0}}
        )
    )
    assert (
        'Stages took 120 minutes over all attempts.' in study('study.yaml', '--budget', '0s').output
    )


@pytest.mark.parametrize('options', [['--dry-run'], ['--budget', '0s']])
def test_markup_in_a_name_is_text(place, options):
    text = STUDY.replace('name: One', "name: 'a [/b]'").replace('  R18:', "  'Swin[bold]T':")
    (place / 'study.yaml').write_text(text)
    result = study('study.yaml', *options)
    assert result.exit_code == (0 if '--dry-run' in options else 3), result.output
    assert 'a [/b]' in result.output
    assert 'Swin[bold]T' in result.output or options == ['--dry-run']


def test_without_plain_text_markup_in_a_name_is_a_traceback(place, monkeypatch):
    monkeypatch.setattr('mmlandslide.cli.study.Text', str)
    (place / 'study.yaml').write_text(STUDY.replace('name: One', "name: 'a [/b]'"))
    assert isinstance(study('study.yaml', '--dry-run').exception, MarkupError)


def grouped(place):
    text = STUDY.replace('score.txt}', 'score.txt, grouping: l4s_blocks}')
    (place / 'study.yaml').write_text(text)


def test_strict_splits_refuse_scored_tiles_beside_training_tiles(place):
    grouped(place)
    result = study('study.yaml', '--strict-splits', '--dry-run')
    assert result.exit_code == 1
    assert "error: protocol 'study' must score no tile beside one that" in result.stderr
    assert study('study.yaml', '--dry-run').exit_code == 0


def test_older_results_are_brought_to_what_is_known_of_the_splits(place):
    study('study.yaml', '--budget', '0s')
    root, page = place / 'work_dirs/studies/study', place / 'page.md'
    page.write_text('<!-- study: study, scores -->\n<!-- /study -->\n')
    grouped(place)
    more = ('--page', str(page), '--markdown', 'tables.md')
    result = study('study.yaml', '--results', str(root / 'results.json'), *more)
    assert result.exit_code == 0, result.output
    assert 'study: Leaking: 1 of the 1 scored tiles share' in result.output
    for path in (page, place / 'tables.md', root / 'report.html'):
        assert 'study (leaking)' in path.read_text()
    assert json.loads((root / 'results.json').read_text())['protocols']['study']['leaking']


def test_to_renew_results_is_not_to_publish(place):
    result = study('study.yaml', '--results', 'results.json', '--publish', 'zoo')
    assert result.exit_code == 2
    assert '--results runs nothing' in result.output
