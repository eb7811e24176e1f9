import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.study.inputs.state_file import Record
from mmlandslide.study.plan import plan
from mmlandslide.study.protocols import leakage_of, require_apart
from mmlandslide.study.report.report import page, renew_note
from mmlandslide.study.report.tables import markdown, score_tables
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

GROUPED = ('study: {', 'study: {grouping: l4s_blocks, ')


@pytest.fixture
def placed(place, edited):
    """Returns the plan of a study of Landslide4Sense tiles; scene A has 41 columns."""

    def made(train, score, *replaced):
        for name, numbers in (('train', train), ('score', score)):
            (place / f'{name}.txt').write_text(''.join(f'train/{each}\n' for each in numbers))
        return plan(read(edited(GROUPED, *replaced)))

    return made


# Row, column of a tile: 1 = 0, 0; 3 = 0, 2; 43 = 1, 1; 85 = 2, 2.
@pytest.mark.parametrize(
    ('train', 'score', 'tiles'), [([43], [1, 85, 200], 2), ([3], [1, 85], 0), ([3034], [3035], 0)]
)
def test_a_scored_tile_beside_a_training_tile_is_a_leak(placed, train, score, tiles):
    planned = placed(train, score)
    found = leakage_of(planned, 'study')
    assert (found.tiles, found.leaking) == (tiles, tiles > 0)
    if not tiles:
        require_apart(planned)


def test_a_pre_training_beside_scored_tiles_is_a_leak(placed, place):
    (place / 'more.txt').write_text('train/43\n')
    option = 'batch_size: 4, options: {train_dataloader.dataset.split_file: more.txt}'
    planned = placed([3], [1], ('batch_size: 4', option))
    found = leakage_of(planned, 'study')
    assert (found.tiles, [name.partition('_')[0] for name in found.stages]) == (1, ['mae'])


def test_without_a_grouping_nothing_is_known(place):
    planned = plan(read('study.yaml'))
    assert leakage_of(planned, 'study').leaking is None
    text = markdown(collect(planned, {}))
    assert 'Whether scored tiles lie beside training tiles is unknown' in text
    assert 'Intervals resample the 6 tiles one by one' in text


def test_strict_splits_refuse_a_leak(placed):
    with pytest.raises(
        ConfigError, match=r"protocol 'study' must score no tile beside .*, got 2 of 2 that are"
    ):
        require_apart(placed([43], [1, 85]))


def test_a_tile_beyond_the_last_is_refused_when_the_file_is_read(placed):
    with pytest.raises(
        ConfigError, match=r"protocols.study.grouping must group score.txt, got .*'train/3800'"
    ):
        placed([1], [3800])


def test_a_group_file_that_leaves_a_tile_out_is_refused(edited, place):
    (place / 'groups.csv').write_text('id,group\ntrain/1,a\n')
    with pytest.raises(ConfigError, match=r'none for 5, such as .*groups.csv.* in study.yaml'):
        read(edited(('study: {', 'study: {grouping: groups.csv, ')))


def test_groups_of_a_file_are_resampled(edited, place, done):
    (place / 'groups.csv').write_text(''.join(f'train/{n},{n // 2}\n' for n in range(6)))
    planned = done(edited(('study: {', 'study: {grouping: groups.csv, ')))
    results = collect(planned, {})
    facts = results['protocols']['study']
    assert (facts['interval_unit'], facts['interval_groups']) == ('groups of groups.csv', 3)
    assert facts['leaking'] is None
    assert results['cells'][0]['scenes'] == {}


@pytest.fixture
def leaking(placed, done):
    """Results of a finished study that scores four tiles of scene A and two of scene B."""
    placed([43], [1, 2, 85, 86, 3035, 3049])
    planned = done()
    return planned, collect(planned, {})


def test_a_leak_is_stated_wherever_its_scores_and_claims_are(leaking):
    planned, results = leaking
    for text in (markdown(results), score_tables(results), page(planned, {}, results)):
        assert 'study (leaking)' in text
        assert '3 of the 6 scored tiles share an edge or corner' in ' '.join(text.split())
        verdict = results['differences'][0]['AP50']['verdict']
        assert f'{verdict} (leaking)' in text


def test_scores_of_each_scene_stand_beside_the_pooled_one(leaking):
    _, results = leaking
    scenes = results['cells'][0]['scenes']
    assert {
        name: (each['scored_tiles'], each['interval_groups']) for name, each in scenes.items()
    } == {
        'A': (4, 1),
        'B': (2, 2),
    }  # 1, 2, 85, 86 lie in the first 4 x 4 tiles; B has columns 0 and 14
    assert '| Swin-Tiny | scratch | 100 % | B | 2 | 2 | 4 |' in markdown(results)


def test_the_limit_of_a_perfect_finder_is_stated(leaking):
    _, results = leaking
    low, high = results['protocols']['study']['limit']['AP50']
    assert 0 < low <= high <= 1
    assert 'A perfect finder reports every true box' in markdown(results)


def test_protocols_are_compared_unpaired_and_by_the_scenes_of_both(placed, place, done, edited):
    (place / 'far.txt').write_text('train/3000\ntrain/3035\n')
    other = '\n  far: {train_ids: train.txt, score_ids: far.txt, grouping: l4s_blocks}\ndetect:'
    claim = (
        '{of: {strategy: MAE}, over: {strategy: scratch}}',
        '{of: {protocol: study}, over: {protocol: far}}',
    )
    placed([43], [1, 200], ('\ndetect:', other), claim)
    results = collect(done(), {})
    first = results['differences'][0]
    assert (first['paired'], [*first['scenes']]) == (False, ['A'])
    assert 'study - far, scene A' in markdown(results)
    assert '(leaking)' in markdown(results)


def test_a_written_report_gets_the_note_once(leaking, place):
    _, results = leaking
    path = place / 'report.html'
    path.write_text('<h1>A</h1>\n<p>rest</p>')
    for _ in range(2):
        renew_note(path, results)
    assert path.read_text().count('Protocol study (leaking)') == 1
    assert path.read_text().endswith('<p>rest</p>')


def test_a_record_of_a_trial_without_scores_stays(placed):
    planned = placed([43], [1])
    records = {name: Record('failed', error='no') for name in planned.stages}
    assert collect(planned, records)['protocols']['study']['limit'] is None
