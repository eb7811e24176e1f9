"""The first wall: a virtual raster (VRT) is read by us, and built anew from what was understood.

GDAL compares the names of elements without regard to case and namespace. So do we, against one list
of what a mosaic, a selection or a warp of local files needs. Whatever else an element may say -
another driver, a URL, raw bytes of a file, a function - it is unknown, and refused. GDAL never sees
the stranger's text, only ours.

The format: https://gdal.org/drivers/raster/vrt.html.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes import map_text

_MAX_BYTES, _MAX_ELEMENTS = 2**24, 2**18
_REMEDY = 'Build it with `gdalbuildvrt`, `gdalwarp -of VRT` or `gdal_translate -of VRT`'

_NUMBER = r'[+-]?(?:nan|inf|(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)'
_NUMBERS = rf'{_NUMBER}(?:[\s,]+{_NUMBER})*'
_WORD = r'\w*'
_TEXT = r'[^<>]*'
_EMPTY = r'\s*'
_BAND = r'\d+|mask(?:,\d+)?'
# Well-known text or a PROJ string; what they may not say, see `map_text`.
_MAP = r'(?:EPSG:\d+(?:\+\d+)?|[A-Z_0-9]+\[[^<>]*|\+proj=[^<>]*|)'


@dataclass(frozen=True)
class _Known:
    """What an element may hold.

    Attributes:
        text: pattern of its text.
        attributes: name -> pattern of its value; others are refused.
        children: names of elements in `_LIST` that may stand in it.
        kept: false for what says nothing about pixels and is left out.
    """

    text: str = _EMPTY
    attributes: dict[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    kept: bool = True


_SIZE = dict.fromkeys(('xOff', 'yOff', 'xSize', 'ySize'), _NUMBER)
_SOURCE = ('SourceFilename', 'SourceBand', 'SourceProperties', 'SrcRect', 'DstRect', 'NODATA')
_BAND_PARTS = (
    'Description', 'UnitType', 'Offset', 'Scale', 'NoDataValue', 'HideNoDataValue', 'ColorInterp',
    'ColorTable', 'CategoryNames', 'Histograms', 'Metadata', 'SimpleSource', 'ComplexSource',
)  # fmt: skip
_WARP = (
    'WarpMemoryLimit', 'ResampleAlg', 'WorkingDataType', 'Option', 'SourceDataset', 'Transformer',
    'BandList', 'SrcAlphaBand', 'DstAlphaBand',
)  # fmt: skip
_TRANSFORMS = ('SrcGeoTransform', 'SrcInvGeoTransform', 'DstGeoTransform', 'DstInvGeoTransform')
_NODATA = ('SrcNoDataReal', 'SrcNoDataImag', 'DstNoDataReal', 'DstNoDataImag')
_LIST: dict[str, _Known] = {
    'VRTDataset': _Known(
        attributes={
            'rasterXSize': r'\d+',
            'rasterYSize': r'\d+',
            'subClass': 'VRTWarpedDataset|',
        },
        children=(
            'SRS', 'GeoTransform', 'Metadata', 'OverviewList', 'VRTRasterBand', 'MaskBand',
            'BlockXSize', 'BlockYSize', 'GDALWarpOptions',
        ),
    ),
    'SRS': _Known(_MAP, {'dataAxisToSRSAxisMapping': _NUMBERS, 'coordinateEpoch': _NUMBER}),
    'GeoTransform': _Known(_NUMBERS),
    'OverviewList': _Known(_TEXT, {'resampling': _WORD}, kept=False),
    'VRTRasterBand': _Known(
        attributes={
            'dataType': _WORD,
            'band': r'\d+',
            'blockXSize': r'\d+',
            'blockYSize': r'\d+',
            'subClass': 'VRTSourcedRasterBand|VRTWarpedRasterBand|',
        },
        children=_BAND_PARTS,
    ),
    'MaskBand': _Known(children=('VRTRasterBand',)),
    'SimpleSource': _Known(attributes={'resampling': _WORD}, children=_SOURCE),
    'ComplexSource': _Known(
        attributes={'resampling': _WORD},
        children=(*_SOURCE, 'ScaleOffset', 'ScaleRatio', 'UseMaskBand'),
    ),
    'SourceFilename': _Known(_TEXT, {'relativeToVRT': '[01]', 'shared': '[01]'}),
    'SourceDataset': _Known(_TEXT, {'relativeToVRT': '[01]'}),
    'SourceProperties': _Known(
        attributes={
            'RasterXSize': r'\d+',
            'RasterYSize': r'\d+',
            'DataType': _WORD,
            'BlockXSize': r'\d+',
            'BlockYSize': r'\d+',
        },
        kept=False,
    ),
    'SourceBand': _Known(_BAND),
    'SrcRect': _Known(attributes=_SIZE),
    'DstRect': _Known(attributes=_SIZE),
    'UseMaskBand': _Known('true|false'),
    'HideNoDataValue': _Known(r'[01]|true|false'),
    'Description': _Known(_TEXT),
    'UnitType': _Known(_TEXT),
    'ColorInterp': _Known(_WORD),
    'CategoryNames': _Known(children=('Category',), kept=False),
    'Category': _Known(_TEXT, kept=False),
    'ColorTable': _Known(children=('Entry',), kept=False),
    'Entry': _Known(attributes=dict.fromkeys(('c1', 'c2', 'c3', 'c4'), _NUMBER), kept=False),
    'Metadata': _Known(attributes={'domain': 'IMAGE_STRUCTURE|'}, children=('MDI',), kept=False),
    'MDI': _Known('(?s:.*)', {'key': _TEXT}, kept=False),
    'Histograms': _Known(children=('HistItem',), kept=False),
    'HistItem': _Known(
        children=(
            'HistMin', 'HistMax', 'BucketCount', 'IncludeOutOfRange', 'Approximate', 'HistCounts',
        ),
        kept=False,
    ),
    **dict.fromkeys(
        ('HistMin', 'HistMax', 'BucketCount', 'IncludeOutOfRange', 'Approximate', 'HistCounts'),
        _Known(_TEXT, kept=False),
    ),
    **dict.fromkeys(
        ('Offset', 'Scale', 'NoDataValue', 'NODATA', 'ScaleOffset', 'ScaleRatio', 'BlockXSize',
         'BlockYSize', 'WarpMemoryLimit', 'SrcAlphaBand', 'DstAlphaBand', 'MaxError', *_NODATA),
        _Known(_NUMBER),
    ),
    **dict.fromkeys(_TRANSFORMS, _Known(_NUMBERS)),
    'GDALWarpOptions': _Known(children=_WARP),
    'ResampleAlg': _Known(_WORD),
    'WorkingDataType': _Known(_WORD),
    'Option': _Known(
        r'[\w.+-]*',
        {
            'name': 'INIT_DEST|UNIFIED_SRC_NODATA|SAMPLE_GRID|NUM_THREADS'
            '|ERROR_OUT_IF_EMPTY_SOURCE_WINDOW'
        },
    ),
    'Transformer': _Known(children=('ApproxTransformer', 'GenImgProjTransformer')),
    'ApproxTransformer': _Known(children=('MaxError', 'BaseTransformer')),
    'BaseTransformer': _Known(children=('GenImgProjTransformer',)),
    'GenImgProjTransformer': _Known(children=(*_TRANSFORMS, 'ReprojectTransformer')),
    'ReprojectTransformer': _Known(children=('ReprojectionTransformer',)),
    'ReprojectionTransformer': _Known(children=('SourceSRS', 'TargetSRS', 'Options')),
    'SourceSRS': _Known(_MAP),
    'TargetSRS': _Known(_MAP),
    'Options': _Known(children=(), kept=False),
    'BandList': _Known(children=('BandMapping',)),
    'BandMapping': _Known(attributes={'src': r'\d+', 'dst': r'\d+'}, children=_NODATA),
}  # fmt: skip
_NAMES = {name.lower(): name for name in _LIST}
_SOURCES = ('SourceFilename', 'SourceDataset')
_MAPS = ('SRS', 'SourceSRS', 'TargetSRS')


def parse(text: bytes, path: Path) -> Element:
    """Return the elements of a virtual raster.

    Raises:
        SceneError: it is no XML, or absurdly large.
    """
    if len(text) > _MAX_BYTES:
        raise _refusal('too many bytes', path)
    try:
        root: Element = ElementTree.fromstring(text)
    except (ParseError, LookupError, ValueError, DefusedXmlException) as error:
        raise SceneError.mismatch('VRT', 'be XML', repr(str(error)), path, _REMEDY) from error
    if sum(1 for _ in root.iter()) > _MAX_ELEMENTS:
        raise _refusal('too many elements', path)
    return root


def rebuilt(root: Element, path: Path, source: Callable[[Path], str]) -> str:
    """Return a virtual raster built anew.

    Args:
        root: from `parse`.
        path: of the virtual raster, for errors and for sources relative to it.
        source: gives the name under which GDAL is to open a file that is drawn on; raises where it
            may not be.

    Raises:
        SceneError: it holds what is not on the list.
        LandslideError: as `source`.
    """
    built = Element('VRTDataset')
    _copy(root, built, 'VRTDataset', path, source)
    return tostring(built, encoding='unicode')


def sources(root: Element, path: Path) -> Iterator[Path]:
    """Yield the files that a virtual raster draws on, as often as it does."""
    for element in root.iter():
        if _NAMES.get(_local(element.tag).lower()) in _SOURCES:
            attributes = _attributes(element)
            yield _source_path(element.text or '', attributes.get('relativetovrt'), path)


def _copy(old: Element, new: Element, name: str, path: Path, source: Callable[[Path], str]) -> None:
    known = _LIST[name]
    if _local(old.tag).lower() != name.lower():
        raise _refusal(f'<{_local(old.tag)}>', path)
    _copy_attributes(old, new, known, path)
    text = (old.text or '').strip()
    _require(text, known.text, f'text of <{name}>', path)
    if name in _MAPS and not map_text.is_plain(text):
        raise _refusal(f'text of <{name}> {text[:60]!r}', path)
    new.text = text
    if name in _SOURCES:
        new.text = source(_source_path(text, new.attrib.pop('relativeToVRT', None), path))
        new.set('relativeToVRT', '0')
        if name == 'SourceFilename':
            new.set('shared', '0')
    for child in old:
        kind = _NAMES.get(_local(child.tag).lower(), '')
        if kind not in known.children or (child.tail or '').strip():
            raise _refusal(f'<{_local(child.tag)}> in <{name}>', path)
        below = SubElement(new, kind)
        _copy(child, below, kind, path, source)
        if not _LIST[kind].kept:
            new.remove(below)


def _copy_attributes(old: Element, new: Element, known: _Known, path: Path) -> None:
    attributes = _attributes(old)
    for attribute, pattern in known.attributes.items():
        value = attributes.pop(attribute.lower(), None)
        if value is not None:
            _require(value, pattern, f'{attribute} of <{new.tag}>', path)
            new.set(attribute, value)
    if attributes:
        raise _refusal(f'attribute {sorted(attributes)[0]!r} of <{new.tag}>', path)


def _attributes(element: Element) -> dict[str, str]:
    """Return the attributes of an element by name in lower case, each once, without namespaces."""
    return {_local(name).lower(): value.strip() for name, value in element.attrib.items()}


def _local(name: object) -> str:
    """Return a name without its namespace; comments and instructions have none that is known."""
    return re.sub(r'^(?:\{[^}]*\}|[^:]*:)', '', name) if isinstance(name, str) else '?'


def _source_path(text: str, relative: str | None, path: Path) -> Path:
    name = text.strip()
    if not name or re.match(r'/vsi|[a-z][a-z0-9+_.-]+:', name, re.IGNORECASE) or '\0' in name:
        raise _refusal(f'source {name[:80]!r}', path)
    return path.parent / name if relative == '1' else Path(name)


def _require(value: str, pattern: str, what: str, path: Path) -> None:
    if re.fullmatch(pattern, value, re.IGNORECASE) is None:
        raise _refusal(f'{what} {value[:80]!r}', path)


def _refusal(got: str, path: Path) -> LandslideError:
    expected = 'be a mosaic, selection or warp of local GeoTIFF or JPEG 2000 files'
    return SceneError.mismatch('VRT', expected, got, path, _REMEDY)
