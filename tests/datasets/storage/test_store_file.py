"""Reading a packed store."""

import pickle
import tracemalloc

import factories
import numpy as np
import pytest

from mmlandslide.datasets.boxes import RULES, BoxRule
from mmlandslide.datasets.storage.index import TileRef
from mmlandslide.datasets.storage.packed_tile import pack
from mmlandslide.datasets.storage.store import ensure_store
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.datasets.storage.store_index import TRAILER
from mmlandslide.datasets.storage.store_writer import StoreWriter
from mmlandslide.errors import DatasetError, MissingPathError, TileError


@pytest.fixture
def store(tmp_path):
    return ensure_store(factories.write_dataset(tmp_path, {'train': 3}), 'train')


def test_bands_are_the_sources_float32_bit_for_bit(store):
    np.testing.assert_array_equal(store.read('train/2'), factories.image(2).astype(np.float32))


def test_positions_choose_bands_in_their_order(store):
    source = factories.image(3).astype(np.float32)
    np.testing.assert_array_equal(store.read('train/3', [3, 2, 13]), source[[3, 2, 13]])


def test_what_is_read_may_be_changed_without_changing_the_store(store):
    before = store.read('train/1')
    image = store.read('train/1')
    image[:] = -1
    np.testing.assert_array_equal(store.read('train/1'), before)


def test_raw_values_are_whole_numbers_seen_without_a_copy(store):
    raw = store.raw('train/1')
    assert raw.dtype == np.uint16
    assert not raw.flags.owndata
    assert not raw.flags.writeable
    np.testing.assert_array_equal(
        raw, np.rint(factories.image(1) * factories.DIVISORS[:, None, None])
    )


@pytest.mark.parametrize(
    'positions', [[0], [13], [3, 2, 1], [1, 0], [12, 13], [0, 6, 12], list(range(14))]
)
def test_evenly_spaced_bands_are_seen_without_a_copy(store, positions):
    raw = store.raw('train/2', positions)
    assert np.shares_memory(raw, store.raw('train/2'))
    np.testing.assert_array_equal(raw, store.raw('train/2')[positions])


@pytest.mark.parametrize('positions', [[7, 3, 2], [0, 0], [-1, 0], [1, 0, 13]])
def test_bands_in_any_other_order_are_the_same_bands(store, positions):
    np.testing.assert_array_equal(store.raw('train/2', positions), store.raw('train/2')[positions])
    np.testing.assert_array_equal(
        store.read('train/2', positions), store.read('train/2')[positions]
    )


def traced_peak(read):
    read()  # what is made once
    tracemalloc.start()
    read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_tile_is_read_in_one_allocation(tmp_path):
    factories.write_tile(tmp_path, 1, factories.image(size_px=128))
    store, values = ensure_store(tmp_path, 'train'), 14 * 128 * 128
    assert traced_peak(lambda: store.raw('train/1').copy()) < 1.1 * values * 2
    assert (
        traced_peak(lambda: store.read('train/1')) < 1.3 * values * 4
    )  # NumPy converts in pieces of 8192 values


def test_a_divisor_whose_reciprocal_is_off_still_reads_exactly(tmp_path):
    divisor = 5 / 16777325  # 5 * (1 / divisor) and 5 / divisor round to different float32
    ref = TileRef('x/1', factories.write_array(tmp_path / '1.h5', np.full((1, 1, 1), 5 / divisor)))
    with StoreWriter(tmp_path / 'x.tiles', ['a'], [divisor]) as writer:
        writer.add(pack(ref, ['a'], [divisor]))
        store = writer.commit()
    assert store.raw('x/1').tolist() == [[[5]]]
    assert store.read('x/1')[0, 0, 0] == np.float32(5 / divisor) != np.float32(5 * (1 / divisor))


def test_masks_and_boxes_come_back(store):
    assert store.mask('train/1').tolist() == factories.mask((2, 5, 6, 8)).tolist()
    assert store.boxes('train/1', RULES['components']).tolist() == [[2, 5, 6, 8]]
    assert store.boxes('train/2', RULES['components']).shape == (0, 4)


def test_a_rule_that_is_not_in_the_index_is_worked_out_from_the_mask(store):
    assert store.boxes('train/1', BoxRule(connectivity=4, min_pixels=12)).tolist() == [
        [2, 5, 6, 8]
    ]  # 4 x 3 = 12 px
    assert len(store.boxes('train/1', BoxRule(connectivity=4, min_pixels=13))) == 0


def test_a_mask_whose_pixels_do_not_fill_bytes_comes_back(tmp_path):
    mask = factories.mask((0, 0, 5, 5), size_px=5)  # 25 bits in 4 bytes
    factories.write_tile(tmp_path, 1, factories.image(size_px=5), mask)
    assert ensure_store(tmp_path, 'train').mask('train/1').tolist() == mask.tolist()


def test_a_pickled_store_reads_the_same_and_carries_no_data(store):
    text = pickle.dumps(store)
    assert len(text) < 1000
    np.testing.assert_array_equal(pickle.loads(text).read('train/1'), store.read('train/1'))


def test_an_open_store_outlives_its_replacement(store, tmp_path):
    before = store.read('train/1')
    factories.write_tile(tmp_path, 1, factories.image(9), factories.mask())
    newer = ensure_store(tmp_path, 'train')
    np.testing.assert_array_equal(store.read('train/1'), before)
    assert not np.array_equal(newer.read('train/1'), before)


def test_a_tile_that_is_not_there_is_named(store):
    with pytest.raises(
        DatasetError, match=r"must be in the store, got 'train/7' in .*train\.tiles"
    ):
        store.read('train/7')


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r'tile store must exist, got no file in .*x\.tiles'):
        TileStore.open(tmp_path / 'x.tiles')


@pytest.mark.parametrize('keep', [0, 10, 0.5, -1])
def test_a_store_cut_off_anywhere_is_refused(store, keep):
    content = store.path.read_bytes()
    store.path.write_bytes(content[: int(len(content) * keep) if keep == 0.5 else keep])
    with pytest.raises(
        TileError, match=r'tile store must be whole, got .* in .*train\.tiles\. Delete it'
    ):
        TileStore.open(store.path)


def test_one_changed_bit_of_the_index_is_noticed(store):
    content = bytearray(store.path.read_bytes())
    content[-TRAILER.size - 20] ^= 1
    store.path.write_bytes(content)
    with pytest.raises(TileError, match='a broken index'):
        TileStore.open(store.path)


@pytest.mark.parametrize('part', ['image', 'mask'])
def test_one_changed_bit_of_a_tile_is_noticed(store, part):
    entry = store.entry('train/2')
    content = bytearray(store.path.read_bytes())
    content[entry.offset + (entry.image_bytes if part == 'mask' else 100)] ^= 1
    store.path.write_bytes(content)
    with pytest.raises(TileError, match='tile train/2 must have the checksum'):
        TileStore.open(store.path).verify()
