"""`mmlandslide calibrate`: make a detector's scores probabilities."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmlandslide import files
from mmlandslide.errors import DatasetError

if TYPE_CHECKING:
    from mmlandslide.evaluation.results import TileResult

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command('calibrate')
@click.argument('checkpoint')
@click.option(
    '--predictions',
    'predictions_path',
    type=_FILE,
    required=True,
    help='predictions.json of a test on tuning tiles.',
)
@click.option(
    '--grouping',
    help='l4s_blocks, or a file of id,group: tiles that resemble each other; default: tiles alone.',
)
@click.option(
    '--method',
    type=click.Choice(['auto', 'temperature', 'isotonic']),
    default='auto',
    show_default=True,
    help='auto: the lower log loss on held-out groups.',
)
@click.option(
    '--iou-thr',
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help='IoU at which a detection hits.',
)
@click.option(
    '--out',
    type=click.Path(path_type=Path, dir_okay=False),
    help='Checkpoint to write; default: CHECKPOINT itself.',
)
@click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    help='Write the calibration to this file, too.',
)
def command(
    checkpoint: str,
    predictions_path: Path,
    grouping: str | None,
    method: str,
    iou_thr: float,
    out: Path | None,
    json_path: Path | None,
) -> None:
    """Fit probabilities to a detector's scores on tuning tiles, and store them with its weights.

    CHECKPOINT is a file, a work dir (its latest checkpoint) or a URL. The tuning tiles are those of
    a `mim test ... --cfg-options test_evaluator.save_predictions=True`; tiles that the training has
    seen are refused. `mim test` with test_evaluator.calibrated=True then scores probabilities, and
    `detect` reports them.

    Example: mmlandslide calibrate work_dirs/r18 --predictions work_dirs/r18_tune/predictions.json
    --grouping l4s_blocks
    """
    from mmlandslide.evaluation.bootstrap import grouping_of
    from mmlandslide.evaluation.calibration.fitting import fit_calibration, require_unseen
    from mmlandslide.evaluation.results import rules_beside
    from mmlandslide.weights.checkpoint_file import read_checkpoint
    from mmlandslide.weights.lineage import add_to_record, stated, tiles_seen
    from mmlandslide.weights.references import resolve

    path = resolve(checkpoint)
    tiles, rules = read_predictions(predictions_path), rules_beside(predictions_path)
    seen = tiles_seen(stated(read_checkpoint(path), path))
    require_unseen(tiles, seen, f'the training of {path.name}', predictions_path)
    groups = grouping_of([tile.tile_id for tile in tiles], grouping)
    found = fit_calibration(tiles, groups, rules, method, iou_thr)
    written = add_to_record(path, {'calibration': found}, path if out is None else out)
    if json_path is not None:
        files.write_json(json_path, found)
    show(found)
    click.echo(f'wrote {written}')


def read_predictions(path: Path) -> list['TileResult']:
    """Return the results of `predictions.json`, with the detector's own scores.

    Raises:
        DatasetError: it is no such file.
    """
    from mmlandslide.evaluation.results import tile_result

    try:
        rows = json.loads(path.read_text())
        return [
            tile_result({**row, 'scores': row.get('raw_scores', row['scores'])}) for row in rows
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        remedy = 'Name the predictions.json of a `mim test` with save_predictions=True'
        raise DatasetError.mismatch(
            'predictions', 'be those of LandslideMetric', repr(error), path, remedy
        ) from error


def show(found: dict[str, Any]) -> None:
    """Print what was measured and chosen."""
    hits, detections = found['num_hits'], found['num_detections']
    click.echo(
        f'{detections} detections on {found["interval_tiles"]} tiles, {hits} hit at IoU '
        f'{found["iou_thr"]:g}; held out: {found["interval_groups"]} {found["interval_unit"]}'
    )
    if not found['interval_grouping_known']:
        click.echo('neighbouring tiles are not kept together: no grouping is known', err=True)
    for name, loss in found['held_out_log_loss'].items():
        chosen = ' (chosen)' if name == found['method'] else ''
        error = found['held_out_D_ECE'][name]
        click.echo(f'{name:<12} log loss {loss:.4f}  D-ECE {error:.4f}{chosen}')
