"""Leaks between lists of tiles, counted by hand on a few places of scene A (41 columns)."""

import math
from pathlib import Path

import factories
import pytest

from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.l4s.copies import open_copy
from mmlandslide.datasets.l4s.leaks import count_boxes, find_leaks, nearest_distances, read_numbers
from mmlandslide.errors import DatasetError, SplitOverlapError

SPLITS = Path(__file__).parents[3] / 'configs/splits'


def test_neighbours_by_edge_and_by_corner_are_counted_apart():
    # 1 is row 0, column 0; scored: 2 beside it, 43 at its corner, 3 two columns on, 3035 elsewhere
    leaks = find_leaks([1], [2, 43, 3, 3035], within_tiles=2)
    assert (leaks.by_edge, leaks.by_edge_or_corner, leaks.within) == (1, 2, 3)
    assert (leaks.training_tiles, leaks.scored_tiles, leaks.leaking) == (1, 4, True)


def test_the_first_tile_of_a_row_does_not_neighbour_the_last_of_the_row_before():
    assert find_leaks([41], [42]).leaking is False
    assert find_leaks([41], [42], within_tiles=40).within == 1  # one row, 40 columns


def test_scenes_do_not_leak_into_each_other():
    assert nearest_distances([3034], [3035, 2993]) == [math.inf, 1.0]
    assert find_leaks([3034], [3035], within_tiles=99).leaking is False


def test_the_original_lists_leak_as_measured():
    lists = [read_numbers(SPLITS / f'study_{name}.txt') for name in ('train', 'valid')]
    leaks = find_leaks(*lists)
    assert (leaks.scored_tiles, leaks.by_edge, leaks.by_edge_or_corner) == (309, 287, 302)


def test_a_tile_in_both_lists_is_refused():
    with pytest.raises(SplitOverlapError, match=r"got 1 in both, such as \['train/7'\]"):
        find_leaks([1, 7], [7, 9])


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('train/3800\n', r"1 unknown: \['train/3800'\]"),
        ('validation/1\n', r"1 unknown: \['validation/1'\]"),
        ('train/5\ntrain/6\ntrain/5\n', r"a tile twice: \['train/5'\]"),
    ],
)
def test_a_list_of_other_or_doubled_ids_is_refused(tmp_path, text, said):
    (tmp_path / 'ids.txt').write_text(text)
    with pytest.raises(DatasetError, match=said):
        read_numbers(tmp_path / 'ids.txt')


def test_a_distance_of_no_tile_is_refused():
    with pytest.raises(DatasetError, match='within must be at least 1, got 0'):
        find_leaks([1], [2], within_tiles=0)


def test_boxes_continue_only_where_a_training_box_meets_them(tmp_path):
    """Tiles 1 (training), 2 to its right and 42 below; 16 px each."""
    masks = {
        1: factories.mask((12, 4, 16, 8), (2, 12, 6, 16)),
        2: factories.mask(
            (0, 6, 4, 9), (0, 11, 4, 14), (8, 8, 12, 12)
        ),  # one meets (4-8), two do not
        42: factories.mask((4, 0, 9, 3)),  # columns 4-9 meet 2-6
    }
    for number, mask in masks.items():
        factories.write_tile(tmp_path, number, factories.image(number), mask)
    leaks = find_leaks([1], [2, 42])
    found = count_boxes(leaks, [1], [2, 42], open_copy(tmp_path), RULES['components'])
    assert (found.boxes, found.cut_boxes, found.continuing_boxes) == (4, 3, 2)
    assert found.unlabelled_tiles == 0


def test_boxes_cannot_be_counted_without_their_tiles(tmp_path):
    factories.write_tile(tmp_path, 1, factories.image(), factories.mask())
    with pytest.raises(DatasetError, match='hold the truth of the scored tiles, got none of 1'):
        count_boxes(find_leaks([1], [9]), [1], [9], open_copy(tmp_path), RULES['components'])
