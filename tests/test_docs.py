"""The front door.

Pages, notebooks and checklists say what is there, and load nothing from another host.
"""

import ast
import importlib
import json
import re
import runpy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCS = ROOT / 'docs'
NOTEBOOKS = sorted((DOCS / 'notebooks').glob('*.ipynb'))
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *DOCS.rglob('*.md')]


@pytest.fixture(scope='module')
def hooks():
    pytest.importorskip('mkdocs')
    return runpy.run_path(str(ROOT / 'tools' / 'docs_hooks.py'))


def cells(path):
    return json.loads(path.read_text('utf-8'))['cells']


def test_the_readme_fits_on_a_screen_or_two():
    assert len((ROOT / 'README.md').read_text('utf-8').splitlines()) <= 120


@pytest.mark.parametrize('title', ['backbone', 'data set', 'source of weights', 'metric'])
def test_a_checklist_has_seven_steps(title):
    text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
    [section] = re.findall(rf'## Add a {title}\n(.*?)\n## ', text, re.DOTALL)
    assert re.findall(r'^(\d)\. ', section, re.MULTILINE) == list('1234567')


@pytest.mark.parametrize('page', PAGES, ids=lambda path: path.name)
def test_paths_that_a_page_names_are_there(page):
    named = re.findall(
        r'`((?:mmlandslide|configs|tests|tools|studies|docs)/[\w/.]+)`', page.read_text('utf-8')
    )
    # A page may name what its reader is to write.
    made = {'configs/det/mine.py'}
    assert [path for path in named if path not in made and not (ROOT / path).exists()] == []


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_an_earlier_code_printed(path):
    code = [cell for cell in cells(path) if cell['cell_type'] == 'code']
    assert code
    assert all(cell['outputs'] == [] and cell['execution_count'] is None for cell in code)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_imports_of_the_package_is_there(path):
    sources = [''.join(cell['source']) for cell in cells(path) if cell['cell_type'] == 'code']
    nodes = [ast.walk(ast.parse(text)) for text in sources if not text.startswith('%%')]
    for node in (node for tree in nodes for node in tree if isinstance(node, ast.ImportFrom)):
        if node.module.startswith('mmlandslide'):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def test_what_the_reference_shows_is_there():
    griffe = pytest.importorskip('griffe')
    package = griffe.load('mmlandslide', search_paths=[str(ROOT)])
    pages = [path.read_text('utf-8') for path in (DOCS / 'reference').glob('*.md')]
    shown = [name for page in pages for name in re.findall(r'^::: mmlandslide\.(\S+)', page, re.M)]
    gone = [name for name in shown if not found(package, name)]
    assert len(shown) > 50
    assert gone == []


def found(package, name):
    try:
        return package[name]
    except KeyError:
        return None


def test_every_notebook_and_page_is_in_the_navigation():
    text = (ROOT / 'mkdocs.yml').read_text('utf-8')
    listed = re.findall(
        r': ([\w/]+\.md)$', str(yaml.safe_dump(yaml.safe_load(text)['nav'])), re.MULTILINE
    )
    pages = [
        path.relative_to(DOCS).with_suffix('.md').as_posix()
        for path in (*DOCS.rglob('*.md'), *NOTEBOOKS)
    ]
    assert {*pages} <= {*listed}
    assert len(listed) == len({*listed})


@pytest.mark.parametrize(
    'page',
    [
        '<script src="https://example.org/a.js"></script>',
        '<script async src=//example.org/a.js></script>',
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<img alt="" src="http://example.org/a.png">',
    ],
)
def test_a_page_that_loads_from_another_host_ends_the_build(hooks, page):
    assert hooks['_LOADED'].search(page)


def test_a_link_that_a_reader_may_follow_does_not(hooks):
    page = '<a href="https://arxiv.org/abs/2212.13805">paper</a> <img src="how_it_works.svg">'
    assert hooks['_LOADED'].search(page) is None


def test_an_empty_zoo_is_said_to_be_empty(hooks, tmp_path):
    assert 'No detector is shipped yet' in hooks['zoo_page'](tmp_path)


def test_a_zoo_s_page_has_the_cards_in_order_below_one_title(hooks, tmp_path):
    for name in ('b', 'a'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'card.md').write_text(f'# Card {name}\n\n## Scores\n')
    headings = re.findall(r'^#+ .*', hooks['zoo_page'](tmp_path), re.MULTILINE)
    assert headings == ['# Models', '## Card a', '### Scores', '## Card b', '### Scores']
