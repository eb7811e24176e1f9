import errno
import io
from contextlib import suppress

import numpy as np
import pytest

from mmlandslide.errors import StorageError
from mmlandslide.scenes.inference import blocks as blocks_module
from mmlandslide.scenes.inference.blocks import BlockFolder, BlockResult, BlocksInMemory
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.run_key import digest

FOUND = BlockResult(Detections.of(np.array([[1.5, 2, 3, 4]]), np.array([0.5]), (0, 32)), 3, 700)


def folder(tmp_path, **parameters):
    return BlockFolder(tmp_path / 'out.gpkg', digest(parameters))


@pytest.mark.parametrize('found', [FOUND, BlockResult(Detections.none(), 0, 0)])
def test_a_block_comes_back_as_it_was(tmp_path, found):
    for blocks in (folder(tmp_path), BlocksInMemory()):
        assert blocks.read(7) is None
        blocks.write(7, found)
        back = blocks.read(7)
        np.testing.assert_array_equal(back.detections.table, found.detections.table)
        assert (back.windows, back.valid_px) == (found.windows, found.valid_px)


def test_other_parameters_have_other_blocks(tmp_path):
    folder(tmp_path, score_thr=0.3, tta='none').write(0, FOUND)
    assert folder(tmp_path, tta='none', score_thr=0.3).read(0) is not None
    assert folder(tmp_path, score_thr=0.4, tta='none').read(0) is None


@pytest.mark.parametrize('content', [b'', b'\x93NUMPY', b'pickled'])
def test_a_spoilt_block_counts_as_not_finished(tmp_path, content):
    blocks = folder(tmp_path)
    blocks.write(0, FOUND)
    next(blocks.path.iterdir()).write_bytes(content)
    assert blocks.read(0) is None


@pytest.mark.parametrize('table', [np.zeros((2, 5)), np.zeros((2, 11), np.float32), np.array([{}])])
def test_a_block_of_another_form_counts_as_not_finished(tmp_path, table):
    blocks = folder(tmp_path)
    blocks.write(0, FOUND)
    np.save(next(blocks.path.iterdir()), table)
    assert blocks.read(0) is None


def test_a_full_disk_says_how_to_go_on_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, 'No space left on device')

    blocks = folder(tmp_path)
    monkeypatch.setattr('pathlib.Path.write_bytes', full)
    with pytest.raises(
        StorageError, match=r"got 'No space left on device' in .*the same command again: it resumes"
    ):
        blocks.write(0, FOUND)
    assert list(blocks.path.iterdir()) == []


def test_removing_leaves_the_blocks_of_other_runs(tmp_path):
    one, other = folder(tmp_path, a=1), folder(tmp_path, a=2)
    one.write(0, FOUND)
    other.write(0, FOUND)
    one.remove()
    assert (one.read(0), other.read(0) is None) == (None, False)
    other.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_half_written_goes(tmp_path):
    blocks = folder(tmp_path)
    blocks.write(0, FOUND)
    (blocks.path / '.block-000001.npy.abc.tmp').write_bytes(b'half')
    blocks.clear_leftovers()
    assert [path.name for path in blocks.path.iterdir()] == ['block-000000.npy']


def test_a_block_that_ends_after_its_first_array_counts_as_not_finished(tmp_path):
    blocks = folder(tmp_path)
    blocks.write(0, FOUND)
    np.save(next(blocks.path.iterdir()), FOUND.detections.table)
    assert blocks.read(0) is None


def test_only_what_was_killed_while_committing_is_known_as_such(tmp_path):
    blocks = folder(tmp_path)
    assert not blocks.committing
    with suppress(OSError), blocks.while_committing():
        assert blocks.committing
        raise OSError('full')
    assert not blocks.committing
    with blocks.while_committing():
        pass
    assert folder(tmp_path).committing


def header(shape):
    """Return the bytes of a `.npy` file of float64 without its values."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {'descr': '<f8', 'fortran_order': False, 'shape': shape}
    )
    return content.getvalue()


def planted(kept, content):
    next(kept.path.iterdir()).write_bytes(content)
    return kept.read(0)


def changed(table=None, counts=(3, 100)):
    content = io.BytesIO()
    np.save(content, FOUND.detections.table if table is None else table)
    np.save(content, np.array(counts))
    return content.getvalue()


@pytest.mark.parametrize(
    'content',
    [header((10**11, 11)), changed(counts=(-5, 10**15)), changed(counts=(1.5, 2)), changed()],
)
def test_a_block_without_the_digest_of_its_writer_counts_as_not_finished(tmp_path, content):
    kept = BlockFolder(tmp_path / 'a.gpkg', 'key')
    kept.write(0, FOUND)
    assert kept.read(0) is not None
    assert planted(kept, content) is None


def test_an_array_of_a_type_that_is_none_counts_as_not_finished(tmp_path):
    kept = BlockFolder(tmp_path / 'a.gpkg', 'key')
    kept.write(0, FOUND)
    content = changed().replace(b"'<f8'", b'()   ', 1)
    assert planted(kept, content + blocks_module._digest(content)) is None


def test_it_is_the_digest_that_tells_another_s_block(tmp_path, monkeypatch):
    kept = BlockFolder(tmp_path / 'a.gpkg', 'key')
    kept.write(0, FOUND)
    content = changed(counts=(5, 10))
    monkeypatch.setattr(blocks_module, '_digest', lambda _: content[-16:])
    assert planted(kept, content + content[-16:]).windows == 5
