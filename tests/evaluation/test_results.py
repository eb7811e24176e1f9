import numpy as np
import pytest

from mmlandslide.errors import ConfigError, DatasetError, TileError
from mmlandslide.evaluation.results import COCO_IOU_THRS, Rules, check_set


def test_coco_thresholds_have_the_bits_of_pycocotools():
    from pycocotools.cocoeval import Params

    assert COCO_IOU_THRS.tolist() == Params('bbox').iouThrs.tolist()
    assert Rules([0.95, 0.3, 0.6]).averaged_thrs.tolist() == [
        COCO_IOU_THRS[9],
        0.3,
        COCO_IOU_THRS[2],
    ]


def test_size_bins_are_named_by_their_edges_and_share_no_area():
    bins = Rules().size_bins
    assert list(bins) == ['lt8px', '8to16px', '16to32px', 'ge32px']
    assert bins['8to16px'] == (64.0, np.nextafter(256.0, 0))
    assert bins['lt8px'] == (0.0, np.nextafter(64.0, 0))
    assert bins['ge32px'] == (1024.0, float('inf'))
    assert list(Rules(size_edges_px=[4.5]).size_bins) == ['lt4.5px', 'ge4.5px']


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ({'iou_thrs': []}, r'iou_thrs must be numbers in \(0, 1\], got \[\]'),
        ({'iou_thrs': [0.5, 50]}, r'iou_thrs must be numbers in \(0, 1\], got \[0.5, 50\]'),
        ({'iou_thrs': [0.5, 0.5]}, 'iou_thrs must name no threshold twice'),
        ({'native_scale': 0}, 'native_scale must be positive, got 0'),
        ({'size_edges_px': (16, 8)}, r'size_edges_px must rise from above 0, got \[16, 8\]'),
        ({'size_edges_px': ()}, 'size_edges_px must rise'),
        ({'max_dets': 0}, 'max_dets must be at least 1, got 0'),
        ({'gsd_m': 0}, 'gsd_m must be positive, got 0'),
        ({'centre_m': -1}, 'centre_m must be positive, got -1'),
        ({'recall_max_dets': -1}, 'recall_max_dets must be at least 1, got -1'),
    ],
)
def test_rules_without_meaning_are_refused(option, message):
    with pytest.raises(ConfigError, match=message):
        Rules(**option)


def test_arrays_that_do_not_fit_each_other_are_refused(tile):
    with pytest.raises(
        TileError, match=r"boxes_xyxy must have shape \(2, 4\), got \(1, 4\) in tile 'a'"
    ):
        tile('a', predicted=[[0, 0, 8, 8]], scores=[0.5, 0.4])
    with pytest.raises(TileError, match=r'true_boxes_xyxy must have shape \(0, 4\), got \(1, 4\)'):
        tile('a', true=[[0, 0, 8, 8]], true_labels=[])


def test_a_box_or_score_that_is_not_finite_is_refused(tile):
    with pytest.raises(TileError, match="boxes_xyxy must be finite, got nan in tile 'a'"):
        tile('a', predicted=[[0, 0, 8, np.nan]], scores=[0.5])
    with pytest.raises(TileError, match='scores must be finite, got inf'):
        tile('a', predicted=[[0, 0, 8, 8]], scores=[np.inf])


def test_a_tile_twice_is_refused(tile):
    with pytest.raises(DatasetError, match="tile ids must be unique, got 'a' twice"):
        check_set([tile('a'), tile('b'), tile('a')], num_classes=1)


def test_a_label_that_is_no_class_is_refused(tile):
    with pytest.raises(DatasetError, match=r"labels must lie in \[0, 2\), got 2 in tile 'a'"):
        check_set([tile('a', true=[[0, 0, 8, 8]], true_labels=[2])], num_classes=2)
