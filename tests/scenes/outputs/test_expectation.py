import math

import numpy as np
import planted_scene
import pytest

from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.outputs.expectation import expected_squares

MODELS = {
    'count': {'per_km2': 2.0, 'slope': 1.0, 'low': -1.0, 'high': 2.0},
    'area_m2': {'per_km2': 0.0, 'slope': 0.5, 'low': -1.0, 'high': 1.0},
}
KM2 = 1.1 / 0.9996**2  # 110 x 100 pixels of 10 m; UTM shrinks lengths at its central meridian


@pytest.fixture
def squares():
    scene = planted_scene.scene(220, 200)
    boxes = np.array([[10, 10, 20, 20], [150, 180, 160, 190], [0, 100, 10, 110]], float)
    found = Detections.of(boxes, np.array([0.5, 0.25, 0.125]), (0, 0))
    known = np.array([[True, False], [True, True]])
    return expected_squares(found, scene, known, MODELS)


def test_squares_without_data_are_left_out(squares):
    assert squares.geometry.bounds.round().to_numpy().tolist() == [
        [500000, 4998900, 501000, 5000000],
        [500000, 4997800, 501000, 4998900],
        [501000, 4997800, 502000, 4998900],
    ]
    np.testing.assert_allclose(squares['area_km2'], KM2, rtol=1e-4)


def test_probabilities_add_up_in_the_square_of_each_centre(squares):
    # The centre of the third box lies at row 105 of the first square, 5 rows above its end.
    mean = [2 * KM2 + 0.625, 2 * KM2, 2 * KM2 + 0.25]
    np.testing.assert_allclose(squares['count'], mean, rtol=1e-4)
    np.testing.assert_allclose(squares['count_low'], [m - math.sqrt(m) for m in mean], rtol=1e-4)
    np.testing.assert_allclose(
        squares['count_high'], [m + 2 * math.sqrt(m) for m in mean], rtol=1e-4
    )


def test_areas_are_those_of_the_boxes_times_their_probability(squares):
    box_m2 = 100 * 100 / 0.9996**2
    np.testing.assert_allclose(
        squares['area_m2'], [0.5 * 0.625 * box_m2, 0, 0.5 * 0.25 * box_m2], rtol=1e-4
    )
