import numpy as np

from mmlandslide.scenes.outputs.score_colors import COLORS, EDGES, LABELS, classes, rgb


def test_a_score_on_a_border_belongs_below_it():
    # (0, .2] is class 0, (.2, .4] class 1, ... and 0 itself is of the lowest.
    scores = np.array([0, 0.1, 0.2, 0.2001, 0.4, 0.5, 0.6, 0.8, 0.8001, 1])
    assert classes(scores).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 4, 4]


def test_no_scores_have_no_classes():
    assert classes(np.zeros(0)).tolist() == []


def test_every_class_has_a_colour_and_a_label():
    assert len(COLORS) == len(LABELS) == len(EDGES) - 1
    assert (LABELS[0], LABELS[-1]) == ('0.0 - 0.2', '0.8 - 1.0')


def test_better_classes_are_lighter():
    lightness = [
        0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in map(rgb, COLORS)
    ]
    assert lightness == sorted(lightness)
    assert lightness[0] > 140  # forest is at about 60
    assert rgb('#6a00a8') == (106, 0, 168)
