"""Options of the verbs that read a scene: band files, elevation, clouds, units."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mmlandslide.scenes.inputs.options import InputOptions

_FILE = click.Path(path_type=Path)


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
        '--dem', type=_FILE, help='Elevation in metres, on any grid; the slope is computed from it.'
    ),
    click.option(
        '--mask', 'cloud_mask', type=_FILE, help='Cloud mask, on any grid; clouds count as no data.'
    ),
    click.option(
        '--mask-kind',
        'cloud_kind',
        help='Kind of the cloud mask, such as SCL or QA60; default: as its name says.',
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
