"""Opens scenes for a model: finds the bands that it asks for and refuses what cannot be right."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmlandslide import bands as band_table
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.storage import tiles
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.errors import MissingPathError, SceneError
from mmlandslide.scenes.inputs.assembly import assemble
from mmlandslide.scenes.inputs.band_files import catalogue_of
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.sentinel2 import METADATA, find_product
from mmlandslide.scenes.inputs.tile_scene import open_tile
from mmlandslide.scenes.scene import Scene

_DEFAULTS = InputOptions()


def open_scene(
    source: str | Path | None,
    bands: str | Sequence[str] = LANDSLIDE4SENSE,
    options: InputOptions = _DEFAULTS,
) -> Scene:
    """Open one scene.

    Bands of 20 m and 60 m pixels, and files in other map projections, are warped to the grid of the
    scene as they are read (bilinear; elevation cubic, so that its slope has no steps; clouds by the
    nearest pixel). The grid is the multi-band file's own, or that of the finest band file: 10 m in
    Sentinel-2.

    Args:
        source: a GeoTIFF or VRT with many bands, a Sentinel-2 SAFE folder or the metadata in it, a
            folder of band files, or one tile (HDF5, `.npy` or an image file); `None` where
            `options.band_files` name all files.
        bands: names or groups that the model asks for; only those are read.
        options: what the files do not say themselves.

    Returns:
        The scene; a few windows of it were looked at, nothing is in memory.

    Raises:
        MissingPathError: no such file or folder.
        SceneError: a file that cannot be read, without place on the map, rotated, without any data,
            a band in two files, an elevation model that does not cover the scene, or values that
            contradict names or units.
        TileError: a tile that cannot be read.
        BandError: a band that the scene lacks, or an unknown name.
        ConfigError: an option that cannot be.
    """
    asked = band_table.names(bands)
    path = None if source is None else Path(source)
    if path is None:
        return assemble(catalogue_of(None, options, asked), asked, options)
    if not path.exists():
        raise MissingPathError.mismatch('scene', 'exist', 'nothing', path, 'Check the path')
    if METADATA.fullmatch(path.name):
        path = path.parent
    if path.is_file() and path.suffix.lower() in (*tiles.HDF5, *tiles.NUMPY, *tiles.IMAGE):
        return open_tile(path, asked, options)
    return assemble(catalogue_of(path, options, asked), asked, options)


def open_scenes(
    source: str | Path | None,
    bands: str | Sequence[str] = LANDSLIDE4SENSE,
    options: InputOptions = _DEFAULTS,
) -> Iterator[Scene]:
    """Open one scene, or each tile of a folder in the order of the numbers in their names, one after the other.

    Args:
        source: as in `open_scene`, or a folder of tiles; a GeoTIFF in it keeps its place on the
            map, a TIFF may have none.
        bands: as in `open_scene`.
        options: for each of them.

    Yields:
        The scenes.

    Raises:
        SceneError: as in `open_scene`, or a folder without any tile.
        LandslideError: as in `open_scene`.
    """
    folder = None if source is None else Path(source)
    if folder is None or not folder.is_dir() or find_product(folder) is not None:
        yield open_scene(source, bands, options)
        return
    paths = _tiles_in(folder)
    if not paths:
        expected = f'hold a Sentinel-2 product, band files such as *_B02.jp2, or tiles ({", ".join(tiles.SUFFIXES)})'
        raise SceneError.mismatch('folder', expected, 'none', folder, 'Check the path')
    for path in paths:
        plain = path.suffix.lower() in tiles.TIFF and RasterFile(path).dataset.crs is None
        yield (
            open_tile(path, band_table.names(bands), options)
            if plain
            else open_scene(path, bands, options)
        )


def _tiles_in(folder: Path) -> list[Path]:
    """Return the tiles in a folder, `image_2` before `image_10`."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in tiles.SUFFIXES and path.is_file()
    ]
    require_inside(folder, folder, found)
    return sorted(
        found,
        key=lambda path: (
            [(int(part or 0), part) for part in re.split(r'\D+', path.stem)] + [(0, path.name)]
        ),
    )
