"""Mutated files fed to the package's readers: each is accepted or refused by a typed error.

The default suite reads a few inputs of each reader in this process. `-m slow` reads `STRESS_INPUTS`
of them (2000 by default, shared out among the readers; `STRESS_SEED` draws others) in a child
process with 2 GiB beyond its start and 60 s each, and prints a row per reader (`-rA` shows them).
"""

import os
from collections import Counter
from random import Random

import pytest
from stress.fuzz.attempts import Outcome, attempt, outcomes
from stress.fuzz.mutations import mutated
from stress.fuzz.readers import READERS
from stress.fuzz.seeds import seeds_of

from mmlandslide.datasets.checks import isolation
from mmlandslide.datasets.checks.isolation import Readers
from mmlandslide.rng import key

INPUTS, SEED = int(os.environ.get('STRESS_INPUTS', '2000')), int(os.environ.get('STRESS_SEED', '0'))
SHARES = sum(reader.share for reader in READERS)
#: HDF5 has crashed on mutated files: those are read in a child process alone.
HARMLESS = [reader for reader in READERS if reader.form != 'h5']
#: The heavy ones of what the harness imports, by names that a fork server finds.
_PRELOADED = ['torch', 'onnx', 'h5py', 'onnxruntime', 'mmlandslide.datasets.checks.preflight']


def input_of(reader, index, seed=SEED):
    """Return an input, a pure function of reader, seed and index."""
    chance = Random(key(seed, reader.name, index))
    return mutated(seeds_of(reader.name), reader.edit, reader.tokens, chance)


@pytest.mark.parametrize('reader', HARMLESS, ids=lambda reader: reader.name)
def test_a_mutated_file_is_accepted_or_refused_by_a_typed_error(tmp_path, reader):
    found = [attempt(reader.name, tmp_path, input_of(reader, index, 0)) for index in range(12)]
    assert [outcome for outcome in found if outcome.kind == 'defect'] == []


@pytest.fixture(scope='module')
def children():
    """One process that reads; what the harness imports, PyTorch among it, is no input's memory."""
    with pytest.MonkeyPatch.context() as patch, Readers(60, 2**31, 1) as readers:
        patch.setattr(isolation, '_PRELOADED', _PRELOADED)
        yield readers


@pytest.mark.slow
@pytest.mark.parametrize('reader', READERS, ids=lambda reader: reader.name)
def test_no_mutated_file_takes_its_reader_down(tmp_path, children, reader):
    count = -(-INPUTS * reader.share // SHARES)
    inputs = (input_of(reader, index) for index in range(count))
    counts, peak_bytes, defects = Counter(), 0, []
    for index, outcome in enumerate(outcomes(children, reader.name, inputs, tmp_path)):
        counts[outcome.kind] += 1
        peak_bytes = max(peak_bytes, outcome.peak_bytes)
        if outcome.kind == 'defect':
            (tmp_path / f'{index}.bin').write_bytes(input_of(reader, index))
            defects.append((tmp_path / f'{index}.bin', outcome.detail))
    row = (reader.name, count, *(counts[kind] for kind in ('accepted', 'refused', 'defect')))
    print('|', *(f'{cell} |' for cell in (*row, peak_bytes // 2**20)))  # noqa: T201
    assert defects == []
    assert counts.total() == count


@pytest.mark.slow
def test_inputs_are_read_in_a_child_process_which_tells_what_memory_it_took(tmp_path, children):
    found = list(outcomes(children, 'split', [b'train/1', b'', b'train/2'], tmp_path))
    assert [outcome.kind for outcome in found] == ['accepted', 'refused', 'accepted']
    assert all(0 < outcome.peak_bytes < 2**31 for outcome in found)


def test_defects_that_differ_by_what_the_input_holds_are_of_one_sort():
    details = [
        "KeyError in a.py:read: 'x1'",
        "KeyError in a.py:read: 'y22'",
        "KeyError in b.py:read: 'x1'",
    ]
    assert len({Outcome('defect', detail).signature for detail in details}) == 2
