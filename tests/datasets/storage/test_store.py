"""Building packed stores: lossless, once, whole, and again when the files change."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from threading import Barrier

import factories
import h5py
import numpy as np
import pytest

from mmlandslide import locks
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.boxes import RULES, BoxRule
from mmlandslide.datasets.storage import index, packed_tile
from mmlandslide.datasets.storage import store as store_module
from mmlandslide.datasets.storage import store_file as packed_room
from mmlandslide.datasets.storage.index import find_tiles
from mmlandslide.datasets.storage.store import ensure, ensure_store
from mmlandslide.datasets.storage.store_folder import locked, store_folders
from mmlandslide.datasets.storage.store_writer import StoreWriter
from mmlandslide.datasets.storage.tile_errors import UnreadableTileError
from mmlandslide.errors import DatasetError, LandslideError, StorageError


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv('MMLANDSLIDE_CACHE', str(tmp_path_factory.mktemp('cache')))


@pytest.fixture
def packed(monkeypatch):
    """Return the ids of the tiles that were read from their files."""
    seen, pack = [], packed_tile.pack
    monkeypatch.setattr(
        packed_tile, 'pack', lambda ref, *rest: seen.append(ref.tile_id) or pack(ref, *rest)
    )
    return seen


def test_landslide4sense_values_pack_without_loss(tmp_path):
    store = ensure_store(factories.write_dataset(tmp_path, {'train': 2}), 'train')
    assert [store.entry(tile_id).dtype for tile_id in store.ids] == ['<u2', '<u2']
    np.testing.assert_array_equal(
        store.raw('train/1') / factories.DIVISORS[:, None, None], factories.image(1)
    )


@pytest.mark.parametrize('raw', [7.001, -3, 65536])
def test_one_value_that_uint16_cannot_hold_keeps_its_tile_in_float32(tmp_path, raw):
    image = factories.image(1)
    image[3, 0, 0] = raw / factories.DIVISORS[3]
    factories.write_tile(tmp_path, 1, image)
    factories.write_tile(tmp_path, 2, factories.image(2))
    store = ensure_store(tmp_path, 'train')
    assert [store.entry(tile_id).dtype for tile_id in store.ids] == ['<f4', '<u2']
    np.testing.assert_array_equal(store.read('train/1'), image.astype(np.float32))


def test_float32_files_pack_without_loss_too(tmp_path):
    factories.write_tile(tmp_path, 1, factories.image(1).astype(np.float32))
    store = ensure_store(tmp_path, 'train')
    assert (store.entry('train/1').dtype, store.entry('train/1').source_dtype) == ('<u2', 'float32')
    np.testing.assert_array_equal(store.read('train/1'), factories.image(1).astype(np.float32))


def test_a_second_use_reads_no_tile_file(tmp_path, packed):
    factories.write_dataset(tmp_path, {'train': 3})
    ensure_store(tmp_path, 'train')
    assert packed == ['train/1', 'train/2', 'train/3']
    ensure_store(tmp_path, 'train')
    assert len(packed) == 3


def touch(root):
    os.utime(factories.image_path(root, 2), ns=(1, 1))


def grow(root):
    factories.write_tile(root, 4, factories.image(4), factories.mask())


def shrink(root):
    factories.image_path(root, 3).unlink()
    factories.mask_path(root, 3).unlink()


def relabel(root):
    factories.write_array(factories.mask_path(root, 2), factories.mask((0, 0, 9, 9)), 'mask')


def relabel_in_place(root):
    """Turn a mask around within its file, whose size and time of change stay."""
    path = factories.mask_path(root, 2)
    status = path.stat()
    with h5py.File(path, 'r+') as file:
        file['mask'][...] = 1 - file['mask'][...]
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


@pytest.mark.parametrize('change', [touch, grow, shrink, relabel, relabel_in_place])
def test_a_change_of_the_files_builds_the_store_anew(tmp_path, packed, change):
    ensure_store(factories.write_dataset(tmp_path, {'train': 3}), 'train')
    change(tmp_path)
    packed.clear()
    assert (
        ensure_store(tmp_path, 'train').ids
        == packed
        == [ref.tile_id for ref in find_tiles(tmp_path, 'train')]
    )


def test_without_ctime_and_inode_a_mask_that_keeps_its_time_trains_as_it_was(
    tmp_path, packed, monkeypatch
):
    stamp = index.stamp
    monkeypatch.setattr(packed_tile, 'stamp', lambda path: stamp(path)[:3])
    ensure_store(factories.write_dataset(tmp_path, {'train': 3}), 'train')
    relabel_in_place(tmp_path)
    assert (ensure_store(tmp_path, 'train').mask('train/2') == factories.mask()).all()
    assert len(packed) == 3  # none is read again


@pytest.mark.parametrize('name', ['components', 'own'])
def test_a_new_or_edited_box_rule_builds_the_store_anew(tmp_path, monkeypatch, name):
    ensure_store(factories.write_dataset(tmp_path, {'train': 1}), 'train')
    assert name == 'own' or ensure_store(tmp_path, 'train').entry('train/1').boxes[name] == [
        [2, 5, 6, 8]
    ]
    monkeypatch.setitem(RULES, name, BoxRule(connectivity=8, min_pixels=13))  # the landslide has 12
    assert ensure_store(tmp_path, 'train').entry('train/1').boxes[name] == []


def test_a_broken_store_is_built_anew(tmp_path, packed):
    path = ensure_store(factories.write_dataset(tmp_path, {'train': 1}), 'train').path
    factories.truncate(path)
    assert ensure_store(tmp_path, 'train').ids == ['train/1']
    assert len(packed) == 2


@pytest.mark.parametrize('part', ['image', 'mask'])
def test_a_store_with_one_altered_bit_is_built_anew(tmp_path, packed, part):
    store = ensure_store(factories.write_dataset(tmp_path, {'train': 2}), 'train')
    content, entry = bytearray(store.path.read_bytes()), store.entry('train/2')
    content[entry.offset + (entry.image_bytes if part == 'mask' else 100)] ^= 1
    store.path.write_bytes(content)
    packed.clear()
    np.testing.assert_array_equal(
        ensure_store(tmp_path, 'train').read('train/2'), factories.image(2).astype(np.float32)
    )
    assert packed == ['train/1', 'train/2']


def test_checksums_are_verified_once_and_not_when_tiles_are_read(tmp_path, monkeypatch):
    ensure_store(factories.write_dataset(tmp_path, {'train': 3}), 'train')
    seen, digest_of = [], packed_room.digest_of
    monkeypatch.setattr(
        packed_room, 'digest_of', lambda content: seen.append(len(content)) or digest_of(content)
    )
    store = ensure_store(tmp_path, 'train')
    assert seen == [14 * 16 * 16 * 2, 16 * 16 // 8] * 3  # bands and mask of each tile
    for tile_id in store.ids * 2:
        store.read(tile_id)
    assert len(seen) == 6


def test_of_many_that_need_a_store_one_builds_it(tmp_path, packed):
    factories.write_dataset(tmp_path, {'train': 5})
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: ensure_store(tmp_path, 'train'), range(4)))
    assert len(packed) == 5
    assert {len(store) for store in stores} == {5}


def test_without_the_lock_each_that_needs_a_store_packs_it(tmp_path, packed, monkeypatch):
    factories.write_dataset(tmp_path, {'train': 5})
    gate = Barrier(2)
    monkeypatch.setattr(store_module, 'locked', lambda folder: (gate.wait(60), nullcontext())[1])
    with (
        ThreadPoolExecutor(2) as pool,
        suppress(LandslideError, OSError),
    ):  # one spoils the other's file
        list(pool.map(lambda _: ensure_store(tmp_path, 'train'), range(2)))
    assert len(packed) > 5


def test_the_first_faulty_tile_is_raised_and_nothing_is_left(tmp_path):
    factories.write_dataset(tmp_path, {'train': 4})
    for number in (2, 3):
        factories.truncate(factories.image_path(tmp_path, number))
    with pytest.raises(UnreadableTileError, match=r'image_2\.h5'):
        ensure_store(tmp_path, 'train')
    assert [
        path.name for path in (tmp_path / '.mmlandslide').iterdir() if path.suffix != '.lock'
    ] == []


def test_what_a_killed_build_left_is_cleared_away(tmp_path):
    factories.write_dataset(tmp_path, {'train': 1})
    (tmp_path / '.mmlandslide').mkdir()
    left_over = tmp_path / '.mmlandslide/train.tiles.4711.part'
    left_over.write_bytes(b'half')
    ensure_store(tmp_path, 'train')
    assert not left_over.exists()


def test_no_store_is_written_through_a_link_out_of_the_data_root(tmp_path):
    root, elsewhere = (
        factories.write_dataset(tmp_path / 'data', {'train': 2}),
        tmp_path / 'elsewhere',
    )
    elsewhere.mkdir()
    (root / '.mmlandslide').symlink_to(elsewhere)
    assert ensure_store(root, 'train').path == store_folders(root)[1] / 'train.tiles'
    assert not list(elsewhere.iterdir())


def test_a_read_only_data_root_is_packed_in_the_cache(tmp_path):
    factories.write_dataset(tmp_path, {'train': 1})
    (tmp_path / '.mmlandslide').write_text('a file stands where the folder would be')
    store = ensure_store(tmp_path, 'train')
    assert store.path == store_folders(tmp_path)[1] / 'train.tiles'
    assert str(store.path).startswith(os.environ['MMLANDSLIDE_CACHE'])


def test_nowhere_to_write_names_both_folders(tmp_path, monkeypatch):
    factories.write_dataset(tmp_path, {'train': 1})
    (tmp_path / '.mmlandslide').write_text('')
    monkeypatch.setenv('MMLANDSLIDE_CACHE', str(tmp_path / '.mmlandslide'))
    with pytest.raises(
        DatasetError,
        match=r'store folder must be writable, .*\.mmlandslide and .*MMLANDSLIDE_CACHE',
    ):
        ensure_store(tmp_path, 'train')


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    refs = find_tiles(factories.write_dataset(tmp_path, {'train': 1}), 'train')
    tile = packed_tile.pack(refs[0], LANDSLIDE4SENSE, factories.DIVISORS)
    with StoreWriter(tmp_path / 'x.tiles', LANDSLIDE4SENSE, factories.DIVISORS.tolist()) as writer:
        monkeypatch.setattr(writer, '_file', FullDisk(writer._file))
        with pytest.raises(
            DatasetError, match=r"tile store must be writable, got 'No space left on device'"
        ):
            writer.add(tile)
    assert list(tmp_path.glob('x.tiles*')) == []


class FullDisk:
    """A file that lies on a full disk."""

    def __init__(self, file):
        self.tell, self.close = file.tell, file.close

    def writelines(self, parts):
        raise OSError(errno.ENOSPC, 'No space left on device')


def test_any_folder_of_tiles_with_any_bands_has_a_store(tmp_path):
    images = {
        f'x/{n}': factories.write_array(
            tmp_path / f'{n}.tif', np.full((5, 4, 6), n / 7, np.float32)
        )
        for n in (1, 2)
    }
    refs = [index.TileRef(tile_id, path) for tile_id, path in images.items()]
    store = ensure(refs, ('a', 'b', 'c', 'd', 'e'), tmp_path / 'packed', 'mine')
    assert store.path == tmp_path / 'packed/mine.tiles'
    assert store.divisors == (1, 1, 1, 1, 1)
    np.testing.assert_array_equal(store.read('x/2', [4]), np.full((1, 4, 6), 2 / 7, np.float32))


def test_a_process_that_waits_for_a_store_says_for_whom(tmp_path, monkeypatch, caplog):
    with ExitStack() as other:
        other.enter_context(locked(tmp_path))
        monkeypatch.setattr(locks.time, 'sleep', lambda seconds: other.close())
        with locked(tmp_path):
            pass
    [line] = caplog.messages
    assert line.startswith(f'waiting for {tmp_path}: packing of tiles by process {os.getpid()} on')


def test_a_stranger_s_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / 'store.lock').symlink_to('victim')
    with pytest.raises(StorageError, match='no symbolic link, got a link to victim'):
        ExitStack().enter_context(locked(tmp_path))
    assert not (tmp_path / 'victim').exists()
