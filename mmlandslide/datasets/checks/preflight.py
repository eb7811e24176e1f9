"""Every check of one Landslide4Sense tile, in one reading; a file may have several faults."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmlandslide.bands import BANDS, LANDSLIDE4SENSE, divisors
from mmlandslide.datasets import band_order
from mmlandslide.datasets.storage import packed_tile, tiles
from mmlandslide.datasets.storage.faults import FAULTS, Finding, Problem
from mmlandslide.datasets.storage.index import TileRef
from mmlandslide.errors import LandslideError

Read = Callable[[Path, str], np.ndarray]

#: Raw values that a unit allows. Reflectance of 3 is beyond what the sensor records; land lies
#: between the Dead Sea and Everest.
ALLOWED_RAW: dict[str, tuple[float, float]] = {
    '1e-4 top-of-atmosphere reflectance': (0, 30_000),
    'degree': (0, 90),
    'm': (-500, 9_000),
}
_FLOATS = ('float32', 'float64')
_ORDER, _IN_ORDER = 'wrong-band-order', f'stand as {", ".join(LANDSLIDE4SENSE)}'
_NOT_FINITE = {'nan': np.isnan, 'inf': np.isinf}


@dataclass(frozen=True)
class Examined:
    """What came of one tile.

    Attributes:
        tile: packed; `None` where a fault forbids it.
        digest: of its bands; `None` where they cannot be read as bands.
        findings: its faults.
    """

    tile: packed_tile.PackedTile | None
    digest: str | None
    findings: list[Finding] = field(default_factory=list)


def examine(
    ref: TileRef,
    bands: Sequence[str] = LANDSLIDE4SENSE,
    tile_hw: tuple[int, int] | None = None,
    read: Read = tiles.read_array,
) -> Examined:
    """Read, check and pack one tile.

    Args:
        ref: where it lies.
        bands: names in the order of its file.
        tile_hw: height and width of the other tiles, px; `None` where any will do.
        read: returns a file's dataset, (H, W, C) or (H, W), or raises a `LandslideError`.
    """
    source = packed_tile.state(ref)
    image, findings = _image(ref, bands, tile_hw, read)
    mask, mask_findings = _mask(ref, None if image is None else image.shape[-2:], read)
    findings += mask_findings
    if image is None:
        return Examined(None, None, findings)
    with np.errstate(all='ignore'):  # NaN and infinity are named already
        tile = packed_tile.packed(
            ref.tile_id, image, None if mask_findings else mask, divisors(bands), source
        )
    if tuple(bands) == LANDSLIDE4SENSE and not any(each.fault in _NOT_FINITE for each in findings):
        findings = _with_order(findings, ref, image, is_exact=tile.entry.dtype == '<u2')
    is_sound = not any(finding.is_error for finding in findings)
    return Examined(tile if is_sound else None, tile.entry.digest, findings)


def size_hw(ref: TileRef, read: Read = tiles.read_array) -> tuple[int, int] | None:
    """Return a tile's height and width, px; `None` where it cannot be read as bands."""
    image, _ = _array(ref.tile_id, ref.image_path, 'img', read)
    return (
        (int(image.shape[0]), int(image.shape[1]))
        if image is not None and image.ndim == 3
        else None
    )


def _array(
    tile_id: str, path: Path, key: str, read: Read
) -> tuple[np.ndarray | None, list[Finding]]:
    try:
        return read(path, key), []
    except tiles.TileKeyError as error:
        fault, message = 'wrong-key', str(error)
    except tiles.TileShapeError as error:
        fault, message = 'wrong-shape', str(error)
    except tiles.TileDtypeError as error:
        fault, message = 'mask-values' if key == 'mask' else 'wrong-dtype', str(error)
    except LandslideError as error:
        fault, message = 'truncated', str(error)
    return None, [Finding(fault, tile_id, str(path), message)]


def _image(
    ref: TileRef, bands: Sequence[str], tile_hw: tuple[int, int] | None, read: Read
) -> tuple[np.ndarray | None, list[Finding]]:
    """Return the image (C, H, W), `None` where it is no float array of bands, and its faults."""
    image, findings = _array(ref.tile_id, ref.image_path, 'img', read)
    if image is None:
        return None, findings
    # (C, H, W), one band after the other in memory: each check goes through a band at a time.
    planes = np.ascontiguousarray(image.transpose(2, 0, 1)) if image.ndim == 3 else image
    faults = _image_faults(image, planes, bands, tile_hw)
    findings = _findings(ref.tile_id, ref.image_path, faults)
    usable = (
        image.ndim == 3
        and image.shape[-1] == len(bands)
        and image.size
        and image.dtype.name in _FLOATS
    )
    return planes if usable else None, findings


def _mask(
    ref: TileRef, shape_hw: tuple[int, ...] | None, read: Read
) -> tuple[np.ndarray | None, list[Finding]]:
    """Return the mask (H, W) uint8, `None` where there is none, and its faults.

    With a fault it is of no use.
    """
    if ref.mask_path is None:
        return None, []
    mask, findings = _array(ref.tile_id, ref.mask_path, 'mask', read)
    if mask is None:
        return None, findings
    return (mask == 1).astype(np.uint8), _findings(
        ref.tile_id, ref.mask_path, _mask_faults(mask, shape_hw)
    )


def _findings(tile_id: str, path: Path, problems: Iterable[Problem]) -> list[Finding]:
    return [problem.finding(tile_id, path) for problem in problems]


def _image_faults(
    image: np.ndarray, planes: np.ndarray, bands: Sequence[str], tile_hw: tuple[int, int] | None
) -> Iterator[Problem]:
    """Yield what is wrong with an image (H, W, C), or `planes` (C, H, W), by itself."""
    subject, shaped = (
        "dataset 'img'",
        image.ndim == 3 and image.shape[-1] == len(bands) and image.size > 0,
    )
    if not shaped:
        yield Problem(
            'wrong-shape',
            subject,
            f'have {len(bands)} bands as (height, width, band)',
            f'shape {image.shape}',
        )
    elif tile_hw is not None and image.shape[:2] != tile_hw:
        yield Problem(
            'wrong-shape', subject, f'have the size {tile_hw} of most tiles', f'shape {image.shape}'
        )
    if image.dtype.name not in _FLOATS:
        yield Problem('wrong-dtype', subject, f'be one of {", ".join(_FLOATS)}', image.dtype.name)
    if not image.size:
        return
    is_finite = bool(np.isfinite(planes).all())
    for fault, test in () if is_finite else _NOT_FINITE.items():
        found = test(planes)
        if found.any():
            yield Problem(
                fault,
                subject,
                'hold finite values only',
                f'{np.count_nonzero(found)} {FAULTS[fault].meaning} of {image.size}',
            )
    if shaped:
        yield from _value_faults(planes.reshape(len(bands), -1), bands, is_finite)


def _value_faults(values: np.ndarray, bands: Sequence[str], is_finite: bool) -> Iterator[Problem]:
    """Yield what is wrong with the values (C, N) of an image."""
    if is_finite:
        edges = values.min(axis=1), values.max(axis=1)
    else:
        known = np.where(np.isfinite(values), values, np.nan)
        edges = np.fmin.reduce(known, axis=1), np.fmax.reduce(known, axis=1)
    lowest, highest = (np.asarray(edge, np.float64) for edge in edges)
    if values.shape[1] > 1 and (lowest == highest).all():
        yield Problem(
            'constant-tile',
            "dataset 'img'",
            'differ from pixel to pixel',
            'one value throughout each band',
        )
        return
    zero = [
        name for name, low, high in zip(bands, lowest, highest, strict=True) if low == 0 == high
    ]
    if zero:
        yield Problem('all-zero-band', f'bands {zero}', 'hold values', '0 throughout')
    for name, low, high, divisor in zip(bands, lowest, highest, divisors(bands), strict=True):
        least, most = (
            ALLOWED_RAW.get(BANDS[name].unit, (-np.inf, np.inf))
            if name in BANDS
            else (-np.inf, np.inf)
        )
        # Half a raw step of slack: float32 rounds.
        if low * divisor < least - 0.5 or high * divisor > most + 0.5:
            allowed = (
                f'lie within {least / divisor:.4g} and {most / divisor:.4g} '
                f'({least:g} and {most:g} {BANDS[name].unit})'
            )
            yield Problem('out-of-units', f'band {name}', allowed, f'{low:.4g} to {high:.4g}')


def _with_order(
    findings: list[Finding], ref: TileRef, image: np.ndarray, is_exact: bool
) -> list[Finding]:
    """Add what the values of a finite image (C, H, W) say of order and units.

    Args:
        findings: so far; values out of their units are left out where they follow from what is
            found here.
        ref: of the tile.
        image: (C, H, W).
        is_exact: each band is known to fit its divisor.
    """
    if any(finding.fault == 'constant-tile' for finding in findings):
        return findings
    if not is_exact and band_order.normalised_as_published(image):
        problem = Problem('published-statistics', 'values', 'be as stored', 'normalised ones')
    elif not is_exact and (moved := band_order.misplaced_by_divisor(image)):
        problem = Problem(_ORDER, 'bands', _IN_ORDER, f'others (by their divisors {moved})')
    elif broken := band_order.misplaced_by_law(image):
        problem = Problem(_ORDER, 'bands', _IN_ORDER, f'others (by their statistics {broken})')
        return [*findings, problem.finding(ref.tile_id, ref.image_path)]
    else:
        return findings
    kept = [finding for finding in findings if finding.fault != 'out-of-units']
    return [*kept, problem.finding(ref.tile_id, ref.image_path)]


def _mask_faults(mask: np.ndarray, shape_hw: tuple[int, ...] | None) -> Iterator[Problem]:
    """Yield what is wrong with a mask."""
    if mask.ndim != 2 or (shape_hw is not None and len(shape_hw) == 2 and mask.shape != shape_hw):
        yield Problem(
            'mask-size',
            "dataset 'mask'",
            f'have the shape {shape_hw or "(height, width)"} of its image',
            f'shape {mask.shape}',
        )
    strange = np.unique(mask[(mask != 0) & (mask != 1)])
    if strange.size:
        yield Problem(
            'mask-values', "dataset 'mask'", 'hold 0 and 1 only', f'{strange[:5].tolist()}'
        )
