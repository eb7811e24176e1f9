import numpy as np
import pytest
from factories import write_voc

from mmlandslide.datasets.transforms.neighbours import RandomShiftAcross, whole_boxes
from mmlandslide.datasets.views.voc import VOCTileDataset
from mmlandslide.errors import ConfigError

SIDE = 8


class Fixed:
    """Draws that always shift, by a share of `most` down and right."""

    def __init__(self, down, right):
        self.shift = np.array([down, right])

    def random(self):
        return 0.0

    def uniform(self, low, high, size):
        return self.shift


def tile(value, *boxes, **more):
    return {
        'img': np.full((1, SIDE, SIDE), value, np.float32),
        'bands': ('B4',),
        'scale_factor': (1.0, 1.0),
        'gt_bboxes': np.array(boxes, np.float32).reshape(-1, 4),
        'gt_bboxes_labels': np.zeros(len(boxes), np.int64),
        **more,
    }


def shifted(neighbours, down=0.0, right=0.0, *boxes):
    """Return a tile of ones shifted among neighbours by place."""
    around = {place: neighbours[place] for place in neighbours}
    sample = tile(1, *boxes, rng=Fixed(down, right))
    sample['beside'] = lambda row, column: around.get((row, column))
    return RandomShiftAcross(prob=1.0, most=0.5).transform(sample)


ALL = {(0, 1): tile(2), (1, 0): tile(3), (1, 1): tile(4), (0, -1): tile(5), (-1, 0): tile(6)}


def test_half_a_tile_down_and_right_shows_four_tiles():
    found = shifted(ALL, 1, 1)['img'][0]
    assert found[:4, :4].tolist() == [[1] * 4] * 4
    assert found[:4, 4:].tolist() == [[2] * 4] * 4
    assert found[4:, :4].tolist() == [[3] * 4] * 4
    assert found[4:, 4:].tolist() == [[4] * 4] * 4


def test_a_quarter_of_a_tile_to_the_left_shows_two_columns_of_that_neighbour():
    found = shifted(ALL, 0, -0.5, (0, 2, 4, 6))
    assert found['img'][0, 0].tolist() == [5, 5, 1, 1, 1, 1, 1, 1]
    assert found['gt_bboxes'].tolist() == [[2, 2, 6, 6]]


def test_a_landslide_that_the_border_cuts_becomes_one_box():
    right = {(0, 1): tile(2, (0, 3, 3, 7), (5, 0, 7, 2))}
    found = shifted(right, 0, 1, (5, 2, 8, 6))
    # (5, 2)-(8, 6) and (8, 3)-(11, 7) are one; the frame begins at 4. The other lies at 13 and out.
    assert found['gt_bboxes'].tolist() == [[1, 2, 7, 7]]
    assert found['gt_bboxes_labels'].tolist() == [0]


def test_boxes_of_four_tiles_that_meet_in_a_corner_become_one():
    corner = {
        (0, 0): tile(1, (6, 6, 8, 8), (0, 0, 2, 2)),
        (0, 1): tile(2, (0, 6, 2, 8)),
        (1, 0): tile(3, (6, 0, 8, 2)),
        (1, 1): tile(4, (0, 0, 2, 2)),
    }
    boxes, labels = whole_boxes(corner, SIDE)
    assert boxes.tolist() == [[6, 6, 10, 10], [0, 0, 2, 2]]
    assert labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    ('known', 'expected'),
    [
        ({}, [[1, 1], [1, 1]]),
        ({(0, 1): tile(2)}, [[1, 2], [1, 2]]),
        ({(1, 0): tile(3)}, [[1, 1], [3, 3]]),
        ({(0, 1): tile(2), (1, 0): tile(3)}, [[1, 1], [3, 3]]),  # nobody knows the corner
        ({(1, 1): tile(4)}, [[1, 1], [1, 1]]),
    ],
)
def test_towards_a_tile_that_the_view_does_not_hold_the_frame_stays(known, expected):
    found = shifted(known, 1, 1)['img'][0]
    assert found[::7, ::7].tolist() == expected


def test_a_view_knows_its_own_tiles_by_their_place(tmp_path):
    for number in (1, 2, 42):  # scene A has 41 columns: 2 is to the right of 1, and 42 below it
        write_voc(tmp_path, {'train': 1}, first=number)
    seen = []
    view = VOCTileDataset(
        data_root=str(tmp_path),
        folder='train',
        name='landslide4sense',
        pipeline=[lambda sample: seen.append(sample) or sample],
    )
    for index in range(len(view)):
        view[index]
    first = next(sample for sample in seen if sample['img_id'] == 'train/1')
    ids = [first['beside'](*place) for place in ((0, 1), (1, 0), (1, 1), (0, -1))]
    assert [each and each['img_id'] for each in ids] == ['train/2', 'train/42', None, None]


def test_a_sample_without_a_grid_is_refused():
    with pytest.raises(ConfigError, match='RandomShiftAcross must shift training tiles of Landsl'):
        RandomShiftAcross().transform(tile(1, dataset='mars', img_id='train/1'))
