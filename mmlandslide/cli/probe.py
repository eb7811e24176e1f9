"""`mmlandslide probe`: score a pre-training by linear and k-NN probes on its frozen features."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from mmlandslide import files

if TYPE_CHECKING:
    from mmlandslide.datasets.views.view import TileView
    from mmlandslide.evaluation.probes.cell_features import CellFeatures
    from mmlandslide.evaluation.probes.classifiers import Probed, Samples
    from mmlandslide.evaluation.probes.frozen_features import FrozenEncoder

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
RANDOM = 'random'
#: Label -> landslide fraction above which a cell is positive; `None` for the median of the fitting
#: cells.
LABELS = {'any': 0.0, 'half': 0.5, 'median': None}


@click.command('probe')
@click.argument('checkpoints', metavar='CHECKPOINT...', nargs=-1, required=True)
@click.option(
    '--config',
    'config_path',
    type=_FILE,
    required=True,
    help='Pre-training or detection config: backbone and data.',
)
@click.option(
    '--data-root',
    type=click.Path(path_type=Path),
    help="Instead of the config's; for mask folders, what holds train/.",
)
@click.option(
    '--fit-split', help="Split (VOC tiles: folder) to fit on; default: the config's training data."
)
@click.option(
    '--score-split',
    help="Split to score on; default: the config's validation data, else split validation.",
)
@click.option(
    '--level',
    type=click.Choice(['tile', 'cell']),
    default='tile',
    show_default=True,
    help='What has a label.',
)
@click.option(
    '--cell-px',
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Side of a cell in the tile's own px.",
)
@click.option(
    '--label',
    type=click.Choice(list(LABELS)),
    help='How much landslide counts; default: any of a tile, half a cell.',
)
@click.option(
    '--stage',
    type=click.Choice(['all', 'last']),
    default='all',
    show_default=True,
    help='Stages side by side, or one.',
)
@click.option(
    '--input-px', type=click.IntRange(1), help='Longer side at which the encoder sees a tile.'
)
@click.option(
    '--neighbours',
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help='That vote in the k-NN probe.',
)
@click.option(
    '--fit-cells',
    type=click.IntRange(1),
    default=20000,
    show_default=True,
    help='At most, drawn evenly over tiles.',
)
@click.option(
    '--groups',
    type=_FILE,
    help='File of id,group: what intervals resample; default: blocks where known, else tiles.',
)
@click.option(
    '--seed',
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help='Of random weights, cells and resamples.',
)
@click.option('--device', default='cpu', show_default=True, help='cpu, cuda or cuda:N.')
@click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    help='Write the numbers to this file, too.',
)
def command(
    checkpoints: tuple[str, ...],
    config_path: Path,
    data_root: Path | None,
    fit_split: str | None,
    score_split: str | None,
    level: str,
    cell_px: int,
    label: str | None,
    stage: str,
    input_px: int | None,
    neighbours: int,
    fit_cells: int,
    groups: Path | None,
    seed: int,
    device: str,
    json_path: Path | None,
) -> None:
    """Score frozen features by a linear and a k-NN probe, beside those of random weights.

    CHECKPOINT is a file, a work dir (its latest checkpoint) or a URL; several are compared; the
    word `random` alone probes the untrained backbone. Probes are fitted on one split and scored on
    another. With `--level tile` a tile is positive where any of its pixels is landslide; where
    every tile has some, `--label median` takes those with more of it than half of the fitting tiles
    have. With `--level cell` each cell of a tile has its own label: positive where more than half
    of it is landslide. Tiles with VOC boxes count as landslide inside the boxes. Intervals are the
    95 % of a bootstrap over groups of tiles.

    Example: mmlandslide probe work_dirs/swin_mae_tiny --config configs/pretrain/swin_mae_tiny.py
    --level cell
    """
    from mmlandslide.configs import read_config  # these load torch and the hosts: seconds
    from mmlandslide.evaluation.probes.cell_features import CellGrid, extract_features
    from mmlandslide.evaluation.probes.classifiers import linear_probe, nearest_probe
    from mmlandslide.evaluation.probes.frozen_features import FrozenEncoder
    from mmlandslide.evaluation.probes.probe_splits import probe_splits

    cfg, grid = read_config(config_path), CellGrid(cell_px if level == 'cell' else None)
    label = label or ('half' if level == 'cell' else 'any')
    views = probe_splits(cfg, data_root, fit_split, score_split, input_px)
    probed: dict[str, dict[str, Probed]] = {}
    seen = {RANDOM: 0}
    # What a user named comes first: it may be refused.
    for weights in dict.fromkeys((*checkpoints, RANDOM)):
        encoder = FrozenEncoder(cfg, stage, seed, device)
        if weights != RANDOM:
            seen[weights] = load(encoder, weights, views[1])
        fit, scored = labelled(
            extract_features(encoder, views[0], grid, seed, fit_cells),
            extract_features(encoder, views[1], grid, seed),
            label,
            groups,
        )
        probed[weights] = {
            'linear': linear_probe(fit, scored),
            'k-NN': nearest_probe(fit, scored, neighbours),
        }
    rows = [
        {
            'weights': weights,
            'probe': probe,
            **compared(found, probed[RANDOM][probe], seed),
            'scored_tiles_seen': seen[weights],
        }
        for weights in dict.fromkeys((RANDOM, *checkpoints))
        for probe, found in probed[weights].items()
    ]
    settings = {
        'config': str(config_path),
        'level': level,
        'label': label,
        'stage': stage,
        'seed': seed,
    }
    sides = {'fit': counts(fit), 'scored': counts(scored)}
    numbers = {**settings, **scored.grouping.as_dict(), **sides, 'rows': rows}
    show(numbers)
    if json_path is not None:
        files.write_json(json_path, numbers)


def load(encoder: 'FrozenEncoder', checkpoint: str, scored: 'TileView') -> int:
    """Load a checkpoint into an encoder and print the report.

    Return how many of the scored tiles its training has seen, and warn of them.
    """
    report = encoder.load(checkpoint)
    click.echo(report.render())
    for note in encoder.notes:
        click.echo(f'warning: {note}', err=True)
    seen = len({*report.lineage.get('tile_ids', ())} & {*scored.tile_ids})
    if seen:
        click.echo(
            f'warning: the training of {checkpoint} saw {seen} of the {len(scored)} scored tiles, '
            'which flatters it',
            err=True,
        )
    return seen


def labelled(
    fit: 'CellFeatures', scored: 'CellFeatures', label: str, groups: Path | None
) -> tuple['Samples', 'Samples']:
    """Return cells with their labels.

    Args:
        fit: cells to fit on.
        scored: cells of other tiles.
        label: a key of `LABELS`.
        groups: file of what the intervals of the scored cells resample.
    """
    bound = LABELS[label]
    above = float(np.median(fit.fraction)) if bound is None else bound
    return fit.labelled(above), scored.labelled(above, groups)


def compared(probed: 'Probed', random: 'Probed', seed: int) -> dict[str, Any]:
    """Return a probe's numbers, and the paired gain of its AUROC over that of random weights."""
    from mmlandslide.evaluation.bootstrap import interval

    numbers = probed.numbers(seed)
    if probed is random:
        return numbers
    gain = numbers['auroc'] - random.numbers(seed)['auroc']
    return {
        **numbers,
        'auroc_gain': gain,
        'auroc_gain_95': interval(probed.aurocs(seed) - random.aurocs(seed)),
    }


def counts(samples: 'Samples') -> dict[str, Any]:
    """Return the numbers of tiles and samples, and the share of positive samples."""
    return {
        'tiles': samples.num_tiles,
        'samples': len(samples.positive),
        'base_rate': float(samples.positive.mean()),
    }


def show(numbers: dict[str, Any]) -> None:
    """Print the numbers as one table."""
    sides = [
        f'{side} {numbers[side]["samples"]} of {numbers[side]["tiles"]} tiles'
        for side in ('fit', 'scored')
    ]
    title = (
        f'{numbers["level"]} labels ({numbers["label"]}), {", ".join(sides)}, '
        f'landslide {numbers["scored"]["base_rate"]:.1%}; intervals over '
        f'{numbers["interval_groups"]} {numbers["interval_unit"]}'
    )
    columns = ('weights', 'probe', 'accuracy', 'AUROC', 'over random')
    table = Table(*columns, title=title, title_justify='left')
    for row in numbers['rows']:
        cells = (_cell(row, key) for key in ('accuracy', 'auroc', 'auroc_gain'))
        table.add_row(row['weights'], row['probe'], *cells)
    Console().print(table)


def _cell(row: dict[str, Any], key: str) -> str:
    """Return a number with its interval, empty where the row has none."""
    if key not in row:
        return ''
    low, high = row[f'{key}_95']
    return f'{row[key]:.3f}' + (f' [{low:.3f}, {high:.3f}]' if math.isfinite(low) else '')
