"""The attacks of `test_attacks.py` on the libraries alone: without our readers they succeed."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import rasterio
import test_attacks as attacks
import torch
from mmengine.config import Config
from PIL import Image


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def hdf5(path):
    with h5py.File(path) as file:
        return file['img'][...]


def first_of_a_group(path):
    with h5py.File(path) as file:
        return file['img/img'][...]


def raster(path):
    with rasterio.open(path) as file:
        return file.read()


SHOWN = {
    'HDF5 external storage': hdf5,
    'HDF5 external link': hdf5,
    'HDF5 soft link': hdf5,
    'HDF5 virtual dataset': hdf5,
    'HDF5 hard link to a group': first_of_a_group,
    'VRT as .tif': raster,
}


@pytest.mark.parametrize('attack', SHOWN)
def test_the_library_alone_shows_the_secret(attack):
    assert (SHOWN[attack](attacks.ATTACKS[attack].build()) == attacks.SECRET).all()


RUN = {
    'pickle in .pth': lambda path: torch.load(path, weights_only=False),
    'pickle in .pth of old torch': lambda path: torch.load(path, weights_only=False),
    'pickle in .npy': lambda path: np.load(path, allow_pickle=True),
}


@pytest.mark.parametrize('attack', RUN)
def test_the_library_alone_runs_the_payload(attack):
    path = attacks.ATTACKS[attack].build()
    RUN[attack](path)
    assert Path('canary').exists()


def test_the_host_alone_runs_a_config_text():
    Config.fromstring(attacks.CONFIG, file_format='.py')
    assert Path('canary').exists()


def test_the_library_alone_takes_the_memory_of_a_bomb(monkeypatch):
    path = attacks.ATTACKS['zip bomb'].build()
    with zipfile.ZipFile(path) as file:
        assert len(file.read('archive/data/0')) > 400 * path.stat().st_size
    path = attacks.ATTACKS['picture bomb'].build()
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', None)
    with Image.open(path) as picture:
        assert len(picture.tobytes()) > 100 * path.stat().st_size


def test_the_library_alone_expands_entities():
    small = attacks.bomb().replace('&e9;', '&e3;')
    assert ElementTree.fromstring(small).find('object/name').text == 'x' * 1000


def test_the_library_alone_follows_a_link_out_of_the_data_root():
    root = attacks.linked_tile()
    assert hdf5(root / 'images/train/image_1.h5').shape == (16, 16, 14)
