"""Landslide4Sense tiles give the same detections as files and as arrays."""

import os
from pathlib import Path

import factories
import h5py
import numpy as np
import pytest
import tiny_detector
import torch

from mmlandslide import LandslideDetector
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.scenes.inputs.options import InputOptions

SETTINGS = {'score_thr': 0.2, 'window_px': 64, 'overlap_px': 16}


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    return LandslideDetector(*tiny_detector.write(tmp_path_factory.mktemp('tiny')), device='cpu')


def require_the_same(detector, path, options):
    """Detect in a tile as a file, an array of all bands, and one of the detector's; return how many."""
    with h5py.File(path) as file:
        array = file['img'][:].astype(np.float32).transpose(2, 0, 1)
    own = array[[LANDSLIDE4SENSE.index(band) for band in detector.bands]]
    named = InputOptions(band_order=LANDSLIDE4SENSE, check_values=options.check_values)
    found = [
        detector(path, options=options, **SETTINGS),
        detector(array, options=named, **SETTINGS),
        detector(own, options=options, **SETTINGS),
        detector(torch.from_numpy(own), options=options, **SETTINGS),
    ]
    for other in found[1:]:
        assert np.array_equal(other.bounds, found[0].bounds)
        assert other.score.tolist() == found[0].score.tolist()
    return len(found[0])


def test_of_simulated_tiles(detector, tmp_path):
    factories.write_dataset(tmp_path, {'train': 2}, size_px=64)
    paths = sorted(tmp_path.rglob('image_*.h5'))
    assert len(paths) == 2
    options = InputOptions(check_values=False)  # noise, and no ground
    assert all(require_the_same(detector, path, options) > 0 for path in paths)


@pytest.mark.data
@pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles')
def test_of_real_tiles(detector):
    paths = sorted((Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_h5').glob('*.h5'))
    counts = [require_the_same(detector, path, InputOptions()) for path in paths]
    print(f'{len(paths)} tiles, {sum(counts)} detections, equal')  # noqa: T201
    assert all(counts)
