"""The label formats as data sets of a training."""

import pytest

from mmlandslide.datasets.transforms.formatting import PackDetection
from mmlandslide.datasets.views import labelled_images
from mmlandslide.errors import TileError
from mmlandslide.registry import DATASETS
from tests.datasets.labels.test_formats import BOX, coco_json, image, labelme_json, labels_of, shape

PACK = [PackDetection()]


def built(kind, root, **options):
    return DATASETS.build(
        {'type': f'mmlandslide.{kind}', 'data_root': str(root), 'name': 'mine', **options}
    )


def test_a_coco_json_is_a_data_set_of_images_of_any_format(tmp_path):
    image(tmp_path / 'img' / '1.tif')
    coco_json(tmp_path, [{'id': 1, 'file_name': '1.tif'}])
    view = built('COCOTileDataset', tmp_path, ann_file='a.json', images='img', pipeline=PACK)
    packed = view[0]['data_samples']
    assert packed.gt_instances.bboxes.tolist() == [BOX]
    assert (packed.img_id, packed.ori_shape) == ('train/1', (128, 128))


def test_yolo_and_labelme_are_data_sets(tmp_path):
    image(tmp_path / 'y' / 'images' / '1.png')
    labels_of(tmp_path / 'y', '0 0.5 0.5 0.25 0.25')
    assert built('YOLOTileDataset', tmp_path / 'y').get_data_info(0)['boxes_xyxy'].tolist() == [
        [48, 48, 80, 80]
    ]
    image(tmp_path / 'l' / '1.png')
    labelme_json(tmp_path / 'l', shape([10, 10], [60, 50], kind='rectangle'))
    view = built('LabelmeTileDataset', tmp_path / 'l')
    assert view.get_data_info(0)['boxes_xyxy'].tolist() == [BOX]


def test_a_set_with_faults_is_refused_with_their_count_and_the_command_that_lists_them(tmp_path):
    image(tmp_path / 'images' / '1.png')
    labels_of(tmp_path, '0 0.5\n0 9 9 9 9\n')
    with pytest.raises(TileError, match=r'line 1 .* 2 faults in all: `mmlandslide prepare --yolo'):
        built('YOLOTileDataset', tmp_path)


def test_names_that_are_taken_for_the_one_class_are_logged(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(labelled_images, 'print_log', lambda text, *_: said.append(text))
    image(tmp_path / 'images' / '1.png')
    labels_of(tmp_path, '0 0.5 0.5 0.1 0.1')
    (tmp_path / 'data.yaml').write_text('names: {0: building}')
    built('YOLOTileDataset', tmp_path)
    assert f"objects named {{'building': 1}} in {tmp_path} are taken for 'landslide'" in said


def test_of_several_classes_an_unknown_name_is_refused(tmp_path):
    image(tmp_path / '1.png')
    labelme_json(tmp_path, shape([1, 1], [9, 9], kind='rectangle', label='building'))
    with pytest.raises(TileError, match=r"be one of \['landslide', 'rockfall'\], got 'building'"):
        built('LabelmeTileDataset', tmp_path, metainfo={'classes': ('landslide', 'rockfall')})


def test_a_data_info_holds_the_size_that_the_hosts_batch_samplers_ask_for(tmp_path):
    image(tmp_path / 'images' / '1.png', width=100, height=80)
    labels_of(tmp_path, '')
    info = built('YOLOTileDataset', tmp_path).get_data_info(0)
    assert (info['width'], info['height']) == (100, 80)
