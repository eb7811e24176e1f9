from mmengine.dataset import DefaultSampler

from mmlandslide.engine.sampler import TileSampler


def epoch_of(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


def test_positions_come_with_seed_and_epoch():
    sampler = TileSampler(range(3), shuffle=False, seed=7)
    found = [(index.seed, index.epoch, index.position) for index in epoch_of(sampler, 5)]
    assert found == [(7, 5, 0), (7, 5, 1), (7, 5, 2)]


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


def test_what_is_skipped_is_skipped_in_the_next_pass_only():
    sampler = TileSampler(range(5), seed=3)
    whole = epoch_of(sampler, 1)
    sampler.skip_once(2)
    assert (len(sampler), epoch_of(sampler, 1), epoch_of(sampler, 1)) == (5, whole[2:], whole)


def test_a_pass_that_is_done_has_nothing_left():
    sampler = TileSampler(range(5), seed=3)
    sampler.skip_once(6)  # three batches of two
    assert epoch_of(sampler, 0) == []


def test_each_process_skips_in_its_own_share():
    def share(rank, skipped):
        sampler = TileSampler(range(8), seed=3)
        sampler.rank, sampler.world_size, sampler.num_samples = rank, 2, 4
        sampler.skip_once(skipped)
        return list(sampler)

    assert [share(rank, 2) for rank in (0, 1)] == [share(rank, 0)[2:] for rank in (0, 1)]
