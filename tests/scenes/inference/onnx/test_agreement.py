import numpy as np
import pytest

from mmlandslide.scenes.inference.onnx.agreement import compare


class Fixed:
    """Detects the same boxes in every window."""

    def __init__(self, boxes, scores):
        self.found = np.float64(boxes).reshape(-1, 4), np.float64(scores)

    def predict(self, images):
        return [self.found] * len(images)


BOXES, SCORES = [[0, 0, 4, 4], [8, 8, 12, 14]], [0.9, 0.5]
WINDOWS = [np.zeros((2, 1, 16, 16), np.float32)]


@pytest.mark.parametrize(
    ('boxes', 'scores', 'unmatched'),
    [
        (BOXES, SCORES, 0),
        (BOXES[::-1], SCORES[::-1], 0),
        (np.add(BOXES, 0.0005), np.subtract(SCORES, 0.000005), 0),
        (np.add(BOXES, 0.002), SCORES, 8),  # two in each, of two windows
        (BOXES, np.add(SCORES, 0.001), 8),
        (BOXES[:1], SCORES[:1], 2),
        ([], [], 4),
    ],
)
def test_detections_agree_where_each_has_a_counterpart(boxes, scores, unmatched):
    found = compare(Fixed(BOXES, SCORES), Fixed(boxes, scores), WINDOWS)
    assert (found.detections, found.unmatched, found.close) == (4, unmatched, unmatched == 0)


@pytest.mark.parametrize(('changed', 'close'), [(0, True), (1, True), (2, False)])
def test_one_near_tie_in_two_thousand_detections_is_no_disagreement(changed, close):
    corner = np.arange(2000.0)[:, None] * 10
    boxes, scores = np.hstack([corner, corner, corner + 4, corner + 4]), np.full(2000, 0.5)
    others = boxes.copy()
    others[:changed] += 2
    found = compare(Fixed(boxes, scores), Fixed(others, scores), [WINDOWS[0][:1]])
    assert (found.unmatched, found.close) == (2 * changed, close)


def test_the_differences_of_counterparts_are_measured():
    found = compare(Fixed(BOXES, SCORES), Fixed(np.add(BOXES, 0.0005), SCORES), WINDOWS)
    assert (found.box_px, found.score) == (pytest.approx(0.0005), 0)
    assert str(found) == '0 of 4 detections unmatched, others within 0.0005 px and 0 in score'
