"""Every study of the repository: its commands are sound before anybody spends a day on them."""

import argparse
import copy
import json
from functools import cache
from pathlib import Path

import modelindex
import pytest
from config_faults import faults
from mmengine.config import Config, DictAction

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
    """Return the stages of cells that differ in more than their seed and share of labels."""
    seed, fraction = planned.specification.seeds[0], planned.specification.label_fractions[0]
    cells = [
        cell for cell in planned.cells if cell.seed == seed and cell.axes.label_fraction == fraction
    ]
    return {stage.name: stage for cell in cells for stage in cell.stages}.values()


@cache
def loaded(config):
    return Config.fromfile(config)


def merged(stage):
    """Return a stage's config with its options, as `mim` reads them."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    cfg = copy.deepcopy(loaded(stage.command[3]))
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
def test_what_is_claimed_is_among_the_cells(planned):
    axes = {cell.axes for cell in planned.cells}
    for claim in planned.specification.compare:
        assert any(each.matches(claim.of) and each.moved(claim.over) in axes for each in axes), (
            claim
        )


def test_the_repository_has_studies():
    assert {path.stem for path in STUDIES} >= {
        'cpu_l4s_rgb',
        'cpu_mars',
        'gpu_l4s_rgb',
        'landslide4sense',
    }


RESULTS = sorted((ROOT / 'studies' / 'results').glob('*/results.json'))
every_result = pytest.mark.parametrize('path', RESULTS, ids=lambda path: path.parent.name)


@every_result
@pytest.mark.parametrize('page', ['README.md', 'docs/results.md'])
def test_a_page_s_tables_are_those_of_the_results(path, page, tmp_path):
    copy_of_it = tmp_path / 'page.md'
    copy_of_it.write_text((ROOT / page).read_text('utf-8'), 'utf-8')
    write_between(copy_of_it, path.parent.name, json.loads(path.read_text('utf-8')))
    assert copy_of_it.read_text('utf-8') == (ROOT / page).read_text('utf-8')


@every_result
def test_results_are_of_a_study_that_is_here_and_have_a_report(path):
    assert path.parent.name in {study.stem for study in STUDIES}
    assert (path.parent / 'report.html').is_file()


def test_the_index_of_models_is_read_and_names_what_the_results_hold():
    models = modelindex.load(str(ROOT / 'model-index.yml')).models
    runs = [
        run
        for path in RESULTS
        for cell in json.loads(path.read_text('utf-8'))['cells']
        for run in cell['runs']
    ]
    trained = {
        Path(word).name
        for run in runs
        for command in run['commands']
        for word in command.split()
        if '/studies/' in word
    }
    assert models
    assert {model.name for model in models} <= trained
