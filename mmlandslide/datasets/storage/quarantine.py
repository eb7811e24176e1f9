"""What `prepare` remembers beside the stores.

The faulty tiles that a user chose to go on without, and what it warned of. An entry of the list
holds only as long as its files stay as they were: a tile that is repaired comes back by itself. The
warnings of a split hold as long as its store does.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmlandslide.datasets.storage.faults import FAULTS, Finding
from mmlandslide.datasets.storage.index import Pairing, stamp
from mmlandslide.errors import DatasetError, shown

FILE_NAME = 'quarantine.json'
WARNINGS_NAME = 'preflight.json'
#: Of the checks: raised where one is added or changed, so that packed data are checked once more.
CHECKS_VERSION = 1


def left_out(folders: Iterable[Path], pairing: Pairing) -> dict[str, list[Finding]]:
    """Return the quarantined tiles of a split whose files have not changed since: tile id -> why.

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
            tile_id: [_finding(row, tile_id) for row in entries[tile_id]['findings']]
            for tile_id, files in pairing.files.items()
            if tile_id in entries and entries[tile_id]['files'] == [stamp(file) for file in files]
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError.mismatch(
            'quarantine list',
            'be as `mmlandslide prepare --quarantine` writes it',
            repr(error),
            path,
            'Delete it and run that again',
        ) from error


def text_of(findings: Iterable[Finding], pairings: Iterable[Pairing]) -> str:
    """Return the list as JSON.

    Args:
        findings: of the tiles to leave out.
        pairings: of all splits, for the state of the files.
    """
    files = {tile_id: paths for pairing in pairings for tile_id, paths in pairing.files.items()}
    entries: dict[str, dict[str, Any]] = {}
    for finding in findings:
        stamps = [stamp(path) for path in files[finding.tile_id]]
        entries.setdefault(finding.tile_id, {'findings': [], 'files': stamps})['findings'].append(
            asdict(finding)
        )
    return json.dumps(entries, indent=1)


def warnings_of(folder: Path, split: str, fingerprint: str) -> list[Finding] | None:
    """Return what was warned of when a split was packed.

    `None` where these checks have not seen this very store.

    Args:
        folder: of the stores.
        split: its name.
        fingerprint: of its store.
    """
    path = folder / WARNINGS_NAME
    try:
        kept = json.loads(path.read_text(encoding='utf-8'))[split]
        if (kept['version'], kept['fingerprint']) == (CHECKS_VERSION, fingerprint):
            return [_finding(row, row['tile_id']) for row in kept['warnings']]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # gone or not ours: the files are checked again
    return None


def warnings_text(warnings: Mapping[str, tuple[str, Sequence[Finding]]]) -> str:
    """Return the warnings as JSON.

    `warnings` is split -> fingerprint of its store and what was found.
    """
    splits = {
        split: {
            'version': CHECKS_VERSION,
            'fingerprint': fingerprint,
            'warnings': [asdict(finding) for finding in found],
        }
        for split, (fingerprint, found) in warnings.items()
    }
    return json.dumps(splits, indent=1)


def _finding(row: Mapping[str, Any], tile_id: str) -> Finding:
    """Return a finding from JSON, as text that is safe to print.

    Raises:
        KeyError: no such fault, or a field is missing.
    """
    return Finding(
        FAULTS[row['fault']].code, shown(tile_id), shown(row['path']), shown(row['message'])
    )
