from mmengine.dataset import DefaultSampler

from mmlandslide.engine.sampler import TileSampler
from mmlandslide.rng import SampleIndex


def epoch_of(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def test_positions_come_with_seed_and_epoch():
    sampler = TileSampler(range(3), shuffle=False, seed=7)
    assert epoch_of(sampler, 5) == [SampleIndex(7, 5, 0), SampleIndex(7, 5, 1), SampleIndex(7, 5, 2)]


def test_the_order_is_that_of_mmengines_sampler():
    ours, theirs = TileSampler(range(50), seed=3), DefaultSampler(range(50), seed=3)
    for epoch in (0, 1):
        assert [index.position for index in epoch_of(ours, epoch)] == epoch_of(theirs, epoch)


def test_each_epoch_has_an_order_of_its_own_over_all_tiles():
    sampler = TileSampler(range(50), seed=3)
    first, second = ([index.position for index in epoch_of(sampler, epoch)] for epoch in (0, 1))
    assert first != second
    assert sorted(first) == sorted(second) == list(range(50))


def test_the_length_is_the_number_of_tiles():
    assert len(TileSampler(range(5), seed=0)) == 5
