"""Which file of a scene holds which band."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mmlandslide.bands import BANDS, GROUPS
from mmlandslide.errors import BandError, SceneError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inputs import sentinel2
from mmlandslide.scenes.inputs.band_names import UNUSED, canonical, require_known
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.rasters import RasterFile, reading


@dataclass(frozen=True)
class BandPlace:
    """Where one band lies.

    Attributes:
        path: of the file.
        index: of the band in it, from 1.
    """

    path: Path
    index: int = 1


@dataclass
class Catalogue:
    """The bands of a scene and what its metadata say.

    Attributes:
        name: of the scene.
        places: band -> where it lies.
        grid_path: of the file whose grid is the scene's.
        offsets: band -> digital numbers to add, where the metadata or the baseline in a name say
            so.
        quantification: digital numbers per unit of reflectance.
        acquired: UTC.
        metadata: files that say so.
        of_product: whether a product's metadata vouch for names and units.
    """

    name: str
    places: dict[str, BandPlace]
    grid_path: Path
    offsets: dict[str, float] = field(default_factory=dict)
    quantification: float = 10000.0
    acquired: datetime | None = None
    metadata: tuple[Path, ...] = ()
    of_product: bool = False


def catalogue_of(source: Path | None, options: InputOptions, asked: Sequence[str]) -> Catalogue:
    """Find the bands of a scene.

    Args:
        source: multi-band file, SAFE folder or folder of band files; `None` where
            `options.band_files` name all.
        options: of the user.
        asked: bands that the model asks for.

    Returns:
        The catalogue, with at least one band.

    Raises:
        MissingPathError: no such file.
        SceneError: a file that cannot be read, or two files for one band.
        BandError: no band, an unknown name, or names that do not fit the file.
    """
    named = _named_files(options, asked)
    if source is None:
        found = Catalogue('scene', {}, Path())
    else:
        found = _of_folder(source) if source.is_dir() else _of_raster(source, options, asked)
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
        if band in found.places:
            raise sentinel2.two_files(band, found.places[band].path, path)
        found.places[band] = BandPlace(path)
    if not found.places:
        raise BandError.mismatch(
            'scene',
            'have at least one band',
            'none',
            'the options',
            'Name a scene, or files with --band',
        )
    if source is None:
        found.name = next(iter(found.places.values())).path.stem
        found.acquired = sentinel2.date_in(found.name)
        found.offsets = sentinel2.offsets_by_name(next(iter(found.places.values())).path)
    if source is None or source.is_dir():
        found.grid_path = _finest(found.places)
    return found


def _named_files(options: InputOptions, asked: Sequence[str]) -> dict[str, Path]:
    named = {} if options.dem is None else {'DEM': Path(options.dem)}
    require_known([canonical(name) for name, _ in options.band_files], asked, '--band')
    for name, path in options.band_files:
        if canonical(name) in named:
            raise sentinel2.two_files(canonical(name), named[canonical(name)], Path(path))
        named[canonical(name)] = Path(path)
    if options.dem is not None:
        del named['DEM']  # it wins over what the scene holds
    return named


def _of_folder(folder: Path) -> Catalogue:
    product = sentinel2.find_product(folder)
    if product is None:
        expected = 'hold one Sentinel-2 product or band files such as *_B02.jp2'
        raise SceneError.mismatch(
            'folder',
            expected,
            'neither',
            folder,
            'Pass one file, or let --out name a folder, which gets a file for each tile',
        )
    places = {band: BandPlace(path) for band, path in product.files.items()}
    metadata = (product.metadata,) if product.metadata else ()
    return Catalogue(
        product.name,
        places,
        Path(),
        product.offsets,
        product.quantification,
        product.acquired,
        metadata,
        of_product=bool(metadata),
    )


def _of_raster(path: Path, options: InputOptions, asked: Sequence[str]) -> Catalogue:
    dataset = RasterFile(path).dataset
    if options.band_order is not None:
        names = [canonical(name) for name in options.band_order]
        require_known(names, asked, '--band-order')
        if len(names) != dataset.count:
            raise BandError.mismatch(
                '--band-order',
                f'name all {dataset.count} bands',
                f'{len(names)} names',
                path,
                'Name each band of the file',
            )
    else:
        with reading(path):
            names = [canonical(name or '') for name in dataset.descriptions]
    known = [name for name in names if name in (*BANDS, *asked, UNUSED)]
    if not known:
        raise BandError.mismatch(
            'descriptions of the bands',
            'name them',
            names,
            path,
            'Name them in the order of the file, such as --band-order B1,B2,B3',
        )
    if len(set(known)) != len(known):
        twice = next(name for name in known if known.count(name) > 1)
        raise BandError.mismatch(
            'band name', 'stand once', f'{twice!r} twice', path, 'Name the bands with --band-order'
        )
    places = {name: BandPlace(path, index) for index, name in enumerate(names, 1) if name in known}
    return Catalogue(
        path.stem,
        places,
        path,
        sentinel2.offsets_by_name(path),
        acquired=sentinel2.date_in(path.stem),
    )


def _finest(places: dict[str, BandPlace]) -> Path:
    """Return the file with the smallest pixels on the ground; of equals the first."""
    paths = {place.path for band, place in places.items() if band not in GROUPS['terrain']}
    frames = {path: RasterFile(path).own_frame for path in sorted(paths)}
    if not frames:
        raise SceneError.mismatch(
            'scene',
            'have a band of light',
            f'only {list(places)}',
            'the options',
            'Name the files of such bands with --band',
        )
    return min(frames, key=lambda path: round(_gsd_m(frames[path]), 3))


def _gsd_m(frame: GeoBox) -> float:
    return frame.gsd_m if frame.crs else float('inf')
