import h5py
import numpy as np
import pytest

from mmlandslide.datasets.storage import hdf5
from mmlandslide.datasets.storage.hdf5 import hazard

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


def test_a_virtual_dataset_is_known_by_the_bytes_of_its_file(tmp_path):
    layout = h5py.VirtualLayout(SHAPE, 'f8')
    layout[:] = h5py.VirtualSource('other.h5', 'img', SHAPE)
    for version in ('earliest', 'latest'):
        with h5py.File(tmp_path / f'{version}.h5', 'w', libver=version) as file:
            file.create_virtual_dataset('img', layout)
        assert hdf5.is_virtual(tmp_path / f'{version}.h5')


def test_texts_of_any_length_do_not_make_a_file_virtual(tmp_path):
    with h5py.File(tmp_path / 't.h5', 'w') as file:
        file.create_dataset('img', data=np.arange(9.0)).attrs['units'] = ['reflectance', 'm']
    assert b'GCOL' in (tmp_path / 't.h5').read_bytes()
    assert not hdf5.is_virtual(tmp_path / 't.h5')
