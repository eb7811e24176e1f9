"""`mmlandslide inspect`: what a checkpoint holds."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmlandslide import files

_LONGEST = 200


@click.command('inspect')
@click.argument('checkpoint')
@click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    help='Write what is shown to this file, too.',
)
def command(checkpoint: str, json_path: Path | None) -> None:
    """Show what a checkpoint holds, without running anything in it.

    Hash, container, record, source, modules, broken values. CHECKPOINT is a file, a work dir (its
    latest checkpoint) or a URL. Exits with 1 where the file is refused.

    Example: mmlandslide inspect work_dirs/swin_mae_demo --json checkpoint.json
    """
    from mmlandslide.weights.inspection import inspect  # loads torch: seconds
    from mmlandslide.weights.references import resolve

    found = inspect(resolve(checkpoint))
    show(found)
    if json_path is not None:
        files.write_json(json_path, found)


def show(found: dict[str, Any]) -> None:
    """Print what `weights.inspection.inspect` found."""
    console = Console()
    for name, value in _facts(found).items():
        console.print(f'{name:<20} {plain(value)}', soft_wrap=True, highlight=False)
    table = Table('module', 'tensors', 'parameters', title='modules', title_justify='left')
    for module, row in found['modules'].items():
        table.add_row(plain(module), f'{row["tensors"]}', f'{row["parameters"]:,}')
    console.print(table)
    for key, counts in found['not_finite'].items():
        console.print(
            f'[red]not finite[/red]: {plain(key)} has {counts["nan"]} NaN '
            f'and {counts["inf"]} infinite values',
            soft_wrap=True,
        )


def plain(value: object) -> str:
    """Return a printable, shortened text without markup or control characters."""
    text = str(value)
    shown = text if len(text) <= _LONGEST else f'{text[:_LONGEST]}...'
    return escape(
        ''.join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in shown)
    )


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    """Return the lines above the table; what is not stated has none."""
    record = dict(found['record'])
    lineage = record.pop('lineage', {})
    shape = found['architecture'] or {}
    dtypes = ', '.join(f'{name} {count:,}' for name, count in found['dtypes'].items())
    facts = {
        'file': found['path'],
        'sha256': found['sha256'],
        'container': f'{found["container"]}, {found["bytes"]:,} bytes',
        'holds': ', '.join(found['holds'][:20]),
        'epoch, iter': None if found['epoch'] is None else f'{found["epoch"]}, {found["iter"]}',
        'meta': ', '.join(found['meta'][:20]),
        **{f'record: {name}': value for name, value in record.items()},
        **{f'lineage: {name}': value for name, value in lineage.items()},
        'source': found['source'] or 'not recognised',
        'backbone': ', '.join(f'{name} {value}' for name, value in shape.items()),
        'tensors': f'{found["tensors"]:,} of {found["parameters"]:,} values ({dtypes})',
    }
    return {name: value for name, value in facts.items() if value not in (None, '', {})}
