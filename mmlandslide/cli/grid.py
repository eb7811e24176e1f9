"""`mmlandslide grid`: Landslide4Sense by the places of its tiles."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmlandslide import files
from mmlandslide.datasets.boxes import RULES, rule_named
from mmlandslide.datasets.l4s.leaks import LeakReport, count_boxes, find_leaks, read_numbers

if TYPE_CHECKING:
    from mmlandslide.datasets.l4s.copies import TileCopy
    from mmlandslide.datasets.l4s.order import OrderReport
    from mmlandslide.datasets.l4s.scene_files import SceneFiles

_PATH = click.Path(path_type=Path)


@click.command('grid')
@click.option('--data-root', type=_PATH, help='Your copy of the training tiles: HDF5 or RGB.')
@click.option('--mosaic', 'mosaic_folder', type=_PATH, help='Write scenes and landslides here.')
@click.option(
    '--leaks',
    type=(_PATH, _PATH),
    metavar='TRAIN.txt SCORED.txt',
    help='Count the scored tiles that lie beside training tiles; with --data-root also boxes.',
)
@click.option(
    '--within',
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help='With --leaks: count training tiles up to this many tiles away.',
)
@click.option(
    '--box-rule',
    type=click.Choice(list(RULES)),
    default='components',
    show_default=True,
    help='How masks become landslides; VOC boxes are taken as they are.',
)
@click.option('--fail', is_flag=True, help='With --leaks: exit with 1 where the lists leak.')
@click.option('--json', 'json_path', type=_PATH, help='Write the numbers to this file, too.')
def command(
    data_root: Path | None,
    mosaic_folder: Path | None,
    leaks: tuple[Path, Path] | None,
    within: int,
    box_rule: str,
    fail: bool,
    json_path: Path | None,
) -> None:
    """Check that a copy's tile numbers are places, put its scenes together, find leaks of a split.

    The number of a Landslide4Sense training tile is its place in one of four scenes. --data-root
    compares the edges of neighbours in your copy and exits with 1 where the numbers are not places.
    --mosaic writes each scene as GeoTIFF and its landslides as whole objects, in pixel coordinates.

    Example: mmlandslide grid --leaks configs/splits/block_train.txt configs/splits/block_score.txt
    """
    if data_root is None and leaks is None:
        raise click.UsageError('name --data-root, --leaks, or both')
    if mosaic_folder is not None and data_root is None:
        raise click.UsageError('--mosaic needs the tiles: name --data-root')
    if leaks is None and (fail or within != 1):
        raise click.UsageError('--fail and --within go with --leaks')
    numbers: dict[str, Any] = {}
    copy = None if data_root is None else _checked_copy(data_root, numbers)
    sound = numbers.get('order', {}).get('verdict')
    other_work = mosaic_folder is not None or leaks is not None
    failed = sound == 'broken' or (sound == 'unknown' and not other_work)
    if leaks is not None and sound != 'broken':
        report = _leaks(leaks, within, copy, box_rule)
        numbers['leaks'] = {**asdict(report), 'leaking': report.leaking}
        failed |= fail and report.leaking
    if mosaic_folder is not None and copy is not None and sound != 'broken':
        numbers['scenes'] = _mosaic(copy, mosaic_folder, box_rule)
    if json_path is not None:
        files.write_json(json_path, numbers)
    if failed:
        raise SystemExit(1)


def _checked_copy(data_root: Path, numbers: dict[str, Any]) -> 'TileCopy':
    """Open a copy, compare its edges and print what they say."""
    from mmlandslide.datasets.l4s.copies import open_copy  # loads torch: seconds
    from mmlandslide.datasets.l4s.order import measure_order

    copy = open_copy(data_root)
    report = measure_order(copy, progress=_reading)
    numbers['order'] = {'data_root': str(data_root), 'form': copy.form, **asdict(report)}
    _show_order(report)
    return copy


def _leaks(
    lists: tuple[Path, Path], within: int, copy: 'TileCopy | None', box_rule: str
) -> LeakReport:
    """Count the leaks between two lists and print them."""
    training, scored = map(read_numbers, lists)
    report = find_leaks(training, scored, within)
    if copy is not None:
        report = count_boxes(report, training, scored, copy, rule_named(box_rule))
    _show_leaks(report)
    return report


def _mosaic(copy: 'TileCopy', folder: Path, box_rule: str) -> list[dict[str, Any]]:
    """Write the scenes and print what was written."""
    from mmlandslide.datasets.l4s.scene_files import write_scenes

    written = list(write_scenes(copy, folder, rule_named(box_rule), _reading))
    _show_scenes(written, folder)
    return [asdict(scene) for scene in written]


def _reading(numbers: Iterable[int]) -> Iterator[int]:
    """Show on stderr how far the reading is."""
    yield from track([*numbers], 'reading', console=Console(stderr=True), transient=True)


def _show_order(report: 'OrderReport') -> None:
    console = Console()
    table = Table(
        *('scene', 'tiles', 'right', 'below', 'row ends'),
        title='correlation of touching edges (pairs)',
        title_justify='left',
    )
    for scene in report.scenes:
        found = (scene.right, scene.below, scene.row_ends)
        cells = [f'{each.mean:.2f} ({each.pairs})' if each.pairs else '- (0)' for each in found]
        table.add_row(scene.scene, str(scene.tiles), *cells)
    console.print(table)
    console.print(f'random pairs: {report.random.mean:.2f} ({report.random.pairs})')
    if report.misplaced:
        shown = ', '.join(map(str, report.misplaced[:10]))
        more = f' and {len(report.misplaced) - 10} more' if len(report.misplaced) > 10 else ''
        console.print(f'tiles that fit none of their neighbours: {shown}{more}', soft_wrap=True)
    said = {
        'holds': 'The order holds: the number of a tile is its place.',
        'broken': 'The order does not hold: this copy was renumbered, or holds other tiles.',
        'unknown': 'Whether the order holds cannot be told.',
    }
    console.print(said[report.verdict])
    for reason in report.reasons:
        console.print(f'- {reason}', soft_wrap=True)


def _show_leaks(report: LeakReport) -> None:
    table = Table('of the scored', 'leak', 'all', title='leaks', title_justify='left')
    scored = str(report.scored_tiles)
    table.add_row('tiles with a training tile by edge', str(report.by_edge), scored)
    table.add_row('by edge or corner', str(report.by_edge_or_corner), scored)
    if report.within_tiles > 1:
        table.add_row(f'within {report.within_tiles} tiles', str(report.within), scored)
    if report.boxes is not None:
        boxes = str(report.boxes)
        table.add_row('boxes cut by a tile border', str(report.cut_boxes), boxes)
        table.add_row('boxes that continue in a training tile', str(report.continuing_boxes), boxes)
    console = Console()
    console.print(table)
    if report.unlabelled_tiles:
        of_all = f'{report.unlabelled_tiles} of {report.scored_tiles} scored tiles'
        console.print(f'boxes are without {of_all}, which this copy lacks or has no truth for')
    console.print('The lists leak.' if report.leaking else 'The lists do not leak.')


def _show_scenes(written: 'list[SceneFiles]', folder: Path) -> None:
    table = Table(
        *('scene', 'tiles', 'missing', 'landslides', 'in several tiles', 'cut'),
        title=f'written to {folder}',
        title_justify='left',
    )
    for each in written:
        counts = (each.mosaic.tiles, each.mosaic.missing, each.objects, each.joined, each.cut)
        table.add_row(each.mosaic.scene, *map(str, counts))
    Console().print(table)
