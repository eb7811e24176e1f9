"""Boxes that meet at tile borders, joined by hand; RGB tiles of 224 px."""

from collections.abc import Mapping

import factories
import numpy as np
import pytest

from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.l4s.borders import meeting, reaches_border
from mmlandslide.datasets.l4s.box_objects import objects_from_boxes
from mmlandslide.datasets.l4s.copies import open_copy
from mmlandslide.datasets.l4s_grid import SCENES

PX = 224


def write_boxes(root, boxes: Mapping[int, list]):
    for number, own in boxes.items():
        factories.write_array(root / f'{number}.png', np.zeros((3, PX, PX), np.uint8))
        corners = ('xmin', 'ymin', 'xmax', 'ymax')
        objects = ''.join(
            '<object><name>landslides</name><bndbox>'
            + ''.join(f'<{key}>{value}</{key}>' for key, value in zip(corners, each, strict=True))
            + '</bndbox></object>'
            for each in own
        )
        (root / f'{number}.xml').write_text(f'<annotation>{objects}</annotation>')
    return open_copy(root)


def found(root, boxes, scene='A'):
    objects = objects_from_boxes(write_boxes(root, boxes), SCENES[scene], RULES['components'])
    return [(each.geometry.bounds, each.numbers, each.parts, each.cut) for each in objects]


def test_boxes_that_meet_at_a_border_are_one(tmp_path):
    boxes = {1: [[200, 50, 224, 80]], 2: [[0, 60, 30, 100], [100, 100, 120, 120]]}
    assert found(tmp_path, boxes) == [
        ((200, 50, 254, 100), (1, 2), 2, False),
        ((324, 100, 344, 120), (2,), 1, False),
    ]


def test_a_chain_around_a_corner_is_one(tmp_path):
    boxes = {
        1: [[200, 200, 224, 224]],
        2: [[0, 210, 20, 224]],
        43: [[0, 0, 10, 50]],  # below tile 2: row 1, column 1
    }
    assert found(tmp_path, boxes) == [((200, 200, 244, 274), (1, 2, 43), 3, True)]


def test_boxes_side_by_side_at_a_border_stay_two(tmp_path):
    boxes = {1: [[200, 50, 224, 80]], 2: [[0, 80, 30, 100]]}  # they share no row
    assert [each[2] for each in found(tmp_path, boxes)] == [1, 1]


def test_a_row_end_joins_nothing(tmp_path):
    boxes = {41: [[200, 50, 224, 80]], 42: [[0, 50, 30, 80]]}
    assert [(each[2], each[3]) for each in found(tmp_path, boxes)] == [(1, True), (1, True)]


@pytest.mark.parametrize(
    ('right', 'left', 'met'),
    [(224, 0, True), (222, 2, True), (221, 0, False), (224, 3, False)],
)
def test_a_box_reaches_a_border_within_two_pixels(right, left, met):
    first, second = np.array([[200, 10, right, 20]]), np.array([[left, 10, 9, 20]])
    assert meeting(first, second, 0, PX).tolist() == [[met]]
    assert meeting(first[:, [1, 0, 3, 2]], second[:, [1, 0, 3, 2]], 1, PX).tolist() == [[met]]


def test_each_of_the_four_borders_counts():
    boxes = np.array(
        [[0, 9, 9, 99], [9, 2, 99, 99], [9, 9, 222, 99], [9, 9, 99, 224], [3, 3, 9, 9]]
    )
    assert reaches_border(boxes, PX).tolist() == [True, True, True, True, False]
