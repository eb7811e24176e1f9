"""`mmlandslide export`: a trained detector as a file for programs without PyTorch."""

from pathlib import Path

import click

from mmlandslide.errors import ConfigError


@click.command('export')
@click.argument('checkpoint')
@click.option(
    '--config',
    'config_path',
    type=click.Path(path_type=Path),
    required=True,
    help='The detection config.',
)
@click.option(
    '--accept',
    multiple=True,
    metavar='TERM',
    help='Take a checkpoint although it states others than the config: bands, units, statistics, '
    'input_zoom or classes; repeat.',
)
@click.option('--format', 'format_', default='onnx', show_default=True, help='Of the file: onnx.')
@click.option(
    '--out',
    type=click.Path(path_type=Path, dir_okay=False),
    help='Default: the checkpoint with the suffix .onnx.',
)
@click.option(
    '--window',
    'window_px',
    type=click.IntRange(16),
    default=128,
    show_default=True,
    help='Side of the tiles, px.',
)
@click.option(
    '--native',
    is_flag=True,
    help="The tiles have the pixels of the training's own (224 px RGB tiles), not of 10 m.",
)
@click.option('--overwrite', is_flag=True, help='Replace a file that is there.')
def command(
    checkpoint: str,
    config_path: Path,
    accept: tuple[str, ...],
    format_: str,
    out: Path | None,
    window_px: int,
    native: bool,
    overwrite: bool,
) -> None:
    """Export a whole detector as one ONNX file and check it against PyTorch.

    CHECKPOINT is a file, a work dir (its latest checkpoint) or a URL. The file takes any number of
    tiles in Landslide4Sense's units and returns their boxes and scores; `mmlandslide detect
    --model` runs it without PyTorch. Exits with 1, and writes nothing, where onnxruntime and
    PyTorch differ by more than 0.001 px or 0.00001 in score on 100 tiles, near ties apart.

    Example: mmlandslide export work_dirs/faster_rcnn_r18
    --config configs/det/faster_rcnn_r18.py --format onnx
    """
    from mmlandslide.scenes.inference.onnx.export import (  # loads torch and the hosts: seconds
        export,
        require_format,
    )
    from mmlandslide.weights.references import resolve

    require_format(format_)
    path = resolve(checkpoint)
    out = path.with_suffix(f'.{format_}') if out is None else out
    if out.exists() and not overwrite:
        raise ConfigError.mismatch(
            'output',
            'not be there yet',
            out.name,
            out.parent,
            'Name another, or replace it with --overwrite',
        )
    made = export(config_path, path, out, format_, window_px, accept=accept, native=native)
    bands_hw = ', '.join(map(str, made.input_shape))
    click.echo(f'input   tiles (batch, {bands_hw}) float32, stored units')
    click.echo('output  boxes (count, 4) xyxy in px of their tile, scores (count), tile (count)')
    click.echo(f'checked against PyTorch on {made.num_tiles} tiles: {made.agreement}')
    click.echo(f'wrote {made.path} ({made.path.stat().st_size:,} bytes)')
