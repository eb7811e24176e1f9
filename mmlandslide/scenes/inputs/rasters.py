"""Raster files.

Opened by what they hold, never by what they are called, and read in windows on any grid: GeoTIFF,
JPEG 2000 and virtual rasters, from folders or a .zip. What a file says of itself - no data, masks
inside and beside it, transparency, scale and offset - is heeded.
"""

import os
import threading
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterWindow

from mmlandslide.datasets.storage.tile_statement import FILL_FROM
from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox, Window
from mmlandslide.scenes.inputs.formats import derived_raster
from mmlandslide.scenes.inputs.formats.bombs import require_small_blocks
from mmlandslide.scenes.inputs.formats.derived_raster import Layout, layout
from mmlandslide.scenes.inputs.formats.gdal import reading
from mmlandslide.scenes.inputs.formats.openable import Openable, openable
from mmlandslide.scenes.inputs.formats.side_files import (
    SideFacts,
    agree,
    is_masked,
    require_plain_words,
    side_facts,
    side_mask,
)


def driver_of(path: Path) -> str:
    """Return GDAL's driver for a file by its first bytes.

    Raises:
        MissingPathError: no such file.
        SceneError: another format, or a VRT that says what is not allowed.
    """
    return openable(path).driver


@dataclass
class RasterFile:
    """One file, opened anew by each thread and process that reads it, on first use.

    Attributes:
        path: of the file.
        frame: to read it on; its own by default.
        resampling: where it is warped to `frame`.
        nodata: value that means no data; what the file says by default.
        zero_is_data: keep zeros even where the file says that they mean no data.
        voids: further values that mean no data.
    """

    path: Path
    frame: GeoBox | None = None
    resampling: Resampling = Resampling.bilinear
    nodata: float | None = None
    zero_is_data: bool = False
    voids: tuple[float, ...] = ()
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
            source = self._source()
            self._opened.virtual = source.driver == 'VRT'
            self._opened.files = source.files
            with reading(self.path), warnings.catch_warnings():
                # Whoever needs a place on the map says so.
                warnings.simplefilter('ignore', NotGeoreferencedWarning)
                self._opened.dataset = self._open(source)
            self._opened.on_frame = self._warped(self._opened.dataset)
            self._opened.process = os.getpid()
        return self._opened.dataset

    def _source(self) -> Openable:
        """Return what GDAL is to open."""
        return openable(self.path)

    def _open(self, source: Openable) -> DatasetReader:
        dataset, self._opened.name = _opened(source), source.name
        require_plain_words(dataset, self.path)
        require_small_blocks(dataset, self.path)
        mask = side_mask(self.path)
        if mask is None:
            return dataset
        beside = openable(mask)
        with _opened(beside) as masks:
            if masks.shape != dataset.shape or masks.count not in (1, dataset.count):
                got = f'{masks.count} bands of {masks.shape}'
                expected = f'fit the raster ({dataset.count} bands of {dataset.shape})'
                remedy = f'Delete it, or make it again from {self.path.name}'
                raise SceneError.mismatch('mask', expected, got, mask, remedy)
            bands = masks.count
        self._opened.files = (*source.files, *beside.files)
        self._opened.virtual = True
        found = layout(source.name, dataset)
        self._opened.name = derived_raster.with_mask(found, beside.name, bands, dataset.nodata)
        return rasterio.open(self._opened.name, driver='VRT')

    @property
    def files(self) -> tuple[Path, ...]:
        """The file and those that it draws on."""
        _ = self.dataset
        found: tuple[Path, ...] = self._opened.files
        return found

    @cached_property
    def side(self) -> SideFacts:
        """What the `.aux.xml` beside the file says."""
        return side_facts(self.path)

    @property
    def own_frame(self) -> GeoBox:
        """The grid that the file states.

        Raises:
            SceneError: it has control points instead.
        """
        dataset = self.dataset
        frame = _frame_of(dataset, self.path)
        if frame.crs is None and (dataset.gcps[0] or dataset.rpcs is not None):
            got = f'{len(dataset.gcps[0])} control points' if dataset.gcps[0] else 'RPCs'
            remedy = 'Warp it with `gdalwarp`, which makes a grid of them'
            raise SceneError.mismatch(
                'raster file', 'have a grid on the map', got, self.path, remedy
            )
        return frame

    def _warped(self, dataset: DatasetReader) -> DatasetReader | WarpedVRT:
        if self.frame is None or self.frame.same_grid(_frame_of(dataset, self.path)):
            return dataset
        nodata, masked = self._nodata_of(dataset), is_masked(dataset)
        voids = [value for value in (nodata, *self.voids) if value is not None]
        with reading(self.path):
            if masked or len(voids) > 1:  # the warper heeds one statement
                found = layout(self._opened.name, dataset)
                text = derived_raster.without_voids(found, voids, masked)
                dataset, nodata = rasterio.open(text, driver='VRT'), np.nan
                self._opened.virtual = True
            return WarpedVRT(
                dataset,
                src_crs=_wrapped(dataset),
                crs=self.frame.crs,
                transform=self.frame.transform,
                height=self.frame.height,
                width=self.frame.width,
                resampling=self.resampling,
                dtype='float32',
                src_nodata=voids[0] if nodata is None and voids else nodata,
                nodata=np.nan,
            )

    @property
    def used_nodata(self) -> float | None:
        """The value that counts as no data."""
        return self._nodata_of(self.dataset)

    def _nodata_of(self, dataset: DatasetReader) -> float | None:
        stated, beside = dataset.nodata, next(iter(self.side.nodata.values()), None)
        if self.nodata is None and not agree(stated, beside):
            remedy = (
                'Name the right one: --nodata for the bands, `gdal_edit.py -a_nodata` for others'
            )
            raise SceneError.mismatch(
                'value that means no data',
                'be one in the file and in its .aux.xml',
                [stated, beside],
                self.path,
                remedy,
            )
        if self.nodata is not None:
            stated = self.nodata
        elif stated is None:
            stated = beside
        return None if self.zero_is_data and stated == 0 else stated

    def scales(self, indexes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return factors and offsets of bands, (C,) each, that the file states of its values."""
        dataset, side = self.dataset, self.side
        scales = [side.scale.get(index, dataset.scales[index - 1]) for index in indexes]
        offsets = [side.offset.get(index, dataset.offsets[index - 1]) for index in indexes]
        return np.array(scales), np.array(offsets)

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
        _ = self.dataset
        top, left, rows, cols = (self.frame or self.own_frame).inside(window)
        if rows and cols:
            part = self._part(indexes, window=RasterWindow(left, top, cols, rows))
            values[:, top - row : top - row + rows, left - col : left - col + cols] = part
        scales, offsets = self.scales(indexes)
        if (scales != 1).any() or offsets.any():
            values = (values * scales[:, None, None] + offsets[:, None, None]).astype(np.float32)
        return values

    def overview(
        self, index: int, size_hw: tuple[int, int], how: Resampling = Resampling.average
    ) -> np.ndarray:
        """Read a band of the whole frame in few pixels.

        Block by block, or from the file's overviews where it has them.

        Args:
            index: of the band, from 1.
            size_hw: height and width of the result.
            how: pixels become one: by their mean, or by the nearest where values are classes.

        Returns:
            (h, w) float32 values as stored, NaN where there are no data.

        Raises:
            MissingPathError: the file is gone.
            SceneError: it cannot be read.
        """
        return np.asarray(self._part((index,), out_shape=(1, *size_hw), resampling=how)[0])

    def _part(self, indexes: tuple[int, ...], **how: Any) -> np.ndarray:
        """Return float32 values that are read inside the frame, NaN where they are not known."""
        nodata, on_frame = self.used_nodata, self._opened.on_frame
        heeded = not self.zero_is_data or is_masked(on_frame)
        with reading(self.path, opens=self._opened.virtual):
            values = on_frame.read(list(indexes), masked=heeded, **how)
        known = np.asarray(np.ma.filled(values.astype(np.float32), np.nan))
        known[~(np.abs(known) < FILL_FROM)] = np.nan
        for void in self.voids if nodata is None else (nodata, *self.voids):
            known[known == np.float32(void)] = np.nan
        return known


def _opened(source: Openable) -> DatasetReader:
    plain = source.driver != 'VRT' and not source.name.startswith('/vsi')
    return rasterio.open(Path(source.name) if plain else source.name, driver=source.driver)


def layout_of(file: RasterFile) -> Layout:
    """Return what a virtual raster of our own needs to know of a file."""
    dataset = file.dataset
    return layout(file._opened.name, dataset)


def _wrapped(dataset: DatasetReader) -> CRS | None:
    """Return the map of a file, its longitudes going round where the file does.

    GDAL finds -179.9 in no file that holds 180.1.
    """
    left, _, right, _ = dataset.bounds
    if dataset.crs is None or not dataset.crs.is_geographic or (left >= -180 and right <= 180):
        return dataset.crs
    return CRS.from_string(f'{dataset.crs.to_proj4()} +lon_wrap={(left + right) / 2}')


def _frame_of(dataset: DatasetReader, path: Path) -> GeoBox:
    with reading(path, opens=False):
        return GeoBox(dataset.height, dataset.width, dataset.transform, dataset.crs)
