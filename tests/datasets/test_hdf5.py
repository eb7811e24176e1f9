import h5py
import numpy as np
import pytest

from mmlandslide.datasets import hdf5
from mmlandslide.datasets.hdf5 import hazard

SHAPE = (40, 40, 3)


def written(path, **options):
    with h5py.File(path, 'w') as file:
        file.create_dataset('img', SHAPE, 'f8', np.zeros(SHAPE), **options)
    return h5py.File(path)['img']


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'chunks': (16, 16, 3)},
        {'compression': 'gzip', 'chunks': (16, 16, 3)},  # whose chunks at the edge are not full
        {'compression': 'gzip', 'compression_opts': 9, 'shuffle': True, 'fletcher32': True},
        {'compression': 'lzf', 'shuffle': True},
    ],
)
def test_what_hdf5_packs_by_itself_is_read(tmp_path, options):
    assert hazard(written(tmp_path / 't.h5', **options)) is None


def test_an_absurd_number_of_chunks_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, '_MAX_CHUNKS', 5)
    dataset = written(tmp_path / 't.h5', compression='gzip', chunks=(20, 20, 1))
    assert hazard(dataset) == '12 chunks'  # 2 x 2 x 3


def test_a_filter_that_is_lossy_is_named(tmp_path):
    assert hazard(written(tmp_path / 't.h5', scaleoffset=2)) == 'filter 6'
