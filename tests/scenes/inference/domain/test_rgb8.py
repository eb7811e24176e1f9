import factories
import numpy as np
import pytest

from mmlandslide.errors import SceneError
from mmlandslide.scenes.inference.domain.rgb8 import Rgb8Predictor, has_pixels_of_tiles, stretch
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene

FILL = np.array([123, 116, 103], np.float32)


class Recorder:
    """Keeps the windows that it sees and finds their upper left quarter."""

    bands, fill, calibration = ('R', 'G', 'B'), FILL, None

    def predict(self, images):
        self.seen = images
        half = images.shape[-1] / 2
        return [(np.array([[0, 0, half, half]]), np.array([0.5])) for _ in images]


def test_each_band_is_stretched_from_its_own_minimum_to_its_own_maximum():
    image = np.array([[[1, 2, 3]], [[10, 10, 30]], [[0.1, 0.6, 1.1]]], np.float32)
    # 2 lies half way from 1 to 3: 127.5, which rounds to the even 128.
    expected = [[[0, 128, 255]], [[0, 0, 255]], [[0, 128, 255]]]
    np.testing.assert_array_equal(stretch(image, FILL), expected)


@pytest.mark.parametrize('unit', [1e-4, 1.0, 65535.0])
def test_the_unit_of_a_scene_does_not_matter(unit):
    image = np.random.default_rng(0).uniform(1, 2, (3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(stretch(image * np.float32(unit), FILL), stretch(image, FILL))


def test_a_pixel_without_data_is_the_mean_and_moves_no_bound():
    image = np.array([[[1, 3, np.nan]]] * 3, np.float32)
    np.testing.assert_array_equal(stretch(image, FILL)[:, 0, :2], [[0, 255]] * 3)
    np.testing.assert_array_equal(stretch(image, FILL)[:, 0, 2], FILL)


def test_a_window_of_one_value_or_of_none_stays_finite():
    assert np.isfinite(stretch(np.full((3, 4, 4), 7, np.float32), FILL)).all()
    nothing = stretch(np.full((3, 4, 4), np.nan, np.float32), FILL)
    np.testing.assert_array_equal(nothing[:, 0, 0], FILL)


def test_windows_are_enlarged_and_boxes_come_back_in_their_own_pixels():
    inner = Recorder()
    [(boxes, _)] = Rgb8Predictor(inner, zoom=1.75).predict(np.ones((1, 3, 128, 128), np.float32))
    assert inner.seen.shape == (1, 3, 224, 224)
    np.testing.assert_allclose(boxes, [[0, 0, 64, 64]])


def test_an_8_bit_window_passes_as_it_is():
    inner, picture = Recorder(), np.full((1, 3, 8, 8), 200, np.float32)
    predictor = Rgb8Predictor(inner, stretched=False)
    predictor.predict(picture)
    assert (predictor.bands, predictor.fill.tolist()) == (('R', 'G', 'B'), FILL.tolist())
    np.testing.assert_array_equal(inner.seen, picture)


@pytest.mark.parametrize(('size_m', 'expected'), [(10, False), (8.5, False), (6, True)])
def test_pixels_of_a_picture_are_of_10_m_or_of_the_tiles(tmp_path, size_m, expected):
    assert has_pixels_of_tiles(picture(tmp_path, size_m), 1.75) is expected


def test_pixels_of_an_aerial_picture_are_refused(tmp_path):
    with pytest.raises(SceneError, match=r'pixels of about 5\.71 or 10 m, got 0\.5 m in scene'):
        has_pixels_of_tiles(picture(tmp_path, 0.5), 1.75)


def picture(folder, size_m):
    values = np.random.default_rng(0).integers(1, 255, (3, 32, 32), np.uint8)
    path = factories.write_tiff(folder / 'scene.tif', values, pixel_m=size_m)
    return open_scene(path, ('R', 'G', 'B'), InputOptions(band_order=['R', 'G', 'B']))


def test_deviations_of_sides_are_in_the_windows_own_pixels():
    class Unsure(Recorder):
        def predict(self, images):
            return [(*each, np.full((1, 4), 3.0)) for each in super().predict(images)]

    [(boxes, scores, stds)] = Rgb8Predictor(Unsure(), 1.5).predict(
        np.ones((1, 3, 8, 8), np.float32)
    )
    assert (boxes.tolist(), scores.tolist(), stds.tolist()) == ([[0, 0, 4, 4]], [0.5], [[2] * 4])
