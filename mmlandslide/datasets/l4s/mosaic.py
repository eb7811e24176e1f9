"""The four scenes put together again: GeoTIFFs in pixel coordinates, written tile by tile."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from mmlandslide.datasets.l4s.copies import HDF5, TileCopy
from mmlandslide.datasets.l4s_grid import GSD_M, TILE_PX, GridScene, position_of
from mmlandslide.errors import StorageError, TileError
from mmlandslide.files import replacing

#: Of a mask where a tile is missing or not labelled.
MASK_NODATA = 255
#: x = column, y = -row in px, so that a map shows the scene upright and objects lie on it.
PIXELS = Affine(1, 0, 0, 0, -1, 0)
_BLOCK_MULTIPLE = 16  # TIFF's own


@dataclass(frozen=True)
class Mosaic:
    """Files of one scene.

    Attributes:
        scene: its letter.
        image_path: bands by name; no data where a tile is missing.
        mask_path: 1 = landslide, 0 = none, 255 = no tile or not labelled; `None` for RGB tiles,
            which have boxes.
        tiles: that were there.
        missing: that were not.
    """

    scene: str
    image_path: Path
    mask_path: Path | None
    tiles: int
    missing: int


def write_mosaic(
    copy: TileCopy,
    scene: GridScene,
    folder: Path,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Mosaic:
    """Put the tiles of a scene together; one tile is held at a time.

    Args:
        copy: of the tiles; it holds at least one of the scene.
        scene: which.
        folder: to write `scene_a.tif` and, where there are masks, `scene_a_mask.tif` into.
        progress: wraps the numbers while tiles are read.

    Returns:
        The files: HDF5 tiles as float32 in Landslide4Sense units with NaN, RGB tiles as uint8 with
        a validity mask, where a tile is missing. Values are those of the tiles, bit for bit.

    Raises:
        TileError: a broken tile, one of another size, or a size that no TIFF block can have.
        StorageError: the files cannot be written.
    """
    numbers = [number for number in scene.numbers if number in copy.images]
    image_path = folder / f'scene_{scene.name.lower()}.tif'
    labelled = copy.form == HDF5 and any(number in copy.truths for number in numbers)
    with _writer(image_path, copy, scene, _image_options(copy)) as target:
        target.descriptions = copy.bands
        for number in progress(numbers):
            window = window_of(number, copy.tile_px)
            target.write(copy.image(number), window=window)
            if copy.form != HDF5:
                valid = np.full((copy.tile_px, copy.tile_px), 255, np.uint8)
                target.write_mask(valid, window=window)
    mask_path = folder / f'scene_{scene.name.lower()}_mask.tif' if labelled else None
    if mask_path is not None:
        options = {'count': 1, 'dtype': 'uint8', 'nodata': MASK_NODATA}
        with _writer(mask_path, copy, scene, options) as target:
            target.descriptions = ('landslide',)
            for number in numbers:
                mask = copy.mask(number)
                if mask is not None:
                    target.write(mask, 1, window=window_of(number, copy.tile_px))
    missing = len(scene.numbers) - len(numbers)
    return Mosaic(scene.name, image_path, mask_path, len(numbers), missing)


def window_of(number: int, tile_px: int) -> Window:
    """Return the window of a tile in its scene.

    Args:
        number: of the tile.
        tile_px: side of a tile.
    """
    _, row, column = position_of(number)
    return Window(column * tile_px, row * tile_px, tile_px, tile_px)


def _image_options(copy: TileCopy) -> dict[str, Any]:
    if copy.form == HDF5:
        return {'count': len(copy.bands), 'dtype': 'float32', 'nodata': np.nan, 'predictor': 3}
    return {'count': len(copy.bands), 'dtype': 'uint8', 'photometric': 'RGB', 'predictor': 2}


@contextmanager
def _writer(
    path: Path, copy: TileCopy, scene: GridScene, options: dict[str, Any]
) -> Iterator[DatasetWriter]:
    """Open a GeoTIFF whose blocks are the tiles, so that none is written twice."""
    px = copy.tile_px
    if px % _BLOCK_MULTIPLE:
        remedy = 'Resize the tiles, or name a copy as published'
        expected = f'have a side that is a multiple of {_BLOCK_MULTIPLE} px'
        raise TileError.mismatch('tile', expected, px, copy.root, remedy)
    profile = {
        'driver': 'GTiff',
        'width': scene.columns * px,
        'height': scene.rows * px,
        'transform': PIXELS,
        'tiled': True,
        'blockxsize': px,
        'blockysize': px,
        'interleave': 'pixel',
        'compress': 'deflate',
        'zlevel': 1,
        'bigtiff': 'IF_SAFER',
        'sparse_ok': True,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            warnings.catch_warnings(),
            replacing(path) as temporary,
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        ):
            warnings.simplefilter('ignore', NotGeoreferencedWarning)
            with rasterio.open(temporary, 'w', **profile, **options) as target:
                target.update_tags(
                    landslide4sense_scene=scene.name, gsd_m=f'{GSD_M * TILE_PX / px:g}'
                )
                yield target
    except RasterioError as error:
        remedy = 'Free space or allow writing there'
        got = repr(str(error.__cause__ or error))
        raise StorageError.mismatch('GeoTIFF', 'be written whole', got, path, remedy) from error
