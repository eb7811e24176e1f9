"""Probes of features whose answer is known."""

import numpy as np
import pytest

from mmlandslide.errors import ConfigError, DatasetError
from mmlandslide.evaluation.bootstrap import interval
from mmlandslide.evaluation.probes.classifiers import (
    Probed,
    Samples,
    linear_probe,
    nearest_probe,
    tile_folds,
)


def samples(features, positive, tiles=None):
    features = np.asarray(features, np.float32).reshape(len(positive), -1)
    return Samples(
        features,
        np.asarray(positive, bool),
        np.arange(len(positive)) if tiles is None else np.asarray(tiles),
    )


def drawn(seed, signal, count=60):
    """Return samples whose first feature of five shifts by `signal` deviations with the class."""
    generator = np.random.default_rng(seed)
    positive = np.arange(count) % 2 == 0
    features = generator.normal(size=(count, 5))
    features[:, 0] += signal * positive
    return samples(features, positive)


def test_a_linear_probe_finds_what_is_linear_and_guesses_on_noise():
    clear, noise = (
        linear_probe(drawn(0, signal), drawn(1, signal)).numbers() for signal in (6.0, 0.0)
    )
    assert clear['auroc'] > 0.99
    assert clear['accuracy'] > 0.95
    assert noise['auroc_95'][0] < 0.5 < noise['auroc_95'][1]


def test_the_regularisation_is_chosen_on_the_fitting_samples_alone():
    fit, scored = drawn(0, 1.0), drawn(1, 1.0)
    turned = samples(scored.features, ~scored.positive)
    direct, other = linear_probe(fit, scored), linear_probe(fit, turned)
    assert direct.chosen == other.chosen
    np.testing.assert_array_equal(direct.probability, other.probability)


def test_noise_is_regularised_more_than_a_clear_signal():
    assert (
        linear_probe(drawn(0, 0.0), drawn(1, 0.0)).chosen['C']
        < linear_probe(drawn(0, 6.0), drawn(1, 6.0)).chosen['C']
    )


def test_the_scale_of_a_feature_does_not_matter():
    fit, scored = drawn(0, 1.0), drawn(1, 1.0)
    far = [samples(each.features * [1, 1000, 1, 1, 1] + 7, each.positive) for each in (fit, scored)]
    for probe in (linear_probe, nearest_probe):
        np.testing.assert_allclose(
            probe(*far).probability, probe(fit, scored).probability, atol=1e-3
        )


def test_neighbours_vote_by_angle():
    # Standardised, the two classes point up and down; both scored samples lie far out but on one
    # side each.
    fit = samples([[0.0, 1.0], [0.1, 1.2], [0.0, -1.0], [-0.1, -1.2]], [1, 1, 0, 0])
    found = nearest_probe(fit, samples([[0.0, 50.0], [0.0, -0.5]], [1, 0]), neighbours=2)
    assert found.probability.tolist() == [1.0, 0.0]


def test_three_neighbours_of_four_give_thirds():
    fit = samples([[0.0, 1.0], [0.1, 1.2], [0.0, -1.0], [-0.1, -1.2]], [1, 1, 0, 0])
    assert nearest_probe(
        fit, samples([[0.0, 50.0]], [1]), neighbours=3
    ).probability.tolist() == pytest.approx([2 / 3])


def test_the_bootstrap_draws_tiles_and_not_cells():
    # 100 cells of one tile right, 100 of another wrong: a resample of two tiles has none, half or
    # all of it right.
    scored = samples(np.zeros(200), [True] * 200, np.repeat([0, 1], 100))
    found = Probed(np.repeat([0.9, 0.1], 100), scored, {}).numbers()
    assert (found['accuracy'], found['accuracy_95']) == (0.5, (0.0, 1.0))
    assert np.isnan(found['auroc_95']).all()  # one class only


def test_two_probes_of_the_same_samples_are_resampled_alike():
    scored = drawn(1, 1.0)
    first = Probed(scored.features[:, 0], scored, {})
    shifted = Probed(scored.features[:, 0] * 2 + 1, scored, {})
    assert interval(first.aurocs() - shifted.aurocs()) == (0.0, 0.0)
    assert np.ptp(first.aurocs()) > 0


def test_a_tile_is_in_one_fold_and_every_fold_has_both_classes():
    positive = [1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    tiles = np.repeat([0, 1, 2, 3, 4, 5], 2)  # shares 1, .5, .5, 0, 0, 0
    folds = tile_folds(samples(np.zeros(12), positive, tiles))
    assert all(len(set(folds[tiles == tile])) == 1 for tile in range(6))
    assert sorted(folds[::2]) == [0, 0, 1, 1, 2, 2]
    assert {fold for fold, label in zip(folds, positive, strict=True) if label} == {0, 1, 2}


@pytest.mark.parametrize(
    ('positive', 'got'),
    [([1] * 6, '6 with and 0 without'), ([1, 1, 0, 0, 0, 0], '2 with and 4 without')],
)
def test_too_few_tiles_of_a_class_are_refused(positive, got):
    with pytest.raises(
        DatasetError,
        match=f'on at least 3 tiles each, got {got} landslide among 6 samples of 6 tiles',
    ):
        linear_probe(samples(np.zeros(6), positive), samples(np.zeros(6), positive))


def test_more_neighbours_than_samples_are_refused():
    with pytest.raises(ConfigError, match='neighbours must be 1 to 4, got 5 in'):
        nearest_probe(
            samples(np.zeros(4), [0, 1, 0, 1]), samples(np.zeros(4), [0, 1, 0, 1]), neighbours=5
        )
