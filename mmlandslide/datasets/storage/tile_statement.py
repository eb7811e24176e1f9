"""What a tile file says of its own pixels: no data, alpha, scale, names of bands; heeded here."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide.datasets.storage.tile_errors import NoDataTileError, UnreadableTileError
from mmlandslide.errors import TileError

#: Values that tools write where they have none, and from which on no sensor stores any.
_FILLS, FILL_FROM = (-9999, -32768, -32767), 1e10
#: Bands that hold one negative number at once, at least, for it to be a fill.
ALIKE_BANDS = 3


@dataclass(frozen=True)
class Statement:
    """What a file says of its pixels; nothing, by default.

    Attributes:
        nodata: per band, the value that means no data there.
        valid: (C, H, W) bool, False where the file says that there are no data, by value or by a
            mask of its own; `None` where it says so nowhere.
        alpha: position of the band that is tagged as opacity.
        names: per band, its name.
        scales: per band, the factor of its values.
        offsets: per band, what is added to the product.
        palette: whether the values are numbers of colours.
    """

    nodata: tuple[float | None, ...] = ()
    valid: np.ndarray | None = None
    alpha: int | None = None
    names: tuple[str | None, ...] = ()
    scales: tuple[float, ...] = ()
    offsets: tuple[float, ...] = ()
    palette: bool = False


def without_alpha(
    image: np.ndarray, said: Statement, bands: Sequence[str], path: Path
) -> tuple[np.ndarray, Statement]:
    """Return the bands that hold data, and what the file says of them.

    Args:
        image: (C, H, W) as it lies in the file.
        said: by the file.
        bands: names of the bands that are wanted.
        path: of the file.

    Returns:
        (C, H, W) and the statement of those bands. A band tagged alpha is left out where one band
        more than named lies there; pixels that it hides have no data.

    Raises:
        TileError: an alpha band with values between, one that is named as data, or a palette.
    """
    if said.palette:
        raise UnreadableTileError.mismatch(
            'image', 'hold values', 'numbers of a colour palette', path, 'Save it as RGB or grey'
        )
    alpha = said.alpha
    if alpha is None or not image.size:
        return image, said
    opacity = image[alpha]
    top = np.iinfo(opacity.dtype).max if opacity.dtype.kind in 'iu' else 1
    plain = bool(((opacity == 0) | (opacity == top)).all())
    if len(image) == len(bands) and not plain:
        return image, said  # a band of data that is tagged wrongly, as its values show
    if len(image) != len(bands) + 1 or not plain:
        got = f'band {alpha + 1} tagged as alpha, with values {_range(opacity)}'
        remedy = (
            f'Name {len(image) - 1} bands, without it, if it is 0 or {top} throughout; '
            'else take it out (gdal_translate -b 1 -b 2 ...)'
        )
        raise TileError.mismatch('image', f'have data bands {list(bands)}', got, path, remedy)
    _tell_alpha(str(path.parent))
    others = [band for band in range(len(image)) if band != alpha]
    seen = np.broadcast_to(opacity == top, (len(others), *opacity.shape))
    valid = None if bool(seen.all()) else seen
    if said.valid is not None:
        valid = said.valid[others] & seen
    kept: dict[str, Any] = {
        name: tuple(value for band, value in enumerate(getattr(said, name)) if band != alpha)
        for name in ('nodata', 'names', 'scales', 'offsets')
    }
    return image[others], replace(said, valid=valid, alpha=None, **kept)


@lru_cache
def _tell_alpha(folder: str) -> None:
    logging.getLogger('mmlandslide').warning(
        'Alpha bands of tiles in %s are left out; pixels that they hide have no data', folder
    )


def require_order(said: Statement, bands: Sequence[str], path: Path) -> None:
    """Refuse a file that names the same bands in another order.

    Raises:
        TileError: it does.
    """
    names = [name for name in said.names if name]
    if sorted(names) == sorted(bands) and names != list(bands):
        raise TileError.mismatch(
            'bands', f'stand as named, {list(bands)}', f'the order {names}', path,
            'Name them in source_bands in the order of the file',
        )  # fmt: skip


def filled(
    image: np.ndarray,
    said: Statement,
    bands: Sequence[str],
    path: Path,
    nodata: Mapping[str, float],
) -> np.ndarray:
    """Return an image whose pixels without data hold the mean of their band's other pixels.

    Args:
        image: (C, H, W).
        said: by the file.
        bands: names of the C bands.
        path: of the file.
        nodata: band -> value that means no data, as the user says. A band without any data by this
            is left as it is.

    Raises:
        NoDataTileError: a band without any data, as the file says, or a value that contradicts the
            file's own.
    """
    valid = said.valid
    if valid is None and not nodata:
        return image
    image = image.copy()
    for index, name in enumerate(bands):
        absent = np.zeros(image.shape[1:], bool) if valid is None else ~valid[index]
        own = said.nodata[index] if index < len(said.nodata) else None
        if absent.all():
            got = f'no data throughout (nodata {own} in the file)'
            remedy = f'Take the tile out, or leave out {name!r} of its bands'
            raise NoDataTileError.mismatch(f'band {name!r}', 'hold data', got, path, remedy)
        if name in nodata:
            value = nodata[name]
            same = own is None or own == value or (np.isnan(own) and np.isnan(value))
            if not same:
                expected = f'be that of the file, {own}'
                remedy = 'Leave that band out of nodata=..., or correct the file (gdal_edit.py)'
                raise NoDataTileError.mismatch(
                    f'nodata of band {name!r}', expected, value, path, remedy
                )
            # NumPy before 2.0 compares with the largest numbers of float32 as float64.
            held = image.dtype.type(value) if image.dtype.kind == 'f' else value
            named = np.isnan(image[index]) if np.isnan(value) else image[index] == held
            absent = absent | named
        fill(image[index], absent)
    return image


def fill(band: np.ndarray, absent: np.ndarray) -> None:
    """Give absent pixels the mean of the others, in place.

    Args:
        band: (H, W); whole numbers are rounded.
        absent: (H, W) bool, True where there are no data; a band without any data is left as it is.
    """
    if absent.any() and not absent.all():
        mean = band[~absent].mean()
        band[absent] = np.rint(mean) if band.dtype.kind in 'iu' else mean


def require_no_fill(
    image: np.ndarray, bands: Sequence[str], path: Path, nodata: Mapping[str, float]
) -> None:
    """Refuse values that stand for no data although nobody says so.

    Those of the usual fills, and one negative number in three bands or more at once.

    Args:
        image: (C, H, W), the values of the file.
        bands: names of the C bands.
        path: of the file.
        nodata: band -> value that means no data, as the user says; those are not looked at.

    Raises:
        NoDataTileError: there are such values.
    """
    if image.dtype.kind == 'u' or (image.min() >= 0 and image.max() < FILL_FROM):
        return
    alike = (image[0] < 0) & (image == image[0]).all(axis=0) & (len(image) >= ALIKE_BANDS)
    found: dict[str, str] = {}
    count = 0
    for name, values in zip(bands, image, strict=True):
        large = np.isfinite(values) & (np.abs(values) >= FILL_FROM)
        wrong = np.isin(values, _FILLS) | large | alike
        if wrong.any() and name not in nodata:
            found[name] = str(values[wrong][0])  # in the fewest digits that mean it
            count = max(count, int(wrong.sum()))
    if found:
        stated = ', '.join(f'{name!r}: {value}' for name, value in found.items())
        value = next(iter(found.values()))
        remedy = (
            f'Say so, nodata={{{stated}}} of MaskFolderDataset, or in the file '
            f'(gdal_edit.py -a_nodata {value})'
        )
        got = f'{value} in {count} px of {list(found)[:3]}'
        raise NoDataTileError.mismatch('tile', 'say what means no data', got, path, remedy)


def scaled(image: np.ndarray, said: Statement) -> np.ndarray:
    """Return the values that a file means: its numbers, times its scale, plus its offset."""
    if all(scale == 1 for scale in said.scales) and not any(said.offsets):
        return image
    scale, offset = (
        np.asarray(values[: len(image)], np.float64)[:, None, None]
        for values in (said.scales, said.offsets)
    )
    return (image * scale + offset).astype(np.float32)


def _range(values: np.ndarray) -> str:
    return f'{values.min()} to {values.max()}'
