"""Virtual rasters of our own making: files without voids, side by side, with a mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.transform import Affine, array_bounds


@dataclass(frozen=True)
class Layout:
    """What a virtual raster needs to know of a file.

    Attributes:
        name: under which GDAL opens it: a path, or the text of a virtual raster.
        height: in pixels.
        width: in pixels.
        transform: from (column, row) to map coordinates.
        crs: of the map; `None` without one.
        dtypes: of each band, as NumPy names them.
        said: of each band, what the file says of it by the name of a virtual raster's element.
    """

    name: str
    height: int
    width: int
    transform: Affine
    crs: CRS | None
    dtypes: tuple[str, ...]
    said: tuple[Mapping[str, str], ...] = ()


def layout(name: str, dataset: DatasetReader) -> Layout:
    """Return what a virtual raster needs to know of an open file.

    Args:
        name: under which GDAL opens it.
        dataset: the file.
    """
    said = tuple(
        {
            'Description': dataset.descriptions[index] or '',
            'UnitType': dataset.units[index] or '',
            'Scale': repr(dataset.scales[index]),
            'Offset': repr(dataset.offsets[index]),
            'ColorInterp': dataset.colorinterp[index].name.capitalize(),
        }
        for index in range(dataset.count)
    )
    crs, dtypes = dataset.crs, dataset.dtypes
    return Layout(name, dataset.height, dataset.width, dataset.transform, crs, dtypes, said)


def without_voids(layout: Layout, voids: Sequence[float], masked: bool) -> str:
    """Return a virtual raster whose pixels without data are NaN, whatever says that they are.

    Args:
        layout: of the file.
        voids: values that mean no data.
        masked: heed the file's mask too.
    """
    name = layout.name
    steps: list[float | None] = [*([None] if masked else []), *dict.fromkeys(voids)]
    for position, step in enumerate(steps):
        following = steps[position + 1] if position + 1 < len(steps) else None
        fill = float('nan') if following is None else following
        root = _dataset(layout.height, layout.width, layout.transform, layout.crs)
        for index in range(1, len(layout.dtypes) + 1):
            source = _source(_band(root, index, fill), name, index)
            if step is None:
                SubElement(source, 'UseMaskBand').text = 'true'
            else:
                SubElement(source, 'NODATA').text = repr(float(step))
        name = tostring(root, encoding='unicode')
    return name


def with_mask(layout: Layout, mask_name: str, mask_bands: int, nodata: float | None) -> str:
    """Return a virtual raster of a file and of the mask that lies beside it.

    Args:
        layout: of the file.
        mask_name: under which GDAL opens the mask.
        mask_bands: one mask for all bands, or one per band.
        nodata: of the file.
    """
    root = _dataset(layout.height, layout.width, layout.transform, layout.crs)
    if mask_bands == 1:
        _mask(root, mask_name, 1)
    for index, dtype in enumerate(layout.dtypes, 1):
        band = _band(root, index, nodata, _GDAL_TYPES.get(dtype, 'Float64'))
        for tag, text in layout.said[index - 1].items() if layout.said else ():
            SubElement(band, tag).text = text
        _source(band, layout.name, index, 'SimpleSource')
        if mask_bands > 1:
            _mask(band, mask_name, index)
    return tostring(root, encoding='unicode')


def mosaic(layouts: Sequence[Layout], band_indexes: Sequence[int]) -> str:
    """Return a virtual raster of files side by side, in the pixels of the finest; NaN between them.

    Args:
        layouts: of files on one map, north up, whose pixels without data are NaN.
        band_indexes: of the band in each.
    """
    finest = min(layouts, key=lambda layout: layout.transform.a)
    bounds = np.array([array_bounds(each.height, each.width, each.transform) for each in layouts])
    (left, bottom), (right, top) = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    across, down = finest.transform.a, -finest.transform.e
    transform = Affine(across, 0, left, 0, -down, top)
    height, width = round((top - bottom) / down), round((right - left) / across)
    root = _dataset(height, width, transform, finest.crs)
    band = _band(root, 1, float('nan'))
    for layout, index, box in zip(layouts, band_indexes, bounds, strict=True):
        source = _source(band, layout.name, index)
        if not np.isclose(layout.transform.a, across) or not np.isclose(-layout.transform.e, down):
            source.set('resampling', 'bilinear')
        _rect(source, 'SrcRect', 0, 0, layout.width, layout.height)
        wide, high = (box[2] - box[0]) / across, (box[3] - box[1]) / down
        _rect(source, 'DstRect', (box[0] - left) / across, (top - box[3]) / down, wide, high)
        SubElement(source, 'NODATA').text = 'nan'
    return tostring(root, encoding='unicode')


_GDAL_TYPES = {
    'uint8': 'Byte',
    'int8': 'Int8',
    'uint16': 'UInt16',
    'int16': 'Int16',
    'uint32': 'UInt32',
    'int32': 'Int32',
    'float32': 'Float32',
    'float64': 'Float64',
}


def _dataset(height: int, width: int, transform: Affine, crs: CRS | None) -> Element:
    root = Element('VRTDataset', rasterXSize=str(width), rasterYSize=str(height))
    if crs is not None:
        srs = SubElement(root, 'SRS')
        srs.text = crs.to_wkt()
        srs.set('dataAxisToSRSAxisMapping', '2,1' if crs.is_geographic else '1,2')
    if transform != Affine.identity():
        SubElement(root, 'GeoTransform').text = ', '.join(map(repr, transform.to_gdal()))
    return root


def _band(root: Element, index: int, nodata: float | None, dtype: str = 'Float32') -> Element:
    band = SubElement(root, 'VRTRasterBand', dataType=dtype, band=str(index))
    if nodata is not None:
        SubElement(band, 'NoDataValue').text = repr(float(nodata))
    return band


def _source(band: Element, name: str, index: int, kind: str = 'ComplexSource') -> Element:
    source = SubElement(band, kind)
    SubElement(source, 'SourceFilename', relativeToVRT='0', shared='0').text = name
    SubElement(source, 'SourceBand').text = str(index)
    return source


def _mask(parent: Element, name: str, index: int) -> None:
    band = SubElement(SubElement(parent, 'MaskBand'), 'VRTRasterBand', dataType='Byte')
    _source(band, name, index, 'SimpleSource')


def _rect(source: Element, name: str, x: float, y: float, width: float, height: float) -> None:
    numbers = zip(('xOff', 'yOff', 'xSize', 'ySize'), (x, y, width, height), strict=True)
    SubElement(source, name, {key: repr(float(value)) for key, value in numbers})
