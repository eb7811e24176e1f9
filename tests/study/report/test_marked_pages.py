import pytest

from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.study.plan import plan
from mmlandslide.study.report.marked_pages import write_between
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

PAGE = """# Ours
<!-- study: mine, scores -->
old
<!-- /study -->
between
<!-- study: other, all -->
theirs
<!-- /study -->
"""


@pytest.fixture
def results(place):
    return collect(plan(read('study.yaml')), {})


@pytest.fixture
def page(tmp_path):
    path = tmp_path / 'page.md'
    path.write_text(PAGE)
    return path


def test_only_the_text_between_the_study_s_comments_is_replaced(page, results):
    write_between(page, 'mine', results)
    text = page.read_text()
    assert '| Swin-Tiny | scratch | 100 % | 0 of 2 | not measured |' in text
    assert 'old' not in text
    assert text.startswith('# Ours\n<!-- study: mine, scores -->\n')
    assert text.endswith(PAGE[PAGE.index('<!-- /study -->\nbetween') :])


def test_writing_twice_changes_nothing_more(page, results):
    write_between(page, 'mine', results)
    once = page.read_text()
    write_between(page, 'mine', results)
    assert page.read_text() == once


def test_all_holds_the_commands_too(page, results):
    write_between(page, 'other', results)
    assert 'mim train mmpretrain mae.py' in page.read_text()


def test_a_page_without_a_place_for_the_study_is_refused(page, results):
    with pytest.raises(
        ConfigError,
        match=r'page must have `<!-- study: third, PART -->` with a part of .*, got parts \[\] in ',
    ):
        write_between(page, 'third', results)


def test_an_unknown_part_is_refused(page, results):
    page.write_text(PAGE.replace('mine, scores', 'mine, plots'))
    with pytest.raises(ConfigError, match=r"got parts \['plots'\]"):
        write_between(page, 'mine', results)


def test_a_comment_without_its_end_does_not_swallow_another_study(page, results):
    page.write_text(PAGE.replace('<!-- /study -->\nbetween', 'between'))
    with pytest.raises(ConfigError, match=r'got parts \[\]'):
        write_between(page, 'mine', results)


def test_a_missing_page_is_refused(results, tmp_path):
    with pytest.raises(MissingPathError, match=r'page must be a file, got nothing in .*none.md'):
        write_between(tmp_path / 'none.md', 'mine', results)


def test_an_option_that_would_end_the_place_early_is_refused(page, results):
    stages = results['cells'][0]['runs'][0]['stages']
    stages[0]['command'] += " 'a=<!-- /study -->'"
    with pytest.raises(ConfigError, match='tables must hold no HTML comment, got a comment in'):
        write_between(page, 'other', results)
