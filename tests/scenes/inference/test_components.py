import cv2
import numpy as np
import pytest

from mmlandslide.errors import BandError
from mmlandslide.scenes.inference.components import ComponentPredictor


def window(*pixels):
    image = np.zeros((1, 2, 8, 8), np.float32)
    for row, col in pixels:
        image[0, 1, row, col] = 2
    return image


def test_a_group_is_boxed_and_scored_by_the_share_that_it_covers():
    # An L of 5 pixels in a box of 3 x 3; corners join.
    [(boxes, scores)] = ComponentPredictor(('B4', 'B8'), 'B8', 1.5).predict(
        window((1, 1), (2, 1), (3, 1), (3, 2), (2, 3))
    )
    assert (boxes.tolist(), scores.tolist()) == ([[1, 1, 4, 4]], [5 / 9])


def test_small_groups_and_other_bands_do_not_count():
    predictor = ComponentPredictor(('B4', 'B8'), 'B8', 1.5)
    [(boxes, scores)] = predictor.predict(window((1, 1), (2, 1), (3, 1)))
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))
    [(boxes, _)] = predictor.predict(window((1, 1), (2, 1), (3, 1), (4, 1))[:, ::-1])
    assert len(boxes) == 0


def test_groups_are_those_of_opencv_whatever_their_form():
    rng = np.random.default_rng(0)
    for share in (0.2, 0.4, 0.6):
        high = rng.random((40, 50)) < share
        _, _, stats, _ = cv2.connectedComponentsWithStats(high.astype(np.uint8), connectivity=8)
        x, y, width, height, pixels = stats[1:].T
        theirs = np.stack([x, y, x + width, y + height, pixels / (width * height)], 1)
        image = np.stack([np.zeros_like(high), high]).astype(np.float32)[None] * 2
        [(boxes, scores)] = ComponentPredictor(('B4', 'B8'), 'B8', 1.5, min_pixels=1).predict(image)
        assert sorted(theirs.tolist()) == sorted(np.column_stack([boxes, scores]).tolist())


def test_a_band_that_is_not_there_is_refused():
    with pytest.raises(BandError, match=r"be among \['B4', 'B8'\], got \['B3'\]"):
        ComponentPredictor(('B4', 'B8'), 'B3', 1.5)
