import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from mmlandslide.cli.main import main
from mmlandslide.study.inputs.state_file import Record, read_state
from mmlandslide.study.plan import plan
from mmlandslide.study.report.formatting import caution, known_scores, number
from mmlandslide.study.report.report import page
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

VOID = {'meta', 'link', 'img', 'br'}
EVIL = '<script>alert("&$x_{$")</script>'


def read_records(planned):
    return read_state(planned.specification.root / 'state.json')


class Page(HTMLParser):
    """Reads a page; refuses tags that do not close what is open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(' '.join(data.split()))

    @property
    def text(self):
        return ' '.join(text for text in self.texts if text)


def shown(planned, records=None):
    return Page(page(planned, records or {}, collect(planned, records or {})))


_WHOLE = []


@pytest.fixture
def whole(request):
    """The report of a finished study, made once."""
    if not _WHOLE:
        _WHOLE.append(shown(request.getfixturevalue('done')()))
    return _WHOLE[0]


def test_a_finished_study_has_all_parts_in_order(whole):
    ids = [value for name, value in whole.attributes if name == 'id']
    parts = [
        'scores',
        'differences',
        'original',
        'intervals',
        'curves',
        'confusion',
        'losses',
        'reconstructions',
        'tiles',
    ]
    assert [name for name in ids if not re.match(r'(ap|pr|f1|rel|area|loss)[-\d]', name)] == [
        *parts,
        'troubles',
        'origin',
    ]
    assert len({*ids}) == len(ids)
    assert {
        value[1:] for name, value in whole.attributes if name == 'href' and value.startswith('#')
    } <= {*ids}
    assert (
        whole.tags.count('svg') == 5 + 2
    )  # dots, precision over recall, F1, reliability, areas; losses of pre-trainings and of detectors


def test_a_page_needs_nothing_but_itself(whole):
    sources = [value for name, value in whole.attributes if name in ('src', 'href', 'xlink:href')]
    assert all(value.startswith(('data:', '#')) for value in sources)
    assert not {'script', 'iframe', 'object', 'form'} & {*whole.tags}
    assert ('lang', 'en') in whole.attributes


def test_every_picture_says_what_it_shows(whole):
    alts = [value for name, value in whole.attributes if name in ('alt', 'aria-label')]
    assert len(alts) == whole.tags.count('img') + whole.tags.count('svg') + 1  # and the contents
    assert all(alts)


def test_scores_stand_beside_the_original_and_differences_have_verdicts(done):
    planned = done()
    results = collect(planned, {})
    text = Page(page(planned, {}, results)).text
    score = number(results['cells'][1]['scores']['AP50']['mean'])
    assert re.search(
        rf'Swin-Tiny MAE 100 % 2 of 2 {re.escape(score)} ± [.\d]+ \[[^]]+\] .* \.3637 \.1304', text
    )
    (found,) = results['differences']
    assert (
        f'MAE - scratch Swin-Tiny, study, 100 % of labels 2 {number(found["AP50"]["difference"], signed=True)}'
        in text
    )
    assert re.search(r'[▲▼○] (better|worse|not distinguishable)', text)


def test_the_original_s_table_stands_where_its_own_tiles_are_scored(edited):
    assert 'The original study' in shown(plan(read('study.yaml'))).texts
    other = shown(plan(read(edited(('  study: {', '  mars: {')))))
    assert 'The original study' not in other.texts


def test_tiles_and_reconstructions_are_shown(whole):
    assert 'after epoch 2: tiles of its training' in whole.text
    assert re.search(r'train/\d: \d hit, \d false, \d missed', whole.text)
    assert 'could not be read' not in whole.text


def test_tiles_without_a_licence_are_not_shown(edited, done):
    found = shown(done(edited(('study: {', 'study: {show_tiles: false, '))))
    assert found.text.count('The tiles have no licence that lets them be shown.') == 2
    assert 'img' not in found.tags


def test_tiles_that_are_gone_leave_the_numbers(place, done):
    planned = done()
    (place / 'det.py').write_text('1 / 0')
    found = shown(planned)
    assert 'The tiles could not be read: ZeroDivisionError' in found.text
    assert 'true positives' in found.text


def test_a_study_of_which_nothing_is_done_has_a_report(place):
    found = shown(plan(read('study.yaml')))
    assert 'not measured' in found.text
    assert 'No condition has been scored yet.' in found.text
    assert {'losses', 'curves', 'confusion'}.isdisjoint(
        value for name, value in found.attributes if name == 'id'
    )


def test_a_half_done_study_names_what_failed(place, done):
    planned = done()
    test, detect = planned.trials[3].stages[-1], planned.trials[2].stages[-2]
    for trial in planned.trials[2:]:
        (trial.stages[-1].work_dir / 'metrics.json').unlink()
    (detect.work_dir / detect.leaves[0]).unlink()
    records = {
        test.name: Record('leakage', 3.0, 1, EVIL, 'abc'),
        detect.name: Record('failed', 7.0, 2, 'loss must be finite', 'abc'),
    }
    text = shown(planned, records).text
    assert f'study 1 leakage {EVIL}' in text
    assert 'study 0 failed loss must be finite' in text


def test_names_from_a_file_are_text(edited, done):
    quoted = "'" + EVIL + "'"
    found = shown(
        done(edited(('name: Two backbones', f'name: {quoted}'), ('  Swin-Tiny:', f'  {quoted}:')))
    )
    assert found.texts.count(EVIL) > 2
    assert 'script' not in found.tags


def test_label_fractions_have_a_figure(edited, done):
    found = shown(done(edited(('seeds: [0, 1]', 'seeds: [0]\nlabel_fractions: [0.2, 1.0]'))))
    assert 'AP50 over labels' in found.texts
    assert {'20', '100', 'labels, %'} <= {*found.texts}
    assert (
        found.text.count('.3637 .1304') == 2
    )  # beside all labels, as the original had them, and in its own table


def test_a_score_that_the_metric_does_not_give_is_a_dash(done):
    planned = done()
    results = collect(planned, {})
    cell, columns = results['cells'][1], len(known_scores(results['cells']))
    cell['scores'] = {'AP': cell['scores']['AP'] | {'mean': 10.5, 'std': None}}
    text = Page(page(planned, {}, results)).text
    assert 'Swin-Tiny MAE 100 % 2 of 2 - 10.5000 [' in text
    assert 'Swin-Tiny MAE 100 % ' + ' '.join('-' * columns) in text
    assert 'Swin-Tiny, MAE (not measured)' in text  # in the figure of AP50


def test_a_difference_that_was_not_measured_is_shown_as_that(done):
    planned = done()
    results = collect(planned, {})
    results['differences'][0]['AP50'] = {
        'difference': 0.2,
        'interval': [0.1, 0.3],
        'verdict': 'not measured',
    }
    text = Page(page(planned, {}, results)).text
    assert re.search(r'100 % of labels 2 not measured [+-]\.\d{4} \[', text)


def test_caution_stands_below_the_differences(done):
    planned = done()
    results = collect(planned, {})
    text = Page(page(planned, {}, results)).text
    assert '2 seeds, and with fewer than 3' in caution(results)
    assert '; 1 pre-training is shared by all seeds' in caution(results)
    assert f'{caution(results)} The original study' in text


def test_the_machines_that_trained_are_told_apart_from_the_one_that_wrote(place):
    planned = plan(read('study.yaml'))
    results = collect(planned, {}) | {'machines': ['2 cores <A>, no GPU', '8 cores B, C']}
    written = 'The machine that wrote this report, which need not be one that trained mmlandslide'
    assert (
        f'Trained on 2 cores <A>, no GPU; 8 cores B, C. {written}'
        in Page(page(planned, {}, results)).text
    )
    del results['machines']
    assert (
        f'Trained on machines that were not noted. {written}'
        in Page(page(planned, {}, results)).text
    )


def test_the_command_writes_the_report_beside_the_results(place):
    result = CliRunner().invoke(main, ['study', 'study.yaml', '--budget', '0s'])
    assert result.exit_code == 3, result.output
    planned = plan(read('study.yaml'))
    text = (planned.specification.root / 'report.html').read_text('utf-8')
    assert text == page(planned, read_records(planned), collect(planned, read_records(planned)))
