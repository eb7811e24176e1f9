import subprocess
import sys

import numpy as np
import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.evaluation.calibration import calibrated, calibration_of

ISOTONIC = {'method': 'isotonic', 'scores': [0.2, 0.6], 'probabilities': [0.0, 0.5]}
TEMPERATURE = {'method': 'temperature', 'temperature': 0.5, 'shift': -1.0}


def test_isotonic_probabilities_lie_between_the_corners():
    # .4 lies halfway between .2 and .6.
    found = calibrated(np.array([0.1, 0.2, 0.4, 0.6, 0.9]), ISOTONIC)
    assert found == pytest.approx([0, 0, 0.25, 0.5, 0.5])


def test_a_temperature_divides_the_logit():
    # logit(.75) = ln 3; over .5 minus 1: 2 ln 3 - 1; p = 9 / (9 + e).
    found = calibrated(np.array([[0.75], [0.5]]), TEMPERATURE)
    assert found == pytest.approx(np.array([[9 / (9 + np.e)], [1 / (1 + np.e)]]))
    neutral = {'method': 'temperature', 'temperature': 1, 'shift': 0}
    assert calibrated(np.array([0.3, 0.8]), neutral) == pytest.approx([0.3, 0.8])


def test_scores_of_0_and_1_stay_probabilities():
    found = calibrated(np.array([0.0, 1.0]), TEMPERATURE)
    assert 0 <= found[0] < 1e-6
    assert 1 - 1e-6 < found[1] <= 1


@pytest.mark.parametrize(
    'stated',
    [
        None,
        'isotonic',
        {'method': 'magic'},
        {'method': 'temperature', 'temperature': 0.0, 'shift': 0.0},
        {'method': 'temperature', 'temperature': float('nan'), 'shift': 0.0},
        {'method': 'temperature', 'temperature': '1', 'shift': 0.0},
        {'method': 'isotonic', 'scores': [], 'probabilities': []},
        {'method': 'isotonic', 'scores': [0.1, 0.2], 'probabilities': [0.2]},
        {'method': 'isotonic', 'scores': [0.1, 0.2], 'probabilities': [0.2, 0.1]},
        {'method': 'isotonic', 'scores': [0.1, 0.2], 'probabilities': [0.2, 1.1]},
    ],
)
def test_what_is_no_calibration_counts_as_not_stated(stated):
    assert calibration_of({'calibration': stated}) is None
    if isinstance(stated, dict):
        with pytest.raises(ConfigError, match='calibration must be of a method in'):
            calibrated(np.array([0.5]), stated)


def test_a_stated_calibration_is_returned_with_all_that_it_keeps():
    assert calibration_of({}) is None
    assert calibration_of({'calibration': {**ISOTONIC, 'iou_thr': 0.5}})['iou_thr'] == 0.5


def test_a_light_install_applies_calibrations():
    heavy = {'torch', 'mmengine', 'sklearn', 'scipy', 'faster_coco_eval', 'matplotlib'}
    code = f'import sys, mmlandslide.evaluation.calibration; print({heavy} & set(sys.modules))'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert run.stdout == 'set()\n'
