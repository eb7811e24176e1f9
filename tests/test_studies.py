"""Every study of the repository: its commands are sound before anybody spends a day on them."""

import argparse
import copy
from functools import cache
from pathlib import Path

import modelindex
import pytest
from config_faults import faults
from mmengine.config import Config, DictAction

from mmlandslide.study.inputs.results_file import read_results
from mmlandslide.study.plan import plan
from mmlandslide.study.report.marked_pages import write_between
from mmlandslide.study.specification import read

ROOT = Path(__file__).parent.parent
STUDIES = sorted((ROOT / 'studies').glob('*.yaml'))

pytestmark = pytest.mark.filterwarnings('ignore')
every_study = pytest.mark.parametrize('path', STUDIES, ids=lambda path: path.stem)


@pytest.fixture
def planned(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    return plan(read(path))


def first_seed(planned):
    """Return the stages of trials that differ in more than their seed and share of labels."""
    seed, fraction = planned.specification.seeds[0], planned.specification.label_fractions[0]
    trials = [
        trial
        for trial in planned.trials
        if trial.seed == seed and trial.condition.label_fraction == fraction
    ]
    return {stage.name: stage for trial in trials for stage in trial.stages}.values()


@cache
def loaded(config):
    return Config.fromfile(config)


def merged(stage):
    """Return a stage's config with its options, as `mim` reads them."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    cfg = copy.deepcopy(loaded(stage.config))
    cfg.merge_from_dict(parser.parse_known_args(stage.command)[0].cfg_options)
    return cfg


@every_study
def test_every_command_gives_a_sound_config(planned):
    assert {
        stage.name: found for stage in first_seed(planned) if (found := faults(merged(stage)))
    } == {}


@every_study
def test_a_changed_length_is_the_schedule_s_too(planned):
    for stage in first_seed(planned):
        if stage.kind != 'test':
            cfg = merged(stage)
            ends = [each['end'] for each in cfg.param_scheduler]
            assert ends == [cfg.param_scheduler[1]['begin'], cfg.train_cfg['max_epochs']], (
                stage.name
            )


@every_study
def test_what_is_claimed_is_among_the_conditions(planned):
    known = {trial.condition for trial in planned.trials}
    for claim in planned.specification.compare:
        assert any(
            each.matches(claim.of) and each.changed(claim.over) in known for each in known
        ), claim


def test_the_repository_has_studies():
    assert {path.stem for path in STUDIES} >= {
        'cpu_l4s_rgb',
        'cpu_mars',
        'gpu_l4s_rgb',
        'landslide4sense',
    }


RESULTS = sorted((ROOT / 'studies' / 'results').glob('*/results.json'))
every_result = pytest.mark.parametrize('path', RESULTS, ids=lambda path: path.parent.name)


#: Page -> studies whose tables it shows.
PAGES = {'README.md': ['cpu_split'], 'docs/results.md': [path.parent.name for path in RESULTS]}


@pytest.mark.parametrize(
    ('page', 'study'), [(page, study) for page, studies in PAGES.items() for study in studies]
)
def test_a_page_s_tables_are_those_of_the_results(page, study, tmp_path):
    copy_of_it = tmp_path / 'page.md'
    copy_of_it.write_text((ROOT / page).read_text('utf-8'), 'utf-8')
    results = ROOT / 'studies' / 'results' / study / 'results.json'
    write_between(copy_of_it, study, read_results(results))
    assert copy_of_it.read_text('utf-8') == (ROOT / page).read_text('utf-8')


@every_result
def test_results_are_of_a_study_that_is_here_and_have_a_report(path):
    assert path.parent.name in {study.stem for study in STUDIES}
    assert (path.parent / 'report.html').is_file()


def test_the_index_of_models_is_read_and_names_what_the_results_hold():
    models = modelindex.load(str(ROOT / 'model-index.yml')).models
    runs = [run for path in RESULTS for cell in read_results(path)['cells'] for run in cell['runs']]
    trained = {Path(stage['work_dir']).name for run in runs for stage in run['stages']}
    assert models
    assert {model.name for model in models} <= trained
