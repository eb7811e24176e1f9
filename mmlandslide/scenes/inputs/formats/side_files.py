"""What a raster, and GDAL's files beside it, say of where data are.

Beside it lie `.aux.xml` (a few facts) and `.msk` (its mask).

GDAL itself never reads them here: an `.aux.xml` may name any file or URL.
"""

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from mmlandslide.errors import SceneError

_MAX_BYTES = 2**24
#: Metadata that lead GDAL from a file of any format to another file or URL.
_LEADS_AWAY = {'OVERVIEWS': 'OVERVIEW_FILE', 'GEOLOCATION': 'X_DATASET'}


@dataclass(frozen=True)
class SideFacts:
    """What an `.aux.xml` says, by index of the band from 1.

    Attributes:
        nodata: value that means no data.
        scale: factor of the values.
        offset: added to them after the factor.
        description: name of the band.
    """

    nodata: dict[int, float] = field(default_factory=dict)
    scale: dict[int, float] = field(default_factory=dict)
    offset: dict[int, float] = field(default_factory=dict)
    description: dict[int, str] = field(default_factory=dict)


def side_facts(path: Path) -> SideFacts:
    """Return what the `.aux.xml` beside a raster says; nothing where there is none.

    Raises:
        SceneError: it is no XML, or says what is no number.
    """
    facts, side = SideFacts(), path.with_name(f'{path.name}.aux.xml')
    if not side.is_file():
        return facts
    found = {'NoDataValue': facts.nodata, 'Scale': facts.scale, 'Offset': facts.offset}
    try:
        if side.stat().st_size > _MAX_BYTES:
            raise ValueError(f'more than {_MAX_BYTES} bytes')
        for band in ElementTree.parse(side).getroot().iter('PAMRasterBand'):
            index = int(band.get('band', '1'))
            for tag, values in found.items():
                if band.find(tag) is not None:
                    values[index] = float(band.findtext(tag) or 'nan')
            if band.findtext('Description'):
                facts.description[index] = str(band.findtext('Description'))
    except (ParseError, LookupError, ValueError, DefusedXmlException) as error:
        remedy = 'Delete it, or make it again with `gdal_edit.py`'
        raise SceneError.mismatch(
            'file beside the raster', 'be readable', repr(str(error)), side, remedy
        ) from error
    return facts


def side_mask(path: Path) -> Path | None:
    """Return the mask beside a raster; `None` where there is none."""
    beside = path.with_name(f'{path.name}.msk')
    return beside if beside.is_file() else None


def require_plain_words(dataset: DatasetReader, path: Path) -> None:
    """Refuse a raster whose metadata lead to other files, or are no text.

    What GDAL finds wrong with its keys comes out here too, and not when a band is looked up.

    Raises:
        SceneError: they lead to another file.
        Exception: GDAL's, for `gdal.reading`.
    """
    _ = dataset.colorinterp, dataset.descriptions, dataset.units
    for domain, item in _LEADS_AWAY.items():
        if item in dataset.tags(ns=domain):
            raise SceneError.mismatch(
                'raster file',
                'say nothing of other files',
                f'{item} in its metadata',
                path,
                'Write it anew with `gdal_translate -nomd`',
            )


def alpha_indexes(dataset: DatasetReader) -> tuple[int, ...]:
    """Return the bands of a file that say how opaque the others are, from 1."""
    return tuple(
        index for index, kind in enumerate(dataset.colorinterp, 1) if kind == ColorInterp.alpha
    )


def is_masked(dataset: DatasetReader) -> bool:
    """Return whether a mask or transparency says where data are, beside any value."""
    flags = {flag for band in dataset.mask_flag_enums for flag in band}
    return bool(flags & {MaskFlags.per_dataset, MaskFlags.alpha})


def agree(one: float | None, other: float | None) -> bool:
    """Return whether two statements are equal, or one of them is missing."""
    if one is None or other is None:
        return True
    return bool(np.isclose(one, other, rtol=1e-6, equal_nan=True))
