import pytest

from mmlandslide.study.report.formatting import (
    caution,
    difference,
    interval,
    level,
    mean,
    number,
    percent,
    score,
    trained_on,
)

CLAIM = {'difference': 0.1, 'interval': [0.05, 0.15], 'verdict': 'better'}
UNKNOWN = {'verdict': 'not measured'}
FEW = ', and with fewer than 3 it speaks of these very trainings, not of the method'
SHARED = 'pre-training is shared by all seeds, so that no interval holds what another run of it would change'


def place(strategy):
    return {
        'backbone': 'Swin-Tiny',
        'strategy': strategy,
        'protocol': 'study',
        'label_fraction': 0.004,
    }


def cell(strategy, *stages):
    """A condition with a seed for each stage."""
    return {
        **place(strategy),
        'runs': [{'seed': seed, 'stages': [stage]} for seed, stage in enumerate(stages)],
    }


def study(seeds, cells=(), ap50=CLAIM, ap=CLAIM):
    claim = {
        'of': place('MAE'),
        'over': place('scratch'),
        'seeds': list(range(seeds)),
        'AP50': ap50,
        'AP': ap,
    }
    return {'cells': list(cells), 'differences': [claim]}


def mim(host, work_dir):
    return {'kind': 'pretrain' if host == 'mmpretrain' else 'detect', 'work_dir': work_dir}


@pytest.mark.parametrize(
    ('value', 'text'),
    [(0.1, '10 %'), (0.004, '0.4 %'), (0.07, '7 %'), (0.125, '12.5 %'), (1.0, '100 %')],
)
def test_a_share_loses_no_digit(value, text):
    assert percent(value) == text
    assert level('label_fraction', value) == f'{text} of labels'


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0.25, '.2500'),
        (-0.25, '-.2500'),
        (1.0, '1.0000'),
        (10.5, '10.5000'),
        (0.99999, '1.0000'),
        (None, '-'),
        (float('nan'), '-'),
    ],
)
def test_a_score_has_four_places(value, text):
    assert number(value) == text


def test_a_sign_and_an_interval_are_written_as_scores_are():
    assert [number(0.1, signed=True), number(10.5, signed=True)] == ['+.1000', '+10.5000']
    assert interval([-0.05, 10.5]) == '[-.0500, 10.5000]'


def test_a_score_is_told_with_what_it_has():
    scores = {
        'AP': {'mean': 0.5, 'std': 0.1, 'interval': [0.4, 0.6]},
        'F1': {'mean': 0.5, 'std': None},
        'AP75': {'mean': None},
    }
    assert score({'scores': scores}, 'AP') == ('.5000', '± .1000', '[.4000, .6000]')
    assert score({'scores': scores}, 'F1') == ('.5000', '', '')
    assert score({'scores': scores}, 'AP75') == score({'scores': scores}, 'gone') == ('-', '', '')
    assert score({'scores': {}}, 'AP') == ('not measured', '', '')
    assert [mean({'scores': scores}, name) for name in ('AP', 'AP75', 'gone')] == [0.5, None, None]


def test_a_difference_names_what_differs_apart_from_what_does_not():
    found = difference({'of': place('MAE'), 'over': place('scratch'), 'seeds': [0]})
    assert (found['sides'], found['place']) == (
        ['MAE', 'scratch'],
        'Swin-Tiny, study, 0.4 % of labels',
    )


@pytest.mark.parametrize(
    ('machines', 'text'),
    [(['2 cores A, no GPU', '8 cores B, C'], '2 cores A, no GPU; 8 cores B, C'), ([], None)],
)
def test_machines_are_named_where_they_were_noted(machines, text):
    assert trained_on({'machines': machines}) == (text or 'machines that were not noted')
    assert trained_on({}) == 'machines that were not noted'


@pytest.mark.parametrize(
    ('seeds', 'text'), [(1, f'1 seed{FEW}'), (2, f'2 seeds{FEW}'), (3, '3 seeds')]
)
def test_few_seeds_speak_of_these_very_trainings(seeds, text):
    assert (
        caution(study(seeds))
        == f'A verdict rests on {text}; the 2 verdicts are not corrected for being several.'
    )


def test_claims_of_several_counts_of_seeds_are_told_together():
    unknown = study(0, ap50=UNKNOWN, ap=UNKNOWN)['differences']
    found = {
        'cells': [],
        'differences': study(4)['differences'] + study(2)['differences'] + unknown,
    }
    assert (
        caution(found)
        == f'A verdict rests on 2 to 4 seeds{FEW}; the 4 verdicts are not corrected for being several.'
    )


def test_what_has_no_verdict_needs_no_caution():
    assert caution({'cells': [], 'differences': []}) == ''
    assert caution(study(0, ap50=UNKNOWN, ap=UNKNOWN)) == ''
    assert caution(study(3, ap=UNKNOWN)) == 'A verdict rests on 3 seeds.'


def test_a_pre_training_of_several_seeds_is_named():
    cells = [
        cell('MAE', mim('mmpretrain', 'a b'), mim('mmpretrain', 'a b')),
        cell('scratch', *[mim('mmdet', 'c')] * 2),
    ]
    assert f'; 1 {SHARED}; the 2' in caution(study(2, cells))
    cells[1] = cell('scratch', *[mim('mmpretrain', 'd')] * 2)
    assert '; 2 pre-trainings are each shared by all seeds, so that' in caution(study(2, cells))


def test_a_pre_training_of_one_seed_or_of_no_claim_is_not_named():
    own = cell('MAE', mim('mmpretrain', 'a'), mim('mmpretrain', 'b'))
    other = cell('KD', *[mim('mmpretrain', 'c')] * 2)
    unmeasured = cell(
        'scratch', mim('mmpretrain', 'd'), mim('mmpretrain', 'e'), mim('mmpretrain', 'e')
    )
    assert 'shared' not in caution(study(2, [own, other, unmeasured]))
