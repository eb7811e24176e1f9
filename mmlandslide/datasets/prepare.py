"""Checks every file of a Landslide4Sense folder, packs its stores and writes its boxes as COCO JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmlandslide import files
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets import quarantine, store
from mmlandslide.datasets.boxes import rule_named
from mmlandslide.datasets.index import LAYOUTS, SPLITS, Pairing, layout, pair, unpaired_error
from mmlandslide.datasets.packed import Entry
from mmlandslide.datasets.quarantine import Problem
from mmlandslide.datasets.tiles import MaskError, NonFiniteTileError, TileDtypeError, TileShapeError, UnreadableTileError
from mmlandslide.errors import DatasetError, LandslideError, MissingPathError, TileError

Progress = Callable[[str, int, int], None]
_KINDS: dict[type[LandslideError], str] = {
    UnreadableTileError: 'unreadable',
    MissingPathError: 'unreadable',
    TileShapeError: 'shape',
    TileDtypeError: 'dtype',
    NonFiniteTileError: 'NaN/Inf',
    MaskError: 'mask',
    DatasetError: 'unpaired',
}
KINDS = tuple(dict.fromkeys(_KINDS.values()))


@dataclass
class SplitReport:
    """What was found in one split.

    Attributes:
        split: its name.
        labelled: whether its tiles have masks.
        entries: the sound tiles.
        problems: of the others.
        packed: whether its store stands on disk and is up to date.
    """

    split: str
    labelled: bool
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    packed: bool = False

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
        values = [str(getattr(entry, attribute)) for entry in self.entries]
        return {value: values.count(value) for value in dict.fromkeys(values)}


@dataclass
class Report:
    """What was found in a data root.

    Attributes:
        layout: `A` or `B`.
        folder: of the stores; `None` where nothing was to be written.
        splits: one a split that has files.
        quarantined: whether the faulty tiles were put aside and the others packed.
    """

    layout: str
    folder: Path | None
    splits: list[SplitReport]
    quarantined: bool = False

    @property
    def problems(self) -> list[Problem]:
        """All faulty tiles."""
        return [problem for split in self.splits for problem in split.problems]

    @property
    def duplicates(self) -> list[list[str]]:
        """Groups of tiles whose bands are equal in content, within a split or across splits."""
        groups: dict[str, list[str]] = {}
        for split in self.splits:
            for entry in split.entries:
                groups.setdefault(entry.digest, []).append(entry.tile_id)
        return [group for group in groups.values() if len(group) > 1]


def prepare(
    data_root: Path,
    check: bool = False,
    allow_quarantine: bool = False,
    rule_name: str = 'components',
    bands: Sequence[str] = LANDSLIDE4SENSE,
    progress: Progress = lambda split, done, total: None,
) -> Report:
    """Check every file, and pack what is not packed yet.

    Args:
        data_root: folder in either published layout.
        check: read every file, write nothing.
        allow_quarantine: go on without the faulty tiles and keep a list of them, so that training leaves out the same.
        rule_name: of the boxes in the COCO files.
        bands: names in the order of the tile files.
        progress: called with split, tiles done and tiles in all.

    Returns:
        The report. Where it holds problems and `allow_quarantine` is not set, nothing was packed.

    Raises:
        MissingPathError: no data there.
        DatasetError: no tile in any split, or nowhere to write.
        ConfigError: no such rule.
    """
    rule_named(rule_name)
    pairings = {split: pair(data_root, split) for split in SPLITS}
    pairings = {split: pairing for split, pairing in pairings.items() if pairing.files}
    if not pairings:
        folders = [images for images, _ in LAYOUTS[layout(data_root)].values()]
        raise DatasetError.mismatch('data root', f'hold tiles image_N.h5 in {folders}', 'none', data_root, 'Put the tiles there')
    folder = None if check else store.store_folder(data_root)
    report = Report(layout(data_root), folder, [])
    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(store.locked(folder))
        writers = {split: _writer(split, pairing, bands, folder, stack) for split, pairing in pairings.items()}
        report.splits = [_examine(split, pairings[split], bands, target, progress) for split, target in writers.items()]
        if folder is None or (report.problems and not allow_quarantine):
            return report
        report.quarantined = bool(report.problems)
        _keep_list(folder, report, pairings)
        for split in report.splits:
            target = writers[split.split]
            if isinstance(target, store.StoreWriter):
                packed = target.commit()
                split.entries = [packed.entry(tile_id) for tile_id in packed.ids]
            split.packed = True
            _write_if_changed(folder / f'coco_{split.split}.json', json.dumps(coco(split.entries, rule_name)))
    return report


def coco(entries: Sequence[Entry], rule_name: str) -> dict[str, Any]:
    """Return tiles and boxes as a COCO annotation file's content.

    Args:
        entries: of the tiles.
        rule_name: of the boxes.

    Returns:
        One category, `landslide`, with id 1; an image's `file_name` is its tile id; `bbox` is x, y, width, height in the tile's
        own px and `area` that of the box. No segmentation.
    """
    images = [
        {'id': number, 'file_name': entry.tile_id, 'height': entry.shape[1], 'width': entry.shape[2]}
        for number, entry in enumerate(entries, 1)
    ]
    placed = [(number, box) for number, entry in enumerate(entries, 1) for box in entry.boxes[rule_name]]
    annotations = [
        {
            'id': annotation_id,
            'image_id': image_id,
            'category_id': 1,
            'bbox': [left, top, right - left, bottom - top],
            'area': (right - left) * (bottom - top),
            'iscrowd': 0,
        }
        for annotation_id, (image_id, (left, top, right, bottom)) in enumerate(placed, 1)
    ]
    return {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'landslide'}]}


def _writer(
    split: str, pairing: Pairing, bands: Sequence[str], folder: Path | None, stack: ExitStack
) -> tuple[store.TileStore, dict[str, Problem]] | store.StoreWriter | None:
    """Return the split's store with its quarantined tiles where it is up to date, else a writer for it, or neither."""
    if folder is None:
        return None
    divisors, path, known = store.divisors_of(bands), folder / f'{split}{store.SUFFIX}', quarantine.left_out([folder], pairing)
    refs = [ref for ref in pairing.refs if ref.tile_id not in known]
    ready = store.fresh(path, store.fingerprint(refs, bands, divisors))
    if ready is not None and _is_intact(ready) and all(tile_id in known for tile_id in _unpaired(pairing)):
        return ready, known
    return stack.enter_context(store.StoreWriter(path, bands, divisors))


def _is_intact(ready: store.TileStore) -> bool:
    try:
        ready.verify()
    except TileError:
        return False
    return True


def _examine(
    split: str,
    pairing: Pairing,
    bands: Sequence[str],
    target: tuple[store.TileStore, dict[str, Problem]] | store.StoreWriter | None,
    progress: Progress,
) -> SplitReport:
    """Check a split's tiles and hand the sound ones to the writer; take them from the store where it is up to date."""
    if isinstance(target, tuple):
        ready, known = target
        return SplitReport(split, pairing.labelled, [ready.entry(tile_id) for tile_id in ready.ids], list(known.values()), True)
    unpaired = _unpaired(pairing)
    report = SplitReport(split, pairing.labelled, problems=[_problem(tile_id, error) for tile_id, error in unpaired.items()])
    refs = [ref for ref in pairing.refs if ref.tile_id not in unpaired]
    packed = store.pack_all(refs, bands, store.divisors_of(bands))
    for done, (ref, tile) in enumerate(zip(refs, packed, strict=True), 1):
        if isinstance(tile, LandslideError):
            report.problems.append(_problem(ref.tile_id, tile))
        else:
            report.entries.append(tile.entry)
            if target is not None:
                target.add(tile)
        progress(split, done, len(refs))
    order = list(pairing.files)
    report.problems.sort(key=lambda problem: order.index(problem.tile_id))
    return report


def _unpaired(pairing: Pairing) -> dict[str, LandslideError]:
    """Return the error of each image or mask that stands alone."""
    lone = {**pairing.orphan_masks, **{ref.tile_id: ref.image_path for ref in pairing.unmasked}}
    return {tile_id: unpaired_error(path) for tile_id, path in lone.items()}


def _problem(tile_id: str, error: LandslideError) -> Problem:
    return Problem(tile_id, _KINDS[type(error)], str(error))


def _keep_list(folder: Path, report: Report, pairings: Mapping[str, Pairing]) -> None:
    """Write, or take away, the list of faulty tiles."""
    path = folder / quarantine.FILE_NAME
    if report.problems:
        _write_if_changed(path, quarantine.text_of(report.problems, pairings.values()))
    else:
        path.unlink(missing_ok=True)


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        files.write_atomic(path, text)
