"""The part of `mmlandslide prepare` that checks images with labels of a common format."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mmlandslide import files
from mmlandslide.datasets.checks.label_check import FORMATS, check_labels, check_masks
from mmlandslide.datasets.labels.label_set import LabelSet
from mmlandslide.datasets.storage.faults import FAULTS, Finding
from mmlandslide.datasets.storage.store_folder import store_folder
from mmlandslide.errors import DatasetError

_SHOWN = 20


def run(options: Mapping[str, Any], check: bool, box_rule: str, json_path: Path | None) -> int:
    """Check a data set, print what was found and write its COCO JSON.

    Args:
        options: of the command line.
        check: write nothing.
        box_rule: how a mask becomes boxes.
        json_path: file for all faults; `None` for none.

    Returns:
        The exit code: 1 where there is an error.
    """
    given = [form for form in (*FORMATS, 'masks') if options[form]]
    if len(given) > 1:
        raise click.UsageError(f'{" and ".join(given)} name several data sets; check one at a time')
    [form], path = given, options[given[0]]
    classes = [name.strip() for name in (options['classes'] or '').split(',') if name.strip()]
    if form == 'masks':
        found, classes = _masks(path, options, box_rule), ['landslide']
    else:
        found = check_labels(form, path, options['images'], options['image_set'], classes)
    _show(found, form, path)
    if json_path is not None:
        rows = [{'fault': f.fault, 'path': f.path, 'message': f.message} for f in found.findings]
        files.write_json(json_path, rows)
    if found.errors:
        return 1
    if not check:
        folder = store_folder(path if path.is_dir() else path.parent)
        names = classes or (list(found.names) if len(found.names) > 1 else ['landslide'])
        written = files.write_json(folder / f'coco_{form}.json', found.coco(names))
        click.echo(f'{len(found.images)} images as COCO JSON in {written}, classes {names}')
    return 0


def _masks(path: Path, options: Mapping[str, Any], box_rule: str) -> LabelSet:
    """Check a folder of images and masks."""
    from mmlandslide.datasets.views.masks import PATTERN, MaskFolderDataset  # loads torch: seconds

    if not options['source_bands']:
        raise click.UsageError('--masks needs --source-bands, the names of the bands in its files')
    named = tuple(name.strip() for name in options['source_bands'].split(',') if name.strip())
    view = MaskFolderDataset(
        data_root=path,
        source_bands=named,
        name=path.name,
        pattern=options['pattern'] or PATTERN,
        lazy_init=True,
    )
    named_wrongly: list[tuple[str, Path, DatasetError]] = []
    refs, alone = view.paired(lambda *fault: named_wrongly.append(fault))
    found = check_masks(refs, path, view.source_bands, box_rule)
    for code, file, error in named_wrongly:
        found.findings.append(Finding(code, found.key(file), str(file), str(error)))
    for key in sorted(alone):
        code, other = 'image-without-label', 'mask'
        if alone[key].parent.name == view.masks:
            code, other = 'label-without-image', 'image'
        found.note(code, alone[key], 'file', f'have one {other} of its id {key}', 'none')
    return found


def _show(found: LabelSet, form: str, path: Path) -> None:
    """Print counts, faults and their messages."""
    console, boxes = Console(), sum(found.names.values())
    negatives = sum(not image.boxes.names for image in found.images)
    table = Table(title=f'{form}: {path}', title_justify='left', show_header=False)
    table.add_row('images', f'{len(found.images)}, {negatives} of them without a box')
    table.add_row('boxes', f'{boxes}, {found.clipped} clipped by less than half a px')
    if found.difficult:
        table.add_row('difficult', f'{found.difficult} objects, taken like the others')
    table.add_row('classes', ', '.join(f'{count} x {name}' for name, count in found.names.items()))
    sizes = Counter(f'{image.image_hw[1]} x {image.image_hw[0]}' for image in found.images)
    table.add_row('sizes, px', ', '.join(f'{n} x {size}' for size, n in sizes.most_common(5)))
    for code, count in Counter(finding.fault for finding in found.findings).items():
        table.add_row(code, f'{FAULTS[code].severity}, {count} times: {FAULTS[code].remedy}')
    console.print(table)
    for finding in found.findings[:_SHOWN]:
        text = f'{finding.tile_id} ({finding.fault}): {finding.message}'
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if len(found.findings) > _SHOWN:
        console.print(f'... and {len(found.findings) - _SHOWN} more; --json FILE lists them all')
    count = len(found.errors)
    console.print(f'{count} error{"s" * (count > 1)}.' if count else 'All files are sound.')
