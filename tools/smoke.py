"""Train one step of every detector from a step of its own pre-training, and test it, on a handful of tiny simulated tiles.

Proves that each config runs from end to end and that its weights arrive; says nothing about how
well it detects. A file that would have to be downloaded has random weights under the published
keys. Each detector has a process of its own, which gives its memory back. Example: python
tools/smoke.py 'faster_rcnn_swin_*' --json smoke.json
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
_CHILD = 'import json, pathlib, one_step; pathlib.Path("row.json").write_text(json.dumps(one_step.chain(pathlib.Path({config!r}))))'
_ENVIRONMENT = {
    **os.environ,
    'PYTHONPATH': os.pathsep.join([str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')]),
}


def row_of(config: Path, place: Path) -> dict[str, Any]:
    """Return the row of one detector, or its name and the error that ended it."""
    folder = place / config.stem
    folder.mkdir()
    for shared in ('data', 'demo', 'configs'):
        (folder / shared).symlink_to(place / shared)
    command = [sys.executable, '-W', 'ignore', '-c', _CHILD.format(config=str(config))]
    ended = subprocess.run(
        command, cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    last = (ended.stderr.strip() or f'exit code {ended.returncode}').splitlines()[-1]
    row = (
        json.loads((folder / 'row.json').read_text())
        if ended.returncode == 0
        else {'config': config.stem, 'error': last}
    )
    shutil.rmtree(folder)
    click.echo(f'{config.stem}: {"failed" if ended.returncode else "done"}', err=True)
    return row


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table('config', 'starts from', 'backbone parameters', 'matched', 'loss', 's')
    for row in rows:
        if 'error' in row:
            table.add_row(row['config'], f'[red]failed[/red]: {escape(row["error"])}')
            continue
        matched = '' if row['carried'] is None else f'{row["carried"]:.2%}'
        seconds = row['seconds_train'] + row['seconds_test']
        table.add_row(
            row['config'],
            row['starts_from'],
            f'{row["backbone_parameters"]:,}',
            matched,
            f'{row["loss"]:.3f}',
            f'{seconds:.1f}',
        )
    Console(width=160).print(table)


@click.command()
@click.argument('patterns', nargs=-1)
@click.option(
    '--jobs',
    default=1,
    show_default=True,
    help='Detectors at a time; ViT-Large and its optimiser take 6 GB each.',
)
@click.option(
    '--json', 'json_path', type=click.Path(path_type=Path), help='Also write the table there.'
)
def main(patterns: tuple[str, ...], jobs: int, json_path: Path | None) -> None:
    """Run the detection configs whose names match one of PATTERNS, all by default.

    Exit with 1 where one fails.
    """
    configs = sorted(
        {
            path
            for pattern in patterns or ('*',)
            for path in (ROOT / 'configs' / 'det').glob(f'{pattern}.py')
        }
    )
    if not configs:
        raise click.BadParameter(
            f'must match a config in configs/det, got {list(patterns)}', param_hint='PATTERNS'
        )
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(jobs) as pool:
        write = 'import pathlib, one_step; one_step.write_data(pathlib.Path())'
        subprocess.run([sys.executable, '-c', write], cwd=name, env=_ENVIRONMENT, check=True)
        (Path(name) / 'configs').symlink_to(ROOT / 'configs')
        rows = list(pool.map(lambda config: row_of(config, Path(name)), configs))
    show(rows)
    if json_path is not None:
        json_path.write_text(json.dumps(rows, indent=2))
    sys.exit(any('error' in row for row in rows))


if __name__ == '__main__':
    main()
