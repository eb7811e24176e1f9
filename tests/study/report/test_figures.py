import re
from xml.etree import ElementTree

import numpy as np
import pytest

from mmlandslide.study.report.figures import Dot, Line, Panel, dots, lines, panels

X = np.linspace(0, 1, 101)
NAME = '<b>$x_{$ & "id=\\"a\\"</b>'


def figures(name='f'):
    return [
        dots(f'{name}0', NAME, [Dot(NAME, 0.3, (0.2, 0.4), 0.35), Dot('other', None)], 'AP50'),
        lines(
            f'{name}1',
            NAME,
            [Line(NAME, 'MAE', X, X**2, [X, X**3])],
            'recall',
            'precision',
            xlim=(0, 1),
        ),
        panels(
            f'{name}2',
            NAME,
            [
                Panel(NAME, {NAME: (X[1:], X[1:]), 'two': (X, X)}),
                Panel('flat', {'none': (X, 0 * X)}),
            ],
            'x',
            'y',
        ),
    ]


def texts(svg):
    return [text.text for text in parsed(svg).iter('text')]


def parsed(svg):
    return ElementTree.fromstring(svg.replace('xlink:href', 'href'))


def test_a_figure_is_one_element_and_text_stays_text_whatever_a_name_holds():
    for svg in figures():
        root = parsed(svg)
        assert (root.tag, root.get('role'), root.get('aria-label')) == ('svg', 'img', NAME)
        assert any(NAME in text for text in texts(svg))


def test_ids_of_figures_do_not_collide_and_all_references_hold():
    ids, used = (
        [name for svg in figures() for name in re.findall(kind, svg)]
        for kind in (r'\bid="([^"]*)"', r'[(|"]#([^")]*)')
    )
    assert len({*ids}) == len(ids)
    assert used
    assert {*used} <= {*ids}


def test_a_figure_is_the_same_in_every_run_and_asks_for_nothing():
    assert figures() == figures()
    assert not any('<style' in svg or 'http' in svg for svg in figures())


def test_what_was_not_measured_is_said():
    assert 'other (not measured)' in texts(figures()[0])


def test_a_row_shows_its_score_and_another_study_only_where_there_is_one():
    counts = [
        str(dots('f', '', [row], 'AP50')).count('<use')
        for row in (Dot('a', 0.3, (0.2, 0.4), 0.35), Dot('a', 0.3, (0.2, 0.4)))
    ]
    assert counts[0] - counts[1] >= 1


def test_a_loss_axis_has_numbers_a_reader_knows():
    svg = panels(
        'f', '', [Panel('a', {'loss': (np.array([1, 2]), np.array([0.5, 20]))})], 'step', 'loss'
    )
    assert {'0.5', '1', '10', '20'} <= {*texts(svg)}


@pytest.mark.filterwarnings('error')
def test_a_line_without_any_value_is_no_trouble():
    assert 'a, b' in texts(lines('f', '', [Line('a', 'b', X, np.full(101, np.nan))], 'x', 'y'))


def test_a_line_of_a_hundred_points_is_small():
    assert (
        len(lines('f', '', [Line('a', 'b', X, np.random.default_rng(0).random(101))], 'x', 'y'))
        < 12_000
    )
