"""`mmlandslide study --publish` as a user meets it.

What the files hold is in tests/study/test_publish.py.
"""

import modelindex
import pytest
import tiny_study
from click.testing import CliRunner

from mmlandslide.cli.main import main


def study(folder, *options):
    return CliRunner().invoke(
        main, ['study', str(folder / 'study.yaml'), *options], env={'COLUMNS': '140'}
    )


def test_a_finished_study_is_published_with_an_index(tmp_path):
    tiny_study.write(tmp_path)
    result = study(tmp_path, '--publish', str(tmp_path / 'zoo'))
    assert result.exit_code == 0, result.output
    assert f'{tmp_path}/zoo/model-index.yml: 3 files of weights' in result.output
    index = modelindex.load(str(tmp_path / 'zoo/model-index.yml'))
    assert index.check(silent=True) == []
    # Of two true boxes one is found: precision 1 at the 51 of 101 recall levels up to 0.5.
    assert [model.results and model.results[0].metrics['box AP'] for model in index.models] == [
        0.505,
        None,
        0.505,
    ]
    assert all((tmp_path / 'zoo' / model.weights).is_file() for model in index.models)


def test_what_is_not_finished_is_named_and_the_exit_code_is_that_of_the_study(tmp_path):
    tiny_study.write(tmp_path, ('pretrain',))
    result = study(tmp_path, '--budget', '0s', '--publish', str(tmp_path / 'zoo'))
    assert result.exit_code == 3, result.output
    assert 'left out: R18, scratch, study, 100 % of labels, seed 0: stopped' in result.output
    assert 'model-index.yml: 1 files of weights' in result.output


def test_a_dry_run_publishes_nothing(tmp_path):
    tiny_study.write(tmp_path)
    result = study(tmp_path, '--dry-run', '--publish', str(tmp_path / 'zoo'))
    assert result.exit_code == 2
    assert 'Error: --dry-run writes nothing: leave it out, or --publish' in result.output
    assert not (tmp_path / 'zoo').exists()


@pytest.mark.parametrize('name', ['study.yaml', 'study.yaml/zoo'])
def test_a_folder_that_cannot_be_is_a_fault(tmp_path, name):
    tiny_study.write(tmp_path)
    result = study(tmp_path, '--publish', str(tmp_path / name))
    assert result.exit_code in (1, 2)
    assert 'Traceback' not in result.output
    assert 'study.yaml' in result.output
