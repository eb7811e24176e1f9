"""Scores become probabilities; a light install applies what a training install has fitted."""

from mmlandslide.evaluation.calibration.probabilities import calibrated, calibration_of

__all__ = ['calibrated', 'calibration_of']
