"""Opens scenes for a model: finds the bands that it asks for and refuses what cannot be right."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from natsort import natsorted

from mmlandslide import bands as band_table
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.storage import tiles
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.errors import BandError, MissingPathError, SceneError
from mmlandslide.scenes.inputs.assembly import assemble
from mmlandslide.scenes.inputs.band_files import find_bands
from mmlandslide.scenes.inputs.formats.packages import archive_of, is_package, local_path
from mmlandslide.scenes.inputs.formats.sentinel2 import METADATA, PARTS, product_roots
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.raster_scene import RasterScene
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.tile_scene import open_tile
from mmlandslide.scenes.scene import Scene

_DEFAULTS = InputOptions()


def open_scene(
    source: str | Path | None,
    bands: str | Sequence[str] = LANDSLIDE4SENSE,
    options: InputOptions = _DEFAULTS,
    otherwise: Sequence[str] = (),
) -> Scene:
    """Open one scene.

    Bands of 20 m and 60 m pixels, and files in other map projections, are warped to the grid of the
    scene as they are read (bilinear; elevation cubic, so that its slope has no steps; clouds by the
    nearest pixel). The grid is the multi-band file's own, or that of the finest band file: 10 m in
    Sentinel-2.

    Args:
        source: a GeoTIFF or VRT with many bands, a Sentinel-2 SAFE folder, its .zip or the metadata
            in it, a folder or .zip of band files, or one tile (HDF5, `.npy` or an image file);
            `None` where `options.band_files` name all files.
        bands: names or groups that the model asks for; only those are read.
        options: what the files do not say themselves.
        otherwise: 8-bit bands to open where the scene has not the others, or in no known unit.

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
    if otherwise:
        return _either(source, asked, band_table.names(otherwise), options)
    if source is None:
        return assemble(find_bands(None, options, asked), asked, options)
    path = _scene_path(local_path(source))
    if path.is_file() and path.suffix.lower() in (*tiles.HDF5, *tiles.NUMPY, *tiles.IMAGE):
        if is_own_picture(path):
            remedy = 'Pass the scene that it was made of'
            raise SceneError.mismatch('scene', 'be an input', 'a quick look', path, remedy)
        return open_tile(path, asked, options)
    return assemble(find_bands(path, options, asked), asked, options)


def _either(
    source: str | Path | None,
    asked: tuple[str, ...],
    otherwise: tuple[str, ...],
    options: InputOptions,
) -> Scene:
    """Open a scene with the bands asked for, else as an 8-bit picture.

    Raises:
        LandslideError: it is neither; the error is of what its names say that it is.
    """
    try:
        return open_scene(source, asked, options)
    except (BandError, SceneError) as error:
        first = error
    try:
        scene = open_scene(source, otherwise, options)
    except BandError:
        raise first from None
    except SceneError:
        if isinstance(first, BandError):
            raise
        raise first from None
    if isinstance(scene, RasterScene) and not scene.is_8_bit:
        raise first
    return scene


def _scene_path(path: Path) -> Path:
    """Return the product that a path to a part of it means, else the path.

    Raises:
        MissingPathError: there is nothing.
    """
    if not path.exists() and archive_of(path) is None:
        raise MissingPathError.mismatch('scene', 'exist', 'nothing', path, 'Check the path')
    if METADATA.fullmatch(path.name):
        return path.parent
    if PARTS.fullmatch(path.name):
        folders = [path.parent, *path.absolute().parents]
        products = (folder for folder in folders if product_roots(folder) == [folder])
        return next(products, path.parent)
    return path


def open_scenes(
    source: str | Path | None,
    bands: str | Sequence[str] = LANDSLIDE4SENSE,
    options: InputOptions = _DEFAULTS,
    otherwise: Sequence[str] = (),
) -> Iterator[Scene]:
    """Open one scene, or each product or tile of a folder, one after the other.

    Tiles come in the order of the numbers in their names.

    Args:
        source: as in `open_scene`, or a folder of products or of tiles; a GeoTIFF in it
            keeps its place on the map, a TIFF may have none.
        bands: as in `open_scene`.
        options: for each of them.
        otherwise: as in `open_scene`.

    Yields:
        The scenes.

    Raises:
        SceneError: as in `open_scene`, or a folder without any tile.
        LandslideError: as in `open_scene`.
    """
    folder = None if source is None else local_path(source)
    if folder is None or not is_package(folder):
        yield open_scene(source, bands, options, otherwise)
        return
    products = product_roots(folder)
    if products:
        for root in products:
            yield open_scene(root, bands, options, otherwise)
        return
    paths = tiles_in(folder) if folder.is_dir() else []
    if not paths:
        kinds = ', '.join(tiles.SUFFIXES)
        expected = f'hold a Sentinel-2 product, band files such as *_B02.jp2, or tiles ({kinds})'
        remedy = 'Check the path, or name the file of each band with --band B2=FILE'
        raise SceneError.mismatch('folder', expected, 'none', folder, remedy)
    for path in paths:
        plain = path.suffix.lower() in tiles.TIFF and RasterFile(path).dataset.crs is None
        yield (
            open_tile(path, band_table.names(bands), options)
            if plain
            else open_scene(path, bands, options, otherwise)
        )


def tiles_in(folder: Path) -> list[Path]:
    """Return the tiles in a folder, `image_2` before `image_10`, without what a run wrote there."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in tiles.SUFFIXES and path.is_file() and not is_own_picture(path)
    ]
    require_inside(folder, folder, found)
    return natsorted(found, key=lambda path: path.name)


def is_own_picture(path: Path) -> bool:
    """Return whether a picture is the quick look of a run: the run's record lies beside it."""
    return path.suffix.lower() == '.png' and path.with_suffix('.run.json').is_file()
