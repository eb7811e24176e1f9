import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.grid import Grid, borders, starts


@pytest.mark.parametrize(
    ('length', 'window', 'stride', 'origin', 'expected'),
    [
        (100, 40, 30, 0, [0, 30, 60]),  # 60 + 40 ends at the edge
        (101, 40, 30, 0, [0, 30, 60, 61]),  # one pixel more: a last window, moved back from 90
        (40, 40, 30, 0, [0]),
        (25, 40, 30, 0, [0]),  # smaller than a window
        (100, 40, 30, 10, [-10, 20, 50, 60]),
        (1, 40, 30, 29, [-29]),
    ],
)
def test_windows_start_a_stride_apart_and_the_last_one_ends_at_the_edge(
    length, window, stride, origin, expected
):
    assert starts(length, window, stride, origin).tolist() == expected


def test_cores_meet_half_way_through_the_overlap():
    # Windows 0-40, 30-70 and 60-100 overlap in 30-40 and 60-70.
    assert borders(np.array([0, 30, 60]), 40).tolist() == [35, 65]


def grids():
    return st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64)).flatmap(
        lambda drawn: st.builds(
            Grid,
            st.just(drawn[0]),
            st.just(drawn[1]),
            st.just(drawn[2]),
            st.integers(0, drawn[2] - 1),
            block_windows=st.integers(1, 4),
        )
    )


@given(grids(), st.integers(0, 2**32 - 1))
def test_every_point_lies_in_the_core_of_exactly_one_window_which_shows_it(grid, seed):
    point = np.random.default_rng(seed).uniform(0, (grid.width, grid.height))
    box = np.concatenate([point, point])[None]
    windows = [(row, col) for row in grid.row_starts for col in grid.col_starts]
    [(row, col)] = [window for window in windows if grid.owned(box, np.array(window))[0]]
    assert col <= point[0] <= col + grid.window_px
    assert row <= point[1] <= row + grid.window_px


@given(grids(), st.data())
def test_an_object_up_to_the_overlap_is_whole_in_the_window_that_owns_it(grid, data):
    start, length = [], []
    for side in (grid.width, grid.height):
        length.append(data.draw(st.integers(0, min(grid.overlap_px, side))))
        start.append(data.draw(st.integers(0, side - length[-1])))
    box = np.array([*start, start[0] + length[0], start[1] + length[1]], np.float64)
    for top in grid.row_starts:
        for left in grid.col_starts:
            if grid.owned(box[None], np.array((top, left)))[0]:
                assert left <= box[0]
                assert top <= box[1]
                assert box[2] <= left + grid.window_px
                assert box[3] <= top + grid.window_px


def test_a_centre_on_a_border_belongs_to_the_window_behind_it():
    grid = Grid(40, 100, 40, 10)  # borders at x = 35 and 65
    box = np.array([[30.0, 10, 40, 20]])
    assert [grid.owned(box, np.array((0, left))).item() for left in (0, 30, 60)] == [
        False,
        True,
        False,
    ]


def test_slack_widens_a_core_on_both_sides():
    grid = Grid(40, 100, 40, 10)  # the core of the window from 30 is 35 to 65
    boxes = np.array([[x, 10.0, x, 20] for x in (32.9, 33, 66.9, 67)])
    assert grid.owned(boxes, np.array((0, 30)), 2.0).tolist() == [False, True, True, False]
    assert not grid.owned(boxes, np.array((0, 30))).any()


@given(grids())
def test_blocks_hold_every_window_once(grid):
    held = [(row, col) for block in grid.blocks for row in block.rows for col in block.cols]
    assert len(held) == len(set(held)) == len(grid) == sum(map(len, grid.blocks))
    assert [block.index for block in grid.blocks] == list(range(len(grid.blocks)))


def test_a_block_extends_over_all_that_its_windows_show():
    grid = Grid(100, 100, 40, 10, block_windows=2)  # windows from 0, 30 and 60
    assert [grid.extent(block) for block in grid.blocks] == [
        (0, 0, 70, 70),
        (0, 60, 70, 40),
        (60, 0, 40, 70),
        (60, 60, 40, 40),
    ]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'window_px': 0}, 'window must be at least 1 px, got 0 px'),
        ({'window_px': 32, 'overlap_px': 32}, 'less than the window of 32 px, got 32 px'),
        ({'overlap_px': -1}, 'got -1 px'),
        ({'origin_rc': (96, 0)}, r'less than the stride of 96 px, got \(96, 0\)'),
    ],
)
def test_windows_that_cannot_be_laid_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Grid(100, 100, **options)
