"""What GDAL's files beside a raster say of it: `.aux.xml` (a few facts) and `.msk` (its mask).

GDAL itself never reads them here: an `.aux.xml` may name any file or URL.
"""

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from mmlandslide.errors import SceneError

_MAX_BYTES = 2**24


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
