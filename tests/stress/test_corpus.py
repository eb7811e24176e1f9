"""Files that once broke a reader, read again; `test_fuzz.py` finds more."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest
from stress.fuzz import attempts
from stress.fuzz.attempts import Outcome, attempt
from stress.fuzz.edits import EDITS
from stress.fuzz.mutations import MAX_BYTES, mutated
from stress.fuzz.readers import READERS, promise
from stress.fuzz.seeds import seeds_of

from mmlandslide.errors import TileError

CORPUS = sorted((Path(__file__).parent / 'corpus').glob('*/*.bin'))
SPLIT = next(reader for reader in READERS if reader.name == 'split')


def planted(monkeypatch, read):
    """Put a reader in the place of that of split files."""
    monkeypatch.setattr(attempts, 'READERS', (replace(SPLIT, read=read),))
    return partial(attempt, 'split', content=b'train/1')


@pytest.mark.parametrize('path', CORPUS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_a_file_that_broke_a_reader_is_accepted_or_refused_by_a_typed_error(tmp_path, path):
    outcome = attempt(path.parent.name, tmp_path, path.read_bytes())
    assert outcome.kind in ('accepted', 'refused'), outcome.detail


def test_the_corpus_speaks_of_readers_that_are_there():
    assert {path.parent.name for path in CORPUS} <= {reader.name for reader in READERS}
    assert len(CORPUS) > 20
    assert sum(path.stat().st_size for path in CORPUS) < 300_000


@pytest.mark.parametrize('reader', READERS, ids=lambda reader: reader.name)
def test_a_reader_accepts_what_is_whole_so_that_a_refusal_means_something(tmp_path, reader):
    kinds = [attempt(reader.name, tmp_path, seed).kind for seed in seeds_of(reader.name)]
    assert kinds.count('accepted') >= 2
    assert 'defect' not in kinds


def test_the_same_generator_gives_the_same_small_input():
    reader = READERS[0]
    draws = [
        mutated(seeds_of(reader.name), reader.edit, reader.tokens, Random(7)) for _ in range(2)
    ]
    assert draws[0] == draws[1] != seeds_of(reader.name)[0]
    assert len(draws[0]) <= MAX_BYTES


@pytest.mark.parametrize('reader', READERS, ids=lambda reader: reader.name)
def test_what_knows_a_format_changes_each_of_its_seeds(reader):
    changed = [
        {EDITS[reader.form](seed, Random(draw)) for draw in range(9)} - {seed}
        for seed in seeds_of(reader.name)
    ]
    assert all(changed)


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (KeyError('a'), 'KeyError in no function of the package'),
        (MemoryError(), 'MemoryError in'),
        (TileError('no file named'), 'TileError without its file'),
    ],
)
def test_an_error_of_another_class_or_without_its_file_is_a_defect(
    tmp_path, monkeypatch, error, said
):
    def read(path):
        raise error

    outcome = planted(monkeypatch, read)(tmp_path)
    assert outcome.kind == 'defect'
    assert outcome.detail.startswith(said)


@pytest.mark.parametrize(
    ('name', 'said'), [('x' * 5000, 'with a long message'), ('\x1b[31m', 'with control characters')]
)
def test_a_message_that_floods_or_commands_a_terminal_is_a_defect(
    tmp_path, monkeypatch, name, said
):
    def read(path):
        raise TileError(f'{path} {name}')

    assert said in planted(monkeypatch, read)(tmp_path).detail


def test_a_promise_that_is_not_kept_is_a_defect_that_says_which(tmp_path, monkeypatch):
    outcome = planted(monkeypatch, lambda path: promise(False, 'finite values'))(tmp_path)
    assert outcome == Outcome(
        'defect', "BrokenPromiseError in promises.py:promise: 'finite values'"
    )
