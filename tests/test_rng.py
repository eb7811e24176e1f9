import bisect
import hashlib
import pickle

import numpy as np
import pytest

from mmlandslide import rng


def test_a_key_is_the_digest_of_its_parts():
    digest = hashlib.blake2b(b'7\x1f3\x1ftrain/12', digest_size=8).digest()
    assert rng.key(7, 3, 'train/12') == int.from_bytes(digest, 'little') // 2


def test_keys_fit_a_signed_tensor_and_use_its_range():
    keys = [rng.key(0, epoch, 'train/1') for epoch in range(2000)]
    assert 0 <= min(keys) < 2**55
    assert 2**63 - 2**55 < max(keys) < 2**63


@pytest.mark.parametrize(
    ('one', 'two'), [((1, 23), (12, 3)), (('a', 'b'), ('ab',)), ((0, 1), (1, 0)), ((1,), (1, ''))]
)
def test_other_parts_give_another_key(one, two):
    assert rng.key(*one) != rng.key(*two)


def test_no_two_of_many_samples_share_a_key():
    keys = {
        rng.key(seed, epoch, f'train/{tile}')
        for seed in range(3)
        for epoch in range(10)
        for tile in range(400)
    }
    assert len(keys) == 12000


def test_a_generator_is_a_function_of_its_parts():
    first, again, other = (rng.generator(0, epoch, 'a').random(4) for epoch in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(first, np.random.default_rng(rng.key(0, 1, 'a')).random(4))


def parts(index):
    return index.seed, index.epoch, index.position, index.repeats


def test_a_sample_index_names_its_parts():
    assert parts(rng.SampleIndex(seed=1, epoch=2, position=3)) == (1, 2, 3, ())
    assert parts(pickle.loads(pickle.dumps(rng.SampleIndex(1, 2, 3, (4,))))) == (1, 2, 3, (4,))


def test_the_arithmetic_of_the_wrappers_keeps_the_draw():
    index = rng.SampleIndex(7, 5, 12)
    assert bisect.bisect_right([4, 12, 20], index) == 2
    assert parts(index - 4) == (7, 5, 8, ())
    assert parts(20 + rng.SampleIndex(7, 5, -3)) == (7, 5, 17, ())
    assert parts(index % 5) == (7, 5, 2, (2,))  # 12 = 2 * 5 + 2: the third time that tile comes


def test_each_repetition_of_a_tile_is_a_draw_of_its_own_and_the_first_is_the_tiles():
    keys = [(rng.SampleIndex(7, 5, position) % 5).key('train/2') for position in (2, 7, 12)]
    assert len(set(keys)) == 3
    assert keys[0] == rng.key(7, 5, 'train/2')


def test_positions_that_are_looked_up_keep_the_draw():
    found = rng.DrawnPositions([0, 1, 1, 1, 2])
    assert [parts(found[rng.SampleIndex(7, 5, at)])[2:] for at in (0, 1, 3, 4)] == [
        (0, (0,)),
        (1, (0,)),
        (1, (2,)),
        (2, (0,)),
    ]
    assert found[3] == 1
