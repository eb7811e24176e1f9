"""Scenes in archives that others have packed, or spoilt."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scene_files

from mmlandslide.errors import SceneError
from mmlandslide.scenes.inputs.formats import packages
from mmlandslide.scenes.inputs.rasters import RasterFile


def band(folder):
    return scene_files.write_raster(folder / 'b.tif', np.ones((20, 20), np.uint16)).read_bytes()


def archive(folder, method=zipfile.ZIP_STORED):
    path = folder / 'a.zip'
    with zipfile.ZipFile(path, 'w', method) as file:
        file.writestr('b.tif', band(folder))
    return path


def spoilt(folder):
    """Write an archive whose member's own header states another packed size than the directory."""
    path = archive(folder)
    content = bytearray(path.read_bytes())
    content[18:22] = (17896).to_bytes(4, 'little')
    path.write_bytes(content)
    return path


def num_open():
    return len(list(Path('/proc/self/fd').iterdir()))


def read(path):
    return RasterFile(path / 'b.tif').read((1,), (0, 0, 20, 20))


@pytest.mark.parametrize('method', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_sound_archive_is_read(tmp_path, method):
    assert read(archive(tmp_path, method)).min() == 1


def test_sizes_that_follow_the_content_are_read(tmp_path):
    class Pipe(io.RawIOBase):
        """Cannot seek, as the standard output of `zip -`."""

        def __init__(self):
            self.content = b''

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, 'w') as file:
        file.writestr('b.tif', band(tmp_path))
    (tmp_path / 'a.zip').write_bytes(pipe.content)
    assert read(tmp_path / 'a.zip').min() == 1


METHODS = [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize('method', METHODS)
def test_a_member_whose_packed_bytes_are_spoilt_is_refused(tmp_path, method):
    path = archive(tmp_path, method)
    whole = path.read_bytes()
    refused = 0
    for place in range(36, 90):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            packages.read_start(path / 'b.tif', 10**6)
        except SceneError as error:
            refused += 'must be readable' in str(error)
    assert refused > 9


def test_a_member_without_a_name_takes_nothing_down(tmp_path):
    path = archive(tmp_path)
    with zipfile.ZipFile(path, 'a') as file:
        entry = zipfile.ZipInfo('x')
        file.writestr(entry, b'')
        entry.filename = ''  # in the archive's directory
    assert packages.files_under(path) == [path / 'b.tif']


@pytest.mark.skipif(not Path('/proc/self/fd').is_dir(), reason='Linux counts open files')
def test_an_archive_that_states_two_sizes_is_refused_and_not_kept_open(tmp_path):
    path, before = spoilt(tmp_path), num_open()
    for _ in range(3):
        with pytest.raises(SceneError, match=r"two statements of the size of 'b\.tif'"):
            read(path)
    assert num_open() == before


@pytest.mark.skipif(not Path('/proc/self/fd').is_dir(), reason='Linux counts open files')
def test_without_the_comparison_gdal_keeps_it_open(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, '_require_one_statement', lambda *_: None)
    path, before = spoilt(tmp_path), num_open()
    with pytest.raises(SceneError):
        read(path)
    assert num_open() > before
