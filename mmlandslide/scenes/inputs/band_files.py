"""Which file of a scene holds which band."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rasterio.enums import ColorInterp

from mmlandslide.bands import BANDS, GROUPS
from mmlandslide.errors import BandError, SceneError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs.formats import sentinel2
from mmlandslide.scenes.inputs.formats.band_names import (
    OTHER_SENSORS,
    SKIPPED,
    UNUSED,
    band_in,
    canonical,
    in_colors,
    require_known,
)
from mmlandslide.scenes.inputs.formats.packages import is_package, local_path
from mmlandslide.scenes.inputs.formats.product_names import date_in, offsets_by_name
from mmlandslide.scenes.inputs.formats.side_files import alpha_indexes
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.rasters import RasterFile

_COLORS = {ColorInterp.red: 'R', ColorInterp.green: 'G', ColorInterp.blue: 'B'}


@dataclass(frozen=True)
class BandSource:
    """Where one band lies.

    Attributes:
        path: of the file.
        index: of the band in it, from 1.
    """

    path: Path
    index: int = 1


@dataclass
class BandFiles:
    """The bands of a scene and what its metadata say.

    Attributes:
        name: of the scene.
        sources: band -> where it lies.
        grid_path: of the file whose grid is the scene's.
        offsets: band -> digital numbers to add, where the metadata or the baseline in a name say
            so.
        quantification: digital numbers per unit of reflectance.
        acquired: UTC.
        metadata: files that say so.
        of_product: whether a product's metadata vouch for names and units.
        unknown: what the file calls bands that are not known.
        classification: file that tells clouds from ground, and its kind.
    """

    name: str
    sources: dict[str, BandSource]
    grid_path: Path
    offsets: dict[str, float] = field(default_factory=dict)
    quantification: float = 10000.0
    acquired: datetime | None = None
    metadata: tuple[Path, ...] = ()
    of_product: bool = False
    unknown: tuple[str, ...] = ()
    classification: tuple[Path, str] | None = None


def find_bands(source: Path | None, options: InputOptions, asked: Sequence[str]) -> BandFiles:
    """Find the bands of a scene.

    Args:
        source: multi-band file, SAFE folder or .zip, or folder of band files; `None` where
            `options.band_files` name all.
        options: of the user.
        asked: bands that the model asks for.

    Returns:
        At least one band.

    Raises:
        MissingPathError: no such file.
        SceneError: a file that cannot be read, or two files for one band.
        BandError: no band, an unknown name, or names that do not fit the file.
    """
    named = _named_files(options, asked)
    if source is None:
        found = BandFiles('scene', {}, Path())
    else:
        found = _of_folder(source) if is_package(source) else _of_raster(source, options, asked)
    for band, path in named.items():
        count = RasterFile(path).dataset.count
        if count != 1:
            raise BandError.mismatch(
                f'file of {band}',
                'have one band',
                f'{count} bands',
                path,
                'Pass it as the scene instead',
            )
        if band in found.sources:
            raise sentinel2.two_files(band, found.sources[band].path, path)
        found.sources[band] = BandSource(path)
    if not found.sources:
        raise BandError.mismatch(
            'scene',
            'have at least one band',
            'none',
            'the options',
            'Name a scene, or files with --band',
        )
    if source is None:
        first = next(iter(found.sources.values())).path
        found.name, found.acquired = first.stem, date_in(first.stem)
        found.offsets = offsets_by_name(first)
    if source is None or is_package(source):
        found.grid_path = _finest(found.sources)
    return found


def _named_files(options: InputOptions, asked: Sequence[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    require_known([canonical(name) for name, _ in options.band_files], asked, '--band')
    for name, given in options.band_files:
        band, path = canonical(name), local_path(given)
        if band == 'DEM' and options.dem is not None:
            raise sentinel2.two_files(band, options.dem_paths[0], path)
        if band in named:
            raise sentinel2.two_files(band, named[band], path)
        named[band] = path
    return named


def _of_folder(folder: Path) -> BandFiles:
    product = sentinel2.find_product(folder)
    if product is None:
        remedy = (
            'Name the file of each band, such as --band B2=FILE --band B3=FILE; or pass one file; '
            'or let --out name a folder, which gets a file for each tile'
        )
        expected = 'hold one Sentinel-2 product or band files such as *_B02.jp2'
        raise SceneError.mismatch('folder', expected, 'neither', folder, remedy)
    metadata = (product.metadata,) if product.metadata else ()
    return BandFiles(
        product.name,
        {band: BandSource(path) for band, path in product.files.items()},
        Path(),
        product.offsets,
        product.quantification,
        product.acquired,
        metadata,
        of_product=bool(metadata),
        classification=product.classification,
    )


def _of_raster(path: Path, options: InputOptions, asked: Sequence[str]) -> BandFiles:
    file = RasterFile(path)
    said = (
        _ordered(file, options, asked)
        if options.band_order is not None
        else _described(file, asked)
    )
    known = {index: name for index, name in said.items() if name in (*BANDS, *asked, UNUSED)}
    if not known:
        remedy = (
            'Name them in the order of the file, such as --band-order B1,B2,B3, '
            f'and a band that is not to be read {SKIPPED}'
        )
        raise BandError.mismatch(
            'descriptions of the bands', 'name them', list(said.values()), path, remedy
        )
    names = list(known.values())
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        remedy = f'Name the bands with --band-order, and a band that is not to be read {SKIPPED}'
        raise BandError.mismatch('band name', 'stand once', f'{twice!r} twice', path, remedy)
    return BandFiles(
        path.stem,
        {name: BandSource(path, index) for index, name in known.items()},
        path,
        offsets_by_name(path),
        acquired=date_in(path.stem),
        unknown=tuple(
            name for index, name in said.items() if index not in known and name not in ('', SKIPPED)
        ),
    )


def _ordered(file: RasterFile, options: InputOptions, asked: Sequence[str]) -> dict[int, str]:
    """Return index -> name of the bands as the user names them; those of opacity need no name."""
    names = [canonical(name) for name in options.band_order or ()]
    require_known(names, asked, '--band-order')
    count, alpha = file.dataset.count, alpha_indexes(file.dataset)
    if len(names) not in (count, count - len(alpha)):
        raise BandError.mismatch(
            '--band-order',
            f'name all {count} bands',
            f'{len(names)} names',
            file.path,
            f'Name each band of the file, and one that is not to be read {SKIPPED}',
        )
    skipped = alpha if len(names) < count else ()
    indexes = [index for index in range(1, count + 1) if index not in skipped]
    return dict(zip(indexes, names, strict=True))


def _described(file: RasterFile, asked: Sequence[str]) -> dict[int, str]:
    """Return index -> name of the bands as the file describes them, else by their colours.

    Raises:
        BandError: numbers of bands in a file that another sensor's name is on.
    """
    dataset, alpha = file.dataset, alpha_indexes(file.dataset)
    side = file.side.description
    texts = [text or side.get(index, '') for index, text in enumerate(dataset.descriptions, 1)]
    if OTHER_SENSORS.search(file.path.stem) and any(map(band_in, texts)):
        remedy = "Name each band by Sentinel-2's of its wavelength, such as --band-order "
        remedy += "B1,B2,B3,B4,B8,B11,B12 for Landsat 8's first seven"
        got = f'{texts[:9]} of another sensor'
        raise BandError.mismatch('band names', "be Sentinel-2's", got, file.path, remedy)
    said = {index: canonical(text) for index, text in enumerate(texts, 1) if index not in alpha}
    if not any(said.values()):
        colors = {
            index: _COLORS[kind]
            for index, kind in enumerate(dataset.colorinterp, 1)
            if kind in _COLORS
        }
        if set(colors.values()) <= set(asked):
            said |= colors
    return dict(zip(said, in_colors(list(said.values()), asked), strict=True))


def _finest(sources: dict[str, BandSource]) -> Path:
    """Return the file with the smallest pixels on the ground; of equals the first."""
    paths = {source.path for band, source in sources.items() if band not in GROUPS['terrain']}
    frames = {path: RasterFile(path).own_frame for path in sorted(paths)}
    if not frames:
        raise SceneError.mismatch(
            'scene',
            'have an optical band',
            f'only {list(sources)}',
            'the options',
            'Name the files of such bands with --band',
        )
    return min(frames, key=lambda path: round(_gsd_m(frames[path]), 3))


def _gsd_m(frame: GeoBox) -> float:
    return frame.gsd_m if frame.crs else float('inf')
