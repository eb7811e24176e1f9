"""Checks a Landslide4Sense folder, packs its stores and writes its boxes as COCO JSON."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmlandslide import files
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.bands import divisors as divisors_of
from mmlandslide.datasets.boxes import rule_named
from mmlandslide.datasets.checks import published_statistics
from mmlandslide.datasets.checks.examiner import Examiner, Progress, Ready, in_order, unpaired
from mmlandslide.datasets.checks.findings import Report
from mmlandslide.datasets.checks.isolation import Readers
from mmlandslide.datasets.checks.preflight import Read
from mmlandslide.datasets.storage import quarantine, store, tiles
from mmlandslide.datasets.storage.faults import Finding, Problem
from mmlandslide.datasets.storage.index import LAYOUTS, SPLITS, Pairing, layout, pair
from mmlandslide.datasets.storage.store_folder import locked, store_folder
from mmlandslide.datasets.storage.store_index import Entry
from mmlandslide.datasets.storage.store_writer import StoreWriter, fingerprint
from mmlandslide.errors import DatasetError


def prepare(
    data_root: Path,
    check: bool = False,
    allow_quarantine: bool = False,
    rule_name: str = 'components',
    bands: Sequence[str] = LANDSLIDE4SENSE,
    progress: Progress = lambda split, done, total: None,
    configs: Sequence[Path] = (),
    readers: Readers | None = None,
    read: Read = tiles.read_array,
) -> Report:
    """Check every file in child processes, and pack what is not packed yet.

    Args:
        data_root: folder in either published layout.
        check: read every file, write nothing.
        allow_quarantine: go on without the faulty tiles and keep a list of them, so that training
            leaves out the same.
        rule_name: of the boxes in the COCO files.
        bands: names in the order of the tile files.
        progress: called with split, tiles done and tiles in all.
        configs: config files to look for published statistics in.
        readers: child processes that read; ended on return. `None` for one a core with the limits
            of `isolation`.
        read: returns the dataset of one file, or raises a `LandslideError`; importable by name.

    Returns:
        The report. Where it holds errors and `allow_quarantine` is not set, nothing was packed.

    Raises:
        MissingPathError: no data there.
        DatasetError: no tile in any split, or nowhere to write.
        ConfigError: no such rule.
    """
    rule_named(rule_name)
    pairings = _pairings(data_root)
    folder = None if check else store_folder(data_root)
    report = Report(
        layout(data_root),
        folder,
        [],
        configs=[finding for path in configs for finding in published_statistics.in_config(path)],
    )
    with ExitStack() as stack:
        if folder is not None:
            stack.enter_context(locked(folder))
        targets = {
            split: _target(split, pairing, bands, folder, stack)
            for split, pairing in pairings.items()
        }
        report.unread = [name for name, target in targets.items() if isinstance(target, tuple)]
        examiner = Examiner(stack.enter_context(readers or Readers()), read, bands, progress)
        report.splits = examiner.examine(pairings, targets)
        report.across = _across(report, pairings)
        if folder is not None and (allow_quarantine or not report.errors):
            _pack(report, folder, pairings, targets, rule_name)
    return report


def coco(entries: Sequence[Entry], rule_name: str) -> dict[str, Any]:
    """Return tiles and boxes as a COCO annotation file's content.

    Args:
        entries: of the tiles.
        rule_name: of the boxes.

    Returns:
        One category, `landslide`, with id 1; an image's `file_name` is its tile id; `bbox` is x, y,
        width, height in the tile's own px and `area` that of the box. No segmentation.
    """
    images = [
        {
            'id': number,
            'file_name': entry.tile_id,
            'height': entry.shape[1],
            'width': entry.shape[2],
        }
        for number, entry in enumerate(entries, 1)
    ]
    placed = [
        (number, box) for number, entry in enumerate(entries, 1) for box in entry.boxes[rule_name]
    ]
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
    return {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'landslide'}],
    }


def _pairings(data_root: Path) -> dict[str, Pairing]:
    """Return the files of each split that has any.

    Raises:
        DatasetError: none has.
    """
    pairings = {split: pair(data_root, split) for split in SPLITS}
    pairings = {split: pairing for split, pairing in pairings.items() if pairing.files}
    if not pairings:
        folders = [images for images, _ in LAYOUTS[layout(data_root)].values()]
        raise DatasetError.mismatch(
            'data root',
            f'hold tiles image_N.h5 in {folders}',
            'none',
            data_root,
            'Put the tiles there',
        )
    return pairings


def _target(
    split: str, pairing: Pairing, bands: Sequence[str], folder: Path | None, stack: ExitStack
) -> Ready | StoreWriter | None:
    """Return the split's store and findings if it is up to date, else a writer, or neither."""
    if folder is None:
        return None
    divisors, path, known = (
        divisors_of(bands),
        folder / f'{split}{store.SUFFIX}',
        quarantine.left_out([folder], pairing),
    )
    refs = [ref for ref in pairing.refs if ref.tile_id not in known]
    ready = store.fresh(path, fingerprint(refs, bands, divisors))
    warnings = None if ready is None else quarantine.warnings_of(folder, split, ready.fingerprint)
    if (
        ready is not None
        and warnings is not None
        and all(tile_id in known for tile_id in unpaired(pairing))
    ):
        return ready, in_order(
            [finding for found in known.values() for finding in found] + warnings, pairing
        )
    return stack.enter_context(StoreWriter(path, bands, divisors))


def _pack(
    report: Report,
    folder: Path,
    pairings: Mapping[str, Pairing],
    targets: Mapping[str, Ready | StoreWriter | None],
    rule_name: str,
) -> None:
    """Put the stores, the lists beside them and the COCO files in place."""
    report.quarantined = bool(report.errors)
    _keep_list(folder, report, pairings)
    warnings = {}
    for split in report.splits:
        target = targets[split.split]
        packed = (
            target.commit() if isinstance(target, StoreWriter) else target[0] if target else None
        )
        if packed is None:
            continue
        split.entries, split.packed, split.faulty_digests = (
            [packed.entry(tile_id) for tile_id in packed.ids],
            True,
            {},
        )
        warnings[split.split] = (packed.fingerprint, split.warnings)
        _write_if_changed(
            folder / f'coco_{split.split}.json', json.dumps(coco(split.entries, rule_name))
        )
    _write_if_changed(folder / quarantine.WARNINGS_NAME, quarantine.warnings_text(warnings))
    report.across = _across(report, pairings)


def _across(report: Report, pairings: Mapping[str, Pairing]) -> list[Finding]:
    """Return a finding for each tile whose bands another split holds, too."""
    paths = {ref.tile_id: ref.image_path for pairing in pairings.values() for ref in pairing.refs}
    findings = []
    for group in report.duplicates:
        for tile_id in group:
            others = [other for other in group if other.split('/')[0] != tile_id.split('/')[0]]
            if others:
                more = f' and {len(others) - 3} more' if len(others) > 3 else ''
                got = f'that of {", ".join(others[:3])} again{more}'
                problem = Problem('duplicate-across-splits', 'tile', 'have content of its own', got)
                findings.append(problem.finding(tile_id, paths[tile_id]))
    return findings


def _keep_list(folder: Path, report: Report, pairings: Mapping[str, Pairing]) -> None:
    """Write, or take away, the list of faulty tiles."""
    path = folder / quarantine.FILE_NAME
    if report.errors:
        _write_if_changed(path, quarantine.text_of(report.errors, pairings.values()))
    else:
        path.unlink(missing_ok=True)


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        files.write_atomic(path, text)
