"""Polygons drawn around the landslides of a mask give the boxes of the mask."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from rasterio import features

from mmlandslide.bands import names
from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.storage import tiles
from mmlandslide.registry import DATASETS

RULE = RULES['components']
pytestmark = pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')


def outlines(mask):
    """Return a ring of pixel corners around each group of landslide pixels that the rule keeps."""
    count, groups = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)
    big = [group for group in range(1, count) if (groups == group).sum() >= RULE.min_pixels]
    found = features.shapes(groups.astype(np.int32), np.isin(groups, big), connectivity=8)
    return [shape['coordinates'][0] for shape, _ in found]


def write_labels(root, masks, images):
    """Write a COCO JSON and labelme's files of the outlines, in the folder of the images."""
    rows, annotations = [], []
    for number, (name, mask) in enumerate(masks.items(), 1):
        height, width = mask.shape
        rings = outlines(mask)
        path = images[name].relative_to(root)
        rows.append({'id': number, 'file_name': path.name, 'height': height, 'width': width})
        annotations += [
            {'image_id': number, 'category_id': 1, 'segmentation': [[x for at in ring for x in at]]}
            for ring in rings
        ]
        shapes = [{'label': 'landslide', 'points': ring} for ring in rings]
        (root / path.with_suffix('.json')).write_text(
            json.dumps({'shapes': shapes, 'imagePath': path.name})
        )
    annotations = [{'id': number, **row} for number, row in enumerate(annotations, 1)]
    categories = [{'id': 1, 'name': 'landslide'}]
    content = {'images': rows, 'annotations': annotations, 'categories': categories}
    (root / 'a.json').write_text(json.dumps(content))


def boxes_of(kind, root, **options):
    """Return the boxes of each tile, sorted, by the name of its file."""
    view = DATASETS.build(
        {'type': f'mmlandslide.{kind}', 'data_root': str(root), 'name': 'mars', **options}
    )
    infos = [view.get_data_info(index) for index in range(len(view))]
    return {Path(info['img_path']).stem: sorted(info['boxes_xyxy'].tolist()) for info in infos}


def require_same_boxes(root, masks, images, bands):
    write_labels(root, masks, images)
    folder = images[next(iter(images))].parent.name
    truth = {
        images[name].stem: sorted(boxes_from_mask(mask, RULE).tolist())
        for name, mask in masks.items()
    }
    common = {'source_bands': bands}
    coco = boxes_of('COCOTileDataset', root, ann_file='a.json', images=folder, **common)
    labelme = boxes_of('LabelmeTileDataset', root, folder=folder, **common)
    assert coco == truth
    assert labelme == truth
    return sum(map(len, truth.values()))


def write_tile(path, bands, size_px=48):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {'height': size_px, 'width': size_px, 'count': len(bands), 'dtype': 'float32'}
    with rasterio.open(path, 'w', driver='GTiff', **shape) as file:
        file.write(np.ones((len(bands), size_px, size_px), np.float32))
    return path


def test_of_drawn_masks(tmp_path):
    # Touching corners make one group of 8 pixels; 3 pixels are dropped; a hole changes nothing.
    ring = np.zeros((48, 48), np.uint8)
    ring[5:12, 5:12], ring[7:9, 7:9] = 1, 0
    corners = np.zeros((48, 48), np.uint8)
    corners[2:4, 2:4], corners[4:6, 4:6], corners[40, 40:43], corners[44:48, 0:9] = 1, 1, 1, 1
    noise = (np.random.default_rng(0).random((48, 48)) < 0.3).astype(np.uint8)
    masks = {'1': ring, '2': corners, '3': noise, '4': np.zeros_like(ring)}
    bands = names('mars')
    images = {name: write_tile(tmp_path / 'images' / f'{name}.tif', bands) for name in masks}
    assert require_same_boxes(tmp_path, masks, images, bands) > 10


@pytest.mark.data
@pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles')
@pytest.mark.parametrize('split', ['train', 'validation'])
def test_of_the_martian_tiles(tmp_path, split):
    source = Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'mars_mmls' / split
    masks, images = {}, {}
    (tmp_path / 'images').mkdir()
    for path in sorted((source / 'images').iterdir()):
        mask = source / 'masks' / path.name.replace('Image', 'Mask', 1)
        masks[path.stem], images[path.stem] = tiles.read_mask(mask), tmp_path / 'images' / path.name
        images[path.stem].write_bytes(path.read_bytes())
    count = require_same_boxes(tmp_path, masks, images, names('mars'))
    print(f'{split}: {len(masks)} tiles, {count} boxes, equal')  # noqa: T201
