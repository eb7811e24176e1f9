"""`mmlandslide detect`: a scene, a trained detector -> landslides on the map."""

import sys
from collections import Counter
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

from mmlandslide.errors import LandslideError, SceneError

if TYPE_CHECKING:
    from mmlandslide.scenes.detector import LandslideDetector
    from mmlandslide.scenes.inference.ranks import Place
    from mmlandslide.scenes.inference.tiled_inference import Settings
    from mmlandslide.scenes.inputs.options import InputOptions
    from mmlandslide.scenes.run import Advance, SceneDetector
    from mmlandslide.scenes.scene import Scene

_FILE = click.Path(path_type=Path)
_SHARE = click.FloatRange(0, 1)
_SETTINGS = {
    'window': 'window_px',
    'overlap': 'overlap_px',
    'merge': 'method',
    'batch': 'batch_size',
}


def _pairs(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Split `NAME=VALUE`."""
    pairs = [tuple(pair.split('=', 1)) for pair in given]
    odd = [pair[0] for pair in pairs if len(pair) != 2 or not all(pair)]
    if odd:
        raise click.BadParameter(f'must be NAME=VALUE, got {odd[0]!r}')
    return tuple((name, value) for name, value in pairs)


@click.command('detect')
@click.argument('scene', required=False, type=_FILE)
@click.option('--config', 'config_path', type=_FILE, required=True, help='The detection config.')
@click.option(
    '--checkpoint',
    required=True,
    help='Of its training: a file, a work dir (its latest one) or a URL.',
)
@click.option(
    '--out', 'out', type=_FILE, required=True, help='A .gpkg; for a folder of tiles a folder.'
)
@click.option('--overwrite', is_flag=True, help='Replace output that is there.')
@click.option(
    '--report', is_flag=True, help='Write OUT.html too: a map to zoom into, which needs no network.'
)
@click.option(
    '--score-thr',
    type=_SHARE,
    default=0.3,
    show_default=True,
    help='Drop detections below this score.',
)
@click.option(
    '--window',
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help='Side of a window, px of the scene.',
)
@click.option(
    '--overlap',
    type=click.IntRange(0),
    default=32,
    show_default=True,
    help='Of neighbouring windows, px.',
)
@click.option(
    '--batch', type=click.IntRange(1), default=8, show_default=True, help='Windows at once.'
)
@click.option(
    '--tta',
    type=click.Choice(['none', 'flips', 'all']),
    default='none',
    show_default=True,
    help='Look 1, 4 or 8 times.',
)
@click.option(
    '--merge',
    type=click.Choice(['nms', 'wbf']),
    default='nms',
    show_default=True,
    help='Keep the best box, or fuse.',
)
@click.option(
    '--iou-thr',
    type=_SHARE,
    default=0.5,
    show_default=True,
    help='Overlap of boxes that show one object.',
)
@click.option(
    '--join', is_flag=True, help='Join parts of objects that are larger than the overlap.'
)
@click.option(
    '--device',
    default='auto',
    show_default=True,
    help='cpu, cuda, cuda:N, or auto: a GPU where there is one.',
)
@click.option('--amp', is_flag=True, help='Compute in half precision where that is safe.')
@click.option(
    '--band',
    'band_files',
    multiple=True,
    callback=_pairs,
    metavar='NAME=FILE',
    help='A file of one band; repeat.',
)
@click.option(
    '--band-order', metavar='B1,B2,...', help='Names of the bands of a file that does not say them.'
)
@click.option(
    '--dem', type=_FILE, help='Elevation in metres, on any grid; the slope is computed from it.'
)
@click.option(
    '--mask', 'cloud_mask', type=_FILE, help='Clouds, which count as no data; on any grid.'
)
@click.option(
    '--mask-kind',
    'cloud_kind',
    help='What its values mean, such as SCL or QA60; default: as its name says.',
)
@click.option(
    '--fill',
    multiple=True,
    callback=_pairs,
    metavar='BAND=VALUE',
    help='A band that the scene lacks, or BAND=mean.',
)
@click.option(
    '--scale',
    help='Unit of the bands: dn, reflectance, landslide4sense, or how many dn one is; default: by range.',
)
@click.option(
    '--dn-offset', type=float, help='Added to digital numbers; default: as the metadata say.'
)
@click.option('--nodata', type=float, help='Value that means no data; default: as the file says.')
@click.option(
    '--no-check', is_flag=True, help='Take bands whose values contradict their names or units.'
)
def command(
    scene: Path | None,
    config_path: Path,
    checkpoint: str,
    out: Path,
    device: str,
    amp: bool,
    **options: Any,
) -> None:
    """Find landslides in a whole scene and write them as map layers.

    SCENE is a GeoTIFF or VRT with all bands, a Sentinel-2 L1C product (.SAFE), a folder of band
    files, a tile, or a folder of tiles; without it, every band comes by --band. Beside OUT.gpkg
    stand OUT.geojson, OUT.qml (its style, which QGIS applies), OUT.png (a quick look),
    OUT.stac.json (for catalogues) and OUT.run.json (the record of the run). A run that was
    interrupted goes on where it stopped when the same command is given again. Several processes
    share the work: torchrun --nproc-per-node N -m mmlandslide detect ...

    Example: mmlandslide detect S2A_MSIL1C_T33TWM.SAFE --dem dem.tif --config configs/det/faster_rcnn_r18.py
    --checkpoint work_dirs/faster_rcnn_r18 --out landslides.gpkg
    """
    from mmlandslide.scenes.detector import (
        LandslideDetector,  # this loads torch and the hosts: seconds
    )
    from mmlandslide.scenes.inference.ranks import joined

    with joined() as place, _one_voice(place):
        detector = LandslideDetector(config_path, checkpoint, _device(device, place), amp)
        for number, (path, opened) in enumerate(
            _scenes(scene, out, detector, _input_options(options))
        ):
            _detect(detector.detector, opened, path, number, place, bool(out.suffix), options)
        place.wait()


def _detect(
    detector: 'SceneDetector',
    scene: 'Scene',
    out: Path,
    number: int,
    place: 'Place',
    single: bool,
    options: dict[str, Any],
) -> None:
    """Search one scene, or do this process's share of it, and say what was written.

    Scenes of one block are dealt out to the processes; of a folder, those are left alone that the
    same command has written before.
    """
    from mmlandslide.scenes.inference.ranks import Place

    settings, overwrite, report = _settings(options), options['overwrite'], options['report']
    share = place
    if place.size > 1 and not single and len(settings.grid(scene).blocks) == 1:
        if number % place.size != place.rank:
            return
        share = Place(local_rank=place.local_rank)
    if not single and not overwrite and detector.has_written(scene, out, settings, report):
        if share.writes:
            click.echo(f'written before: {out}', err=True)
        return
    with _progress(scene, settings, share, shown=place.writes) as advance:
        written = detector.write(
            scene, out, settings, overwrite, share, advance, sys.argv[1:], report
        )
    for each in written:
        click.echo(f'wrote {each}')


def _device(name: str, place: 'Place') -> str:
    """Return the device of a process: of several, each takes the GPU of its number."""
    import torch

    if place.size == 1 or name not in ('auto', 'cuda') or not torch.cuda.is_available():
        return name
    return f'cuda:{place.local_rank % torch.cuda.device_count()}'


def _settings(options: dict[str, Any]) -> 'Settings':
    from mmlandslide.scenes.inference.tiled_inference import Settings

    named = {_SETTINGS.get(name, name): value for name, value in options.items()}
    return Settings(**{name: named[name] for name in asdict(Settings()) if name in named})


def _input_options(options: dict[str, Any]) -> 'InputOptions':
    from mmlandslide.scenes.inputs.options import InputOptions

    order = options['band_order']
    return InputOptions(
        band_files=options['band_files'],
        band_order=None if order is None else [name.strip() for name in order.split(',')],
        dem=options['dem'],
        cloud_mask=options['cloud_mask'],
        cloud_kind=options['cloud_kind'],
        scale=options['scale'],
        dn_offset=options['dn_offset'],
        fill={
            band: value if value == 'mean' else _number(band, value)
            for band, value in options['fill']
        },
        nodata=options['nodata'],
        check_values=not options['no_check'],
    )


def _number(band: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise click.BadParameter(
            f'{band} must be a number or mean, got {value!r}', param_hint='--fill'
        ) from error


def _scenes(
    source: Path | None, out: Path, detector: 'LandslideDetector', options: 'InputOptions'
) -> Iterator[tuple[Path, 'Scene']]:
    """Yield each scene with its output: one file for one scene, a folder for a folder of tiles."""
    from mmlandslide.scenes.inputs.reader import open_scene, open_scenes
    from mmlandslide.scenes.inputs.sentinel2 import find_product

    if out.suffix:
        yield out, open_scene(source, detector.bands, options)
        return
    if source is not None and source.is_dir() and find_product(source) is None:
        _require_own_names(source)
    for scene in open_scenes(source, detector.bands, options):
        yield out / f'{scene.name}.gpkg', scene


def _require_own_names(folder: Path) -> None:
    """Refuse a folder of tiles two of which would write the same files."""
    from mmlandslide.datasets.storage import tiles

    names = Counter(path.stem for path in folder.iterdir() if path.suffix.lower() in tiles.SUFFIXES)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        remedy = 'Rename one of each, or move it to a folder of its own: their output would have one name'
        raise SceneError.mismatch(
            'tiles', 'have names that differ before the suffix', twice, folder, remedy
        )


@contextmanager
def _progress(
    scene: 'Scene', settings: 'Settings', place: 'Place', shown: bool
) -> Iterator['Advance']:
    """Show how far this process is with its share, if it is to be shown."""
    mine = settings.grid(scene).blocks[place.rank :: place.size]
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task(f'{scene.name}: windows', total=sum(map(len, mine)))
        yield lambda windows: bar.advance(task, windows)


@contextmanager
def _one_voice(place: 'Place') -> Iterator[None]:
    """Let one of several processes report an error that all of them have."""
    from mmlandslide.engine.distributed import failed_before

    try:
        yield
    except LandslideError:
        if place.size > 1 and failed_before():
            raise SystemExit(1) from None
        raise
