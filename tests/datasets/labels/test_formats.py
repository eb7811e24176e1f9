"""One tile with one box of 10..60 x 10..50 px of 128, told in each label format."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from mmlandslide.datasets.labels import coco, labelme, voc, yolo
from mmlandslide.errors import DatasetError, MissingPathError, TileError

BOX = [10.0, 10.0, 60.0, 50.0]


def image(path, width=128, height=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.tif':
        shape = {'height': height, 'width': width, 'count': 3, 'dtype': 'uint8'}
        with rasterio.open(path, 'w', driver='GTiff', **shape) as file:
            file.write(np.zeros((3, height, width), 'uint8'))
    else:
        Image.new('RGB', (width, height)).save(path)
    return path


def xml(path, *boxes, name='slide'):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ''.join(
        f'<object><name>{name}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>'
        f'<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>'
        for a, b, c, d in boxes
    )
    path.write_text(f'<annotation><filename>C:\\photo\\1.jpg</filename>{text}</annotation>')


def corners(found):
    return [image.boxes.boxes_xyxy.tolist() for image in found.images]


def faults(found):
    return [(finding.fault, Path(finding.path).name) for finding in found.findings]


def coco_json(root, images=None, annotations=None, **more):
    one = {'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [10, 10, 50, 40], 'iscrowd': 0}
    content = {
        'images': images or [{'id': 1, 'file_name': '1.png', 'height': 128, 'width': 128}],
        'annotations': [one] if annotations is None else annotations,
        'categories': [{'id': 1, 'name': 'landslide'}],
        **more,
    }
    (root / 'a.json').write_text(json.dumps(content))
    return coco.read_file(root / 'a.json', root / 'img', root)


def test_a_coco_json_gives_boxes_and_keeps_images_without_any(tmp_path):
    for name in ('1.png', '2.tif'):
        image(tmp_path / 'img' / name)
    rows = [{'id': n, 'file_name': name} for n, name in ((1, '1.png'), ('two', '2.tif'))]
    found = coco_json(tmp_path, rows)
    assert corners(found) == [[BOX], []]
    assert (dict(found.names), found.findings) == ({'landslide': 1}, [])


def test_a_polygon_without_bbox_is_boxed(tmp_path):
    image(tmp_path / 'img' / '1.png')
    polygon = {'id': 1, 'image_id': 1, 'category_id': 1, 'segmentation': [[10, 20, 60, 10, 30, 50]]}
    assert corners(coco_json(tmp_path, annotations=[polygon])) == [[BOX]]


def test_every_fault_of_a_coco_json_is_found_in_one_pass(tmp_path):
    image(tmp_path / 'img' / '1.png')
    image(tmp_path / 'img' / '3.png', width=64)
    row = {'category_id': 1, 'bbox': [1, 1, 5, 5], 'image_id': 1}
    found = coco_json(
        tmp_path,
        [
            {'id': 1, 'file_name': '1.png'},
            {'id': 2, 'file_name': '2.png'},
            {'id': 3, 'file_name': '3.png', 'height': 128, 'width': 128},
            {'id': 3, 'file_name': '4.png'},
            {'id': 5, 'file_name': '../a.json'},
        ],
        [
            {**row, 'bbox': [1, 1, 0, 5]},
            {**row, 'bbox': [100, 1, 50, 5]},
            {**row, 'category_id': 7},
            {**row, 'iscrowd': 1},
            {**row, 'bbox': 'four'},
            {**row, 'image_id': 9},
        ],
    )
    assert [code for code, _ in faults(found)] == [
        'wrong-box',
        'wrong-box',
        'broken-label',
        'broken-label',
        'broken-label',
        'label-without-image',
        'image-size',
        'broken-label',
        'label-without-image',
        'broken-label',
    ]


def test_images_that_the_json_does_not_name_are_told(tmp_path):
    for number in (1, 2):
        image(tmp_path / 'img' / f'{number}.png')
    found = coco_json(tmp_path)
    assert (faults(found), found.errors) == ([('ignored-file', 'img')], [])
    assert "1 others, such as ['2.png']" in found.findings[0].message


@pytest.mark.parametrize('content', ['', '[]', '{"images": []}', '[' * 99999])
def test_what_is_no_coco_json_is_refused(tmp_path, content):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(TileError, match='COCO JSON must be JSON with the lists'):
        coco.read_file(tmp_path / 'a.json', tmp_path, tmp_path)


def labels_of(root, text, name='1'):
    (root / 'labels').mkdir(parents=True, exist_ok=True)
    (root / 'labels' / f'{name}.txt').write_text(text)


def test_yolo_lines_are_centre_and_size_as_shares(tmp_path):
    image(tmp_path / 'images' / '1.png')
    image(tmp_path / 'images' / '2.png')  # no file: no object
    labels_of(tmp_path, f'0 {35 / 128} {30 / 128} {50 / 128} {40 / 128}\n')
    (tmp_path / 'data.yaml').write_text('names: [landslide]\n')
    found = yolo.read_folder(tmp_path, tmp_path)
    assert corners(found) == [[BOX], []]
    assert (dict(found.names), found.findings) == ({'landslide': 1}, [])


def test_yolo_polygons_and_folders_of_splits_are_read(tmp_path):
    image(tmp_path / 'images' / 'train' / '1.jpg')
    (tmp_path / 'labels' / 'train').mkdir(parents=True)
    points = ' '.join(str(value / 128) for value in (10, 20, 60, 10, 30, 50))
    (tmp_path / 'labels' / 'train' / '1.txt').write_text(f'3 {points}\n')
    found = yolo.read_folder(tmp_path, tmp_path)
    assert corners(found) == [[BOX]]
    assert (found.images[0].key, dict(found.names)) == ('train/1', {'3': 1})


def test_yolo_files_beside_their_images_are_read(tmp_path):
    image(tmp_path / '1.png')
    (tmp_path / '1.txt').write_text('1 0.5 0.5 0.25 0.25')
    (tmp_path / 'classes.txt').write_text('building\nlandslide\n')
    found = yolo.read_folder(tmp_path, tmp_path)
    assert (corners(found), dict(found.names)) == ([[[48, 48, 80, 80]]], {'landslide': 1})


def test_every_fault_of_yolo_files_is_found_in_one_pass(tmp_path):
    for number in (1, 2):
        image(tmp_path / 'images' / f'{number}.png')
    labels_of(tmp_path, '0 0.5 0.5\n0 35 30 50 40\n0 0.5 0.5 0 0.1\nslide 1 1 1 1\n0 0.5 0.5 2 1')
    labels_of(tmp_path, '0.5 0.5 0.5 0.1 0.1', '2')
    labels_of(tmp_path, '', '9')
    found = yolo.read_folder(tmp_path, tmp_path)
    assert [code for code, _ in faults(found)] == [
        'broken-label',
        'wrong-box',
        'wrong-box',
        'broken-label',
        'wrong-box',
        'broken-label',
        'label-without-image',
    ]


def test_a_yolo_folder_without_labels_is_refused(tmp_path):
    image(tmp_path / 'images' / '1.png')
    with pytest.raises(DatasetError, match='got 1 images and 0 label files'):
        yolo.read_folder(tmp_path, tmp_path)


def labelme_json(root, *shapes, name='1', **more):
    content = {'shapes': shapes, 'imagePath': f'..\\photo\\{name}.png', **more}
    (root / f'{name}.json').write_text(json.dumps(content))


def shape(*points, kind='polygon', label='landslide'):
    return {'label': label, 'points': points, 'shape_type': kind}


def test_labelme_shapes_are_boxed_whatever_their_kind(tmp_path):
    image(tmp_path / '1.png')
    labelme_json(
        tmp_path,
        shape([10, 20], [60, 10], [30, 50]),
        shape([60, 50], [10, 10], kind='rectangle'),
        shape([30, 30], [30, 50], kind='circle'),
        imageHeight=128,
        imageWidth=128,
    )
    found = labelme.read_folder(tmp_path, tmp_path)
    assert corners(found) == [[BOX, BOX, [10, 10, 50, 50]]]


def test_every_fault_of_labelme_files_is_found_in_one_pass(tmp_path):
    for name in ('1', '2', '3', '4'):
        image(tmp_path / f'{name}.png')
    labelme_json(tmp_path, shape([1, 1]), shape([1, 1], [9, 9], kind='line'), {'label': 'x'})
    labelme_json(tmp_path, name='2', imageHeight=64, imageWidth=64)
    (tmp_path / '3.json').write_text('{')
    labelme_json(tmp_path, name='9')
    found = labelme.read_folder(tmp_path, tmp_path)
    assert [code for code, _ in faults(found)] == [
        'broken-label',
        'broken-label',
        'broken-label',
        'image-size',
        'broken-label',
        'label-without-image',
        'image-without-label',
    ]


@pytest.mark.parametrize(('images', 'named'), [('JPEGImages', None), ('photo', None), ('p', 'p')])
def test_vocs_own_layout_is_read_with_any_format_of_images(tmp_path, images, named):
    for number in (1, 2, 10):
        image(tmp_path / images / f'{number}.tif')
        xml(tmp_path / 'Annotations' / f'{number}.xml', BOX)
    (tmp_path / 'ImageSets' / 'Main').mkdir(parents=True)
    (tmp_path / 'ImageSets' / 'Main' / 'train.txt').write_text('\ufeff10 1\n2 -1\n')
    found = voc.read_folder(tmp_path, tmp_path, named)
    assert [image.key for image in found.images] == ['1', '2', '10']
    chosen = voc.read_folder(tmp_path, tmp_path, named, 'train')
    assert [image.key for image in chosen.images] == ['2', '10']
    assert corners(chosen) == [[BOX], [BOX]]
    with pytest.raises(MissingPathError, match=r"got only \['train'\]"):
        voc.read_folder(tmp_path, tmp_path, named, 'val')


def test_every_faulty_voc_file_is_found_in_one_pass(tmp_path):
    for number in (1, 2, 3, 4):
        image(tmp_path / f'{number}.png', 64, 64)
    xml(tmp_path / '1.xml', (5, 1, 5, 9), (9, 1, 3, 9))
    xml(tmp_path / '2.xml', (1, 1, 999, 9))
    (tmp_path / '3.xml').touch()
    (tmp_path / '5.xml').touch()
    found = voc.read_folder(tmp_path, tmp_path)
    assert faults(found) == [
        ('image-without-label', '4.png'),
        ('label-without-image', '5.xml'),
        ('wrong-box', '1.xml'),
        ('wrong-box', '1.xml'),
        ('wrong-box', '2.xml'),
        ('broken-label', '3.xml'),
    ]
    assert '<annotation></annotation> where the tile holds no landslide' in str(found.findings[-1])


def test_a_box_that_was_rounded_over_the_edge_is_clipped_and_counted(tmp_path):
    image(tmp_path / '1.png', 64, 64)
    xml(tmp_path / '1.xml', (-0.4, 1, 9, 64.0000305))
    found = voc.read_folder(tmp_path, tmp_path)
    assert (corners(found), found.clipped, found.findings) == ([[[0, 1, 9, 64]]], 1, [])


def test_what_macos_adds_is_passed_over(tmp_path):
    image(tmp_path / '1.png')
    xml(tmp_path / '1.xml')
    for name in ('._1.png', '._1.xml', '.DS_Store'):
        (tmp_path / name).write_bytes(b'\0\5\x16\7')
    assert [image.key for image in voc.read_folder(tmp_path, tmp_path).images] == ['1']


def test_an_xml_of_chinese_encoding_is_read(tmp_path):
    image(tmp_path / '1.png')
    text = '<?xml version="1.0" encoding="GB2312"?><annotation><object><name>\u6ed1\u5761</name>'
    text += '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>'
    (tmp_path / '1.xml').write_bytes(f'{text}</annotation>'.encode('gb2312'))
    assert list(voc.read_folder(tmp_path, tmp_path).names) == ['\u6ed1\u5761']


def test_the_hosts_own_metric_reads_what_is_written(tmp_path):
    from mmdet.evaluation.metrics import CocoMetric

    image(tmp_path / '1.png')
    xml(tmp_path / '1.xml', BOX)
    content = voc.read_folder(tmp_path, tmp_path).coco(['landslide'])
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    metric = CocoMetric(ann_file=str(tmp_path / 'coco.json'), metric='bbox')
    metric.dataset_meta = {'classes': ('landslide',)}
    predicted = {
        'bboxes': np.array([BOX]),
        'scores': np.array([0.9]),
        'labels': np.array([0]),
        'img_id': 1,
    }
    metric.results = [({}, predicted)]
    assert metric.compute_metrics(metric.results)['bbox_mAP'] == 1.0


def test_labelme_shapes_of_one_group_are_one_object(tmp_path):
    image(tmp_path / '1.png')
    left, right = shape([10, 20], [20, 10], [30, 50]), shape([40, 20], [60, 30], [40, 40])
    alone = shape([40, 20], [60, 30], [40, 40])
    labelme_json(tmp_path, {**left, 'group_id': 1}, {**right, 'group_id': 1}, alone)
    found = labelme.read_folder(tmp_path, tmp_path)
    assert corners(found) == [[BOX, [40, 20, 60, 40]]]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('names: [a]\nkpt_shape: [2, 3]', r'not of key points, got kpt_shape \[2, 3\]'),
        ('names: [a, b]\nnc: 3', 'list `names`, got 2 for nc 3'),
        ('names: landslide', "list `names`, got names 'landslide'"),
    ],
)
def test_a_yolo_class_file_that_contradicts_itself_is_refused(tmp_path, text, message):
    image(tmp_path / 'images' / '1.png')
    labels_of(tmp_path, '0 0.5 0.5 0.2 0.2')
    (tmp_path / 'data.yaml').write_text(text)
    with pytest.raises(TileError, match=message):
        yolo.read_folder(tmp_path, tmp_path)


def test_a_yolo_class_that_the_list_does_not_have_is_a_fault(tmp_path):
    image(tmp_path / 'images' / '1.png')
    labels_of(tmp_path, '1 0.5 0.5 0.2 0.2')
    (tmp_path / 'data.yaml').write_text('names: {0: landslide}')
    found = yolo.read_folder(tmp_path, tmp_path)
    assert faults(found) == [('unknown-class', '1.txt')]
    assert "line 1 must be of a class of {0: 'landslide'}, got 1" in found.findings[0].message


def test_objects_that_voc_calls_difficult_are_taken_and_counted(tmp_path):
    image(tmp_path / '1.png')
    xml(tmp_path / '1.xml', BOX, BOX)
    text = (tmp_path / '1.xml').read_text()
    marked = text.replace('</name>', '</name><difficult>1</difficult>', 1)
    (tmp_path / '1.xml').write_text(marked)
    found = voc.read_folder(tmp_path, tmp_path)
    assert (corners(found), found.difficult) == ([[BOX, BOX]], 1)


@pytest.mark.parametrize('bbox', [[0.1, 0.2, 0.3, 0.25], [0.0, 0.0, 0.5, 1.0]])
def test_boxes_in_shares_of_the_image_are_not_taken_for_pixels(tmp_path, bbox):
    image(tmp_path / 'img' / '1.png')
    row = {'id': 1, 'image_id': 1, 'category_id': 1}
    found = coco_json(tmp_path, annotations=[{**row, 'bbox': bbox}])
    assert faults(found) == [('wrong-box', 'a.json')]
    assert 'be in px, not in shares of the image' in found.findings[0].message
    assert corners(coco_json(tmp_path, annotations=[{**row, 'bbox': [0, 0, 1, 1]}])) == [
        [[0, 0, 1, 1]]
    ]


@pytest.mark.parametrize('name', ['_background_', '__ignore__', 'non-landslide', 'No Landslide'])
def test_an_object_that_says_it_is_none_is_not_taken_for_the_only_class(tmp_path, name):
    image(tmp_path / '1.png')
    xml(tmp_path / '1.xml', BOX, name=name)
    found = voc.read_folder(tmp_path, tmp_path)
    found.require_classes(['landslide'])
    assert faults(found) == [('unknown-class', '1.xml')]
    named = voc.read_folder(tmp_path, tmp_path)
    named.require_classes(['landslide', name])
    assert named.findings == []


def test_two_images_of_one_yolo_file_are_told_apart(tmp_path):
    for name in ('1.png', '1.tif'):
        image(tmp_path / 'images' / name)
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels' / '1.txt').write_text('0 .5 .5 .1 .1')
    found = yolo.read_folder(tmp_path, tmp_path)
    assert faults(found) == [('name-without-id', '1.tif')]


def test_a_class_name_without_end_is_refused(tmp_path):
    image(tmp_path / '1.png')
    xml(tmp_path / '1.xml', BOX, name='x' * 999)
    assert faults(voc.read_folder(tmp_path, tmp_path)) == [('broken-label', '1.xml')]
