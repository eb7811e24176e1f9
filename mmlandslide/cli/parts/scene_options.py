"""Options of the verbs that read a scene: band files, elevation, clouds, units."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mmlandslide.scenes.inputs.options import InputOptions
    from mmlandslide.scenes.outputs.selection import Selection

#: Kept as given: a `Path` would make one slash of two, and https://host a file.
FILE = click.Path()


def _pairs(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Split `NAME=VALUE`."""
    pairs = [tuple(pair.split('=', 1)) for pair in given]
    odd = [pair[0] for pair in pairs if len(pair) != 2 or not all(pair)]
    if odd:
        raise click.BadParameter(f'must be NAME=VALUE, got {odd[0]!r}')
    return tuple((name, value) for name, value in pairs)


_OPTIONS = (
    click.option(
        '--band',
        'band_files',
        multiple=True,
        callback=_pairs,
        metavar='NAME=FILE',
        help='A file of one band; may be repeated.',
    ),
    click.option(
        '--band-order',
        metavar='B1,B2,...',
        help='Names of the bands of a file that does not say them.',
    ),
    click.option(
        '--dem',
        type=FILE,
        multiple=True,
        help='Elevation in metres, on any grid; the slope is computed from it. May be repeated, '
        'or a folder: tiles side by side.',
    ),
    click.option(
        '--dem-part',
        is_flag=True,
        help='Accept elevation that covers a part of the scene; the rest counts as no data.',
    ),
    click.option(
        '--mask',
        'cloud_mask',
        type=FILE,
        help='Cloud mask, on any grid; clouds count as no data. "product": the scene\'s own '
        '(SCL, Fmask or MSK_CLASSI).',
    ),
    click.option(
        '--mask-kind',
        'cloud_kind',
        help='Kind of the cloud mask, such as SCL or QA60; default: as its name says.',
    ),
    click.option(
        '--mask-threshold',
        'cloud_threshold',
        type=click.FloatRange(0, 100, min_open=True),
        help='Probability from which on a pixel is cloud, in percent; default: 50.',
    ),
    click.option(
        '--fill',
        multiple=True,
        callback=_pairs,
        metavar='BAND=VALUE',
        help='Constant for a band that the scene lacks; BAND=mean: the training mean.',
    ),
    click.option(
        '--scale',
        help='Unit of the bands: dn, reflectance, landslide4sense, or the number of dn in 1; '
        'default: inferred from the values.',
    ),
    click.option(
        '--dn-offset',
        type=float,
        help='Offset added to digital numbers; default: as the metadata say.',
    ),
    click.option(
        '--nodata', type=float, help='Value that means no data; default: as the file says.'
    ),
    click.option(
        '--date',
        'acquired',
        type=click.DateTime(['%Y-%m-%d', '%Y-%m-%dT%H:%M:%S']),
        help='When the scene was taken, UTC; default: as its metadata or its name say.',
    ),
    click.option(
        '--no-check',
        is_flag=True,
        help='Accept bands whose values contradict their names or units.',
    ),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which passes them on to `input_options`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def input_options(options: dict[str, Any]) -> 'InputOptions':
    """Return what the options say of a scene's files.

    Args:
        options: by name, among others.

    Raises:
        BadParameter: a fill value is no number.
    """
    from mmlandslide.scenes.inputs.options import InputOptions

    order = options['band_order']
    return InputOptions(
        band_files=options['band_files'],
        band_order=None if order is None else [name.strip() for name in order.split(',')],
        dem=options['dem'] or None,
        dem_part=options['dem_part'],
        cloud_mask=options['cloud_mask'],
        cloud_kind=options['cloud_kind'],
        cloud_threshold=options['cloud_threshold'],
        scale=options['scale'],
        dn_offset=options['dn_offset'],
        fill={
            band: value if value == 'mean' else _number(band, value)
            for band, value in options['fill']
        },
        nodata=options['nodata'],
        acquired=_utc(options['acquired']),
        check_values=not options['no_check'],
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=timezone.utc)


def _number(band: str, value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise click.BadParameter(
            f'{band} must be a number or mean, got {value!r}', param_hint='--fill'
        ) from error


_SELECTION = (
    click.option(
        '--aoi',
        type=click.Path(path_type=Path),
        help='Polygons, on any map: keep the landslides whose centre lies in one.',
    ),
    click.option(
        '--min-area', 'min_area_m2', type=click.FloatRange(0), help='Smallest box to keep, m2.'
    ),
    click.option(
        '--max-area', 'max_area_m2', type=click.FloatRange(0), help='Largest box to keep, m2.'
    ),
)


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of which detections are kept to a command."""
    for option in reversed(_SELECTION):
        command = option(command)
    return command


def selection(options: dict[str, Any]) -> 'Selection':
    """Return which detections the options keep."""
    from mmlandslide.scenes.outputs.selection import Selection

    return Selection(**{name: options[name] for name in ('aoi', 'min_area_m2', 'max_area_m2')})
