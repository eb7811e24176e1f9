"""Sentinel-2 products in SAFE format, and folders of single-band files with the same names.

ESA, Sentinel-2 Products Specification Document, sections 4.5 and 4.6 (names), 4.9.8
(`RADIO_ADD_OFFSET`). From processing baseline 04.00 (2022-01-25) on, digital numbers lie 1000
higher, so that dark pixels need no cutting at 0.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes.inputs.band_names import SENTINEL2, canonical

METADATA = re.compile(r'MTD_MSIL(1C|2A)\.xml|.*_MTD_SAFL(1C|2A)_.*\.xml')
_BASELINE = re.compile(r'_N(\d\d)(\d\d)_')
_BAND_FILE = re.compile(r'(?:.*_)?(B\d{2}|B8A|B\d)(?:_(\d\d)m)?\.(?:jp2|tiff?)', re.IGNORECASE)
_FIRST_WITH_OFFSET = (4, 0)
_MAX_METADATA_BYTES = 2**24


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
    """

    name: str
    files: dict[str, Path]
    metadata: Path | None = None
    offsets: dict[str, float] = field(default_factory=dict)
    quantification: float = 10000.0
    acquired: datetime | None = None


def find_product(folder: Path) -> Product | None:
    """Return the product in a folder (`*.SAFE`, or a granule in it down to `IMG_DATA`) or its band files; `None` where it has none.

    Raises:
        SceneError: metadata that cannot be read, a product without bands, or two files for one
            band.
    """
    metadata = _metadata_of(folder)
    if metadata is None:
        files = _finest(path for path in folder.iterdir() if path.is_file())
        offsets = offsets_by_name(next(iter(files.values()))) if files else {}
        return (
            Product(folder.name, files, offsets=offsets, acquired=date_in(folder.name))
            if files
            else None
        )
    images = folder.absolute().rglob('*.jp2')
    files = _finest(path for path in images if 'IMG_DATA' in path.parts and path.is_file())
    if not files:
        raise SceneError.mismatch(
            'product', 'hold GRANULE/*/IMG_DATA/*.jp2', 'no band', folder, 'Get the product again'
        )
    facts = _facts(metadata)
    start = facts.get('DATATAKE_SENSING_START') or facts.get('PRODUCT_START_TIME') or ''
    try:
        offsets, quantification = _offsets(facts), float(facts.get('QUANTIFICATION_VALUE', 10000.0))
        acquired = _time(start) if start else date_in(metadata.parent.name)
    except ValueError as error:
        raise SceneError.mismatch(
            'metadata', 'hold numbers', repr(str(error)), metadata, 'Get the product again'
        ) from error
    return Product(
        metadata.parent.name.removesuffix('.SAFE'),
        files,
        metadata,
        offsets,
        quantification,
        acquired,
    )


def _metadata_of(folder: Path) -> Path | None:
    """Return the metadata of the product that a folder is, or lies in under `GRANULE`."""
    own = folder.absolute()
    roots = [own, *(inner.parent for inner in (own, *own.parents) if inner.name == 'GRANULE')]
    found = [
        path
        for root in roots
        for path in sorted(root.glob('*.xml'))
        if METADATA.fullmatch(path.name)
    ]
    return found[0] if found else None


def _finest(paths: Iterable[Path]) -> dict[str, Path]:
    """Return band -> the file of its finest resolution, where names state it (level 2A holds several).

    Raises:
        SceneError: two files for one band.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(paths):
        match = _BAND_FILE.fullmatch(path.name)
        if match and canonical(match[1]) in SENTINEL2:
            band, resolution = canonical(match[1]), match[2] or ''
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


def _facts(metadata: Path) -> dict[str, str]:
    """Return the texts of the metadata by tag, `RADIO_ADD_OFFSET` and `BOA_ADD_OFFSET` with the number of their band."""
    try:
        if metadata.stat().st_size > _MAX_METADATA_BYTES:
            raise ValueError(f'more than {_MAX_METADATA_BYTES} bytes')
        elements: Iterable[Element] = list(ElementTree.parse(metadata).iter())
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise SceneError.mismatch(
            'metadata', 'be XML', repr(str(error)), metadata, 'Get the product again'
        ) from error
    facts: dict[str, str] = {}
    for element in elements:
        tag = element.tag.rpartition('}')[2]
        key = (
            f'OFFSET {element.get("band_id")}'
            if tag in ('RADIO_ADD_OFFSET', 'BOA_ADD_OFFSET')
            else tag
        )
        facts.setdefault(
            'QUANTIFICATION_VALUE' if tag == 'BOA_QUANTIFICATION_VALUE' else key,
            (element.text or '').strip(),
        )
    return facts


def _offsets(facts: dict[str, str]) -> dict[str, float]:
    """Return band -> offset: stated, or -1000 by the baseline, or 0."""
    baseline = tuple(int(part) for part in facts.get('PROCESSING_BASELINE', '0').split('.'))
    default = '-1000' if baseline >= _FIRST_WITH_OFFSET else '0'
    return {
        band: float(facts.get(f'OFFSET {number}', default)) for number, band in enumerate(SENTINEL2)
    }


def offsets_by_name(path: Path) -> dict[str, float]:
    """Return band -> offset where the names of a file or of the folders around it state a baseline that has one; else nothing."""
    for name in (path.stem, *(folder.name for folder in path.absolute().parents)):
        match = _BASELINE.search(name)
        if match:
            return (
                dict.fromkeys(SENTINEL2, -1000.0)
                if (int(match[1]), int(match[2])) >= _FIRST_WITH_OFFSET
                else {}
            )
    return {}


def level_in(name: str) -> str | None:
    """Return the level that a name states, `1C` or `2A`; `None` where it states none."""
    match = re.search(r'_(?:MSI|SAF)L(1C|2A)', name)
    return match[1] if match else None


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace('Z', '+00:00'))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def date_in(name: str) -> datetime | None:
    """Return the time in a file's name, such as `20150711T100006` or `2015-07-11` (midnight), UTC.

    `None` where there is none.
    """
    for pattern, form in ((r'\d{8}T\d{6}', '%Y%m%dT%H%M%S'), (r'\d{4}-\d\d-\d\d', '%Y-%m-%d')):
        for text in re.findall(rf'(?<!\d){pattern}(?!\d)', name):
            try:
                return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
            except ValueError:
                continue
    return None
