import json
import shlex
from pathlib import Path

import pytest

from mmlandslide.errors import LandslideError
from mmlandslide.study.inputs.results_file import read_results, renewed, upgraded

ROOT = Path(__file__).parents[3] / 'studies' / 'results'
COMMAND = (
    "mim train mmdet a.py --work-dir w/d_1 --cfg-options train_cfg.max_epochs=3 'model.x=[1,2]'"
)
TEST = 'mim test mmdet a.py --checkpoint w/d_1/epoch_3.pth --work-dir w/d_1/t --cfg-options a=b=c'


def first(status='finished'):
    """Return results as schema 1 had them."""
    run = {'seed': 0, 'status': status, 'error': '', 'commands': [COMMAND, TEST]}
    cell = {'backbone': 'A', 'protocol': 'p', 'runs': [run]}
    return {'schema': 1, 'cells': [cell], 'differences': [{'of': {}, 'over': {}}]}


def test_commands_of_schema_1_become_stages():
    detect, test = upgraded(first())['cells'][0]['runs'][0]['stages']
    assert (detect['kind'], detect['host'], detect['work_dir']) == ('detect', 'mmdet', 'w/d_1')
    assert detect['options'] == {'train_cfg.max_epochs': '3', 'model.x': '[1,2]'}
    assert (test['kind'], test['checkpoint']) == ('test', 'w/d_1/epoch_3.pth')
    assert test['options'] == {'a': 'b=c'}


def test_void_is_read_as_leakage():
    assert upgraded(first('void'))['cells'][0]['runs'][0]['status'] == 'leakage'


@pytest.mark.parametrize('name', ['cpu_l4s_rgb', 'cpu_mars'])
def test_committed_results_are_read(name):
    results = read_results(ROOT / name / 'results.json')
    stages = [stage for cell in results['cells'] for run in cell['runs'] for stage in run['stages']]
    assert results['schema'] == 2
    for stage in stages:
        words = shlex.split(stage['command'])
        assert words[words.index('--work-dir') + 1] == stage['work_dir']


@pytest.mark.parametrize('text', ['[]', '{"schema": 3}', '{', '{"schema": 1, "cells": [1]}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / 'results.json').write_text(text)
    with pytest.raises(LandslideError, match=r'results must be those of a study, schema 1 to 2'):
        read_results(tmp_path / 'results.json')


def test_renewed_facts_leave_what_the_intervals_resampled():
    blocks = {'interval_unit': '4 x 4 tiles', 'interval_groups': 9, 'interval_tiles': 20}
    facts = {'p': {**blocks, 'interval_grouping_known': True, 'leaking': True, 'limit': None}}
    found = renewed(upgraded(first()), facts)['protocols']['p']
    assert (found['leaking'], found['interval_unit'], found['interval_groups']) == (
        True,
        'single tiles',
        20,
    )
    again = renewed(json.loads(json.dumps({'protocols': {'p': found}})), facts)['protocols']['p']
    assert again == found
