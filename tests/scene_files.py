"""Small scenes, written into a test's `tmp_path`.

Multi-band GeoTIFF, band files and SAFE products of 10, 20 and 60 m pixels.
"""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

SENTINEL2 = ('B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B8A', 'B9', 'B10', 'B11', 'B12')
#: Pixel size of each band in metres.
PIXEL_M = dict(zip(SENTINEL2, (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20), strict=True))
ORIGIN_XY = (399960.0, 5000040.0)
NAME = 'S2A_MSIL1C_20150711T100006_N0204_R122_T33TWM_20150711T100008'


def write_raster(
    path: Path,
    array,
    pixel=10.0,
    origin_xy=ORIGIN_XY,
    crs='EPSG:32633',
    names=None,
    units=None,
    **options,
):
    """Write (C, H, W) or (H, W) as a raster; `pixel` may be an affine transform."""
    array = np.asarray(array)
    array = array[None] if array.ndim == 2 else array
    transform = (
        pixel if isinstance(pixel, rasterio.Affine) else from_origin(*origin_xy, pixel, pixel)
    )
    profile = {
        'driver': 'GTiff',
        'dtype': array.dtype,
        'crs': crs,
        'transform': transform,
    } | options
    count, height, width = array.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, 'w', count=count, height=height, width=width, **profile) as target:
        target.write(array)
        if names is not None:
            target.descriptions = names
        if units:
            target.units = units
    return path


def digital_numbers(band, height=12, width=12, seed=0):
    """Return (H, W) uint16 from 1 to 199 in B10 and to 4999 in other bands, never two bands alike."""
    rng = np.random.default_rng([seed, SENTINEL2.index(band) if band in SENTINEL2 else 99])
    return rng.integers(1, 200 if band == 'B10' else 5000, (height, width)).astype(np.uint16)


def write_bands(
    folder: Path,
    bands=SENTINEL2,
    extent_m=240,
    stem='T33TWM_20150711T100006',
    form='tif',
    **options,
):
    """Write single-band files of one extent, each of its own pixel size."""
    for band in bands:
        side = extent_m // PIXEL_M[band]
        name = 'B8A' if band == 'B8A' else f'B{int(band[1:]):02}'
        write_raster(
            folder / f'{stem}_{name}.{form}',
            digital_numbers(band, side, side),
            PIXEL_M[band],
            **options,
        )
    return folder


def write_safe(root: Path, baseline='02.04', offsets=(), name=NAME, bands=SENTINEL2):
    """Write a level-1C product with JPEG 2000 bands and the part of its metadata that matters.

    Return its folder.
    """
    folder = root / f'{name}.SAFE'
    lossless = {'driver': 'JP2OpenJPEG', 'QUALITY': '100', 'REVERSIBLE': 'YES'}
    write_bands(
        folder / 'GRANULE' / 'L1C_T33TWM_A000253_20150711T100006' / 'IMG_DATA',
        bands,
        form='jp2',
        **lossless,
    )
    folder.mkdir(parents=True, exist_ok=True)
    stated = ''.join(
        f'<RADIO_ADD_OFFSET band_id="{number}">{offset}</RADIO_ADD_OFFSET>'
        for number, offset in enumerate(offsets)
    )
    (folder / 'MTD_MSIL1C.xml').write_text(
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<n1:Level-1C_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-1C.xsd">'
        f'<n1:General_Info><Product_Info><PRODUCT_START_TIME>2015-07-11T10:00:06.027Z</PRODUCT_START_TIME>'
        f'<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info><Product_Image_Characteristics>'
        f'<QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
        f'<Radiometric_Offset_List>{stated}</Radiometric_Offset_List></Product_Image_Characteristics></n1:General_Info>'
        '</n1:Level-1C_User_Product>'
    )
    return folder
