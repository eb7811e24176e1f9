import re

from mmlandslide.evaluation.results import Rules
from mmlandslide.study.plan import plan
from mmlandslide.study.report import plots
from mmlandslide.study.report.curves import RunOutcome
from mmlandslide.study.report.formatting import cpu_hours, hours
from mmlandslide.study.specification import read
from mmlandslide.study.trial import Condition

RING, BOX, FAR = '#d55e00', [0, 0, 10, 10], [50, 50, 60, 60]


def cell(backbone='Swin-Tiny', strategy='MAE', protocol='study', fraction=1.0, mean=0.3):
    scores = {} if mean is None else {'AP50': {'mean': mean, 'interval': [mean - 0.1, mean + 0.1]}}
    return {
        'backbone': backbone,
        'strategy': strategy,
        'protocol': protocol,
        'label_fraction': fraction,
        'scores': scores,
    }


def test_the_original_stands_beside_its_own_protocol_and_all_labels_alone():
    assert RING in plots.scores('f', [cell()])
    assert RING in plots.scores('f', [cell(mean=None)])
    others = [
        cell(protocol='test'),
        cell(fraction=0.5),
        cell(strategy='CLIP'),
        cell('ResNet-18', 'ImageNet'),
    ]
    assert not any(
        RING in plots.scores('f', [each]) for each in others
    )  # of ResNet-18 it says only <.01


def test_a_cell_whose_metric_gives_no_ap50_is_drawn_as_not_measured():
    other = cell(strategy='KD') | {'scores': {'AP75': {'mean': 0.3}}}
    assert 'Swin-Tiny, KD (not measured)' in str(plots.scores('f', [cell(), other]))
    assert plots.label_fractions('f', [other, other | {'label_fraction': 0.1}]) is None


def test_shares_of_labels_are_told_apart():
    figure = str(plots.scores('f', [cell(), cell(fraction=0.004)]))
    assert re.findall(r'>(Swin-Tiny, MAE, [^<]*)<', figure) == [
        'Swin-Tiny, MAE, 100 %',
        'Swin-Tiny, MAE, 0.4 %',
    ]


def test_one_share_of_labels_makes_no_line():
    assert (
        plots.label_fractions(
            'f', [cell(), cell(fraction=0.1, mean=None), cell('ViT-Tiny', fraction=0.1)]
        )
        is None
    )
    assert 'Swin-Tiny, MAE' in str(plots.label_fractions('f', [cell(), cell(fraction=0.1)]))


def test_each_seed_is_drawn_thin_beneath_their_mean(tile):
    found = [
        RunOutcome(seed, (tile('a', [BOX, FAR], scores, [BOX]),))
        for seed, scores in ((0, [0.9, 0.2]), (1, [0.2, 0.9]))
    ]
    for figure in (plots.precision_recall, plots.f1):
        widths = [
            re.findall(
                r'stroke-width: ([\d.]+)', str(figure('f', {Condition('a', 'b', 'c', 1): runs}))
            )
            for runs in (found, found[:1])
        ]
        assert [width.count('0.6') - widths[1].count('0.6') for width in widths] == [2, 0]
        assert all('1.8' in width for width in widths)


def test_losses_are_of_what_has_logged_any(place):
    planned = plan(read('study.yaml'))
    assert plots.losses(planned) == []
    log = planned.trials[3].stages[1].work_dir / '20300101' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('{"loss": 2, "step": 1}\n{"loss": 1, "step": 2}\n')
    ((what, figure),) = plots.losses(planned)
    assert what == 'detectors of protocol study'
    assert re.findall(r'>([^<]*, 100 %)<', figure) == ['Swin-Tiny, MAE, 100 %']


def test_reliability_pools_the_seeds_and_names_its_error(tile):
    # Scores .9 hit in one of two runs: precision .5, confidence .9, D-ECE .4.
    found = [RunOutcome(0, (tile('a', [BOX], [0.9], [BOX]),))]
    found.append(RunOutcome(1, (tile('a', [FAR], [0.9], [BOX]),)))
    figure = str(plots.reliability('f', {Condition('R18', 'MAE', 'c', 1): found}))
    assert ('>R18, MAE, D-ECE 0.400<' in figure, '>calibrated, score = share<' in figure) == (
        True,
        True,
    )


def test_scores_that_are_no_shares_have_no_reliability(tile):
    found = [RunOutcome(0, (tile('a', [BOX], [7.0], [BOX]),))]
    assert plots.reliability('f', {Condition('R18', 'MAE', 'c', 1): found}) is None


def test_areas_of_labels_and_predictions_stand_in_one_figure_in_square_metres(tile):
    # 10 x 10 px of 5 m are 2500 m2: in the bin of 10^3.2 to 10^3.4 m2, its middle 10^3.3 = 1995.
    rules = Rules(native_scale=0.5)
    found = [RunOutcome(0, (tile('a', [BOX, FAR], [0.9, 0.1], [BOX]),), rules)]
    figure = str(plots.frequency_area('f', {Condition('R18', 'MAE', 'c', 1): found}))
    assert '>labels, truth, roll-over 1,995 m²<' in figure
    assert '>R18, MAE, roll-over 1,995 m²<' in figure
    assert '$' not in figure


def test_without_labels_there_is_no_figure_of_areas(tile):
    found = [RunOutcome(0, (tile('a', [BOX], [0.9]),))]
    assert plots.frequency_area('f', {Condition('R18', 'MAE', 'c', 1): found}) is None


def timed(hours, mean=0.3, **levels):
    """A condition with one finished seed, whose pre-training took an hour and detector the rest."""
    kinds = {'pretrain': 3600.0, 'detect': 3600 * (hours - 1), 'test': 50.0}
    stages = [{'kind': kind, 'cpu_seconds': seconds} for kind, seconds in kinds.items()]
    runs = [{'seed': 0, 'status': 'finished', 'stages': stages}, {'seed': 1, 'status': 'stopped'}]
    return cell(mean=mean, **levels) | {'runs': runs}


def test_cost_is_drawn_where_the_hours_of_two_conditions_are_known():
    untimed = timed(2) | {'runs': [{'status': 'finished', 'stages': [{'kind': 'detect'}]}]}
    assert plots.cost('f', [timed(2), untimed]) is None
    drawn = str(plots.cost('f', [untimed, timed(2), timed(3.5, 0.2, strategy='KD')]))
    assert re.findall(r'>(\d  [^<]*)<', drawn) == ['1  Swin-Tiny, MAE', '2  Swin-Tiny, KD']


def test_cpu_hours_are_those_of_trainings_of_finished_seeds():
    assert cpu_hours(timed(2.5)) == 2.5
    assert hours(timed(2.5)) == '2.50'
    assert hours(cell() | {'runs': []}) == '-'
