import numpy as np
import pytest
import torch
from torchvision.ops import nms as reference_nms

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference import merge as module
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.grid import Grid
from mmlandslide.scenes.inference.merge import (
    merge,
    nms,
    nms_suppressors,
    stitch_cut_objects,
    wbf,
)

GRID = Grid(100, 100, 40, 10)  # windows from 0, 30 and 60


def detections(boxes, scores=None, windows=None):
    scores = np.ones(len(boxes)) if scores is None else np.asarray(scores, float)
    parts = [
        Detections.of(
            np.array([box], float), scores[i : i + 1], (windows or [(0, 0)] * len(boxes))[i]
        )
        for i, box in enumerate(boxes)
    ]
    return Detections.concatenate(parts)


def crowd(count=300, seed=0):
    """Return boxes that overlap a lot, scores of ten values, best first."""
    draws = np.random.default_rng(seed)
    corner = draws.uniform(0, 60, (count, 2))
    return detections(
        np.hstack([corner, corner + draws.uniform(3, 20, (count, 2))]),
        draws.integers(1, 11, count) / 10,
    ).sorted_by_score()


@pytest.mark.parametrize('iou_thr', [0.0, 0.3, 0.5, 0.9])
def test_suppression_equals_torchvision_s(iou_thr):
    found = crowd()
    rank = torch.arange(len(found), 0, -1).double()
    kept = reference_nms(torch.from_numpy(found.boxes_xyxy.copy()), rank, iou_thr)
    assert np.flatnonzero(
        nms_suppressors(found.boxes_xyxy, iou_thr) == np.arange(len(found))
    ).tolist() == sorted(kept.tolist())


def test_the_size_of_a_look_up_changes_nothing(monkeypatch):
    found = crowd()
    whole = nms_suppressors(found.boxes_xyxy, 0.3)
    monkeypatch.setattr(module, '_CHUNK', 7)
    assert nms_suppressors(found.boxes_xyxy, 0.3).tolist() == whole.tolist()


@pytest.mark.parametrize('method', ['nms', 'wbf'])
@pytest.mark.parametrize('join', [False, True])
def test_the_order_of_windows_does_not_matter(method, join):
    found = crowd()
    shuffled = found[np.random.default_rng(1).permutation(len(found))]
    one, other = (merge(each, GRID, method, 0.4, join).table for each in (found, shuffled))
    np.testing.assert_array_equal(one, other)


def test_a_box_goes_only_above_the_threshold():
    # 10 x 10 px, shifted by 5: IoU 50 / 150.
    found = detections([(0, 0, 10, 10), (5, 0, 15, 10)], [0.9, 0.8])
    assert len(nms(found, 1 / 3)) == 2
    assert nms(found, 0.33).scores.tolist() == [0.9]


def test_what_each_window_sees_in_the_other_s_core_is_kept_once():
    # The border between the windows from 0 and 30 is x = 35; the centres are 35.3 and 34.8.
    found = detections([(30.3, 5, 40.3, 15), (29.8, 5, 39.8, 15)], [0.8, 0.9], [(0, 0), (0, 30)])
    assert merge(found, GRID).scores.tolist() == [0.9]


def test_the_window_that_owns_a_place_decides_there():
    # Both centres lie at 34.8, in the core of the first window, whose score is lower.
    boxes, windows = (
        [(29.8, 5, 39.8, 15), (29.8, 5, 39.8, 15), (31, 20, 38, 27)],
        [(0, 0), (0, 30), (0, 30)],
    )
    found = merge(detections(boxes, [0.7, 0.9, 0.6], windows), GRID)
    assert found.scores.tolist() == [0.7, 0.6]  # the third is nobody else's


def test_fusion_weighs_boxes_by_score():
    # x1: (0.9 * 0 + 0.3 * 4) / 1.2 = 1; x2: (0.9 * 10 + 0.3 * 14) / 1.2 = 11; IoU 60 / 140. Mean
    # score 0.6.
    fused = wbf(
        detections([(0, 0, 10, 10), (4, 0, 14, 10), (50, 50, 60, 60)], [0.9, 0.3, 0.2]), 0.4
    )
    np.testing.assert_allclose(fused.boxes_xyxy, [[1, 0, 11, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(fused.scores, [0.6, 0.2])


def test_a_box_that_some_views_lack_loses_score():
    # Found in 1 and in 3 of 2 views: 0.8 / 2, and (0.9 + 0.6 + 0.3) / 3.
    fused = wbf(
        detections(
            [(0, 0, 9, 9), (20, 20, 30, 30), (20, 20, 30, 30), (20, 20, 30, 30)],
            [0.8, 0.9, 0.6, 0.3],
        ),
        0.5,
        2,
    )
    np.testing.assert_allclose(fused.scores, [0.4, 0.6])


def test_scores_of_zero_are_fused_without_a_fault():
    fused = wbf(detections([(0, 0, 10, 10), (0, 0, 10, 12)], [0, 0]), 0.5)
    np.testing.assert_allclose(fused.boxes_xyxy, [[0, 0, 10, 11]])


def test_parts_that_windows_have_cut_become_one():
    # Windows 0-40 and 30-70: each sees its part up to its edge; the third box ends there too but
    # does not meet them.
    found = detections(
        [(5, 5, 40, 20), (30, 5, 55, 20), (30, 25, 50, 35)],
        [0.7, 0.9, 0.5],
        [(0, 0), (0, 30), (0, 30)],
    )
    whole = stitch_cut_objects(found.sorted_by_score(), GRID)
    np.testing.assert_array_equal(whole.boxes_xyxy, [[5, 5, 55, 20], [30, 25, 50, 35]])
    assert whole.scores.tolist() == [0.9, 0.5]


@pytest.mark.parametrize(
    ('boxes', 'windows'),
    [
        (
            [(5, 5, 37, 20), (30, 5, 55, 20)],
            [(0, 0), (0, 30)],
        ),  # the first ends 3 px before its edge
        (
            [(5, 5, 40, 20), (33, 5, 55, 20)],
            [(0, 0), (0, 30)],
        ),  # the second begins 3 px behind its edge
        ([(5, 5, 40, 20), (0, 10, 30, 30)], [(0, 0), (0, 0)]),  # both of one window
        ([(5, 5, 40, 20), (30, 20, 55, 30)], [(0, 0), (0, 30)]),  # they touch and share nothing
    ],
)
def test_what_windows_have_not_cut_stays_apart(boxes, windows):
    assert len(stitch_cut_objects(detections(boxes, windows=windows), GRID)) == 2


def test_parts_in_four_windows_become_one():
    windows = [(0, 0), (0, 30), (30, 0), (30, 30)]
    found = detections(
        [(9, 8, 40, 40), (30, 8, 60, 40), (9, 30, 40, 61), (30, 30, 60, 61)], windows=windows
    )
    assert stitch_cut_objects(found, GRID).boxes_xyxy.tolist() == [[9, 8, 60, 61]]


def test_the_ground_of_all_parts_counts():
    found = detections([(5, 5, 40, 20), (30, 5, 55, 20)], windows=[(0, 0), (0, 30)])
    found.table[:, 7:11] = [
        [300, 1.0, 5.0, 7.0],
        [100, 3.0, 4.0, 6.0],
    ]  # pixels, slope, lowest, highest
    # The mean slope is that of 300 pixels of 1 and 100 of 3.
    assert stitch_cut_objects(found, GRID).table[:, 7:11].tolist() == [[400, 1.5, 4, 7]]


def test_deviations_of_a_box_of_one_part_stay_and_those_of_several_are_not_known():
    found = detections(
        [(5, 5, 40, 20), (30, 5, 55, 20), (70, 70, 75, 75)], windows=[(0, 0), (0, 30), (60, 60)]
    )
    found.side_stds[:] = [1, 2, 3, 4]
    stitched = stitch_cut_objects(found, GRID).side_stds
    assert np.isnan(stitched).sum(1).tolist() == [4, 0]


def test_unknown_ground_stays_unknown():
    found = detections([(5, 5, 40, 20), (30, 5, 55, 20)], windows=[(0, 0), (0, 30)])
    found.pixels[:] = 1
    assert np.isnan(stitch_cut_objects(found, GRID).table[:, 8:]).all()


@pytest.mark.parametrize('method', ['nms', 'wbf'])
@pytest.mark.parametrize('join', [False, True])
def test_nothing_found_is_nothing_merged(method, join):
    assert len(merge(Detections.none(), GRID, method, 0.5, join)) == 0


def test_unknown_methods_and_thresholds_are_refused():
    with pytest.raises(ConfigError, match=r"be one of \['nms', 'wbf'\], got 'soft'"):
        merge(Detections.none(), GRID, 'soft')
    with pytest.raises(ConfigError, match=r'from 0 to 1, got 1\.5'):
        merge(Detections.none(), GRID, iou_thr=1.5)


def test_a_cut_piece_that_an_owned_box_holds_goes_before_parts_are_joined():
    # The border is x = 35. The second window sees 32 to 66; the first a piece of it, whose centre
    # lies 1 px beyond its core.
    found = detections([(32, 5, 40, 20), (32, 5, 66, 20)], windows=[(0, 0), (0, 30)])
    assert merge(found, GRID, join=True).boxes_xyxy.tolist() == [[32, 5, 66, 20]]


def test_a_small_box_inside_an_owned_one_that_no_edge_cuts_stays():
    found = detections([(33, 5, 38, 10), (32, 5, 66, 20)], windows=[(0, 0), (0, 30)])
    assert len(merge(found, GRID)) == 2
