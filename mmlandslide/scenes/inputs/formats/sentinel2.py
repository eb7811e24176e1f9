"""Sentinel-2 products in SAFE format, and folders of single-band files with such names.

ESA, Sentinel-2 Products Specification Document, sections 4.5 and 4.6 (names), 4.9.8
(`RADIO_ADD_OFFSET`). From processing baseline 04.00 (2022-01-25) on, digital numbers lie 1000
higher, so that dark pixels need no cutting at 0; every official product lists these offsets.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes.inputs.formats.band_names import (
    OTHER_SENSORS,
    band_in,
    common_band_in,
)
from mmlandslide.scenes.inputs.formats.packages import archive_of, files_under
from mmlandslide.scenes.inputs.formats.product_metadata import read_metadata
from mmlandslide.scenes.inputs.formats.product_names import date_in, offsets_by_name

METADATA = re.compile(
    r'MTD_MSIL(1C|2A)\.xml|.*_MTD_SAFL(1C|2A)_.*\.xml|product_metadata\.xml', re.IGNORECASE
)
#: Files of a product that users take for its metadata.
PARTS = re.compile(r'manifest\.safe|MTD_TL\.xml|INSPIRE\.xml|MTD_DS\.xml', re.IGNORECASE)
_RASTERS = ('.jp2', '.tif', '.tiff')
_RESOLUTION = re.compile(r'_(\d\d)m(?![A-Za-z0-9])')
#: Names of classifications that come with a product -> kind of cloud mask, the best first.
_CLASSIFICATIONS = {
    'scl': re.compile(r'(?:.*[^A-Za-z0-9])?SCL(?:_(\d\d)m)?', re.IGNORECASE),
    'fmask': re.compile(r'.*\.Fmask', re.IGNORECASE),
    'msk_classi': re.compile(r'MSK_CLASSI_B00', re.IGNORECASE),
}


@dataclass(frozen=True)
class Product:
    """One product, or one folder of band files.

    Attributes:
        name: of the product.
        files: band -> file of its finest resolution.
        metadata: of the product; `None` for a bare folder.
        offsets: band -> what is to be added to its digital numbers; empty where nothing says so.
        quantification: digital numbers per unit of reflectance.
        acquired: UTC; `None` where nothing says so.
        classification: file that tells clouds from ground, and its kind; `None` without one.
    """

    name: str
    files: dict[str, Path]
    metadata: Path | None = None
    offsets: dict[str, float] = field(default_factory=dict)
    quantification: float = 10000.0
    acquired: datetime | None = None
    classification: tuple[Path, str] | None = None


def find_product(folder: Path) -> Product | None:
    """Return the one product in a folder or .zip, or its band files; `None` where it has none.

    A product is a `*.SAFE`, a granule in it down to `IMG_DATA`, or lies up to two folders down.

    Raises:
        SceneError: several products, metadata that cannot be read, a product without bands, or two
            files for one band.
    """
    roots = product_roots(folder)
    if len(roots) > 1:
        names = [root.name for root in roots]
        remedy = 'Pass one of them, or let --out name a folder, which gets a file for each'
        raise SceneError.mismatch('folder', 'hold one product', names, folder, remedy)
    if not roots:
        return None
    [root] = roots
    metadata = _metadata_of(root)
    return _bare(root) if metadata is None else _of_metadata(root, metadata)


def product_roots(folder: Path) -> list[Path]:
    """Return the folders of products, or of band files, in a folder or .zip.

    Itself where it is one; else those up to two folders down, and the products that are a .zip.
    """
    if archive_of(folder) is not None:
        return _roots_in_archive(folder)
    if _metadata_of(folder) is not None or _band_files(folder.iterdir()):
        return [folder]
    found = {
        path.parent for depth in ('*/*.xml', '*/*/*.xml') for path in _metadata(folder.glob(depth))
    }
    archives = [path for path in sorted(folder.glob('*.zip')) if path.is_file()]
    packed = [root for path in archives for root in _roots_in_archive(path)]
    inner = [each for each in found if not any(other in each.parents for other in found)]
    if found or packed:
        return sorted([*inner, *packed])
    bare = sorted(
        path for path in folder.iterdir() if path.is_dir() and _band_files(path.iterdir())
    )
    return bare if len(bare) == 1 else []


def _roots_in_archive(folder: Path) -> list[Path]:
    paths = files_under(folder)
    found = sorted({path.parent for path in _metadata(paths)})
    if found:
        return found
    bands = [path.parent for path in paths if _band_of(path)]
    return sorted(set(bands), key=lambda path: len(path.parts))[:1]


def _metadata(paths: Iterable[Path]) -> list[Path]:
    return sorted(path for path in paths if METADATA.fullmatch(path.name))


def _metadata_of(folder: Path) -> Path | None:
    """Return the metadata of the product that a folder is, or lies in under `GRANULE`."""
    if archive_of(folder) is not None:
        found = [
            path for path in _metadata(files_under(folder)) if path.parent == folder.absolute()
        ]
        return found[0] if found else None
    own = folder.absolute()
    roots = [own, *(inner.parent for inner in (own, *own.parents) if inner.name == 'GRANULE')]
    found = [path for root in roots for path in _metadata(root.glob('*.xml'))]
    return found[0] if found else None


def _bare(folder: Path) -> Product:
    """Return the band files of a folder without metadata."""
    inside = archive_of(folder) is not None
    paths = files_under(folder) if inside else sorted(folder.iterdir())
    paths = [path for path in paths if path.parent == folder.absolute()] if inside else paths
    _refuse_other_sensors(paths, folder)
    files = _finest(path for path in paths if inside or path.is_file())
    first = next(iter(files.values()))
    return Product(
        folder.name.removesuffix('.zip'),
        files,
        offsets=offsets_by_name(first),
        acquired=date_in(folder.name) or date_in(first.stem),
        classification=_classification(paths),
    )


def _of_metadata(folder: Path, metadata: Path) -> Product:
    paths = files_under(folder)
    images = [path for path in paths if 'IMG_DATA' in path.parts]
    files = _finest(images or [path for path in paths if path.parent == metadata.parent])
    if not files:
        expected = 'hold GRANULE/*/IMG_DATA/*.jp2 or .tif'
        remedy = 'Unpack or download the whole product'
        raise SceneError.mismatch('product', expected, 'no band', folder, remedy)
    facts = read_metadata(metadata)
    return Product(
        metadata.parent.name.removesuffix('.SAFE'),
        files,
        metadata,
        facts.offsets,
        facts.quantification,
        facts.acquired or date_in(metadata.parent.name),
        _classification(paths),
    )


def _classification(paths: Iterable[Path]) -> tuple[Path, str] | None:
    """Return the file that tells clouds from ground, of its finest resolution, and its kind."""
    rasters = sorted(path for path in paths if path.suffix.lower() in _RASTERS)
    for kind, pattern in _CLASSIFICATIONS.items():
        found = [path for path in rasters if pattern.fullmatch(path.stem)]
        if found:
            return found[0], kind
    return None


def _band_of(path: Path) -> str | None:
    """Return the band that a single-band file holds by its name."""
    if path.suffix.lower() not in _RASTERS:
        return None
    return band_in(path.stem) or common_band_in(path.stem)


def _band_files(paths: Iterable[Path]) -> bool:
    return any(_band_of(path) or _foreign_band(path) for path in paths)


def _foreign_band(path: Path) -> bool:
    """Return whether a file holds a band of a sensor whose numbers mean other wavelengths."""
    named = OTHER_SENSORS.search(path.stem) and re.search(r'(?<![A-Za-z0-9])B\d', path.stem)
    return path.suffix.lower() in _RASTERS and bool(named)


def _refuse_other_sensors(paths: Iterable[Path], folder: Path) -> None:
    foreign = sorted(path.name for path in paths if _foreign_band(path))
    if foreign:
        remedy = "Name each band by Sentinel-2's of its wavelength, such as --band B8=..._B05.tif"
        raise SceneError.mismatch(
            'band files', "be Sentinel-2's", f'{foreign[0]}, of another sensor', folder, remedy
        )


def _finest(paths: Iterable[Path]) -> dict[str, Path]:
    """Return band -> the file of its finest resolution, where names state it.

    Level 2A holds several.

    Raises:
        SceneError: two files for one band.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(paths):
        band = _band_of(path)
        if band is not None:
            stated = _RESOLUTION.search(path.stem)
            resolution = stated[1] if stated else ''
            if resolution in found.setdefault(band, {}):
                raise two_files(band, found[band][resolution], path)
            found[band][resolution] = path
    return {band: resolutions[min(resolutions)] for band, resolutions in found.items()}


def two_files(band: str, first: Path, second: Path) -> LandslideError:
    """Return the error for a band that two files claim to hold."""
    got = (
        f'{first.name} and {second.name}' if first.name != second.name else f'{first} and {second}'
    )
    remedy = 'Name one of them; of a product with several granules pass the folder of one'
    return SceneError.mismatch(f'band {band}', 'come from one file', got, second.parent, remedy)
