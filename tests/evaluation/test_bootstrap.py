import numpy as np
import pytest

from mmlandslide.errors import DatasetError, MissingPathError
from mmlandslide.evaluation.bootstrap import (
    L4S_BLOCKS,
    draw,
    grouping_of,
    interval,
    read_groups,
    single_tiles,
)


@pytest.fixture
def write(tmp_path):
    def _write(text):
        (tmp_path / 'groups.csv').write_text(text)
        return tmp_path / 'groups.csv'

    return _write


def test_landslide4sense_tiles_are_drawn_in_blocks_of_four_by_four():
    # Scene A has 41 columns: 1, 4 and 42 lie in rows 0-1 and columns 0-3, 5 in column 4; 3035 in B.
    found = grouping_of([f'train/{number}' for number in (1, 4, 42, 5, 3035)], L4S_BLOCKS)
    assert found.group_index.tolist() == [0, 0, 0, 1, 2]
    assert (found.unit, found.known, found.num_groups) == ('4 x 4 tiles', True, 3)


def test_ids_that_carry_the_name_of_the_data_need_no_option():
    assert grouping_of(['landslide4sense:train/1', 'landslide4sense:train/2']).num_groups == 1
    assert not grouping_of(['dynahead:train/1', 'dynahead:train/2']).known
    assert not grouping_of(['train/1', 'train/2']).known  # other data number their tiles alike


def test_tiles_of_the_official_test_split_have_no_known_place():
    found = grouping_of(['test/1', 'test/2'], L4S_BLOCKS)
    assert (found.unit, found.known, found.num_groups) == ('single tiles', False, 2)


def test_a_number_beyond_the_training_tiles_is_refused():
    with pytest.raises(DatasetError, match=r"train/1 to train/3799, got 'train/3800'"):
        grouping_of(['train/1', 'train/3800'], L4S_BLOCKS)


def test_a_file_names_the_groups(write):
    found = grouping_of(['b', 'a', 'c'], write('id,group\na,north\n\nb, south\nc,north\nd,east\n'))
    assert found.group_index.tolist() == [1, 0, 0]
    assert found.as_dict() == {
        'interval_unit': 'groups of groups.csv',
        'interval_groups': 2,
        'interval_tiles': 3,
        'interval_grouping_known': True,
    }


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a,x\n', r"must name all 2 scored tiles, got none for 1, such as \['b'\] in .*groups.csv"),
        ('a,x\nb,\n', r'group file must hold id,group, got b, in'),
        ('a,x,1\n', 'group file must hold id,group, got a,x,1 in'),
        ('a,x\nb,y\na,y\n', "tile ids must be unique, got 'a' twice in"),
    ],
)
def test_a_group_file_with_a_fault_is_refused(write, text, message):
    with pytest.raises(DatasetError, match=message):
        grouping_of(['a', 'b'], write(text))


def test_a_group_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingPathError, match='group file must be a file, got nothing in'):
        read_groups(tmp_path / 'none.csv')


def test_tiles_of_a_group_are_drawn_together(write):
    grouping = grouping_of(['a', 'b', 'c', 'd'], write('a,x\nb,x\nc,y\nd,x\n'))
    counts = draw(grouping, resamples=200).counts
    assert (counts[:, [1, 3]] == counts[:, [0]]).all()
    assert (counts[:, 0] + counts[:, 2] == 2).all()  # two groups, drawn twice
    assert set(counts[:, 0]) == {0, 1, 2}


def test_single_tiles_are_drawn_as_often_as_there_are_tiles():
    draws = draw(single_tiles(5), num_seeds=3, resamples=40, seed=1)
    assert (draws.counts.shape, draws.seeds.shape) == ((40, 5), (40, 3))
    assert (draws.counts.sum(axis=1) == 5).all()
    assert set(np.unique(draws.seeds)) == {0, 1, 2}
    np.testing.assert_array_equal(
        draws.counts, draw(single_tiles(5), num_seeds=3, resamples=40, seed=1).counts
    )


def test_an_interval_leaves_out_what_is_not_a_number():
    values = np.append(np.arange(101.0), np.nan)
    assert interval(values) == pytest.approx((2.5, 97.5))
    assert interval(values, coverage=0.9) == pytest.approx((5, 95))
    assert np.isnan(interval(np.array([np.nan]))).all()


def test_the_interval_of_a_mean_widens_when_tiles_of_a_block_are_alike():
    # 16 blocks of 16 equal tiles: the mean of 256 values has the spread of 16, four times that of
    # single tiles.
    numbers = [row * 41 + column + 1 for row in range(16) for column in range(16)]
    ids = [f'train/{number}' for number in numbers]
    blocks = grouping_of(ids, L4S_BLOCKS)
    values = np.random.default_rng(0).normal(size=16)[blocks.group_index]
    widths = [
        np.ptp(interval(draw(grouping, resamples=2000).counts @ values / 256))
        for grouping in (blocks, single_tiles(256))
    ]
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.1)
