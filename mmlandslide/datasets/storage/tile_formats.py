"""The formats of tile files: HDF5, GeoTIFF, `.npy`, PNG, JPEG, BMP and WebP.

Nothing that a file carries is executed or followed: no pickled array, no HDF5 soft or external
link, external storage or virtual dataset, no HDF5 filter out of a plugin, no GDAL driver but
GeoTIFF and none of its side files. Shape, type and compression are looked at before the values are
read.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning

from mmlandslide.datasets.storage.tile_errors import (
    HDF5,
    TileDtypeError,
    TileKeyError,
    TileShapeError,
    UnreadableTileError,
    again,
)
from mmlandslide.datasets.storage.tile_statement import Statement
from mmlandslide.errors import LandslideError, MissingPathError

if TYPE_CHECKING:
    import h5py

#: Values of a tile, of a chunk and of a block; 4096 x 4096 px in four bands.
MAX_ELEMENTS = 2**26
MAX_BANDS = 2**9
TIFF = ('.tif', '.tiff')
NUMPY = ('.npy',)
IMAGE = ('.png', '.jpg', '.jpeg', '.bmp', '.webp')
PICTURE_FORMATS = ('PNG', 'JPEG', 'BMP', 'WEBP')
ORIENTATION = 0x0112  # EXIF's tag
SUFFIXES = (*HDF5, *TIFF, *NUMPY, *IMAGE)

# A tile needs no place on earth; within threads `catch_warnings` would leak.
warnings.filterwarnings('ignore', category=NotGeoreferencedWarning)


def read_array(path: Path, key: str) -> np.ndarray:
    """Return the array alone; arguments and errors as in `read_stated`."""
    return read_stated(path, key)[0]


def read_stated(path: Path, key: str) -> tuple[np.ndarray, Statement]:
    """Return the array of a file, only its size checked, and what the file says of its pixels.

    Args:
        path: as in `tiles.read_image`.
        key: of the HDF5 dataset.

    Returns:
        The array in native byte order, (H, W, C) of an HDF5 or image file, (C, H, W) of others.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: as in `tiles.read_image`; `TileKeyError` where an HDF5 file has no
            dataset `key`.
        TileShapeError: more than `MAX_ELEMENTS` values.
    """
    suffix, said = path.suffix.lower(), Statement()
    if suffix not in SUFFIXES:
        raise UnreadableTileError.mismatch(
            'tile file', f'end in one of {", ".join(SUFFIXES)}', repr(suffix), path, 'Convert it'
        )
    _require_file(path)
    if suffix in HDF5:
        array = _read_hdf5(path, key)
    elif suffix in TIFF:
        array, said = _read_tiff(path)
    elif suffix in NUMPY:
        array = _read_numpy(path)
    else:
        array, said = _read_picture(path)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder('=')), said


def _require_file(path: Path) -> None:
    """Refuse what is no file; a pipe or a device would be waited for."""
    if not path.is_file():
        raise MissingPathError.mismatch(
            'tile file', 'exist', 'no file', path, 'Put it there or take the tile out of the split'
        )


def _read_hdf5(path: Path, key: str) -> np.ndarray:
    try:
        import h5py  # a light install has none
    except ImportError as error:
        raise UnreadableTileError.mismatch(
            'environment', 'have h5py for HDF5', repr(str(error)), path, 'Run `pip install h5py`'
        ) from error
    from mmlandslide.datasets.storage import hdf5

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
                subject, 'hold numbers', f'type {dataset.dtype}', path, again(path)
            )
        hazard = hdf5.hazard(dataset)
        if hazard is not None:
            raise UnreadableTileError.mismatch(
                subject, hdf5.SAFE, hazard, path, 'Save the tile without compression, or with gzip'
            )
        return np.asarray(dataset[()])


def _own_dataset(file: 'h5py.File', key: str, path: Path) -> 'h5py.Dataset':
    """Return a dataset whose values lie in this very file."""
    import h5py

    if key not in file.keys():  # noqa: SIM118 (`in file` would follow a link)
        raise TileKeyError.mismatch(
            'tile file',
            f'hold dataset {key!r}',
            f'keys {list(file)[:20]}',
            path,
            f'Rename the dataset to {key!r}, or download the file again',
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
        f'dataset {key!r}', 'keep its values in its own file', got, path, again(path)
    )


@contextmanager
def _tiff(path: Path) -> Iterator[Any]:
    """Open a GeoTIFF of sane size; no value is read yet."""
    with (
        _reading(path, 'GeoTIFF'),
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN='EMPTY_DIR'),
        rasterio.open(path.absolute(), driver='GTiff') as source,
    ):
        if source.count > MAX_BANDS:  # GDAL takes minutes to fail on 65 thousand
            raise TileShapeError.mismatch(
                'GeoTIFF', f'have at most {MAX_BANDS} bands', source.count, path, again(path)
            )
        for height, width in (source.shape, *source.block_shapes):
            _refuse_absurd((source.count, height, width), path)
        yield source


def _read_tiff(path: Path) -> tuple[np.ndarray, Statement]:
    beside = path.with_name(f'{path.name}.msk')
    if beside.exists():
        raise UnreadableTileError.mismatch(
            'GeoTIFF',
            'keep its mask inside',
            f'{beside.name} beside it',
            path,
            'Write it anew with gdal_translate --config GDAL_TIFF_INTERNAL_MASK YES',
        )
    with _tiff(path) as source:
        alpha = [band for band, kind in enumerate(source.colorinterp) if kind == ColorInterp.alpha]
        flags = {
            flag
            for flags in source.mask_flag_enums
            for flag in flags
            if MaskFlags.alpha not in flags
        }
        masked = flags & {MaskFlags.nodata, MaskFlags.per_dataset}
        said = Statement(
            nodata=source.nodatavals,
            valid=source.read_masks() > 0 if masked else None,
            alpha=alpha[0] if len(alpha) == 1 else None,
            names=source.descriptions,
            scales=source.scales,
            offsets=source.offsets,
            palette=ColorInterp.palette in source.colorinterp,
        )
        return np.asarray(source.read()), said


def _read_numpy(path: Path) -> np.ndarray:
    with _reading(path, 'NumPy'):
        array = np.lib.format.open_memmap(
            path, mode='r'
        )  # refuses pickled objects, and a shape that the file does not hold
        _refuse_absurd(array.shape, path)
        return np.array(array)


def _read_picture(path: Path) -> tuple[np.ndarray, Statement]:
    with _picture(path) as picture:
        if picture.getexif().get(ORIENTATION, 1) != 1:
            raise UnreadableTileError.mismatch(
                'image',
                'lie as its labels do',
                'a tag that turns it',
                path,
                'Save it upright, without an EXIF orientation (mogrify -auto-orient)',
            )
        array, names = np.asarray(picture), picture.getbands()
        keyed = picture.info.get('transparency')
        valid = None
        if keyed is not None and picture.mode in ('RGB', 'L'):
            valid = (np.atleast_3d(array) != np.asarray(keyed)).any(axis=2)
            valid = np.broadcast_to(valid, (len(names), *valid.shape))
        alpha = names.index('A') if 'A' in names else None
        return array, Statement(valid=valid, alpha=alpha, palette=picture.mode in ('P', 'PA'))


def image_hw(path: Path, key: str = 'img') -> tuple[int, int]:
    """Return height and width of a tile's image in px, from its header alone.

    Args:
        path: in any format of `SUFFIXES`.
        key: of the HDF5 dataset.

    Raises:
        MissingPathError: no such file.
        UnreadableTileError: not of its format.
        TileShapeError: more than `MAX_ELEMENTS` values, or no image.
    """
    _require_file(path)
    suffix = path.suffix.lower()
    if suffix in TIFF:
        with _tiff(path) as source:
            return int(source.height), int(source.width)
    if suffix in HDF5:
        height, width = _read_hdf5(path, key).shape[:2]
        return int(height), int(width)
    if suffix in NUMPY:
        height, width = _read_numpy(path).shape[-2:]
        return int(height), int(width)
    with _picture(path) as picture:
        return picture.height, picture.width


def read_photograph(path: Path) -> np.ndarray:
    """Return an image file of any colour mode (grey, CMYK, palette) as RGB, (3, H, W) uint8.

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
    except Exception as error:  # decoders promise no class of errors
        reason = ' '.join(str(error).split())
        raise UnreadableTileError.mismatch(
            'tile file', f'be readable {form}', repr(reason), path, again(path)
        ) from error


def _refuse_absurd(shape: tuple[int, ...], path: Path) -> None:
    if math.prod(shape) > MAX_ELEMENTS:
        got, remedy = f'shape {shape}', 'Cut it into smaller tiles'
        raise TileShapeError.mismatch(
            'tile', f'have at most {MAX_ELEMENTS} values', got, path, remedy
        )
