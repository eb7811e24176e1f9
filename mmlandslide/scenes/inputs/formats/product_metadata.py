"""What the metadata of a Sentinel-2 product say of its values and its time.

ESA, Sentinel-2 Products Specification Document, section 4.9.8 (`RADIO_ADD_OFFSET`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from mmlandslide.errors import SceneError
from mmlandslide.scenes.inputs.formats.band_names import SENTINEL2
from mmlandslide.scenes.inputs.formats.packages import read_start
from mmlandslide.scenes.inputs.formats.product_names import has_offset

_MAX_BYTES = 2**22
#: Of offsets and quantification; every processing baseline had -1000 or 0, and 10000.
_MOST = 10**6
#: Facts that decide what a digital number means.
_OF_VALUES = ('OFFSET ', 'QUANTIFICATION_VALUE', 'PROCESSING_BASELINE')


@dataclass(frozen=True)
class ProductFacts:
    """What the metadata say.

    Attributes:
        offsets: band -> what is to be added to its digital numbers; empty where nothing says so.
        quantification: digital numbers per unit of reflectance.
        acquired: UTC; `None` where nothing says so.
    """

    offsets: dict[str, float]
    quantification: float
    acquired: datetime | None


def read_metadata(metadata: Path) -> ProductFacts:
    """Return what the metadata of a product say.

    Raises:
        SceneError: they are no XML, say twice what a digital number means, or say no numbers that
            a product may have.
    """
    texts = _texts(metadata)
    start = texts.get('DATATAKE_SENSING_START') or texts.get('PRODUCT_START_TIME') or ''
    try:
        offsets, quantification = _offsets(texts), float(texts.get('QUANTIFICATION_VALUE', 10000.0))
        if not (1 <= quantification <= _MOST and np.abs([*offsets.values(), 0]).max() <= _MOST):
            raise ValueError(f'quantification {quantification}, offsets {[*offsets.values()]}')
        return ProductFacts(offsets, quantification, _time(start) if start else None)
    except ValueError as error:
        raise SceneError.mismatch(
            'metadata', 'hold numbers', repr(str(error)), metadata, 'Download the product again'
        ) from error


def _texts(metadata: Path) -> dict[str, str]:
    """Return the texts of the metadata by tag, offsets with the number of their band.

    Raises:
        SceneError: they are no XML, or say twice what a digital number means.
    """
    try:
        content = read_start(metadata, _MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f'more than {_MAX_BYTES} bytes')
        elements: Iterable[Element] = list(ElementTree.fromstring(content).iter())
    except (ParseError, LookupError, ValueError, DefusedXmlException) as error:
        raise SceneError.mismatch(
            'metadata', 'be XML', repr(str(error)), metadata, 'Download the product again'
        ) from error
    texts: dict[str, str] = {}
    for element in elements:
        tag = str(element.tag).rpartition('}')[2]
        if tag in ('RADIO_ADD_OFFSET', 'BOA_ADD_OFFSET'):
            tag = f'OFFSET {element.get("band_id")}'
        elif tag == 'BOA_QUANTIFICATION_VALUE':
            tag = 'QUANTIFICATION_VALUE'
        said = (element.text or '').strip()
        if texts.setdefault(tag, said) != said and tag.startswith(_OF_VALUES):
            raise SceneError.mismatch(
                'metadata', f'say {tag} once', [texts[tag], said], metadata, 'Download it again'
            )
    return texts


def _offsets(texts: dict[str, str]) -> dict[str, float]:
    """Return band -> offset as the metadata list them, else 0 by an old baseline, else nothing."""
    major, _, minor = texts.get('PROCESSING_BASELINE', '0.0').partition('.')
    baseline = (int(major), int(minor or 0))
    listed = {
        band: float(texts[f'OFFSET {number}'])
        for number, band in enumerate(SENTINEL2)
        if f'OFFSET {number}' in texts
    }
    if listed:
        return {band: listed.get(band, 0.0) for band in SENTINEL2}
    return dict.fromkeys(SENTINEL2, 0.0) if has_offset(baseline) is False else {}


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace('Z', '+00:00'))
    if not 1970 <= moment.year < 2200:
        raise ValueError(f'a scene of {text}')
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
