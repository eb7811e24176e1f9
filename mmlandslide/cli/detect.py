"""`mmlandslide detect`: landslides of a scene as map layers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmlandslide import zoo
from mmlandslide.allocator import keep_freed_memory
from mmlandslide.cli.parts import scene_options, scene_source
from mmlandslide.cli.parts.detector_choice import chosen_model, device_of
from mmlandslide.errors import LandslideError

if TYPE_CHECKING:
    from mmlandslide.scenes.detector import LandslideDetector
    from mmlandslide.scenes.inference.job import InferenceJob, Settings
    from mmlandslide.scenes.inference.ranks import WorkerRank
    from mmlandslide.scenes.inputs.options import InputOptions
    from mmlandslide.scenes.run import Advance

_FILE = click.Path(path_type=Path)
_FRACTION = click.FloatRange(0, 1)
#: Option -> field of `Settings`, where their names differ.
_SETTINGS = {
    'window': 'window_px',
    'overlap': 'overlap_px',
    'merge': 'method',
    'batch': 'batch_size',
}


@click.command('detect')
@click.argument('scene', required=False, type=scene_options.FILE)
@click.option('--config', 'config_path', type=_FILE, help='The detection config.')
@click.option(
    '--checkpoint',
    help='Checkpoint of its training: a file, a work dir (its latest one) or a URL.',
)
@click.option(
    '--accept',
    multiple=True,
    metavar='TERM',
    help='Take a checkpoint although it states others than the config: bands, units, statistics, '
    'input_zoom or classes; repeat.',
)
@click.option(
    '--model',
    help='Instead of both, and without PyTorch: a name that `mmlandslide models` lists, a folder '
    f'of that form, or a .onnx file of `mmlandslide export`; default: {zoo.DEFAULT}.',
)
@click.option(
    '--out',
    'out',
    type=_FILE,
    help='A .gpkg, .parquet (GeoParquet), .shp or .geojson; for a folder of tiles a folder.',
)
@click.option(
    '--check',
    is_flag=True,
    help='Detect and write nothing: say how the scene is read, and how far it is from the training '
    'range.',
)
@click.option('--overwrite', is_flag=True, help='Replace output that is there.')
@click.option(
    '--report', is_flag=True, help='Write OUT.html too: a map to zoom into, which needs no network.'
)
@click.option(
    '--score-thr',
    type=_FRACTION,
    default=0.3,
    show_default=True,
    help='Drop detections with a lower score; a probability where the detector is calibrated.',
)
@click.option(
    '--window',
    type=click.IntRange(1),
    help="Side of the sliding window, px of the scene; default: 128, or the .onnx file's.",
)
@click.option(
    '--overlap',
    type=click.IntRange(0),
    help="Overlap of neighbouring windows, px; default: 32, or a quarter of the .onnx file's.",
)
@click.option(
    '--batch',
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help='Windows per forward pass.',
)
@click.option(
    '--tta',
    type=click.Choice(['none', 'flips', 'all']),
    default='none',
    show_default=True,
    help='Test-time augmentation: 1, 4 (flips) or 8 (flips and rotations) views.',
)
@click.option(
    '--merge',
    type=click.Choice(['nms', 'wbf']),
    default='nms',
    show_default=True,
    help='Non-maximum suppression, or weighted boxes fusion.',
)
@click.option(
    '--iou-thr',
    type=_FRACTION,
    default=0.5,
    show_default=True,
    help='IoU above which two boxes show one object.',
)
@click.option(
    '--expected',
    is_flag=True,
    help='Write OUT.expected.gpkg (or .parquet ...) too: expected landslides per km2 with 90 % '
    'intervals, by a calibrated detector.',
)
@click.option('--join', is_flag=True, help='Stitch the parts of objects that windows have cut.')
@click.option(
    '--device',
    default='auto',
    show_default=True,
    help='cpu, cuda, cuda:N, or auto: a GPU where there is one.',
)
@click.option('--amp', is_flag=True, help='Automatic mixed precision.')
@scene_options.selection_options
@scene_options.options
def command(
    scene: str | None,
    config_path: Path | None,
    checkpoint: str | None,
    model: str | None,
    accept: tuple[str, ...],
    out: Path | None,
    check: bool,
    device: str,
    amp: bool,
    **options: Any,
) -> None:
    """Detect landslides in a whole scene and write them as map layers.

    SCENE is a GeoTIFF or VRT with all bands, a Sentinel-2 L1C product (.SAFE or .zip), a folder of
    band files, a tile, or a folder of tiles or products; without it, every band comes by --band.
    Beside OUT.gpkg (or .parquet) stand OUT.geojson, OUT.qml (its style, which QGIS applies),
    OUT.png (a quick look), OUT.stac.json (for catalogues) and OUT.run.json (the record of the run).
    A run that was interrupted resumes where it stopped when the same command is given again.
    Several processes share the work: torchrun --nproc-per-node N -m mmlandslide detect ...

    Example: mmlandslide detect S2A_MSIL1C_T33TWM.SAFE --out landslides.gpkg
    """
    from mmlandslide.scenes.detector import LandslideDetector
    from mmlandslide.scenes.inference.ranks import init_process_group

    if (out is None) != check:
        raise click.UsageError('pass --out, or --check alone')
    keep_freed_memory()
    with init_process_group() as worker, _one_voice(worker):
        chosen, weights = chosen_model(config_path, checkpoint, model)
        detector = LandslideDetector(
            chosen, weights, device_of(device, worker, weights), amp, accept
        )
        settings = detector.settings(_settings(options))
        read = scene_options.input_options(options)
        if out is None:
            _check(detector, scene, read, settings)
            return
        for number, (path, opened) in enumerate(scene_source.scenes(scene, out, detector, read)):
            job = detector.job(opened, settings)
            _detect(job, path, number, worker, scene_source.is_single(scene, out), options)
        worker.wait()


def _check(
    detector: 'LandslideDetector', source: str | None, read: 'InputOptions', settings: 'Settings'
) -> None:
    """Say how each scene is read, and how far it is from what the detector was trained on."""
    from mmlandslide.scenes import run

    for scene in scene_source.opened(source, detector, read):
        for line in run.checked(detector.job(scene, settings)):
            click.echo(line)


def _detect(
    job: 'InferenceJob',
    out: Path,
    number: int,
    worker: 'WorkerRank',
    single: bool,
    options: dict[str, Any],
) -> None:
    """Run a job, or do this process's share of it, and say what was written.

    Scenes of one block are dealt out to the processes. Of a folder, the scenes are skipped that
    the same command has written before.
    """
    from mmlandslide.scenes import run
    from mmlandslide.scenes.inference.ranks import WorkerRank
    from mmlandslide.scenes.outputs import run_record

    overwrite, report, share = options['overwrite'], options['report'], worker
    kept = scene_options.selection(options)
    if worker.size > 1 and not single and len(job.grid.blocks) == 1:
        if number % worker.size != worker.rank:
            return
        share = WorkerRank(local_rank=worker.local_rank)
    if not single and not overwrite and run.has_written(job, out, report, kept):
        if share.writes:
            click.echo(f'written before: {out}', err=True)
        return
    with _progress(job, share, shown=worker.writes) as advance:
        written = run.write(job, out, overwrite, share, advance, sys.argv[1:], report, kept)
    for each in written:
        click.echo(f'wrote {each}')
    if written:
        click.echo(run_record.summary(out.with_suffix('.run.json')), err=True)
        for line in run.range_lines(job, out):
            click.echo(line, err=True)


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `Settings` that the options give."""
    from mmlandslide.scenes.inference.job import Settings

    named = {_SETTINGS.get(name, name): value for name, value in options.items()}
    return {name: named[name] for name in asdict(Settings()) if named.get(name) is not None}


@contextmanager
def _progress(job: 'InferenceJob', worker: 'WorkerRank', shown: bool) -> Iterator['Advance']:
    """Show the progress of this process's share of the windows, if it is to be shown."""
    mine = job.grid.blocks[worker.rank :: worker.size]
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(f'{job.scene.name}: windows', total=sum(map(len, mine)))
        yield lambda windows: bar.advance(task, windows)


@contextmanager
def _one_voice(worker: 'WorkerRank') -> Iterator[None]:
    """Let one of several processes report an error that all of them have."""
    try:
        yield
    except LandslideError:
        if worker.size > 1:
            from mmlandslide.engine.distributed import failed_before

            if failed_before():
                raise SystemExit(1) from None
        raise
