"""The list of faulty tiles that a user chose to go on without, kept beside the stores.

An entry holds only as long as its files stay as they were: a tile that is repaired comes back by itself.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmlandslide.datasets.index import Pairing, stamp
from mmlandslide.errors import DatasetError

FILE_NAME = 'quarantine.json'


@dataclass(frozen=True)
class Problem:
    """What is wrong with one tile.

    Attributes:
        tile_id: of the tile.
        kind: `unreadable`, `shape`, `dtype`, `NaN/Inf`, `mask` or `unpaired`.
        error: the message, one line.
    """

    tile_id: str
    kind: str
    error: str


def left_out(folders: Iterable[Path], pairing: Pairing) -> dict[str, Problem]:
    """Return the quarantined tiles of a split whose files have not changed since, by tile id.

    Args:
        folders: where the list may be; the first that has one counts.
        pairing: the split's files.

    Raises:
        DatasetError: the list is not what `text_of` returned.
    """
    path = next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)
    if path is None:
        return {}
    try:
        entries = json.loads(path.read_text(encoding='utf-8'))
        return {
            tile_id: Problem(tile_id, str(entries[tile_id]['kind']), str(entries[tile_id]['error']))
            for tile_id, files in pairing.files.items()
            if tile_id in entries and entries[tile_id]['files'] == [stamp(file) for file in files]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError.mismatch(
            'quarantine list',
            'be as `mmlandslide prepare --quarantine` writes it',
            repr(error),
            path,
            'Delete it and run that again',
        ) from error


def text_of(problems: Iterable[Problem], pairings: Iterable[Pairing]) -> str:
    """Return the list as JSON.

    Args:
        problems: of the tiles to leave out.
        pairings: of all splits, for the state of the files.
    """
    files = {tile_id: paths for pairing in pairings for tile_id, paths in pairing.files.items()}
    entries = {
        problem.tile_id: {'kind': problem.kind, 'error': problem.error, 'files': [stamp(path) for path in files[problem.tile_id]]}
        for problem in problems
    }
    return json.dumps(entries, indent=1)
