"""One reader for one tile.

HDF5, GeoTIFF, `.npy` or an image file -> (C, H, W), and its mask -> (H, W). Nothing that a file
carries is executed or followed: no pickled array, no HDF5 soft or external link, external storage
or virtual dataset, no HDF5 filter out of a plugin, no GDAL driver but GeoTIFF and none of its side
files. Shape, type and compression are looked at before the values are read.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from mmlandslide.datasets.storage import hdf5
from mmlandslide.errors import LandslideError, MissingPathError, TileError

#: Values of a tile, of a chunk and of a block; 4096 x 4096 px in four bands.
MAX_ELEMENTS = 2**26
MAX_BANDS = 2**9
HDF5 = ('.h5', '.hdf5')
TIFF = ('.tif', '.tiff')
NUMPY = ('.npy',)
IMAGE = ('.png', '.jpg', '.jpeg', '.bmp', '.webp')
PICTURE_FORMATS = ('PNG', 'JPEG', 'BMP', 'WEBP')
SUFFIXES = (*HDF5, *TIFF, *NUMPY, *IMAGE)

_FLOATS = ('float32', 'float64')
_NUMBERS = ('uint8', 'uint16', 'int16', *_FLOATS)


class UnreadableTileError(TileError):
    """The file is cut off, is of another format, or keeps its values elsewhere."""


class TileKeyError(UnreadableTileError):
    """The HDF5 file has no dataset of that name."""


class TileShapeError(TileError):
    """The array has other dimensions, bands or more values than a tile can have."""


class TileDtypeError(TileError):
    """The array has a type that would lose or change values."""


class NonFiniteTileError(TileError):
    """The image holds NaN or infinite values."""


class MaskError(TileError):
    """The mask has another size than its image, or values other than landslide and not."""


def read_image(path: Path, bands: Sequence[str], key: str = 'img') -> np.ndarray:
    """Read and check the image of one tile.

    Args:
        path: an HDF5 file with dataset `key` (H, W, C), a GeoTIFF, an `.npy` array (C, H, W), or a
            PNG, JPEG, BMP or WebP.
        bands: names of the bands, in the order of the file.
        key: of the HDF5 dataset.

    Returns:
        (C, H, W) in the type of the file and native byte order; a view with the memory order of the
        file, maybe not contiguous.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: cut off, not of its format, without `key`, or with values that lie
            outside the file.
        TileShapeError: not three dimensions, not as many bands as named, empty, or more than
            `MAX_ELEMENTS` values.
        TileDtypeError: neither float32 nor float64 (HDF5), nor an 8 or 16-bit integer (other
            formats), nor any number at all.
        NonFiniteTileError: NaN or infinite values.
    """
    array = read_array(path, key)
    array = array[..., None] if path.suffix.lower() in IMAGE and array.ndim == 2 else array
    subject = f'dataset {key!r}' if path.suffix.lower() in HDF5 else 'image'
    last = path.suffix.lower() in (*HDF5, *IMAGE)
    if array.ndim != 3 or array.shape[-1 if last else 0] != len(bands) or 0 in array.shape:
        order = '(height, width, band)' if last else '(band, height, width)'
        raise TileShapeError.mismatch(
            subject,
            f'have {len(bands)} bands as {order}',
            f'shape {array.shape}',
            path,
            f'Get the file with {len(bands)} bands, or read such tiles with MaskFolderDataset(source_bands=...)',
        )
    allowed = _FLOATS if path.suffix.lower() in HDF5 else _NUMBERS
    if array.dtype.name not in allowed:
        raise TileDtypeError.mismatch(
            subject, f'be one of {", ".join(allowed)}', array.dtype.name, path, _again(path)
        )
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        count = array.size - int(np.isfinite(array).sum())
        raise NonFiniteTileError.mismatch(
            subject,
            'hold finite values only',
            f'{count} NaN or infinite of {array.size}',
            path,
            _again(path),
        )
    return array.transpose(2, 0, 1) if last else array


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
    array = read_array(path, key)
    if array.ndim == 3 and array.shape[0] == 1 and path.suffix.lower() in (*TIFF, *NUMPY):
        array = array[0]
    subject = f'dataset {key!r}' if path.suffix.lower() in HDF5 else 'mask'
    if array.ndim != 2 or (shape_hw is not None and array.shape != tuple(shape_hw)):
        expected = (
            'have one band (height, width)'
            if shape_hw is None
            else f'have the shape {tuple(shape_hw)} of its image'
        )
        raise MaskError.mismatch(subject, expected, f'shape {array.shape}', path, _again(path))
    if array.dtype.kind not in 'biuf':
        raise MaskError.mismatch(subject, 'hold numbers', f'type {array.dtype}', path, _again(path))
    top = 255 if path.suffix.lower() in (*TIFF, *IMAGE) and array.size and array.max() == 255 else 1
    landslide = array == top
    if not (landslide | (array == 0)).all():
        strange = sorted(np.unique(array[~landslide & (array != 0)]).tolist())[:5]
        raise MaskError.mismatch(
            subject, f'hold 0 and {top} only', f'{strange}', path, _again(path)
        )
    return landslide.astype(np.uint8)


def _again(path: Path) -> str:
    """Return what to do about a broken file.

    `prepare` lists those of Landslide4Sense, which are HDF5.
    """
    check = ', or run `mmlandslide prepare --check` for a list of all such files'
    return f'Get the file again{check if path.suffix.lower() in HDF5 else ""}'


def read_array(path: Path, key: str) -> np.ndarray:
    """Return the array of a file as it lies there, in native byte order, unchecked but for its number of values.

    Args:
        path: as in `read_image`.
        key: of the HDF5 dataset.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: as in `read_image`; `TileKeyError` where an HDF5 file has no dataset
            `key`.
        TileShapeError: more than `MAX_ELEMENTS` values.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableTileError.mismatch(
            'tile file', f'end in one of {", ".join(SUFFIXES)}', repr(suffix), path, 'Convert it'
        )
    _require_file(path)
    if suffix in HDF5:
        array = _read_hdf5(path, key)
    elif suffix in TIFF:
        array = _read_tiff(path)
    elif suffix in NUMPY:
        array = _read_numpy(path)
    else:
        array = _read_picture(path)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder('='))


def _require_file(path: Path) -> None:
    """Refuse what is no file; a pipe or a device would be waited for."""
    if not path.is_file():
        raise MissingPathError.mismatch(
            'tile file', 'exist', 'no file', path, 'Put it there or take the tile out of the split'
        )


def _read_hdf5(path: Path, key: str) -> np.ndarray:
    with _reading(path, 'HDF5'):
        if hdf5.is_virtual(path):
            raise _elsewhere(key, path)
    with _reading(path, 'HDF5'), h5py.File(path, 'r', locking=False) as file:
        dataset = _own_dataset(file, key, path)
        _refuse_absurd(dataset.shape, path)
        _refuse_absurd(dataset.chunks or (), path)
        subject = f'dataset {key!r}'
        if dataset.dtype.kind not in 'biuf':
            raise TileDtypeError.mismatch(
                subject, 'hold numbers', f'type {dataset.dtype}', path, _again(path)
            )
        hazard = hdf5.hazard(dataset)
        if hazard is not None:
            raise UnreadableTileError.mismatch(
                subject, hdf5.SAFE, hazard, path, 'Save the tile without compression, or with gzip'
            )
        return np.asarray(dataset[()])


def _own_dataset(file: h5py.File, key: str, path: Path) -> h5py.Dataset:
    """Return a dataset whose values lie in this very file."""
    if key not in file.keys():  # noqa: SIM118 (`in file` would follow a link)
        raise TileKeyError.mismatch(
            'tile file',
            f'hold dataset {key!r}',
            f'keys {list(file)[:20]}',
            path,
            f'Rename the dataset to {key!r}, or get the file again',
        )
    link = file.get(key, getlink=True)
    dataset = file[key] if isinstance(link, h5py.HardLink) else None
    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.external
        or dataset.is_virtual
        or dataset.shape is None
    ):
        raise _elsewhere(key, path)
    return dataset


def _elsewhere(key: str, path: Path) -> LandslideError:
    got = 'a link, a group, external or virtual storage'
    return UnreadableTileError.mismatch(
        f'dataset {key!r}', 'keep its values in its own file', got, path, _again(path)
    )


def _read_tiff(path: Path) -> np.ndarray:
    with _reading(path, 'GeoTIFF'), warnings.catch_warnings():
        warnings.simplefilter('ignore', NotGeoreferencedWarning)
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN='EMPTY_DIR'),
            rasterio.open(path.absolute(), driver='GTiff') as source,
        ):
            if source.count > MAX_BANDS:  # GDAL takes minutes to fail on 65 thousand
                raise TileShapeError.mismatch(
                    'GeoTIFF', f'have at most {MAX_BANDS} bands', source.count, path, _again(path)
                )
            for height, width in (source.shape, *source.block_shapes):
                _refuse_absurd((source.count, height, width), path)
            return np.asarray(source.read())


def _read_numpy(path: Path) -> np.ndarray:
    with _reading(path, 'NumPy'):
        array = np.lib.format.open_memmap(
            path, mode='r'
        )  # refuses pickled objects, and a shape that the file does not hold
        _refuse_absurd(array.shape, path)
        return np.array(array)


def _read_picture(path: Path) -> np.ndarray:
    with _picture(path) as picture:
        return np.asarray(picture)


def image_hw(path: Path) -> tuple[int, int]:
    """Return height and width of an image file in px, from its header alone.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: not an image in one of `PICTURE_FORMATS`.
        TileShapeError: more than `MAX_ELEMENTS` values.
    """
    _require_file(path)
    with _picture(path) as picture:
        return picture.height, picture.width


def read_photograph(path: Path) -> np.ndarray:
    """Return an image file as red, green and blue, (3, H, W) uint8, whatever its colours are kept as (grey, CMYK, palette).

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: not an image in one of `PICTURE_FORMATS`, or cut off.
        TileShapeError: more than `MAX_ELEMENTS` values.
    """
    _require_file(path)
    with _picture(path) as picture:
        return np.asarray(picture.convert('RGB')).transpose(2, 0, 1)


@contextmanager
def _picture(path: Path) -> Iterator[Image.Image]:
    """Open an image file; nothing is decoded yet."""
    with _reading(path, 'image'), Image.open(path, formats=PICTURE_FORMATS) as picture:
        _refuse_absurd((*picture.size, len(picture.getbands())), path)
        yield picture


@contextmanager
def _reading(path: Path, form: str) -> Iterator[None]:
    """Turn whatever a library raises on a broken file into one error that names the file."""
    try:
        yield
    except LandslideError:
        raise
    except (
        Exception
    ) as error:  # decoders raise what they like on a broken file, and promise no class
        reason = ' '.join(str(error).split())
        raise UnreadableTileError.mismatch(
            'tile file', f'be readable {form}', repr(reason), path, _again(path)
        ) from error


def _refuse_absurd(shape: tuple[int, ...], path: Path) -> None:
    if math.prod(shape) > MAX_ELEMENTS:
        raise TileShapeError.mismatch(
            'tile',
            f'have at most {MAX_ELEMENTS} values',
            f'shape {shape}',
            path,
            'Cut it into smaller tiles',
        )
