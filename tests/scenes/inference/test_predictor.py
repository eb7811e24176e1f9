import numpy as np
import planted_scene
import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.predictor import SymmetricPredictor, viewed
from mmlandslide.symmetry import VIEWS

SIDE = 24
BOX = (3, 5, 10, 21)


def window(*boxes):
    return planted_scene.scene(SIDE, SIDE, boxes).values[None]


class Seeing:
    """Finds in view N what a list holds at N."""

    def __init__(self, *found):
        self.found, self.bands, self.fill = list(found), ('B4',), np.zeros(1, np.float32)

    def predict(self, images):
        boxes, scores = zip(*self.found.pop(0), strict=True)
        return [(np.array(boxes, float), np.array(scores))]


@pytest.mark.parametrize('view', VIEWS['all'])
def test_a_box_found_in_any_view_is_where_it_was(view):
    seen = viewed(window(BOX), view)
    [(boxes, _)] = planted_scene.predictor().predict(seen)
    assert np.stack(view.undone(boxes, (SIDE, SIDE)), axis=1).tolist() == [list(BOX)]


@pytest.mark.parametrize(('name', 'count'), [('none', 1), ('flips', 4), ('all', 8)])
def test_all_views_differ(name, count):
    picture = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    assert len({viewed(picture, view).tobytes() for view in VIEWS[name]}) == count


@pytest.mark.parametrize('name', VIEWS)
def test_a_predictor_that_does_not_mind_finds_the_same_in_all_views(name):
    images = np.concatenate([window(BOX, (14, 2, 17, 9)), window()])
    expected = planted_scene.predictor().predict(images)
    for (boxes, scores), (plain, plain_scores) in zip(
        SymmetricPredictor(planted_scene.predictor(), name).predict(images), expected, strict=True
    ):
        order = np.lexsort(plain[:, ::-1].T)
        found = np.lexsort(boxes[:, ::-1].T)
        np.testing.assert_allclose(boxes[found], plain[order], atol=1e-12)
        np.testing.assert_allclose(scores[found], plain_scores[order])


def test_scores_are_means_over_views():
    # In the four views of `flips` a box in the middle stays where it is.
    middle = (8.0, 8.0, 16.0, 16.0)
    one = SymmetricPredictor(
        Seeing([(middle, 0.8)], [(middle, 0.4)], [(middle, 0.4)], [(middle, 0.8)]), 'flips'
    )
    [(boxes, scores)] = one.predict(window())
    assert (boxes.tolist(), round(scores.item(), 9)) == ([list(middle)], 0.6)


@pytest.mark.parametrize('view', range(8))
def test_deviations_of_sides_turn_with_the_box(view):
    class Unsure:
        bands, fill = ('B4',), np.zeros(1, np.float32)

        def __init__(self):
            self.calls = 0

        def predict(self, images):
            self.calls += 1
            score = 0.9 if self.calls == view + 1 else 0.1
            boxes, scores = np.array([(8.0, 8, 16, 16)]), np.array([score])
            return [(boxes, scores, np.array([[1.0, 2, 3, 4]]))]

    # x1, y1, x2, y2 of the box as it was, from the surest view: a turn counter-clockwise takes the
    # top to the left, a mirror the left to the right.
    turns = ([1, 2, 3, 4], [4, 1, 2, 3], [3, 4, 1, 2], [2, 3, 4, 1])
    x1, y1, x2, y2 = turns[view % 4]
    [(_, _, stds)] = SymmetricPredictor(Unsure(), 'all').predict(window())
    assert stds.tolist() == [[x2, y1, x1, y2] if view >= 4 else [x1, y1, x2, y2]]


def test_unknown_views_are_refused():
    with pytest.raises(ConfigError, match=r"be one of \['none', 'flips', 'all'\], got 'some'"):
        SymmetricPredictor(planted_scene.predictor(), 'some')
