"""Label files, studies and finished blocks of strangers, each beside two small images."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from stress.fuzz.promises import promise

from mmlandslide.datasets.labels import coco, labelme, voc, yolo
from mmlandslide.datasets.labels.label_set import LabelSet
from mmlandslide.scenes.inference import blocks
from mmlandslide.scenes.inference.detections import COLUMNS, Detections
from mmlandslide.study.inputs.results_file import read_results
from mmlandslide.study.specification import read

SIDE_PX = 64
_ROOT = 'labelled'


def read_coco(path: Path) -> None:
    """Read a COCO JSON of two images."""
    root = _images(path, '', 'images')
    _sound(coco.read_file(path, root / 'images', path.parent), path)


def read_labelme(path: Path) -> None:
    """Read a labelme file beside its image."""
    root = _images(path, '.json', '')
    _sound(labelme.read_folder(root, root), path)


def read_yolo(path: Path) -> None:
    """Read the lines of one image, and a list of class names made of the same bytes."""
    root = _images(path, '.txt', '')
    (root / 'classes.txt').write_text('landslide\n')
    _sound(yolo.read_folder(root, root), path)


def read_yolo_names(path: Path) -> None:
    """Read the `data.yaml` of a folder of images and labels."""
    root = _images(path, '', '')
    (root / '1.txt').write_text('0 .5 .5 .2 .2\n')
    (root / 'data.yaml').write_bytes(path.read_bytes())
    _sound(yolo.read_folder(root, root), path)


def read_voc_layout(path: Path) -> None:
    """Read an XML file in VOC's own layout; the same bytes name the images of a split."""
    root = _images(path, '.xml', 'JPEGImages', 'Annotations')
    _sound(voc.read_folder(root, root), path)


def read_image_set(path: Path) -> None:
    """Read a list of `ImageSets` of two images with their XML files."""
    root = _images(path, '.xml', 'JPEGImages', 'Annotations', b'<annotation/>')
    (root / 'ImageSets').mkdir(exist_ok=True)
    (root / 'ImageSets' / 'train.txt').write_bytes(path.read_bytes())
    _sound(voc.read_folder(root, root, image_set='train'), path)


def read_study(path: Path) -> None:
    """Read a study whose configs and lists of tiles are there."""
    _study_files(path.parent)
    with _within(path.parent):
        study = read(path)
    promise(study.seeds and study.protocols and study.backbones, 'something to compare')


def read_study_results(path: Path) -> None:
    """Read the results of a study."""
    promise(isinstance(read_results(path), dict), 'an object')


def read_block(path: Path) -> None:
    """Read a finished block: what is not whole counts as not finished, nothing is refused."""
    folder = blocks.BlockFolder(path.parent / 'out.gpkg', 'key')
    folder.path.mkdir(parents=True, exist_ok=True)
    folder._file(0).write_bytes(path.read_bytes())
    found = folder.read(0)
    if found is not None:
        table = found.detections.table
        promise(table.shape[1:] == (COLUMNS,) and np.isfinite(table[:, :5]).all(), 'detections')
        promise(found.windows >= 0 and found.valid_px >= 0, 'counts')


def _images(
    path: Path, suffix: str, images: str, labels: str = '', other: bytes | None = None
) -> Path:
    """Make two images, and give the input to the first of them, or to both, as its label."""
    root = path.with_name(_ROOT)
    for folder in (root / images, root / labels):
        folder.mkdir(parents=True, exist_ok=True)
    for number in (1, 2):
        image = root / images / f'{number}.png'
        if not image.exists():
            Image.new('RGB', (SIDE_PX, SIDE_PX), (number, 2, 3)).save(image)
        if suffix and (number == 1 or other is not None):
            label = root / labels / f'{number}{suffix}'
            label.unlink(missing_ok=True)
            label.write_bytes(path.read_bytes() if other is None else other)
    return root


def _sound(found: LabelSet, path: Path) -> None:
    """Check what was read: boxes within their images, and faults that fit a terminal."""
    for image in found.images:
        boxes = image.boxes.boxes_xyxy
        promise(np.isfinite(boxes).all() and (boxes >= 0).all(), f'boxes, got {boxes[:3]}')
        promise((boxes <= SIDE_PX).all(), f'boxes within the image, got {boxes[:3]}')
        promise((boxes[:, :2] < boxes[:, 2:]).all(), f'boxes with an area, got {boxes[:3]}')
    for finding in found.findings:
        promise(finding.message.isprintable(), f'a message to print, got {finding.message!a:.99}')
        promise(len(finding.message) < 4000, f'a short message, got {finding.message[:99]}')
    content = json.dumps(found.coco(['landslide']), allow_nan=False)
    promise(len(content) < 2**24, f'no more than it read, got {len(content)} bytes for {path}')


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _study_files(folder: Path) -> None:
    for name, text in (
        ('det.py', 'model = dict()\n'),
        ('mae.py', 'model = dict()\n'),
        ('train.txt', 'train/1\ntrain/2\n'),
        ('score.txt', 'train/3\ntrain/4\n'),
    ):
        if not (folder / name).exists():
            (folder / name).write_text(text)


_BOX = (
    '<object><name>landslide</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>'
    '<ymax>40.5</ymax></bndbox></object>'
)


def coco_seeds() -> list[bytes]:
    """Return annotation files with boxes, polygons and without."""
    images = [
        {'id': number, 'file_name': f'{number}.png', 'height': SIDE_PX, 'width': SIDE_PX}
        for number in (1, 2)
    ]
    row = {'image_id': 1, 'category_id': 1, 'area': 400, 'iscrowd': 0}
    box = {**row, 'id': 1, 'bbox': [1, 2, 20, 20.5]}
    polygon = {**row, 'id': 2, 'segmentation': [[5, 5, 20, 5, 20.5, 30]]}
    common = {'images': images, 'categories': [{'id': 1, 'name': 'landslide'}]}
    return [
        json.dumps({**common, 'annotations': annotations}).encode()
        for annotations in ([box, polygon], [box], [])
    ]


def labelme_seeds() -> list[bytes]:
    """Return files of each shape."""
    points = [[1, 2], [30.5, 2], [30, 40]]
    shapes = [
        {'label': 'landslide', 'points': points[:count], 'shape_type': kind}
        for kind, count in (('polygon', 3), ('rectangle', 2), ('circle', 2))
    ]
    shapes[2]['points'] = [[20, 20], [25, 20]]
    common = {'imagePath': '1.png', 'imageHeight': SIDE_PX, 'imageWidth': SIDE_PX}
    return [json.dumps({**common, 'shapes': some}).encode() for some in (shapes, shapes[:1], [])]


def yolo_seeds() -> list[bytes]:
    """Return boxes, a polygon, and an empty file."""
    return [b'0 0.5 0.5 0.2 0.1\n0 .25 .25 .1 .1', b'0 .1 .1 .4 .1 .4 .5\n', b'']


def yolo_name_seeds() -> list[bytes]:
    """Return the two forms of the names in `data.yaml`."""
    return [
        b'nc: 1\nnames: [landslide]\n',
        b'names:\n  0: landslide\n  1: rockfall\n',
        b'path: .\n',
    ]


def voc_seeds() -> list[bytes]:
    """Return files with boxes and without."""
    size = f'<filename>1.png</filename><size><width>{SIDE_PX}</width></size>'
    return [f'<annotation>{text}</annotation>'.encode() for text in ('', size + _BOX, _BOX * 3)]


def image_set_seeds() -> list[bytes]:
    """Return lists as the challenge writes them, with and without a flag per line."""
    return [b'1\n2\n', b'1  1\n2 -1\n', b'\xef\xbb\xbf1\n']


def study_seeds() -> list[bytes]:
    """Return a small study, and one with each key."""
    small = {
        'name': 'a study',
        'seeds': [0, 1],
        'label_fractions': [1.0],
        'protocols': {'one': {'train_ids': 'train.txt', 'score_ids': 'score.txt'}},
        'detect': {'epochs': 2, 'batch_size': 2, 'warmup': 1},
        'backbones': {'R18': {'config': 'det.py', 'strategies': {'scratch': {}}}},
    }
    pretrain = [{'config': 'mae.py', 'epochs': 2, 'batch_size': 2, 'warmup': 1}]
    strategies = {'scratch': {'options': {'model.x': None}}, 'MAE': {'pretrain': pretrain}}
    large = {
        **small,
        'backbones': {'R18': {'config': 'det.py', 'strategies': strategies}},
        'compare': [{'of': {'strategy': 'MAE'}, 'over': {'strategy': 'scratch'}}],
    }
    return [yaml.safe_dump(content).encode() for content in (small, large)]


def results_seeds() -> list[bytes]:
    """Return the least that results of both schemas hold."""
    stage = {'command': 'mim train mmdet a.py', 'seconds': 1.0}
    cell = {'backbone': 'R18', 'runs': [{'seed': 0, 'stages': [stage], 'metrics': {'AP': 0.1}}]}
    return [
        json.dumps({'schema': schema, 'name': 'a', 'cells': cells, 'differences': []}).encode()
        for schema, cells in ((1, []), (2, [cell]))
    ]


def block_seeds() -> list[bytes]:
    """Return blocks with detections and without."""
    boxes, scores = np.array([[1, 2, 9, 9], [3, 3, 5, 7.5]]), np.array([0.5, 0.25])
    found = [Detections.none(), Detections.of(boxes, scores, (0, 0))]
    return [blocks._encoded(blocks.BlockResult(each, 4, 4096)) for each in found]
