"""Children that work on files: order, crashes, hangs, memory."""

import time

import poisoned_readers
import pytest

from mmlandslide.datasets.checks.isolation import Died, Readers


def test_results_come_in_the_order_of_the_items():
    with Readers(num_workers=3) as readers:
        assert list(readers.run(poisoned_readers.double, range(50))) == list(range(0, 100, 2))


def test_a_child_that_dies_costs_its_own_item_and_no_other():
    with Readers(num_workers=2) as readers:
        outcomes = list(readers.run(poisoned_readers.die_of, range(6)))
    assert outcomes == [0, 1, 2, Died(3, 'a crash of its reader (signal 9, SIGKILL)'), 4, 5]


def test_a_child_that_hangs_is_ended_after_its_time():
    start = time.monotonic()
    with Readers(timeout_s=1.0, num_workers=2) as readers:
        outcomes = list(readers.run(time.sleep, [0.0, 600.0, 0.0]))
    assert outcomes == [None, Died(600.0, 'a reader that takes more than 1 s'), None]
    assert time.monotonic() - start < 300


def test_a_child_cannot_take_more_memory_than_it_may():
    with Readers(memory_bytes=2**30, num_workers=1) as readers:
        few, many = readers.run(bytearray, [10, 2**31])
    assert len(few) == 10
    assert many == Died(2**31, 'more memory asked for than a reader may have')


def test_what_the_work_raises_is_raised_here_and_ends_the_children():
    readers = Readers(num_workers=1)
    with pytest.raises(ValueError, match='no 1'), readers:
        list(readers.run(poisoned_readers.refuse, [1]))
    with readers:
        assert list(readers.run(poisoned_readers.double, [1])) == [2]


def test_no_item_is_taken_far_ahead_of_the_consumer():
    taken = []
    with Readers(num_workers=2) as readers:
        outcomes = readers.run(
            poisoned_readers.double, (taken.append(number) or number for number in range(1000))
        )
        assert next(outcomes) == 0
    assert len(taken) < 40
