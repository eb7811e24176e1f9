import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from mmlandslide.evaluation.tile_scores import auroc, tile_scores


def test_scores_of_five_tiles_are_those_worked_out_by_hand():
    # Found above .5: tiles 0, 1, 3; right of them: 0 and 1; missed: 2.
    found = tile_scores(np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.8, 0.3, 0.6, 0.1]))
    assert (found['accuracy'], found['precision'], found['recall']) == (3 / 5, 2 / 3, 2 / 3)
    assert (found['F1'], found['base_rate'], found['majority']) == (2 / 3, 3 / 5, 3 / 5)
    assert found['AUROC'] == 5 / 6  # of the pairs (.9 .8 .3) x (.6 .1) only .3 < .6 is wrong


def test_the_threshold_itself_is_not_above_it():
    assert tile_scores(np.array([1]), np.array([0.5]))['recall'] == 0
    assert tile_scores(np.array([1]), np.array([0.5]), score_thr=0.49)['recall'] == 1


def test_the_majority_may_be_the_tiles_without_landslide():
    found = tile_scores(np.array([1, 0, 0, 0]), np.zeros(4))
    assert (found['base_rate'], found['majority'], found['accuracy']) == (0.25, 0.75, 0.75)


def test_what_a_set_does_not_define_is_not_a_number():
    found = tile_scores(np.array([0, 0]), np.array([0.2, 0.1]))
    assert [key for key, value in found.items() if np.isnan(value)] == ['precision', 'recall', 'F1', 'AUROC']


def test_a_constant_score_is_at_chance():
    assert auroc(np.array([1, 0, 1, 0, 0]), np.full(5, 0.7)) == 0.5


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=40))
def test_scores_equal_those_of_scikit_learn_with_ties(tiles):
    labels, scores = np.array(tiles).T[0], np.array(tiles).T[1] / 5
    found, guessed = tile_scores(labels, scores), scores > 0.5
    assert found['accuracy'] == pytest.approx(reference.accuracy_score(labels, guessed))
    if guessed.any() and labels.any():
        assert found['F1'] == pytest.approx(reference.f1_score(labels, guessed))
    if 0 < labels.sum() < len(labels):
        assert found['AUROC'] == pytest.approx(reference.roc_auc_score(labels, scores))
