"""Sends the tiles of a data set through the checks, in child processes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from mmlandslide.datasets.checks.findings import SplitReport
from mmlandslide.datasets.checks.isolation import Died, Readers
from mmlandslide.datasets.checks.preflight import Examined, Read, examine, size_hw
from mmlandslide.datasets.storage.faults import Finding, Problem
from mmlandslide.datasets.storage.index import Pairing, TileRef, ignored_text, unpaired_error
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.datasets.storage.store_writer import StoreWriter
from mmlandslide.errors import LandslideError

Progress = Callable[[str, int, int], None]
Ready = tuple[TileStore, list[Finding]]
#: Tiles of each split that are asked for the size of most.
_SIZED = 25


class Examiner:
    """Examines tiles in child processes and hands the sound ones to the writer of their split.

    Args:
        readers: the children.
        read: returns the dataset of one file.
        bands: names in the order of the tile files.
        progress: called with split, tiles done and tiles in all.
    """

    def __init__(
        self, readers: Readers, read: Read, bands: Sequence[str], progress: Progress
    ) -> None:
        self.readers, self.read, self.bands, self.progress = readers, read, bands, progress

    def examine(
        self,
        pairings: Mapping[str, Pairing],
        targets: Mapping[str, Ready | StoreWriter | None],
    ) -> list[SplitReport]:
        """Return a report a split.

        Args:
            pairings: split -> its files.
            targets: split -> a store that is up to date, with its findings; a writer that takes the
                sound tiles; or nothing.
        """
        asked = {
            split: pairing
            for split, pairing in pairings.items()
            if not isinstance(targets[split], tuple)
        }
        tile_hw = self._tile_hw(
            [ref for pairing in asked.values() for ref in pairing.refs[:_SIZED]]
        )
        reports = []
        for split, pairing in pairings.items():
            target = targets[split]
            if isinstance(target, tuple):
                ready, findings = target
                entries = [ready.entry(tile_id) for tile_id in ready.ids]
                findings = [each for each in findings if each.fault != 'ignored-file']
                findings += ignored(split, pairing)
                reports.append(SplitReport(split, pairing.labelled, entries, findings, packed=True))
            else:
                reports.append(self._split(split, pairing, target, tile_hw))
        return reports

    def _tile_hw(self, refs: Sequence[TileRef]) -> tuple[int, int] | None:
        """Return the size of more than half of some tiles, `None` where there is none."""
        sizes = [
            size
            for size in self.readers.run(partial(size_hw, read=self.read), refs)
            if isinstance(size, tuple)
        ]
        size, count = Counter(sizes).most_common(1)[0] if sizes else (None, 0)
        return size if 2 * count > len(sizes) else None

    def _split(
        self,
        split: str,
        pairing: Pairing,
        writer: StoreWriter | None,
        tile_hw: tuple[int, int] | None,
    ) -> SplitReport:
        lone = unpaired(pairing)
        report = SplitReport(split, pairing.labelled, findings=list(lone.values()))
        work = partial(examine, bands=self.bands, tile_hw=tile_hw, read=self.read)
        dead: list[tuple[TileRef, str]] = []
        for done, (ref, outcome) in enumerate(
            zip(pairing.refs, self.readers.run(work, pairing.refs), strict=True), 1
        ):
            if isinstance(outcome, Died):
                dead.append((ref, outcome.reason))
            else:
                _take(ref, outcome, ref.tile_id in lone, report, writer)
            self.progress(split, done, len(pairing.refs))
        report.findings += [
            finding for ref, reason in dead for finding in self._find_crashing_file(ref, reason)
        ]
        report.findings = in_order([*report.findings, *ignored(split, pairing)], pairing)
        return report

    def _find_crashing_file(self, ref: TileRef, reason: str) -> list[Finding]:
        """Return a finding for the file that a reader died of.

        Read one by one, or both where neither does it alone.
        """
        keyed = [
            (path, key)
            for path, key in ((ref.image_path, 'img'), (ref.mask_path, 'mask'))
            if path is not None
        ]
        outcomes = list(self.readers.run(partial(_try, read=self.read), keyed))
        guilty = [
            path
            for (path, _), outcome in zip(keyed, outcomes, strict=True)
            if isinstance(outcome, Died)
        ]
        problem = Problem('reader-died', 'tile file', 'be readable', reason)
        return [
            problem.finding(ref.tile_id, path) for path in guilty or [path for path, _ in keyed]
        ]


def unpaired(pairing: Pairing) -> dict[str, Finding]:
    """Return a finding for each image or mask that stands alone, by tile id."""
    lone = [('mask-without-image', tile_id, path) for tile_id, path in pairing.orphan_masks.items()]
    lone += [('image-without-mask', ref.tile_id, ref.image_path) for ref in pairing.unmasked]
    return {
        tile_id: Finding(fault, tile_id, str(path), str(unpaired_error(path)))
        for fault, tile_id, path in lone
    }


def ignored(split: str, pairing: Pairing) -> list[Finding]:
    """Return a finding where files lie beside the tiles that no tile is read from."""
    if not pairing.ignored:
        return []
    path, got = pairing.ignored[0].parent, ignored_text(pairing.ignored)
    expected = 'hold image_N.h5 and mask_N.h5'
    return [Problem('ignored-file', 'tile folder', expected, got).finding(split, path)]


def in_order(findings: Iterable[Finding], pairing: Pairing) -> list[Finding]:
    """Return findings in the order of a split's tiles, a tile's errors before its warnings."""
    order = {tile_id: number for number, tile_id in enumerate(pairing.files)}
    return sorted(
        findings,
        key=lambda finding: (order.get(finding.tile_id, len(order)), not finding.is_error),
    )


def _try(keyed: tuple[Path, str], read: Read) -> None:
    """Read one file for no other purpose than to see whether that can be survived."""
    try:
        read(*keyed)
    except LandslideError:
        return


def _take(
    ref: TileRef,
    outcome: Examined,
    lone: bool,
    report: SplitReport,
    writer: StoreWriter | None,
) -> None:
    """Enter what came of a tile into the report, and the tile into its store.

    `lone` where it lacks its mask.
    """
    report.findings += outcome.findings
    if outcome.tile is None or lone:
        if outcome.digest is not None:
            report.faulty_digests[ref.tile_id] = outcome.digest
        return
    report.entries.append(outcome.tile.entry)
    if writer is not None:
        writer.add(outcome.tile)
