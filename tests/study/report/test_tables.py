import pytest

from mmlandslide.study.report.tables import markdown, origin, original, score_tables

UNKNOWN = {'verdict': 'not measured'}
CLAIM = {'difference': -0.1, 'interval': [-0.15, -0.05], 'verdict': 'worse'}


def score(mean, std=None, interval=None):
    return {'mean': mean, 'std': std, **({'interval': interval} if interval else {})}


SCORES = {
    'AP50': score(0.3, 0.01, [0.2, 0.4]),
    'AP': score(0.1, None, [0, 0.2]),
    'AP75': score(10.5),
    'F1': score(None),
}


def cell(strategy='MAE', fraction=1.0, scores=SCORES, protocol='study'):
    run = {
        'seed': 0,
        'status': 'finished',
        'error': '',
        'stages': [{'kind': 'detect', 'command': 'mim train mmdet a.py'}],
    }
    axes = {
        'backbone': 'Swin-Tiny',
        'strategy': strategy,
        'protocol': protocol,
        'label_fraction': fraction,
    }
    return {**axes, 'scores': scores, 'runs': [run]}


def study(*cells, ap=CLAIM, **more):
    claim = {'of': cell('MAE'), 'over': cell('KD'), 'seeds': [0], 'AP50': CLAIM, 'AP': ap}
    machine = {
        'cores': 4,
        'cpu': 'Writer',
        'gpus': [],
        'python': '3.12',
        'packages': {'torch': '2.11'},
    }
    bootstrap = {'resamples': 1000, 'over': ['tiles', 'seeds'], 'level': 0.95}
    about = {'name': 'Mine', 'revisions': ['abc'], 'environment': machine, 'bootstrap': bootstrap}
    about |= {'protocols': {}, 'cells': cells or (cell(),), 'differences': [claim]}
    return about | more


def rows(text, start):
    return [line for line in text.splitlines() if line.startswith(f'| {start}')]


def test_scores_are_told_with_their_spreads_and_intervals():
    (row, _) = rows(markdown(study(cell())), 'Swin-Tiny | MAE | 100 %')
    assert (
        row
        == '| Swin-Tiny | MAE | 100 % | 1 of 1 | .3000 ± .0100 [.2000, .4000] | .1000 [.0000, .2000] | .3637 / .1304 |'
    )


def test_a_score_that_the_metric_does_not_give_is_a_dash():
    (scores, more) = rows(
        markdown(study(cell(scores={'AP50': SCORES['AP50'], 'AP75': score(10.5)}))),
        'Swin-Tiny | MAE | 100 %',
    )
    assert scores.endswith('| .3000 ± .0100 [.2000, .4000] | - | .3637 / .1304 |')
    assert more == '| Swin-Tiny | MAE | 100 % | 10.5000 |'


def test_a_score_that_only_another_condition_has_is_a_dash():
    table = markdown(study(cell(), cell('KD', scores={'AP': score(0.1)})))
    assert rows(table, 'Swin-Tiny | KD | 100 % | -') == ['| Swin-Tiny | KD | 100 % | - | - |']


@pytest.mark.parametrize(('fraction', 'text'), [(0.004, '0.4 %'), (0.1, '10 %'), (0.125, '12.5 %')])
def test_the_original_does_not_stand_beside_a_part_of_the_labels(fraction, text):
    (row,) = rows(score_tables(study(cell(fraction=fraction))), f'Swin-Tiny | MAE | {text} |')
    assert row.endswith('|  |')


def test_the_original_stands_beside_its_own_tiles_and_strategies_alone():
    assert original(cell()) == ('.3637', '.1304')
    assert [
        original(each) for each in (cell('scratch'), cell(fraction=0.5), cell(protocol='mars'))
    ] == [None] * 3
    assert '.3637' not in markdown(study(cell(protocol='mars')))


def test_a_difference_has_its_verdict_or_is_not_measured():
    (row,) = rows(score_tables(study(ap=UNKNOWN)), 'MAE - KD')
    assert (
        row
        == '| MAE - KD | Swin-Tiny, study, 100 % of labels | 1 | -.1000 [-.1500, -.0500]: worse | not measured |'
    )


@pytest.mark.parametrize('tables', [markdown, score_tables])
def test_caution_stands_below_the_differences(tables):
    lines = [line for line in tables(study()).splitlines() if line]
    place = next(
        index
        for index, line in enumerate(lines)
        if line.startswith('A verdict rests on 1 seed, and')
    )
    assert lines[place - 1].startswith('| MAE - KD |')


def test_differences_without_a_verdict_have_no_caution():
    results = study()
    results['differences'][0] |= {'AP50': UNKNOWN, 'AP': UNKNOWN}
    assert 'A verdict rests' not in markdown(results)


def test_the_machines_that_trained_are_told_apart_from_the_one_that_wrote():
    text = origin(study(machines=['2 cores A, no GPU', '8 cores B, C']))
    assert (
        'Trained on 2 cores A, no GPU; 8 cores B, C. These tables were written on 4 cores Writer, GPUs: none, with'
        in text
    )
    assert 'Trained on machines that were not noted. These' in origin(study())
    assert 'in brackets the 95 % interval of 1000 resamples of tiles and seeds.' in text


def test_html_and_markdown_in_names_are_text():
    evil = {**cell(), 'backbone': '<b>A</b> `x` [y](z) | ![i](j)'}
    text = markdown(study(evil, name='<script>'))
    assert '<script>' not in text
    assert '## &lt;script&gt;' in text
    assert '| &lt;b&gt;A&lt;/b&gt; \\`x\\` [y\\](z) \\| \\![i\\](j) | MAE |' in text


def test_without_the_escape_html_in_names_is_html(monkeypatch):
    monkeypatch.setattr('mmlandslide.study.report.tables.markdown_text', str)
    assert '## <script>' in markdown(study(cell(), name='<script>'))


def test_a_fence_within_a_command_does_not_end_the_block():
    odd = cell()
    odd['runs'][0]['stages'][0]['command'] = "mim 'a=```'"
    assert "\n`````\nmim 'a=```'\n`````" in markdown(study(odd))
