import contextlib
import io
import logging
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmlandslide.evaluation.average_precision import average_precision, native_areas
from mmlandslide.evaluation.results import Rules

SMALL, MIDDLE, LARGE = [0, 0, 6, 6], [40, 40, 60, 60], [64, 64, 112, 112]  # 6, 20 and 48 px


def pycocotools(tiles, rules, num_classes):
    """Run pycocotools itself, by another path: loadRes computes the areas of predictions."""
    with contextlib.redirect_stdout(io.StringIO()):
        true, predicted = [], []
        for number, result in enumerate(tiles):
            for box, label in zip(
                result.true_boxes_xyxy.tolist(), result.true_labels.tolist(), strict=True
            ):
                x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
                row = {
                    'id': len(true) + 1,
                    'image_id': number,
                    'category_id': label,
                    'bbox': [x, y, w, h],
                }
                true.append({**row, 'area': w * h, 'iscrowd': 0})
            for box, score, label in zip(
                result.boxes_xyxy.tolist(),
                result.scores.tolist(),
                result.labels.tolist(),
                strict=True,
            ):
                xywh = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                predicted.append(
                    {'image_id': number, 'category_id': label, 'bbox': xywh, 'score': score}
                )
        coco = COCO()
        images = [{'id': number} for number in range(len(tiles))]
        coco.dataset = {
            'images': images,
            'annotations': true,
            'categories': [{'id': label} for label in range(num_classes)],
        }
        coco.createIndex()
        run = COCOeval(coco, coco.loadRes(predicted), 'bbox')
        run.params.iouThrs = np.union1d(rules.averaged_thrs, [0.25, *run.params.iouThrs[[0, 5]]])
        run.params.maxDets = sorted({rules.max_dets, rules.recall_max_dets})
        to_tile = 1 / rules.native_scale**2
        edges = [0, *(edge**2 * to_tile for edge in rules.size_edges_px), 1e10]
        run.params.areaRng = [[0, 1e10]] + [[a, np.nextafter(b, 0)] for a, b in pairwise(edges)]
        run.evaluate()
        run.accumulate()
    return run


def expected_metrics(tiles, rules, num_classes):
    run = pycocotools(tiles, rules, num_classes)
    thrs, averaged = run.params.iouThrs, np.isin(run.params.iouThrs, rules.averaged_thrs)
    precision = run.eval['precision'][..., run.params.maxDets.index(rules.max_dets)]
    recall = run.eval['recall'][..., run.params.maxDets.index(rules.recall_max_dets)]
    slices = {
        'AP': precision[averaged, ..., 0],
        f'AR{rules.recall_max_dets}': recall[averaged, ..., 0],
    }
    slices |= {
        f'AP{round(100 * thr)}': precision[thrs == thr, ..., 0] for thr in (0.25, 0.3, 0.5, 0.75)
    }
    for position, name in enumerate(('lt8px', '8to16px', '16to32px', 'ge32px'), start=1):
        slices[f'AP_{name}'] = precision[averaged, ..., position]
    found = {name: values[values > -1].mean() for name, values in slices.items() if values.size}
    return {**found, 'AP_border': np.nan, 'AP50_border': np.nan}  # no tile size, no border


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('num_classes', [1, 3])
def test_scores_equal_those_of_pycocotools(random_tiles, seed, num_classes):
    tiles = random_tiles(seed, num_classes)
    ours = average_precision(tiles, Rules(), num_classes).metrics
    assert ours == pytest.approx(
        expected_metrics(tiles, Rules(), num_classes), abs=1e-12, nan_ok=True
    )


@pytest.mark.parametrize(
    'rules',
    [
        Rules(iou_thrs=[0.3, 0.5, 0.6]),
        Rules(iou_thrs=[0.9, 0.3]),
        Rules(native_scale=1.5),
        Rules(max_dets=10),
        Rules(recall_max_dets=300),
        Rules(max_dets=300, recall_max_dets=1),
    ],
)
def test_scores_under_other_rules_equal_those_of_pycocotools(random_tiles, rules):
    tiles = random_tiles(7)
    assert average_precision(tiles, rules, 1).metrics == pytest.approx(
        expected_metrics(tiles, rules, 1), abs=1e-12, nan_ok=True
    )


def test_all_found_and_nothing_else_scores_one(tile):
    boxes = [SMALL, MIDDLE, LARGE]
    scores = average_precision([tile('a', boxes, [0.9, 0.8, 0.7], boxes)], Rules(), 1)
    undefined = {'AP_8to16px', 'AP_border', 'AP50_border'}
    defined = {name: value for name, value in scores.metrics.items() if name not in undefined}
    assert defined == pytest.approx(dict.fromkeys(defined, 1.0))
    assert np.isnan(scores.metrics['AP_8to16px'])  # no true box of that size
    assert scores.precision_at[0.75] == pytest.approx(np.ones(101))


def test_one_of_two_found_scores_51_of_101_points(tile):
    # Precision is 1 at recalls 0, .01 ... .50 (51 points), 0 beyond; recall is 1/2.
    metrics = average_precision([tile('a', [MIDDLE], [0.9], [MIDDLE, LARGE])], Rules(), 1).metrics
    assert metrics['AP50'] == metrics['AP75'] == metrics['AP'] == pytest.approx(51 / 101)
    assert metrics['AR100'] == pytest.approx(1 / 2)
    assert (metrics['AP_16to32px'], metrics['AP_ge32px']) == pytest.approx((1.0, 0.0))


def test_a_loose_box_counts_only_at_ious_below_its_own(tile):
    # 20 x 20 px moved by 4 px: 320 / (400 + 400 - 320) = 2/3, a hit at .50 .55 .60 .65 of the ten
    # thresholds.
    metrics = average_precision(
        [tile('a', [[44, 40, 64, 60]], [0.9], [MIDDLE])], Rules(), 1
    ).metrics
    assert (metrics['AP50'], metrics['AP75'], metrics['AP']) == pytest.approx((1.0, 0.0, 0.4))


def test_a_false_alarm_of_higher_score_on_an_empty_tile_halves_the_precision(tile):
    # Ranked: false alarm .9, hit .8; precision 1/2 at every recall.
    tiles = [tile('a', [MIDDLE], [0.8], [MIDDLE]), tile('b', [LARGE], [0.9])]
    assert average_precision(tiles, Rules(), 1).metrics['AP50'] == pytest.approx(0.5)


def test_a_hit_with_a_tiny_score_counts(tile):
    assert average_precision([tile('a', [MIDDLE], [1e-6], [MIDDLE])], Rules(), 1).metrics[
        'AP50'
    ] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ('side_px', 'native_scale', 'name'),
    [
        (7.99, 1.0, 'AP_lt8px'),
        (8, 1.0, 'AP_8to16px'),
        (16, 1.0, 'AP_16to32px'),
        (32, 1.0, 'AP_ge32px'),
        (13.9, 128 / 224, 'AP_lt8px'),
        (14, 128 / 224, 'AP_8to16px'),  # 14 * 128 / 224 = 8
        (28, 128 / 224, 'AP_16to32px'),
        (56, 128 / 224, 'AP_ge32px'),
    ],
)
def test_a_box_belongs_to_exactly_one_size_bin(tile, side_px, native_scale, name):
    box = [3.3, 5.7, 3.3 + side_px, 5.7 + side_px]
    metrics = average_precision(
        [tile('a', [box], [0.9], [box])], Rules(native_scale=native_scale), 1
    ).metrics
    assert {
        key: value
        for key, value in metrics.items()
        if key.startswith('AP_') and not key.endswith('_border') and not np.isnan(value)
    } == {name: pytest.approx(1.0)}


def test_other_sizes_count_neither_for_nor_against_a_bin(tile):
    # In the bin below 8 px, the hit and the false alarm of higher score, both of 20 px or more, are
    # ignored; the miss of 48 px too.
    tiles = [tile('a', [MIDDLE, [90, 0, 110, 20], SMALL], [0.9, 0.8, 0.7], [SMALL, MIDDLE, LARGE])]
    assert average_precision(tiles, Rules(), 1).metrics['AP_lt8px'] == pytest.approx(1.0)


def test_the_size_of_a_tall_box_is_the_root_of_its_area():
    # 4 x 16 px: sqrt(64) = 8; at half scale 4, an area of 16.
    assert native_areas(np.array([[0, 0, 4, 16]], np.float32), 1.0).tolist() == [64.0]
    assert native_areas(np.array([[0, 0, 4, 16]], np.float32), 0.5).tolist() == [16.0]


def test_no_tiles_and_no_truth_define_no_score(tile):
    for tiles in ([], [tile('a')], [tile('a', [SMALL], [0.5])]):
        scores = average_precision(tiles, Rules(), 1)
        assert np.isnan([*scores.metrics.values(), *scores.precision_at[0.5]]).all()


def test_truth_without_predictions_scores_zero(tile):
    metrics = average_precision([tile('a', true=[SMALL])], Rules(), 1).metrics
    assert (metrics['AP'], metrics['AP_lt8px'], metrics['AR100']) == (0.0, 0.0, 0.0)


def test_a_class_without_truth_does_not_lower_the_mean(tile):
    tiles = [
        tile('a', [SMALL, LARGE], [0.9, 0.8], [SMALL, LARGE], labels=[0, 1], true_labels=[0, 0])
    ]
    # Class 0: one of two found, 51/101 at every IoU; class 1 has no truth, its false alarm is not
    # part of the mean.
    scores = average_precision(tiles, Rules(), num_classes=2)
    assert scores.metrics['AP'] == pytest.approx(51 / 101)
    assert scores.precision_at[0.5].sum() == pytest.approx(51)


def test_the_order_of_tiles_does_not_matter(random_tiles):
    tiles = random_tiles(3)
    shuffled = [tiles[index] for index in np.random.default_rng(0).permutation(len(tiles))]
    assert average_precision(shuffled, Rules(), 1).metrics == pytest.approx(
        average_precision(tiles, Rules(), 1).metrics, abs=0, nan_ok=True
    )


def test_scoring_prints_and_logs_nothing(tile, capfd, caplog):
    with caplog.at_level(logging.INFO):
        average_precision([tile('a', [SMALL], [0.9], [SMALL])], Rules(), 1)
    assert (capfd.readouterr(), caplog.records) == (('', ''), [])


CUT, INNER = [118, 0, 128, 10], [40, 40, 50, 50]


def bordered(tile, *args):
    return replace(tile('a', *args), tile_hw=(128, 128))


def test_boxes_at_the_border_have_a_row_of_their_own(tile):
    # The cut box is found at IoU .6 (a hit at .50 .55 .60), the inner one is missed; false alarms
    # inside do not count among the cut ones.
    found = bordered(tile, [[118, 0, 128, 6], [60, 60, 70, 70]], [0.5, 0.9], [CUT, INNER])
    metrics = average_precision([found], Rules(), 1).metrics
    assert (metrics['AP50_border'], metrics['AP_border']) == pytest.approx((1, 0.3))
    assert metrics['AP50'] == pytest.approx(51 / 101 / 2)  # precision 1/2 up to recall 1/2


def test_the_border_can_be_ignored(tile):
    # Neither the missed cut box, nor the false alarm at the border of higher score counts.
    found = bordered(tile, [[0, 60, 10, 70], INNER], [0.9, 0.5], [CUT, INNER])
    assert average_precision([found], Rules(), 1).metrics['AP50'] == pytest.approx(51 / 101 / 2)
    ignoring = average_precision([found], Rules(ignore_border=True), 1).metrics
    assert (ignoring['AP50'], ignoring['AP_8to16px'], ignoring['AR100']) == (1, 1, 1)


def test_ap25_takes_looser_boxes(tile):
    # IoU 40 / 100.
    metrics = average_precision([tile('a', [[0, 0, 10, 4]], [0.9], [[0, 0, 10, 10]])], Rules(), 1)
    assert (metrics.metrics['AP25'], metrics.metrics['AP50']) == (1, 0)
