import factories
import numpy as np
import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.domain.training_range import (
    describe,
    fit,
    measure,
    range_of,
    warning,
)
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene

SCALE = np.array([100.0, 100.0, 100.0])
SIDE = 16


class Finder:
    """Finds nothing, and knows where its training tiles lie."""

    bands, fill = ('R', 'G', 'B'), SCALE.astype(np.float32)

    def __init__(self, found):
        self.training_range = found

    def predict(self, images):
        return [(np.zeros((0, 4)), np.zeros(0)) for _ in images]


def windows(count, seed, spread=20.0):
    draws = np.random.default_rng(seed)
    levels = draws.normal(100, 5, (count, 3, 1, 1))
    shared = draws.normal(0, spread, (count, 1, SIDE, SIDE))
    return (levels + shared + draws.normal(0, 5, (count, 3, SIDE, SIDE))).astype(np.float32)


def described(images):
    return describe(images, np.ones((len(images), *images.shape[2:]), bool), SCALE)


@pytest.fixture(scope='module')
def trained():
    return fit(described(windows(400, 0)), SCALE)


def test_all_but_a_hundredth_of_the_training_tiles_lie_within_the_range(trained):
    assert (trained.distances(described(windows(400, 0))) > 1).mean() == pytest.approx(0.01)


def test_other_tiles_of_the_same_kind_lie_within_and_of_another_beyond(trained):
    assert np.median(trained.distances(described(windows(100, 1)))) < 0.8
    assert trained.distances(described(windows(100, 1, spread=80))).min() > 1


def test_a_description_names_level_contrast_texture_and_how_bands_go_together():
    rows = np.repeat([0.0, 100.0], 2)  # 0 0 100 100, of which each square of pixels is one
    image = np.broadcast_to(rows, (2, 4, 4)).astype(np.float32)
    image = np.concatenate([image, 100 - image[:1]])[None]
    # Means .5; standard deviation .5; one step of 1 between two columns; correlations 1 and -1.
    expected = [0.5] * 3 + [np.log(0.5)] * 3 + [0.0] * 3 + [1, -1]
    np.testing.assert_allclose(described(image)[0], expected, atol=1e-4)


def test_pixels_without_data_do_not_count():
    image, known = windows(1, 2), np.ones((1, SIDE, SIDE), bool)
    half, known[..., 8:] = image.copy(), False
    half[..., 8:] = 1e6
    left = describe(image[..., :8], known[..., :8], SCALE)
    np.testing.assert_allclose(describe(half, known, SCALE), left)


def test_a_range_survives_the_metadata_of_a_file(trained):
    back = range_of({'training_range': trained.as_dict()})
    probe = described(windows(5, 3))
    np.testing.assert_allclose(back.distances(probe), trained.distances(probe), rtol=1e-3)


@pytest.mark.parametrize(
    'stated', [None, {}, 'text', {'scale': [1], 'mean': [1, 2], 'whitening': [[1]], 'limit': 1}]
)
def test_metadata_of_another_form_state_no_range(stated):
    assert range_of({'training_range': stated}) is None


def test_too_few_tiles_give_no_range():
    with pytest.raises(ConfigError, match='at least 100 to give a range, got 99'):
        fit(np.zeros((99, 11)), SCALE)


@pytest.mark.parametrize(('spread', 'beyond'), [(20, False), (80, True)])
def test_a_scene_beyond_the_range_is_warned_of_with_what_was_measured(
    tmp_path, trained, spread, beyond
):
    rows = [np.concatenate(list(windows(4, seed, spread)), axis=2) for seed in range(4)]
    pixels = np.concatenate(rows, axis=1).clip(0, 255).astype(np.uint8)
    path = factories.write_tiff(tmp_path / 'scene.tif', pixels)
    scene = open_scene(path, Finder.bands, InputOptions(band_order=Finder.bands))
    known = {'A': {'distance': 0.4, 'AP50': 0.3}}
    finder = Finder(type(trained)(*(vars(trained) | {'known': known}).values()))
    job = InferenceJob(scene, finder, Settings(window_px=SIDE, overlap_px=0), {})
    off = measure(job)
    assert (off['windows'], off['distance'] > 1) == (16, beyond)
    said = warning(job, off)
    assert ('AP50 0.30 at 0.40 (A)' in said) if beyond else said is None
