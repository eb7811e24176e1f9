"""What `prepare` found: counts and faults by split, and the same as plain types for JSON."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmlandslide.datasets.storage.faults import FAULTS, Finding
from mmlandslide.datasets.storage.store_index import Entry


@dataclass
class SplitReport:
    """What was found in one split.

    Attributes:
        split: its name.
        labelled: whether its tiles have masks.
        entries: the sound tiles.
        findings: faults of its files, warnings included, in the order of the tiles.
        packed: whether its store stands on disk and is up to date.
        faulty_digests: tile id -> digest of the bands of a faulty tile that can be read all the
            same.
    """

    split: str
    labelled: bool
    entries: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    packed: bool = False
    faulty_digests: dict[str, str] = field(default_factory=dict)

    @property
    def errors(self) -> list[Finding]:
        """Findings that keep their tile out of the store."""
        return [finding for finding in self.findings if finding.is_error]

    @property
    def warnings(self) -> list[Finding]:
        """The other findings."""
        return [finding for finding in self.findings if not finding.is_error]

    @property
    def positives(self) -> int:
        """Tiles with any landslide pixel."""
        return sum(entry.positive_px > 0 for entry in self.entries)

    @property
    def unlabelled(self) -> int:
        """Sound tiles without a mask."""
        return sum(entry.mask_digest is None for entry in self.entries)

    def boxes(self, rule_name: str) -> int:
        """Return the number of boxes by a named rule."""
        return sum(len(entry.boxes[rule_name]) for entry in self.entries)

    def count(self, attribute: str) -> dict[str, int]:
        """Return how many tiles have each value of an entry's attribute, such as `source_dtype`."""
        return dict(Counter(str(getattr(entry, attribute)) for entry in self.entries))


@dataclass
class Report:
    """What was found in a data root.

    Attributes:
        layout: `A` or `B`.
        folder: of the stores; `None` where nothing was to be written.
        splits: one a split that has files.
        quarantined: whether the faulty tiles were put aside and the others packed.
        across: a finding for each tile whose bands another split holds, too.
        configs: of the config files that were asked about.
        unread: splits whose stores were packed before, of files with the same size, times and
            inode; their files were not read again.
    """

    layout: str
    folder: Path | None
    splits: list[SplitReport]
    quarantined: bool = False
    across: list[Finding] = field(default_factory=list)
    configs: list[Finding] = field(default_factory=list)
    unread: list[str] = field(default_factory=list, compare=False)

    @property
    def findings(self) -> list[Finding]:
        """Every fault of every file."""
        return (
            [finding for split in self.splits for finding in split.findings]
            + self.across
            + self.configs
        )

    @property
    def errors(self) -> list[Finding]:
        """Findings that keep their tile out of the store."""
        return [finding for split in self.splits for finding in split.errors]

    @property
    def faulty(self) -> int:
        """Tiles with an error."""
        return len({finding.tile_id for finding in self.errors})

    @property
    def duplicates(self) -> list[list[str]]:
        """Groups of tiles whose bands are equal in content, within a split or across splits."""
        groups: dict[str, list[str]] = {}
        for split in self.splits:
            digests = {
                entry.tile_id: entry.digest for entry in split.entries
            } | split.faulty_digests
            for tile_id, digest in digests.items():
                groups.setdefault(digest, []).append(tile_id)
        return [group for group in groups.values() if len(group) > 1]

    def by_fault(self) -> dict[str, list[Finding]]:
        """Return the findings of each fault that was found, in the order of `FAULTS`."""
        return {
            code: found
            for code in FAULTS
            if (found := [finding for finding in self.findings if finding.fault == code])
        }

    def as_json(self, rule_name: str) -> dict[str, Any]:
        """Return all of it in plain types.

        `splits`, `faults` (every code, found or not) and `quarantined`.

        Args:
            rule_name: of the boxes that are counted.
        """
        found = self.by_fault()
        return {
            'layout': self.layout,
            'folder': self.folder,
            'quarantined': self.quarantined,
            'splits': {split.split: _counts(split, rule_name) for split in self.splits},
            'faults': {
                code: {
                    'severity': fault.severity,
                    'meaning': fault.meaning,
                    'remedy': fault.remedy,
                    'count': len(found.get(code, ())),
                    'splits': per_split(found.get(code, ())),
                    'files': [
                        {'tile': finding.tile_id, 'path': finding.path, 'message': finding.message}
                        for finding in found.get(code, ())
                    ],
                }
                for code, fault in FAULTS.items()
            },
        }


def per_split(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings each split has."""
    return dict(Counter(finding.split for finding in findings))


def _counts(split: SplitReport, rule_name: str) -> dict[str, Any]:
    return {
        'sound': len(split.entries),
        'faulty': len({finding.tile_id for finding in split.errors}),
        'with_landslide': split.positives,
        'unlabelled': split.unlabelled,
        'boxes': split.boxes(rule_name),
        'packed': split.packed,
    }
