"""One reader for one tile: a file of any of `tile_formats` -> (C, H, W), its mask -> (H, W)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mmlandslide.datasets.storage.tile_errors import (
    HDF5,
    MaskError,
    NonFiniteTileError,
    TileDtypeError,
    TileKeyError,
    TileShapeError,
    UnreadableTileError,
    again,
)
from mmlandslide.datasets.storage.tile_formats import (
    IMAGE,
    MAX_ELEMENTS,
    NUMPY,
    SUFFIXES,
    TIFF,
    image_hw,
    read_array,
    read_photograph,
    read_stated,
)
from mmlandslide.datasets.storage.tile_statement import (
    Statement,
    filled,
    require_no_fill,
    require_order,
    scaled,
    without_alpha,
)

__all__ = [
    'HDF5',
    'IMAGE',
    'MAX_ELEMENTS',
    'NUMPY',
    'SUFFIXES',
    'TIFF',
    'MaskError',
    'NonFiniteTileError',
    'TileDtypeError',
    'TileKeyError',
    'TileShapeError',
    'UnreadableTileError',
    'image_hw',
    'read_array',
    'read_image',
    'read_mask',
    'read_photograph',
]

_FLOATS = ('float32', 'float64')
_NUMBERS = ('uint8', 'uint16', 'int16', *_FLOATS)


def read_image(
    path: Path,
    bands: Sequence[str],
    key: str = 'img',
    nodata: Mapping[str, float] = MappingProxyType({}),
) -> np.ndarray:
    """Read and check the image of one tile.

    Args:
        path: an HDF5 file with dataset `key` (H, W, C), a GeoTIFF, an `.npy` array (C, H, W), or a
            PNG, JPEG, BMP or WebP.
        bands: names of the bands, in the order of the file.
        key: of the HDF5 dataset.
        nodata: band -> value that means no data there, beside what the file itself says.

    Returns:
        (C, H, W) in the type of the file and native byte order, of a scaled file float32; a view
        with the memory order of the file, maybe not contiguous. Pixels without data, by `nodata` or
        as the file says (nodata tag, mask, alpha band), hold the mean of their band's others.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: cut off, not of its format, without `key`, or with values that lie
            outside the file.
        TileShapeError: not three dimensions, not as many bands as named, empty, or more than
            `MAX_ELEMENTS` values.
        TileDtypeError: neither float32 nor float64 (HDF5), nor an 8 or 16-bit integer (other
            formats), nor any number at all.
        NonFiniteTileError: NaN or infinite values.
        NoDataTileError: a band without any data, `nodata` that contradicts the file, or values that
            stand for no data although nobody says so.
        TileError: an alpha band that is data, or bands that the file names in another order.
    """
    array, said = read_stated(path, key)
    last = path.suffix.lower() in (*HDF5, *IMAGE)
    array = array[..., None] if path.suffix.lower() in IMAGE and array.ndim == 2 else array
    subject = f'dataset {key!r}' if path.suffix.lower() in HDF5 else 'image'
    shape = array.shape
    if array.ndim == 3:
        array = array.transpose(2, 0, 1) if last else array
        array, said = without_alpha(array, said, bands, path)
    if array.ndim != 3 or len(array) != len(bands) or 0 in array.shape:
        order = '(height, width, band)' if last else '(band, height, width)'
        remedy = 'Name as many bands as the file has in source_bands of the data set, '
        remedy += f'or save it with {len(bands)}'
        if path.suffix.lower() in HDF5:
            remedy = f'Download the file with {len(bands)} bands, or read such tiles with Mask'
            remedy += 'FolderDataset(source_bands=...)'
        expected = f'have {len(bands)} bands as {order}'
        raise TileShapeError.mismatch(subject, expected, f'shape {shape}', path, remedy)
    allowed = _FLOATS if path.suffix.lower() in HDF5 else _NUMBERS
    if array.dtype.name not in allowed:
        expected = f'be one of {", ".join(allowed)}'
        raise TileDtypeError.mismatch(subject, expected, array.dtype.name, path, again(path))
    require_order(said, bands, path)
    array = filled(array, said, bands, path, nodata)
    require_no_fill(array, bands, path, nodata)
    array = scaled(array, said)
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        count = array.size - int(np.isfinite(array).sum())
        raise NonFiniteTileError.mismatch(
            subject,
            'hold finite values only',
            f'{count} NaN or infinite of {array.size}',
            path,
            again(path)
            if path.suffix.lower() in HDF5
            else 'Say so where they mean no data: nodata={band: float("nan")}',
        )
    return array


def read_mask(path: Path, key: str = 'mask', shape_hw: tuple[int, int] | None = None) -> np.ndarray:
    """Read and check the landslide mask of one tile.

    Args:
        path: in any format that `read_image` reads, with one band.
        key: of the HDF5 dataset, (H, W).
        shape_hw: size of the image that the mask belongs to, px.

    Returns:
        (H, W) uint8, 1 = landslide, 0 = not.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: as in `read_image`.
        TileShapeError: more than `MAX_ELEMENTS` values.
        TileDtypeError: an HDF5 dataset of anything but numbers.
        MaskError: not one band, another size than the image, or values other than 0 and 1 (an image
            file may hold 0 and 255).
    """
    array, said = read_stated(path, key)
    if said.alpha is not None and array.ndim == 3 and 2 in array.shape:
        array = array.transpose(2, 0, 1) if path.suffix.lower() in IMAGE else array
        array, said = without_alpha(array, replace(said, palette=False), ['mask'], path)
        array = array[0]
    if array.ndim == 3 and array.shape[0] == 1 and path.suffix.lower() in (*TIFF, *NUMPY):
        array = array[0]
    subject = f'dataset {key!r}' if path.suffix.lower() in HDF5 else 'mask'
    if array.ndim != 2 or (shape_hw is not None and array.shape != tuple(shape_hw)):
        expected = (
            'have one band (height, width)'
            if shape_hw is None
            else f'have the shape {tuple(shape_hw)} of its image'
        )
        raise MaskError.mismatch(subject, expected, f'shape {array.shape}', path, again(path))
    if array.dtype.kind not in 'biuf':
        raise MaskError.mismatch(subject, 'hold numbers', f'type {array.dtype}', path, again(path))
    if said.valid is not None:
        _require_labels(array, said, subject, path)
    top = 255 if path.suffix.lower() in (*TIFF, *IMAGE) and array.size and array.max() == 255 else 1
    landslide = array == top
    if not (landslide | (array == 0)).all():
        strange = sorted(np.unique(array[~landslide & (array != 0)]).tolist())[:5]
        raise MaskError.mismatch(subject, f'hold 0 and {top} only', f'{strange}', path, again(path))
    return landslide.astype(np.uint8)


def _require_labels(mask: np.ndarray, said: Statement, subject: str, path: Path) -> None:
    """Refuse pixels that the mask's file says are no data, unless they hold 0: no landslide."""
    valid = np.asarray(said.valid).reshape(-1, *mask.shape)[0]
    unlabelled = int((~valid & (mask != 0)).sum())
    if unlabelled:
        own = next((value for value in said.nodata if value is not None), 'a mask of its own')
        raise MaskError.mismatch(
            subject,
            'say of every pixel whether it is landslide',
            f'{unlabelled} px without data (nodata: {own})',
            path,
            'Write landslide as 1 and all else as 0, without a nodata tag '
            '(gdal_edit.py -unsetnodata)',
        )
