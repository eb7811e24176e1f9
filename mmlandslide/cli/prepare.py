"""`mmlandslide prepare`: check a data set, pack it, report on it."""

from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from mmlandslide import files
from mmlandslide.cli.parts import labels
from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.checks.findings import Report, SplitReport, per_split
from mmlandslide.datasets.checks.label_check import FORMATS
from mmlandslide.datasets.checks.prepare import prepare
from mmlandslide.datasets.storage.faults import FAULTS

_SHOWN_DUPLICATES, _SHOWN_COPIES, _SHOWN_FILES, _SHOWN_MESSAGES = 10, 5, 3, 5
_FAULTS_HELP = 'Faults:\n\n\b\n' + '\n'.join(
    f'{fault.code:<24}{fault.severity:<9}{fault.meaning}' for fault in FAULTS.values()
)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_SET = click.Path(path_type=Path, exists=True)


@click.command('prepare', epilog=_FAULTS_HELP)
@click.option(
    '--data-root',
    type=click.Path(path_type=Path),
    default=Path('data/landslide4sense'),
    show_default=True,
)
@click.option('--check', is_flag=True, help='Read and check every file; write nothing there.')
@click.option(
    '--quarantine',
    is_flag=True,
    help='Go on without the faulty tiles; training leaves out the same.',
)
@click.option(
    '--box-rule',
    type=click.Choice(list(RULES)),
    default='components',
    show_default=True,
    help='How a mask becomes boxes.',
)
@click.option(
    '--config',
    'configs',
    type=_FILE,
    multiple=True,
    help='Check that this config does not use published statistics.',
)
@click.option('--coco', type=_SET, help='Check images with a COCO JSON instead: file or folder.')
@click.option('--yolo', type=_SET, help='Check images with YOLO text files instead.')
@click.option('--labelme', type=_SET, help="Check images with labelme's JSON files instead.")
@click.option('--voc', type=_SET, help='Check images with VOC files instead, in either layout.')
@click.option('--masks', type=_SET, help='Check a folder of images/ and masks/ instead.')
@click.option('--images', help='With a label format: folder of the images in it.')
@click.option('--image-set', help='With --voc: the split that ImageSets names, such as train.')
@click.option('--classes', help='With a label format: names of several classes, such as a,b.')
@click.option('--source-bands', help='With --masks: bands of the files, such as a,b,c, or a group.')
@click.option('--pattern', help='With --masks: regular expression; its first group is the id.')
@click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    help='Write all faults of all files to this file, too.',
)
def command(
    data_root: Path,
    check: bool,
    quarantine: bool,
    box_rule: str,
    configs: tuple[Path, ...],
    json_path: Path | None,
    **labelled: Any,
) -> None:
    """Check every tile of a data set, pack it for fast reading and list its boxes as COCO JSON.

    Training does the packing by itself; this does it beforehand and reports. A second run finds
    everything done. Files are read in child processes: one that crashes its reader is named like
    any other fault. Exits with 1 where there is an error, unless --quarantine; a warning is listed
    and no more.

    With --coco, --yolo, --labelme, --voc or --masks PATH, images and labels of that format are
    checked in one pass, and their boxes are written as COCO JSON beside them.

    Example: mmlandslide prepare --data-root data/landslide4sense --check --json preflight.json
    """
    if any(labelled[form] for form in (*FORMATS, 'masks')):
        raise SystemExit(labels.run(labelled, check, box_rule, json_path))
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bar.add_task(split, total=total)
            bar.update(tasks[split], completed=done)

        report = prepare(
            data_root,
            check=check,
            allow_quarantine=quarantine,
            rule_name=box_rule,
            progress=advance,
            configs=configs,
        )
    show(report, box_rule)
    if json_path is not None:
        files.write_json(json_path, report.as_json(box_rule))
    if report.configs or (report.errors and not report.quarantined):
        raise SystemExit(1)


def show(report: Report, box_rule: str) -> None:
    """Print a report: a table of counts, a table of faults, the files and what was written."""
    console = Console()
    console.print(_table(report, box_rule))
    if report.findings:
        console.print(_faults(report))
    for code, found in report.by_fault().items():
        for finding in found[:_SHOWN_MESSAGES]:
            console.print(
                f'{finding.tile_id} ({code}): {finding.message}',
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        if len(found) > _SHOWN_MESSAGES:
            console.print(
                f'... and {len(found) - _SHOWN_MESSAGES} more ({code}); --json FILE lists them all',
                soft_wrap=True,
            )
    for group in report.duplicates[:_SHOWN_DUPLICATES]:
        more = f' and {len(group) - _SHOWN_COPIES} more' if len(group) > _SHOWN_COPIES else ''
        console.print(
            f'same content: {", ".join(group[:_SHOWN_COPIES])}{more}',
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    console.print(_outcome(report), markup=False, highlight=False, soft_wrap=True)


def _table(report: Report, box_rule: str) -> Table:
    table = Table(title=f'Landslide4Sense, layout {report.layout}', title_justify='left')
    table.add_column('', no_wrap=True)
    for split in report.splits:
        table.add_column(split.split, justify='right')
    copies = Counter(tile_id.split('/')[0] for group in report.duplicates for tile_id in group)
    rows = [_rows(split, box_rule, copies[split.split]) for split in report.splits]
    for cells in zip(*rows, strict=True):
        table.add_row(cells[0][0], *(value for _, value in cells))
    return table


def _rows(split: SplitReport, box_rule: str, copies: int) -> list[tuple[str, str]]:
    """Return the lines of one split: name and value."""
    return [
        ('sound tiles', str(len(split.entries))),
        ('faulty tiles', str(len({finding.tile_id for finding in split.errors}))),
        ('with landslide', str(split.positives)),
        ('unlabelled', str(split.unlabelled)),
        (f'boxes ({box_rule})', str(split.boxes(box_rule))),
        ('type in file', _counts(split.count('source_dtype'))),
        (
            'type packed',
            _counts({_PACKED[dtype]: count for dtype, count in split.count('dtype').items()}),
        ),
        ('shape (C, H, W)', _counts(split.count('shape'))),
        ('same content', str(copies)),
    ]


_PACKED = {'<u2': 'uint16 (lossless)', '<f4': 'float32'}


def _faults(report: Report) -> Table:
    """Return a table of the faults that were found."""
    table = Table('fault', '', 'files', 'first', 'what to do', title='Faults', title_justify='left')
    for code, found in report.by_fault().items():
        fault = FAULTS[code]
        first = '\n'.join(Path(finding.path).name for finding in found[:_SHOWN_FILES])
        more = f'\n... {len(found) - _SHOWN_FILES} more' if len(found) > _SHOWN_FILES else ''
        table.add_row(code, fault.severity, _counts(per_split(found)), first + more, fault.remedy)
    return table


def _counts(counts: dict[str, int]) -> str:
    return '\n'.join(f'{count} x {value}' for value, count in counts.items()) or '-'


def _outcome(report: Report) -> str:
    """Return the closing line."""
    faulty, warned = report.faulty, sum(not finding.is_error for finding in report.findings)
    where = f' and packed in {report.folder}' if report.folder else '; nothing was written'
    if report.unread:
        where += f'; {", ".join(report.unread)}: packed before from files of this size, times and '
        where += 'inode, which were not read again (to have them read, delete the .tiles there)'
    if report.quarantined:
        return (
            f'{faulty} faulty tiles left out from now on; the others are packed in {report.folder}.'
        )
    if faulty:
        return (
            f'{faulty} faulty tiles; nothing was packed. '
            'Repair them, or continue without them: --quarantine.'
        )
    return (
        f'All files are sound{where}.'
        if not warned
        else f'No errors, {warned} warnings. All tiles can be used{where}.'
    )
