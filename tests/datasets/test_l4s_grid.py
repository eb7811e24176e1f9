"""The places of Landslide4Sense's training tiles: by hand, and what must hold for every tile."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlandslide.datasets import l4s_grid as grid
from mmlandslide.datasets.l4s_grid import TilePosition
from mmlandslide.errors import DatasetError

numbers = st.integers(1, 3799)


@pytest.mark.parametrize(
    ('number', 'position'),
    [
        (1, ('A', 0, 0)),
        (41, ('A', 0, 40)),
        (42, ('A', 1, 0)),
        (3034, ('A', 73, 40)),  # 41 * 74
        (3035, ('B', 0, 0)),
        (3184, ('B', 9, 14)),  # 3034 + 15 * 10
        (3185, ('C', 0, 0)),
        (3305, ('C', 10, 10)),  # 3184 + 11 * 11
        (3306, ('D', 0, 0)),
        (3799, ('D', 18, 25)),  # 3305 + 26 * 19
    ],
)
def test_the_corners_of_each_scene_lie_where_the_arithmetic_puts_them(number, position):
    assert grid.position_of(number) == position


@given(numbers)
def test_the_number_of_a_position_is_the_tile_that_lies_there(number):
    assert grid.number_at(grid.position_of(number)) == number


def test_the_scenes_share_the_numbers_out_without_gap_or_overlap():
    numbered = [number for scene in grid.SCENES.values() for number in scene.numbers]
    assert numbered == [*range(1, 3800)]


@given(numbers)
def test_neighbours_are_mutual_and_one_step_away(number):
    for other in grid.edge_neighbours(number):
        assert number in grid.edge_neighbours(other)
        assert grid.edge_distance(number, other) == 1
    for other in grid.corner_neighbours(number):
        assert number in grid.corner_neighbours(other)
        assert (grid.chebyshev_distance(number, other), grid.edge_distance(number, other)) == (1, 2)


def test_a_tile_inside_has_four_neighbours_by_edge_and_four_by_corner():
    assert grid.edge_neighbours(43) == (2, 42, 44, 84)  # row 1, column 1 of 41 columns
    assert grid.corner_neighbours(43) == (1, 3, 83, 85)


def test_a_row_end_and_a_scene_end_have_no_neighbour_beyond():
    assert grid.edge_neighbours(41) == (40, 82)  # 42 begins the next row
    assert grid.edge_neighbours(3034) == (2993, 3033)  # 3035 is scene B's
    assert grid.corner_neighbours(1) == (43,)


@given(numbers, numbers, numbers)
def test_distances_are_symmetric_and_obey_the_triangle(one, two, three):
    for distance in (grid.chebyshev_distance, grid.edge_distance):
        assert distance(one, two) == distance(two, one)
        assert distance(one, one) == 0
        assert distance(one, three) <= distance(one, two) + distance(two, three)


def test_tiles_of_two_scenes_are_infinitely_far_apart():
    assert grid.chebyshev_distance(3034, 3035) == math.inf
    assert grid.edge_distance(1, 3799) == math.inf


def test_a_distance_counts_rows_and_columns():
    # 1 = row 0, column 0; 41 * 3 + 1 + 2 = 126 = row 3, column 2
    assert grid.chebyshev_distance(1, 126) == 3
    assert grid.edge_distance(1, 126) == 5


def test_blocks_count_from_the_upper_left_of_their_scene():
    assert grid.block_label(1) == grid.block_label(127) == 'A-0-0'  # 127: row 3, column 3
    assert grid.block_label(128) == 'A-0-1'  # row 3, column 4
    assert grid.block_label(41 * 52 + 1) == 'A-13-0'
    assert grid.block_label(3799, side_tiles=10) == 'D-1-2'  # row 18, column 25


@given(numbers, numbers, st.integers(1, 9))
def test_tiles_of_one_block_lie_within_its_side(one, two, side):
    if grid.block_label(one, side) == grid.block_label(two, side):
        assert grid.chebyshev_distance(one, two) < side


def test_an_id_is_read_with_or_without_the_name_of_its_data():
    assert grid.tile_number('train/12') == grid.tile_number('landslide4sense:train/12') == 12
    assert grid.tile_id_of(12) == 'train/12'


@pytest.mark.parametrize(
    'tile_id',
    ['train/3800', 'train/0', 'validation/3', 'test/9', '12', 'mars:train/12', 'train/1_2', ''],
)
def test_an_id_without_a_known_place_is_refused(tile_id):
    with pytest.raises(DatasetError, match=r'to train/3799, got .* Only these have a known place'):
        grid.tile_number(tile_id)


@pytest.mark.parametrize('number', [0, -1, 3800])
def test_a_number_without_a_tile_is_refused_by_every_function(number):
    for function in (
        grid.position_of,
        grid.edge_neighbours,
        grid.corner_neighbours,
        grid.block_label,
        grid.tile_id_of,
    ):
        with pytest.raises(DatasetError, match=f'got {number} in the grid'):
            function(number)


def test_a_place_outside_its_scene_is_refused():
    with pytest.raises(DatasetError, match='columns 0-14, got row 10, column 0 in scene B'):
        grid.number_at(TilePosition('B', 10, 0))
    with pytest.raises(DatasetError, match=r"be one of .*'D'.*, got 'E'"):
        grid.number_at(TilePosition('E', 0, 0))


def test_a_block_without_tiles_is_refused():
    with pytest.raises(DatasetError, match='side_tiles must be at least 1, got 0'):
        grid.block_label(1, side_tiles=0)
