import numpy as np

from mmlandslide.scenes.inference.detections import Detections


def test_the_order_is_by_score_then_by_place():
    boxes = np.array([[5.0, 2, 9, 9], [0, 2, 9, 9], [0, 1, 9, 9], [7, 7, 8, 8]])
    found = Detections.of(boxes, np.array([0.5, 0.5, 0.5, 0.9]), (0, 0)).sorted_by_score()
    assert found.boxes_xyxy.tolist() == [[7, 7, 8, 8], [0, 1, 9, 9], [0, 2, 9, 9], [5, 2, 9, 9]]


def test_equal_boxes_of_two_windows_have_one_order():
    box, score = np.array([[0.0, 0, 9, 9]]), np.array([0.5])
    parts = [Detections.of(box, score, window) for window in ((0, 32), (0, 0), (32, 0))]
    assert Detections.concatenate(parts).sorted_by_score().window_rc.tolist() == [
        [0, 0],
        [0, 32],
        [32, 0],
    ]


def test_nothing_is_known_of_the_ground_at_first():
    found = Detections.of(np.array([[0.0, 0, 9, 9]]), np.array([0.5]), (4, 8))
    assert found.pixels.tolist() == [0]
    assert np.isnan([found.slope, found.lowest, found.highest]).all()


def test_no_parts_are_no_detections():
    assert Detections.concatenate([]).table.shape == Detections.none().table.shape == (0, 15)


def test_a_thousandth_of_a_pixel_survives_in_the_largest_scenes():
    found = Detections.of(
        np.float32([[1, 1, 2.125, 3]]) + np.float64([10000, 0, 10000, 0]),
        np.array([0.5]),
        (0, 10000),
    )
    assert found.boxes_xyxy[0, 2] - found.boxes_xyxy[0, 0] == 1.125
