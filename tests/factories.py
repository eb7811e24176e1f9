"""Small tiles and data sets, written into a test's `tmp_path`."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import rasterio
import torch
from PIL import Image
from rasterio.transform import from_origin

from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.datasets.storage.index import LAYOUTS
from mmlandslide.datasets.storage.tile_errors import HDF5
from mmlandslide.datasets.storage.tile_formats import NUMPY, TIFF

DIVISORS = np.array([BANDS[name].divisor for name in LANDSLIDE4SENSE])
#: Below which raw values are drawn: cirrus (the tenth band) is dark, a slope at most upright.
RAW_BELOW = np.array([*[5000] * 9, 100, 5000, 5000, 90, 5000])


def image(seed=0, size_px=16, bands=14):
    """Return (C, H, W) float64 as Landslide4Sense stores it.

    Whole numbers over the band's divisor (1 beyond the 14th).
    """
    divisors = np.append(DIVISORS, np.ones(bands))[:bands, None, None]
    below = np.append(RAW_BELOW, np.full(bands, 5000))[:bands, None, None]
    return np.random.default_rng(seed).integers(0, below, (bands, size_px, size_px)) / divisors


def mask(*boxes_xyxy, size_px=16):
    """Return (H, W) uint8 with 1 in each half-open box."""
    array = np.zeros((size_px, size_px), np.uint8)
    for left, top, right, bottom in boxes_xyxy:
        array[top:bottom, left:right] = 1
    return array


def write_array(path: Path, array, key='img'):
    """Write (C, H, W) bands, or an (H, W) mask, in the format that the file's name asks for.

    HDF5 and images as (H, W, C).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(array)
    last = array.transpose(1, 2, 0) if array.ndim == 3 else array
    if path.suffix in HDF5:
        with h5py.File(path, 'w') as file:
            file[key] = last
    elif path.suffix in TIFF:
        write_tiff(path, array)
    elif path.suffix in NUMPY:
        np.save(path, array)
    else:
        Image.fromarray(last).save(path)
    return path


def write_tiff(path: Path, array, crs='EPSG:32633', origin_xy=(500000.0, 5000000.0), pixel_m=10.0):
    """Write (C, H, W) or (H, W) as a georeferenced GeoTIFF."""
    array = array[None] if array.ndim == 2 else array
    count, height, width = array.shape
    transform = from_origin(*origin_xy, pixel_m, pixel_m)
    options = {
        'driver': 'GTiff',
        'count': count,
        'height': height,
        'width': width,
        'dtype': array.dtype,
    }
    with rasterio.open(path, 'w', crs=crs, transform=transform, **options) as target:
        target.write(array)
    return path


def image_path(root: Path, number, split='train', layout='B'):
    return root / LAYOUTS[layout][split][0] / f'image_{number}.h5'


def mask_path(root: Path, number, split='train', layout='B'):
    return root / LAYOUTS[layout][split][1] / f'mask_{number}.h5'


def write_tile(root: Path, number, image, mask=None, split='train', layout='B'):
    """Write one Landslide4Sense tile; without a mask it is not labelled."""
    write_array(image_path(root, number, split, layout), image, 'img')
    if mask is not None:
        write_array(mask_path(root, number, split, layout), mask, 'mask')


def write_dataset(
    root: Path, counts: Mapping[str, int] | None = None, layout='B', size_px=16, labelled=True
):
    """Write a Landslide4Sense folder; tiles count from 1 and differ.

    The odd ones have one 4 x 3 px landslide.
    """
    seed = 0
    for split, count in (counts or {'train': 3}).items():
        for number in range(1, count + 1):
            seed += 1
            landslide = mask((2, 5, 6, 8), size_px=size_px) if number % 2 else mask(size_px=size_px)
            write_tile(
                root, number, image(seed, size_px), landslide if labelled else None, split, layout
            )
    return root


def write_voc(root: Path, counts: Mapping[str, int] | None = None, size_px=64, first=1):
    """Write photographs `N.jpg` with one 30 x 20 px landslide each in `N.xml`, one folder a split, as the original study's."""
    corners = {'xmin': 10, 'ymin': 20, 'xmax': 40, 'ymax': 40}
    box = ''.join(f'<{name}>{value}</{name}>' for name, value in corners.items())
    for folder, count in (counts or {'train': 2, 'valid': 2}).items():
        for number in range(first, first + count):
            values = np.random.default_rng(number).integers(0, 256, (3, size_px, size_px), np.uint8)
            path = write_array(root / folder / f'{number}.jpg', values)
            text = f'<annotation><object><name>landslides</name><bndbox>{box}</bndbox></object></annotation>'
            path.with_suffix('.xml').write_text(text)
    return root


def write_mask_folder(root: Path, count=2, size_px=64):
    """Write 7-band float32 GeoTIFFs in [0, 1] with masks that hold one 30 x 20 px landslide, as the Mars tiles."""
    for number in range(1, count + 1):
        values = np.random.default_rng(number).random((7, size_px, size_px), np.float32)
        write_array(root / 'images' / f'Image_patch_1_{number}.tif', values)
        landslide = mask((10, 20, 40, 40), size_px=size_px).astype(np.float32)
        write_array(root / 'masks' / f'Mask_patch_1_{number}.tif', landslide)
    return root


def write_image_folder(
    root: Path,
    counts: Mapping[str, int] | None = None,
    classes=('n01', 'n02'),
    height_px=48,
    width_px=40,
):
    """Write photographs `<folder>/<class>/N.JPEG`, N from 0, in the layout of ImageNet."""
    for folder, count in (counts or {'train': 2, 'val': 2}).items():
        for name in classes:
            for number in range(count):
                values = np.random.default_rng(number).integers(
                    0, 256, (3, height_px, width_px), np.uint8
                )
                path = write_array(root / folder / name / f'{number}.jpeg', values)
                path.rename(path.with_suffix('.JPEG'))
    return root


def truncate(path: Path):
    """Cut a file in half, as an interrupted download does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def evaluated(model):
    """Return a model in evaluation mode; MMPretrain's backbones return nothing from `eval()`."""
    model.eval()
    return model


def randomised(model, seed=0):
    """Return a model in evaluation mode whose every parameter and running statistic is away from its initial value."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.8, 1.2, generator=generator)
        elif value.is_floating_point():
            value.add_(
                torch.randn(value.shape, generator=generator),
                alpha=0.3 if 'bias' in name or 'embed' in name else 0.01,
            )
    return evaluated(model)
