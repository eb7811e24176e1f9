"""`mmlandslide prepare`: check a data set, pack it, report on it."""

from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.prepare import KINDS, Report, SplitReport, prepare

_SHOWN_DUPLICATES, _SHOWN_COPIES = 10, 5


@click.command('prepare')
@click.option('--data-root', type=click.Path(path_type=Path), default=Path('data/landslide4sense'), show_default=True)
@click.option('--check', is_flag=True, help='Read and check every file; write nothing.')
@click.option('--quarantine', is_flag=True, help='Go on without the faulty tiles; training leaves out the same.')
@click.option(
    '--box-rule', type=click.Choice(list(RULES)), default='components', show_default=True, help='How a mask becomes boxes.'
)
def command(data_root: Path, check: bool, quarantine: bool, box_rule: str) -> None:
    """Check every tile of a Landslide4Sense folder, pack it for fast reading and list its boxes as COCO JSON.

    Training does the packing by itself; this does it beforehand and reports. A second run finds everything done. Exits with 1
    where a file is faulty, unless --quarantine.

    Example: mmlandslide prepare --data-root data/landslide4sense --check
    """
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bar.add_task(split, total=total)
            bar.update(tasks[split], completed=done)

        report = prepare(data_root, check=check, allow_quarantine=quarantine, rule_name=box_rule, progress=advance)
    show(report, box_rule)
    if report.problems and not report.quarantined:
        raise SystemExit(1)


def show(report: Report, box_rule: str) -> None:
    """Print a report: a table of counts, the faulty files and what was written."""
    console = Console()
    console.print(_table(report, box_rule))
    for problem in report.problems:
        console.print(f'{problem.tile_id} ({problem.kind}): {problem.error}', markup=False, highlight=False, soft_wrap=True)
    for group in report.duplicates[:_SHOWN_DUPLICATES]:
        more = f' and {len(group) - _SHOWN_COPIES} more' if len(group) > _SHOWN_COPIES else ''
        console.print(f'same content: {", ".join(group[:_SHOWN_COPIES])}{more}', markup=False, highlight=False, soft_wrap=True)
    console.print(_outcome(report), markup=False, highlight=False, soft_wrap=True)


def _table(report: Report, box_rule: str) -> Table:
    table = Table(title=f'Landslide4Sense, layout {report.layout}', title_justify='left')
    table.add_column('', no_wrap=True)
    for split in report.splits:
        table.add_column(split.split, justify='right')
    copies = Counter(tile_id.split('/')[0] for group in report.duplicates for tile_id in group)
    across = Counter(
        tile_id.split('/')[0]
        for group in report.duplicates
        for tile_id in group
        if len({member.split('/')[0] for member in group}) > 1
    )
    rows = [_rows(split, box_rule, copies[split.split], across[split.split]) for split in report.splits]
    for cells in zip(*rows, strict=True):
        table.add_row(cells[0][0], *(value for _, value in cells))
    return table


def _rows(split: SplitReport, box_rule: str, copies: int, across: int) -> list[tuple[str, str]]:
    """Return the lines of one split: name and value."""
    kinds = Counter(problem.kind for problem in split.problems)
    return [
        ('sound tiles', str(len(split.entries))),
        ('with landslide', str(split.positives)),
        ('unlabelled', str(split.unlabelled)),
        (f'boxes ({box_rule})', str(split.boxes(box_rule))),
        ('type in file', _counts(split.count('source_dtype'))),
        ('type packed', _counts({_PACKED[dtype]: count for dtype, count in split.count('dtype').items()})),
        ('shape (C, H, W)', _counts(split.count('shape'))),
        ('same content', str(copies)),
        ('... in another split', str(across)),
        *((f'faulty: {kind}', str(kinds[kind])) for kind in KINDS),
    ]


_PACKED = {'<u2': 'uint16 (lossless)', '<f4': 'float32'}


def _counts(counts: dict[str, int]) -> str:
    return '\n'.join(f'{count} x {value}' for value, count in counts.items()) or '-'


def _outcome(report: Report) -> str:
    """Return the closing line."""
    faulty = len(report.problems)
    if report.quarantined:
        return f'{faulty} faulty tiles left out from now on; the others are packed in {report.folder}.'
    if faulty:
        return f'{faulty} faulty tiles; nothing was packed. Repair them, or go on without them: --quarantine.'
    return (
        'All files are sound; nothing was written.'
        if report.folder is None
        else f'All files are sound and packed in {report.folder}.'
    )
