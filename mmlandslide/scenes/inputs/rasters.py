"""Raster files.

Opened by what they hold, never by what they are called, and read in windows on a frame of their own
or another. Only GeoTIFF, JPEG 2000 and virtual rasters (VRT) are read, without side files; a VRT
may name local files of these kinds and runs no code.
"""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from defusedxml import ElementTree
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterWindow

from mmlandslide.errors import LandslideError, MissingPathError, SceneError
from mmlandslide.scenes.frame import GeoBox, Window

_GDAL = {
    'GDAL_DISABLE_READDIR_ON_OPEN': 'EMPTY_DIR',
    'GDAL_VRT_ENABLE_PYTHON': 'NO',
    'GDAL_CACHEMAX': 2**28,
}
_JPEG2000 = (b'\x00\x00\x00\x0cjP  ', b'\xff\x4f\xff\x51')
_TIFF = (b'II*\x00', b'MM\x00*', b'II+\x00', b'MM\x00+')
#: Elements of a VRT that draw on other files, and kinds of VRT that are more than a mosaic, a
#: selection or a warp of them.
_VRT_SOURCES = ('SourceFilename', 'SourceDataset')
_VRT_KINDS = ('VRTSourcedRasterBand', 'VRTWarpedRasterBand', 'VRTWarpedDataset', 'GDALWarpOptions')
_VRT_DEPTH = 4
_MAX_VRT_BYTES = 2**24


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Read under GDAL's options, and turn its errors into one that names the file.

    Raises:
        SceneError: the file cannot be read.
    """
    try:
        with rasterio.Env(**_GDAL):
            yield
    except LandslideError:
        raise
    except (
        Exception
    ) as error:  # GDAL's errors come as classes of rasterio, of its private modules and of Python
        reason = ' '.join(str(error.__cause__ or error).split())
        raise SceneError.mismatch(
            'raster file', 'be readable', repr(reason), path, 'Get the file again'
        ) from error


def driver_of(path: Path, depth: int = 0) -> str:
    """Return GDAL's driver for a file by its first bytes.

    Args:
        path: of the file.
        depth: of virtual rasters that name this file.

    Raises:
        MissingPathError: no such file.
        SceneError: another format, or a VRT that names what is not allowed.
    """
    if not path.is_file():
        raise MissingPathError.mismatch('raster file', 'exist', 'no file', path, 'Check the path')
    with path.open('rb') as file:
        start = file.read(256)
    if start.startswith(_TIFF):
        return 'GTiff'
    if start.startswith(_JPEG2000):
        return 'JP2OpenJPEG'
    if start.lstrip().startswith(b'<VRTDataset'):
        _check_vrt(path, depth)
        return 'VRT'
    remedy = 'Unpack it' if start.startswith(b'PK') else 'Convert it with `gdal_translate`'
    raise SceneError.mismatch(
        'raster file', 'be GeoTIFF, JPEG 2000 or VRT', f'first bytes {start[:12]!r}', path, remedy
    )


def _check_vrt(path: Path, depth: int) -> None:
    """Refuse a virtual raster that computes, is absurdly large or nested, or draws on anything but local raster files."""
    expected, remedy = (
        'name local GeoTIFF or JPEG 2000 files and compute nothing',
        'Build it with `gdalbuildvrt`',
    )
    if depth == _VRT_DEPTH or path.stat().st_size > _MAX_VRT_BYTES:
        raise SceneError.mismatch('VRT', expected, 'too many bytes or levels', path, remedy)
    try:
        elements = list(ElementTree.parse(path).iter())
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise SceneError.mismatch('VRT', 'be XML', repr(str(error)), path, remedy) from error
    kinds = {element.get('subClass', _VRT_KINDS[0]) for element in elements}
    if not kinds <= set(_VRT_KINDS):
        raise SceneError.mismatch('VRT', expected, sorted(kinds - set(_VRT_KINDS))[0], path, remedy)
    named = [
        (element.text or '', element.get('relativeToVRT'))
        for element in elements
        if element.tag in _VRT_SOURCES
    ]
    for name, relative in dict.fromkeys(
        named
    ):  # a mosaic of many bands names its files once a band
        driver_of(path.parent / name if relative == '1' else Path(name), depth + 1)


@dataclass
class RasterFile:
    """One file, opened anew by each thread and process that reads it, on first use.

    Attributes:
        path: of the file.
        frame: to read it on; its own by default.
        resampling: where it is warped to `frame`.
        nodata: value that means no data; what the file says by default.
        zero_is_data: keep zeros even where the file says that they mean no data.
    """

    path: Path
    frame: GeoBox | None = None
    resampling: Resampling = Resampling.bilinear
    nodata: float | None = None
    zero_is_data: bool = False
    _opened: threading.local = field(
        default_factory=threading.local, init=False, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is open."""
        return {name: value for name, value in self.__dict__.items() if name != '_opened'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start with nothing open."""
        self.__dict__.update(state, _opened=threading.local())

    @property
    def dataset(self) -> DatasetReader:
        """The open file as it is; a process that was forked opens it again."""
        if getattr(self._opened, 'process', None) != os.getpid():
            driver = driver_of(self.path)
            with reading(self.path), warnings.catch_warnings():
                warnings.simplefilter(
                    'ignore', NotGeoreferencedWarning
                )  # whoever needs a place on the map says so
                self._opened.dataset = rasterio.open(self.path.absolute(), driver=driver)
            self._opened.on_frame = self._warped(self._opened.dataset)
            self._opened.process = os.getpid()
        return self._opened.dataset

    @property
    def own_frame(self) -> GeoBox:
        """The frame that the file states."""
        return _frame_of(self.dataset, self.path)

    def _warped(self, dataset: DatasetReader) -> DatasetReader | WarpedVRT:
        if self.frame is None or self.frame.same_grid(_frame_of(dataset, self.path)):
            return dataset
        with reading(self.path):
            return WarpedVRT(
                dataset,
                src_crs=_wrapped(dataset),
                crs=self.frame.crs,
                transform=self.frame.transform,
                height=self.frame.height,
                width=self.frame.width,
                resampling=self.resampling,
                dtype='float32',
                src_nodata=self._nodata_of(dataset),
                nodata=np.nan,
            )

    @property
    def used_nodata(self) -> float | None:
        """The value that counts as no data."""
        return self._nodata_of(self.dataset)

    def _nodata_of(self, dataset: DatasetReader) -> float | None:
        stated = dataset.nodata if self.nodata is None else self.nodata
        return None if self.zero_is_data and stated == 0 else stated

    def read(self, indexes: tuple[int, ...], window: Window) -> np.ndarray:
        """Read a window.

        Args:
            indexes: of the bands, from 1.
            window: in pixels of the frame; it may reach beyond it.

        Returns:
            (C, h, w) float32 values as stored (scaled where the file states a scale), NaN where
            there are no data.

        Raises:
            MissingPathError: the file is gone.
            SceneError: it cannot be read.
        """
        row, col, height, width = window
        values = np.full((len(indexes), height, width), np.nan, np.float32)
        dataset = self.dataset
        top, left, rows, cols = (self.frame or self.own_frame).inside(window)
        if rows and cols:
            part = self._part(indexes, window=RasterWindow(left, top, cols, rows))
            values[:, top - row : top - row + rows, left - col : left - col + cols] = part
        scales, offsets = (
            np.array([stated[index - 1] for index in indexes])
            for stated in (dataset.scales, dataset.offsets)
        )
        if (scales != 1).any() or offsets.any():
            values = (values * scales[:, None, None] + offsets[:, None, None]).astype(np.float32)
        return values

    def overview(self, index: int, size_hw: tuple[int, int]) -> np.ndarray:
        """Read a band of the whole frame in few pixels, block by block or from the file's overviews where it has them.

        Args:
            index: of the band, from 1.
            size_hw: height and width of the result.

        Returns:
            (h, w) float32 means of the values as stored, NaN where there are no data.

        Raises:
            MissingPathError: the file is gone.
            SceneError: it cannot be read.
        """
        return np.asarray(
            self._part((index,), out_shape=(1, *size_hw), resampling=Resampling.average)[0]
        )

    def _part(self, indexes: tuple[int, ...], **how: Any) -> np.ndarray:
        """Return float32 values that are read inside the frame, NaN where they are not known."""
        nodata = self.used_nodata
        with reading(self.path):
            values = self._opened.on_frame.read(list(indexes), masked=not self.zero_is_data, **how)
        known = np.asarray(np.ma.filled(values.astype(np.float32), np.nan))
        known[~np.isfinite(known)] = np.nan
        if nodata is not None:
            known[known == np.float32(nodata)] = np.nan
        return known


def _wrapped(dataset: DatasetReader) -> CRS | None:
    """Return the map of a file, its longitudes going round where the file does.

    GDAL finds -179.9 in no file that holds 180.1.
    """
    left, _, right, _ = dataset.bounds
    if dataset.crs is None or not dataset.crs.is_geographic or (left >= -180 and right <= 180):
        return dataset.crs
    return CRS.from_string(f'{dataset.crs.to_proj4()} +lon_wrap={(left + right) / 2}')


def _frame_of(dataset: DatasetReader, path: Path) -> GeoBox:
    with reading(path):
        return GeoBox(dataset.height, dataset.width, dataset.transform, dataset.crs)
