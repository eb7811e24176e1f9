"""Scenes, elevation, masks, products and exported detectors of strangers."""

import io
import shutil
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import rasterio
import scene_files
from onnx import TensorProto, helper
from rasterio.io import MemoryFile
from stress.fuzz.promises import promise

from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene

BANDS = ('B2', 'B3', 'B4', 'B8')
_SIDE, _PX = 24, 8
_WINDOW = (0, 0, 64, 64)


def read_scene(path: Path) -> None:
    """Read a window of a multi-band raster."""
    _read(path)


def read_dem(path: Path) -> None:
    """Read elevation and slope of a scene from a DEM."""
    _read(_scene(path), ('B2', 'slope', 'DEM'), dem=path)


def read_cloud_mask(path: Path) -> None:
    """Read a scene under a mask."""
    _read(_scene(path), cloud_mask=path)


def read_product_metadata(path: Path) -> None:
    """Read a Sentinel-2 product whose metadata are the input."""
    product = path.parent / f'{scene_files.NAME}.SAFE'
    if not product.exists():
        shutil.copytree(_product(path.parent.parent), product)
    (product / 'MTD_MSIL1C.xml').unlink(missing_ok=True)
    (product / 'MTD_MSIL1C.xml').write_bytes(path.read_bytes())
    _read(product, path_of=path)


def read_package(path: Path) -> None:
    """Read a .zip with the files of a product."""
    _read(path)


def read_model(path: Path) -> None:
    """Read an exported detector, and run it on a batch."""
    predictor = OnnxPredictor(path, 'cpu')
    side = predictor.window_px
    promise(side * len(predictor.bands) <= 2**14, 'a window as its graph states it')
    for boxes, scores in predictor.predict(
        np.zeros((2, len(predictor.bands), side, side), np.float32)
    ):
        promise(boxes.shape == (len(scores), 4), f'(N, 4), got {boxes.shape}')
        promise(np.isfinite(boxes).all() and (scores <= 1).all(), 'finite boxes')


def _read(source: Path, bands: tuple[str, ...] = BANDS, path_of: Path | None = None, **options):
    scene = open_scene(source, bands, InputOptions(**options))
    values, valid = scene.read(_WINDOW)
    promise(values.shape == (len(bands), 64, 64), f'(C, H, W), got {values.shape}')
    promise(valid.shape == (64, 64) and valid.dtype == bool, 'a mask of the window')
    promise(np.isfinite(values[:, valid]).all(), 'finite values')
    promise(scene.height > 0 and scene.width > 0, 'a grid')
    promise(scene.name.isprintable(), 'a name to print')


def _scene(path: Path) -> Path:
    scene = path.with_name('under.tif')
    if not scene.exists():
        scene.write_bytes(scene_seeds()[0])
    return scene


@cache
def _product(folder: Path) -> Path:
    return scene_files.write_bands(
        folder / 'whole.SAFE' / 'GRANULE' / 'L1C_T33TWM_A000253' / 'IMG_DATA', BANDS
    ).parents[2]


def _tif(array: np.ndarray, mask: np.ndarray | None = None, **options: object) -> bytes:
    """Return a GeoTIFF of (C, H, W)."""
    tags = {
        name: options.pop(name) for name in ('descriptions', 'scales', 'offsets') if name in options
    }
    count, height, width = array.shape
    profile = {
        'driver': 'GTiff',
        'crs': 'EPSG:32633',
        'transform': rasterio.transform.from_origin(399960, 5000040, 10, 10),
        **options,
    }
    with MemoryFile() as memory:
        with memory.open(
            count=count, height=height, width=width, dtype=array.dtype, **profile
        ) as file:
            file.write(array)
            for name, value in tags.items():
                setattr(file, name, value)
            if mask is not None:
                with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
                    file.write_mask(mask)
        return memory.read()


def _digital_numbers() -> np.ndarray:
    return np.stack([scene_files.digital_numbers(band, _SIDE, _SIDE) for band in BANDS])


def scene_seeds() -> list[bytes]:
    """Return scenes with nodata, mask, scale, tiles and compression."""
    numbers, mask = _digital_numbers(), np.full((_SIDE, _SIDE), 255, np.uint8)
    mask[:4] = 0
    share = (numbers / 10000).astype(np.float32)
    share[:, :3, :3] = np.nan
    names = {'descriptions': BANDS}
    return [
        _tif(numbers, **names),
        _tif(
            numbers, nodata=0, compress='deflate', tiled=True, blockxsize=16, blockysize=16, **names
        ),
        _tif(numbers, mask, compress='lzw', predictor=2, **names),
        _tif(share, nodata=float('nan'), interleave='pixel', compress='zstd', **names),
        _tif(numbers, scales=(0.0001,) * 4, offsets=(0.0,) * 4, BIGTIFF='YES', **names),
        _tif(
            numbers,
            crs='EPSG:4326',
            transform=rasterio.transform.from_origin(12, 42, 0.0001, 0.0001),
            **names,
        ),
    ]


def dem_seeds() -> list[bytes]:
    """Return elevation on the grid of the scene, and coarser in degrees."""
    row = np.arange(64, dtype=np.float32)
    metres = 500 + row[:, None] * 2 + row[None]
    void = metres.copy()
    void[:2] = -32768
    start = rasterio.transform.from_origin(399760, 5000240, 10, 10)
    return [
        _tif(metres[None], transform=start),
        _tif(void[None].astype(np.int16), transform=start, nodata=-32768, compress='deflate'),
        _tif(
            metres[None],
            crs='EPSG:4326',
            transform=rasterio.transform.from_origin(13.72, 45.16, 0.0003, 0.0003),
        ),
    ]


def cloud_mask_seeds() -> list[bytes]:
    """Return masks of 0 and 1, on the grid of the scene and coarser."""
    mask = (np.arange(_SIDE * _SIDE).reshape(1, _SIDE, _SIDE) % 7 == 0).astype(np.uint8)
    coarse = rasterio.transform.from_origin(399960, 5000040, 20, 20)
    return [
        _tif(mask),
        _tif(mask[:, :12, :12], transform=coarse, compress='packbits'),
        _tif(mask, nodata=255, tiled=True, blockxsize=16, blockysize=16),
    ]


def metadata_seeds() -> list[bytes]:
    """Return metadata of a product before baseline 04.00, after it, and of hardly anything."""
    offsets = ''.join(
        f'<RADIO_ADD_OFFSET band_id="{number}">0</RADIO_ADD_OFFSET>' for number in range(13)
    )
    texts = [
        '<a><PROCESSING_BASELINE>02.04</PROCESSING_BASELINE></a>',
        '<n1:a xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD"><b><PRODUCT_START_TIME>'
        '2022-07-11T10:00:06.027Z</PRODUCT_START_TIME><PROCESSING_BASELINE>04.00'
        '</PROCESSING_BASELINE><QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>'
        f'<Radiometric_Offset_List>{offsets}</Radiometric_Offset_List></b></n1:a>',
        '<a/>',
    ]
    return [f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode() for text in texts]


def package_seeds() -> list[bytes]:
    """Return archives of a product and of bare band files, packed and stored."""
    found = []
    for inner, form in (
        (f'{scene_files.NAME}.SAFE/GRANULE/L1C_x/IMG_DATA/', zipfile.ZIP_DEFLATED),
        ('bands/', zipfile.ZIP_STORED),
    ):
        content = io.BytesIO()
        with zipfile.ZipFile(content, 'w', form) as archive:
            if 'SAFE' in inner:
                name = f'{scene_files.NAME}.SAFE/MTD_MSIL1C.xml'
                archive.writestr(zipfile.ZipInfo(name), metadata_seeds()[0])
            for band, numbers in zip(BANDS, _digital_numbers(), strict=True):
                name = f'{inner}T33TWM_20150711T100006_B{int(band[1:]):02}.tif'
                archive.writestr(zipfile.ZipInfo(name), _tif(numbers[None]))
        found.append(content.getvalue())
    return found


def model_seeds() -> list[bytes]:
    """Return a detector of one convolution with the metadata of an export, of two opsets."""
    weight = np.linspace(-1, 1, 2 * 3 * 9, dtype=np.float32).reshape(2, 3, 3, 3)
    constants = {
        'weight': weight,
        'box': np.array([[1, 1, 5, 6]], np.float32),
        'four': np.array([4], np.int64),
        'zero': np.array(0, np.int64),
        'one': np.array(1, np.int64),
    }
    nodes = [
        helper.make_node('Conv', ['tiles', 'weight'], ['maps'], pads=[1, 1, 1, 1]),
        helper.make_node('ReduceMean', ['maps'], ['means'], axes=[1, 2, 3], keepdims=0),
        helper.make_node('Sigmoid', ['means'], ['scores']),
        helper.make_node('Shape', ['scores'], ['count']),
        helper.make_node('Concat', ['count', 'four'], ['shape'], axis=0),
        helper.make_node('Expand', ['box', 'shape'], ['boxes']),
        helper.make_node('Squeeze', ['count'], ['number']),
        helper.make_node('Range', ['zero', 'number', 'one'], ['tile']),
    ]
    graph = helper.make_graph(
        nodes,
        'detector',
        [helper.make_tensor_value_info('tiles', TensorProto.FLOAT, ['batch', 3, _PX, _PX])],
        [
            helper.make_tensor_value_info('boxes', TensorProto.FLOAT, ['found', 4]),
            helper.make_tensor_value_info('scores', TensorProto.FLOAT, ['found']),
            helper.make_tensor_value_info('tile', TensorProto.INT64, ['found']),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    facts = {
        'content': 'detector',
        'bands': '["B2", "B3", "B4"]',
        'mean': '[1.0, 1.0, 1.0]',
        'window_px': str(_PX),
    }
    found = []
    for opset in (16, 17):
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)])
        model.ir_version = 8
        helper.set_model_props(model, facts)
        found.append(model.SerializeToString())
    return found
