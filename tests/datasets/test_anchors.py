"""Anchors on the pyramid's grid, against an enumeration and MMDetection's generator."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlandslide.datasets.anchors import Anchors, best_iou, fit, recall
from mmlandslide.datasets.views.voc import read_voc

SQUARE = Anchors(octave_base_scale=2.0, scales_per_octave=1, ratios=(1.0,), strides=(8,))


@pytest.mark.parametrize(
    ('box', 'iou'),
    [
        ([8, 8, 24, 24], 1.0),  # centre 16 is on the grid, side 2 x 8 = 16
        ([12, 8, 28, 24], 12 / 20),  # 4 px off: shares 12 of 16 columns, union 20
        ([8, 8, 16, 24], 0.5),  # half as wide, and within the anchor centred at 16
        ([-8, 8, 8, 24], 1.0),  # centre 0 is on the grid
    ],
)
def test_overlap_is_with_the_anchor_where_it_stands(box, iou):
    assert best_iou(np.array([box]), SQUARE, (64, 64)) == pytest.approx(iou)


def test_no_anchor_stands_beyond_the_input():
    inside, beyond = (
        [40, 40, 56, 56],
        [56, 40, 72, 56],
    )  # centres 48 and 64; the grid of a 64 px input ends at 56
    assert best_iou(np.array([inside, beyond]), SQUARE, (64, 64)) == pytest.approx(
        [1, 1 / 3]
    )  # 8 of 16 columns shared


def test_sizes_follow_octaves_and_ratios():
    sizes = Anchors(octave_base_scale=3.0, scales_per_octave=2, ratios=(1.0, 4.0)).sizes_wh(4)
    side = 12 * math.sqrt(2)  # ratio 4 is height over width: half as wide, twice as high
    assert sizes == pytest.approx(np.array([[12, 12], [6, 24], [side, side], [side / 2, side * 2]]))


def enumerated(boxes, anchors, input_px):
    best = np.zeros(len(boxes))
    for stride in anchors.strides:
        for width, height in anchors.sizes_wh(stride):
            for x in range(0, input_px, stride):
                for y in range(0, input_px, stride):
                    low = np.maximum(boxes[:, :2], [x - width / 2, y - height / 2])
                    high = np.minimum(boxes[:, 2:], [x + width / 2, y + height / 2])
                    shared = np.maximum(high - low, 0).prod(axis=1)
                    best = np.maximum(
                        best,
                        shared
                        / ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + width * height - shared),
                    )
    return best


corner, side = st.floats(0, 50, width=32), st.floats(1, 40, width=32)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(corner, corner, side, side), min_size=1, max_size=4))
def test_the_nearest_centre_is_the_best_of_all(cases):
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in cases])
    anchors = Anchors(2.5, 2, (0.5, 1.0, 2.0), strides=(8, 16))
    assert best_iou(boxes, anchors, (60, 60)) == pytest.approx(enumerated(boxes, anchors, 60))


def test_the_anchors_are_those_of_mmdetection():
    generator = pytest.importorskip('mmdet.models.task_modules').AnchorGenerator(
        strides=[8, 16], ratios=[0.25, 1.0], octave_base_scale=3, scales_per_octave=2
    )
    grid = np.concatenate(
        [level.numpy() for level in generator.grid_priors([(8, 8), (4, 4)], device='cpu')]
    )
    anchors = Anchors(3.0, 2, (0.25, 1.0), strides=(8, 16))
    inside = grid[::7]  # a few of them as boxes: each reaches itself
    assert best_iou(inside, anchors, (64, 64)) == pytest.approx(np.ones(len(inside)), abs=1e-4)


def test_recall_is_the_share_reached_and_undefined_without_boxes():
    boxes = np.array([[8, 8, 24, 24], [0, 0, 2, 2]])
    assert recall(boxes, SQUARE, (64, 64)) == 0.5
    assert math.isnan(recall(np.zeros((0, 4)), SQUARE, (64, 64)))


def test_squares_of_one_size_need_one_anchor():
    boxes = np.array(
        [[x - 12, y - 12, x + 12, y + 12] for x in (16, 40, 64) for y in (24, 80)], float
    )
    fitted = fit(boxes, (128, 128), strides=(8,))
    assert (fitted.octave_base_scale, fitted.per_location, fitted.ratios) == (3.0, 1, (1.0,))


@pytest.mark.data
@pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles')
def test_real_landslides_are_within_reach_of_the_fitted_anchors():
    folder = Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_rgb/train'
    boxes = np.concatenate([read_voc(path)[0] for path in folder.glob('*.xml')]) * (256 / 224)
    assert recall(boxes, Anchors(3.0, 2, (0.25, 0.5, 1.0, 2.0, 4.0)), (256, 256)) >= 0.98
    assert recall(boxes, fit(boxes, (256, 256)), (256, 256)) >= 0.98
