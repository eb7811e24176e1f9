"""`state.json` of a study: what became of each stage."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mmlandslide.errors import LandslideError

#: Status of a stage whose test tiles were seen in training.
LEAKAGE = 'leakage'
#: Status in older files -> its name today.
_RENAMED = {'void': LEAKAGE}


@dataclass
class Record:
    """What became of one stage.

    Attributes:
        status: `finished`, `failed`, `leakage` (a test tile was seen in training), or `stopped`.
        seconds: of all its attempts.
        attempts: how often it was started.
        error: of the last attempt; empty where it did not fail.
        revision: of the source at each attempt, those that differ, with commas between.
        machine: that ran the attempts, those that differ, with semicolons between.
        cpu_seconds: of the processes of all its attempts, but those of a study that was killed.
    """

    status: str = 'stopped'
    seconds: float = 0.0
    attempts: int = 0
    error: str = ''
    revision: str = ''
    machine: str = ''
    cpu_seconds: float = 0.0


def current_status(status: str) -> str:
    """Return the name of a status that an older file may state otherwise."""
    return _RENAMED.get(status, status)


def read_state(path: Path) -> dict[str, Record]:
    """Return the record of each stage in `state.json`.

    Args:
        path: of the file.

    Raises:
        LandslideError: not such a file.
    """
    try:
        state = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise _broken(path, repr(str(error))) from error
    return records_of(state, path)


def records_of(state: Any, path: Path) -> dict[str, Record]:
    """Return the records that a file states.

    Args:
        state: stage name -> attributes; an older file may lack some.
        path: of the file, for the error.

    Raises:
        LandslideError: not such a file.
    """
    keys = {each.name for each in fields(Record)}
    try:
        strange = [name for name, kept in state.items() if not {*kept} <= keys]
        if not strange:
            records = {name: Record(**kept) for name, kept in state.items()}
    except (AttributeError, TypeError) as error:
        raise _broken(path, repr(str(error))) from error
    if strange:
        raise _broken(path, f'other keys of {strange[0]!r}')
    for record in records.values():
        record.status = current_status(record.status)
    return records


def _broken(path: Path, got: str) -> LandslideError:
    return LandslideError.mismatch(
        'state', 'be as a study wrote it', got, path, 'Delete it: only seconds and errors are lost'
    )
