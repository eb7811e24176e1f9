"""`mmlandslide probe`.

What frozen features tell of landslides, to judge a pre-training before a detector is trained.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from mmlandslide import files

if TYPE_CHECKING:
    from mmlandslide.datasets.views.view import TileView
    from mmlandslide.evaluation.frozen_features import FrozenEncoder, Places
    from mmlandslide.evaluation.probing import Probed, Samples

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
RANDOM = 'random'
#: Label -> share of a place above which it is landslide; `None` for the median of the fitting
#: places.
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
    seed: int,
    device: str,
    json_path: Path | None,
) -> None:
    """Score frozen features by a linear and a k-nearest-neighbour probe, beside those of random weights.

    CHECKPOINT is a file, a work dir (its latest checkpoint) or a URL; several are compared; the
    word `random` alone probes the untrained backbone. Probes are fitted on one split and scored on
    another. With `--level tile` a tile is landslide where any pixel is; where every tile has some,
    `--label median` asks for more of it than half of the fitting tiles have. With `--level cell`
    each cell of a tile has a label of its own: landslide where more than half of it is. Tiles with
    VOC boxes count as landslide inside them. Intervals hold 95 % of a bootstrap over tiles.

    Example: mmlandslide probe work_dirs/swin_mae_tiny --config configs/pretrain/swin_mae_tiny.py --level cell
    """
    from mmlandslide.configs import read_config  # these load torch and the hosts: seconds
    from mmlandslide.evaluation.frozen_features import FrozenEncoder, Grid, places
    from mmlandslide.evaluation.probe_splits import two_sides
    from mmlandslide.evaluation.probing import linear_probe, nearest_probe

    cfg, grid = read_config(config_path), Grid(cell_px if level == 'cell' else None)
    label = label or ('half' if level == 'cell' else 'any')
    views = two_sides(cfg, data_root, fit_split, score_split, input_px)
    probed: dict[str, dict[str, Probed]] = {}
    seen = {RANDOM: 0}
    for weights in dict.fromkeys(
        (*checkpoints, RANDOM)
    ):  # what a user named comes first: it may be refused
        encoder = FrozenEncoder(cfg, stage, seed, device)
        if weights != RANDOM:
            seen[weights] = load(encoder, weights, views[1])
        fit, scored = labelled(
            places(encoder, views[0], grid, seed, fit_cells),
            places(encoder, views[1], grid, seed),
            label,
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
    numbers = {**settings, 'fit': counts(fit), 'scored': counts(scored), 'rows': rows}
    show(numbers)
    if json_path is not None:
        files.write_json(json_path, numbers)


def load(encoder: 'FrozenEncoder', checkpoint: str, scored: 'TileView') -> int:
    """Carry a checkpoint into an encoder and report.

    Return how many of the scored tiles its training saw, and warn of them.
    """
    report = encoder.load(checkpoint)
    click.echo(report.render())
    seen = len({*report.lineage.get('tile_ids', ())} & {*scored.tile_ids})
    if seen:
        click.echo(
            f'warning: the training of {checkpoint} saw {seen} of the {len(scored)} scored tiles, which flatters it',
            err=True,
        )
    return seen


def labelled(fit: 'Places', scored: 'Places', label: str) -> tuple['Samples', 'Samples']:
    """Return places with their labels.

    Args:
        fit: places to fit on.
        scored: places of other tiles.
        label: of `LABELS`.
    """
    least = LABELS[label]
    above = float(np.median(fit.share)) if least is None else least
    return fit.labelled(above), scored.labelled(above)


def compared(probed: 'Probed', random: 'Probed', seed: int) -> dict[str, Any]:
    """Return a probe's numbers, and by how much its AUROC is above that of random weights on the same resamples."""
    from mmlandslide.evaluation.probing import interval

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
    """Return how many tiles and samples there are, and what share of them is landslide."""
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
    title = f'{numbers["level"]} labels ({numbers["label"]}), {", ".join(sides)}, landslide {numbers["scored"]["base_rate"]:.1%}'
    columns = ('weights', 'probe', 'accuracy', 'AUROC', 'over random')
    table = Table(*columns, title=title, title_justify='left')
    for row in numbers['rows']:
        cells = (_cell(row, key) for key in ('accuracy', 'auroc', 'auroc_gain'))
        table.add_row(row['weights'], row['probe'], *cells)
    Console().print(table)


def _cell(row: dict[str, Any], key: str) -> str:
    """Return a number with its interval; nothing where the row has none."""
    if key not in row:
        return ''
    edges = row[f'{key}_95']
    return f'{row[key]:.3f}' + (f' [{edges[0]:.3f}, {edges[1]:.3f}]' if edges else '')
