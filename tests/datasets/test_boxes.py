"""Masks to boxes, against hand-drawn masks and against SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from mmlandslide.datasets.boxes import RULES, BoxRule, boxes_from_mask, rule_named
from mmlandslide.errors import ConfigError

FOUR, EIGHT = BoxRule(connectivity=4), BoxRule(connectivity=8)
MASKS = {
    'empty': ['....', '....'],
    'full': ['####', '####'],
    'one pixel in a corner': ['...#', '....'],
    'touching every edge': ['#..#', '####'],
    'diagonal': ['##..', '..##'],
    'two': ['#..#', '#..#'],
    'ring around a dot': ['#####', '#...#', '#.#.#', '#...#', '#####'],
}
BOXES = [
    ('empty', FOUR, []),
    ('full', FOUR, [[0, 0, 4, 2]]),
    ('one pixel in a corner', FOUR, [[3, 0, 4, 1]]),
    ('touching every edge', FOUR, [[0, 0, 4, 2]]),
    ('diagonal', FOUR, [[0, 0, 2, 1], [2, 1, 4, 2]]),
    ('diagonal', EIGHT, [[0, 0, 4, 2]]),
    ('two', EIGHT, [[0, 0, 1, 2], [3, 0, 4, 2]]),
    ('ring around a dot', EIGHT, [[0, 0, 5, 5], [2, 2, 3, 3]]),
]


def drawn(name):
    return np.array([[char == '#' for char in row] for row in MASKS[name]], np.uint8)


@pytest.mark.parametrize(('name', 'rule', 'expected'), BOXES)
def test_boxes_are_half_open_pixel_corners(name, rule, expected):
    boxes = boxes_from_mask(drawn(name), rule)
    assert boxes.dtype == np.float32
    assert boxes.shape == (len(expected), 4)
    assert boxes.tolist() == expected


def test_components_need_four_landslide_pixels():
    assert boxes_from_mask(drawn('diagonal'), RULES['components']).tolist() == [
        [0, 0, 4, 2]
    ]  # 4 px
    assert len(boxes_from_mask(drawn('two'), RULES['components'])) == 0  # 2 px each


@pytest.mark.parametrize(
    ('side_px', 'kept'), [((3, 10), 0), ((4, 8), 0), ((3, 11), 1), ((5, 7), 1)]
)
def test_the_studys_rule_needs_a_box_of_33_px2(side_px, kept):
    mask = np.zeros((128, 128), np.uint8)
    mask[10 : 10 + side_px[0], 5 : 5 + side_px[1]] = (
        1  # 100 px^2 at 224 px are 100 / 1.75^2 = 32.65 px^2 at 128 px
    )
    assert len(boxes_from_mask(mask, RULES['study'])) == kept


def scipy_boxes(mask, min_area):
    labelled, _ = ndimage.label(mask)
    found = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labelled)]
    return sorted(
        box for box in found if (box[2] - box[0]) * 1.75 * (box[3] - box[1]) * 1.75 >= min_area
    )


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.sampled_from([0, 1, 1, 1]),
    )
)
def test_the_studys_rule_agrees_with_scipy(mask):
    ours = sorted(map(tuple, boxes_from_mask(mask, RULES['study']).astype(int).tolist()))
    assert ours == scipy_boxes(mask, 100)


def test_the_order_of_boxes_is_from_top_to_bottom():
    mask = np.zeros((9, 9), np.uint8)
    mask[6, 0] = mask[0, 8] = mask[0, 0] = 1
    assert boxes_from_mask(mask, FOUR)[:, :2].tolist() == [[0, 0], [8, 0], [0, 6]]


def test_an_unknown_rule_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"one of \['components', 'study'\], got 'mine'"):
        rule_named('mine')
