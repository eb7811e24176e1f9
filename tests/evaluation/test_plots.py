from io import BytesIO

import numpy as np
import pytest
from matplotlib.image import imread

from mmlandslide.evaluation.plots import _f1_confidence, _precision_recall, save_plots
from mmlandslide.evaluation.scoring import evaluate

PLOTS = ('pr_curve', 'f1_confidence', 'reliability', 'frequency_area', 'false_alarms')
BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def test_the_plots_are_written_and_show_something(tile, tmp_path):
    paths = save_plots(evaluate([tile('a', [BOX], [0.9], [BOX])]), tmp_path / 'new')
    assert [path.name for path in paths] == [f'{name}.png' for name in PLOTS]
    assert all(np.ptp(imread(BytesIO(path.read_bytes()))[..., :3]) > 0.5 for path in paths)


def test_the_pr_curve_names_the_ap_of_each_iou(tile):
    # IoU .6: 51 of 101 points at .5, none at .75.
    figure = _precision_recall(evaluate([tile('a', [[0, 0, 10, 6]], [0.5], [BOX, FAR])]))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ['IoU 0.50: AP 0.505', 'IoU 0.75: AP 0.000', 'best F1 0.667 (score >= 0.500)']
    assert np.mean(figure.axes[0].lines[0].get_ydata()) == pytest.approx(51 / 101)


def test_the_best_f1_is_marked_where_it_is(tile):
    figure = _f1_confidence(evaluate([tile('a', [BOX, FAR], [0.75, 0.25], [BOX])]))
    mark = figure.axes[0].lines[-1]
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([0.75], [1.0])


def test_scores_that_are_no_probabilities_stay_in_the_picture(tile):
    figure = _f1_confidence(evaluate([tile('a', [BOX, FAR], [30, -2], [BOX])]))
    low, high = figure.axes[0].get_xlim()
    assert low < -2 < 30 < high < 40


@pytest.mark.filterwarnings('error')
def test_a_set_without_truth_or_predictions_has_pictures_too(tile, tmp_path):
    for tiles in (
        [],
        [tile('a', [BOX], [0.9])],
        [tile('a', true=[BOX])],
        [tile('a', [BOX], [3.0], [BOX])],
    ):
        assert len(save_plots(evaluate(tiles), tmp_path)) == 5
