import os
from pathlib import Path

import factories
import numpy as np
import pytest
from PIL import Image

from mmlandslide.datasets.storage.tile_formats import image_hw
from mmlandslide.datasets.transforms.formatting import PackDetection
from mmlandslide.datasets.views import view as view_module
from mmlandslide.datasets.views.voc import VOCTileDataset, read_voc
from mmlandslide.errors import BandError, ConfigError, DatasetError, MissingPathError, TileError
from mmlandslide.registry import DATASETS


def voc_object(*corners, name='landslides'):
    fields = ''.join(
        f'<{key}>{value}</{key}>'
        for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), corners, strict=True)
    )
    return f'<object><name>{name}</name><bndbox>{fields}</bndbox></object>'


def write_tile(folder, stem, *objects, size_wh=(40, 30), rgb=(10, 20, 30)):
    """Write a PNG and its XML, whose <size> is wrong as it is in the study's files."""
    folder.mkdir(exist_ok=True)
    Image.new('RGB', size_wh, rgb).save(folder / f'{stem}.png')
    size = '<size><width>7</width><height>7</height></size>'
    (folder / f'{stem}.xml').write_text(f'<annotation>{size}{"".join(objects)}</annotation>')


@pytest.fixture
def root(tmp_path):
    write_tile(tmp_path / 'train', 10, voc_object(0, 5, 40, 30), voc_object(1.5, 2.25, 3, 4))
    write_tile(tmp_path / 'train', 9)
    write_tile(tmp_path / 'train', 2, voc_object(3, 4, 5, 6))
    return tmp_path


def test_boxes_are_read_as_they_stand_with_fractions_and_edges(root):
    boxes, names = read_voc(root / 'train' / '10.xml', (30, 40))
    assert boxes.tolist() == [[0, 5, 40, 30], [1.5, 2.25, 3, 4]]
    assert boxes.dtype == np.float32
    assert names == ['landslides', 'landslides']


def test_a_file_without_objects_has_no_boxes(root):
    boxes, names = read_voc(root / 'train' / '9.xml')
    assert boxes.shape == (0, 4)
    assert names == []


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation><object>', r'well-formed XML without entities, got ParseError'),
        ('', r'\(<annotation></annotation> where the tile holds no landslide\), got ParseError'),
        (
            '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
            r'well-formed XML without entities, got DTDForbidden',
        ),
        (f'<a>{voc_object(1, 2, 3, "")}</a>', r"object 1 must hold numbers .*'ymax': ''"),
        (
            f'<a>{voc_object(1, 2, 3, 4)}<object><name>x</name></object></a>',
            r"object 2 must hold numbers .*'xmin': None",
        ),
        (f'<a>{voc_object(1, 2, 3, "four")}</a>', r"hold numbers .*'ymax': 'four'"),
        (f'<a>{voc_object(1, 2, 1, 4)}</a>', r'xmin < xmax .* got \[1.0, 2.0, 1.0, 4.0\]'),
        (f'<a>{voc_object(1, 5, 3, 4)}</a>', r'got \[1.0, 5.0, 3.0, 4.0\]'),
        (f'<a>{voc_object(-1, 2, 3, 4)}</a>', r'got \[-1.0, 2.0'),
        (f'<a>{voc_object(1, 2, "nan", 4)}</a>', r'got \[1.0, 2.0, nan'),
        (f'<a>{voc_object(1, 2, 41, 4)}</a>', r'image of 40 x 30 px, got \[1.0, 2.0, 41.0'),
        (f'<a>{voc_object(1, 2, 3, 31)}</a>', r'image of 40 x 30 px, got \[1.0, 2.0, 3.0, 31.0\]'),
        (f'<a>{voc_object(1, 2, 3, 4, name=" ")}</a>', r'object 1 must have a <name>'),
    ],
)
def test_a_broken_annotation_is_named_with_what_is_wrong(tmp_path, text, message):
    path = tmp_path / '5.xml'
    path.write_text(text)
    with pytest.raises(TileError, match=message) as caught:
        read_voc(path, (30, 40))
    assert str(path) in str(caught.value)


def test_without_the_image_size_the_upper_bound_is_not_checked(tmp_path):
    (tmp_path / '5.xml').write_text(f'<a>{voc_object(1, 2, 4000, 3)}</a>')
    assert read_voc(tmp_path / '5.xml')[0].tolist() == [[1, 2, 4000, 3]]


def test_a_missing_annotation_is_a_missing_path(tmp_path):
    with pytest.raises(MissingPathError, match=r'annotation file must exist'):
        read_voc(tmp_path / '5.xml')


def test_tiles_come_in_the_order_of_their_numbers_under_their_ids(root):
    view = VOCTileDataset(name='landslide4sense', data_root=root, folder='train')
    assert view.tile_ids == [
        'landslide4sense:train/2',
        'landslide4sense:train/9',
        'landslide4sense:train/10',
    ]


def test_a_sample_holds_the_image_and_boxes_in_the_frame_of_the_file(root):
    packed = VOCTileDataset(name='landslide4sense', data_root=root, pipeline=[PackDetection()])[2]
    assert packed['inputs'].shape == (3, 30, 40)
    assert packed['inputs'][:, 0, 0].tolist() == [10, 20, 30]
    assert packed['data_samples'].ori_shape == (30, 40)
    assert packed['data_samples'].gt_instances.bboxes.tolist() == [
        [0, 5, 40, 30],
        [1.5, 2.25, 3, 4],
    ]


@pytest.mark.parametrize(
    ('bands', 'values'), [(('B', 'R'), [30, 10]), ('photograph', [10, 20, 30]), ('G', [20])]
)
def test_bands_come_in_the_order_asked_for(root, bands, values):
    view = VOCTileDataset(
        name='landslide4sense', data_root=root, bands=bands, pipeline=[PackDetection()]
    )
    assert view[0]['inputs'][:, 3, 3].tolist() == values


def test_a_band_that_photographs_lack_is_refused(root):
    with pytest.raises(BandError, match=r"must be among \['R', 'G', 'B'\], got \['B8'\]"):
        VOCTileDataset(name='landslide4sense', data_root=root, bands=('R', 'B8'))


def test_tiles_without_a_box_are_kept_unless_told_otherwise(root):
    assert VOCTileDataset(name='landslide4sense', data_root=root).get_data_info(1)['gt_label'] == 0
    assert VOCTileDataset(
        name='landslide4sense', data_root=root, keep_negatives=False
    ).tile_ids == [
        'landslide4sense:train/2',
        'landslide4sense:train/10',
    ]


def test_a_split_file_chooses_tiles_in_its_order(root):
    (root / 'split.txt').write_text('train/10\ntrain/2\n')
    assert VOCTileDataset(
        name='landslide4sense', data_root=root, split_file=root / 'split.txt'
    ).tile_ids == [
        'landslide4sense:train/10',
        'landslide4sense:train/2',
    ]


def test_with_one_class_every_object_is_of_it(root):
    write_tile(root / 'train', 9, voc_object(1, 1, 2, 2, name='slump'))
    assert VOCTileDataset(name='landslide4sense', data_root=root).get_data_info(1)[
        'labels'
    ].tolist() == [0]


def test_with_several_classes_the_name_decides(root):
    write_tile(
        root / 'two', 1, voc_object(1, 1, 2, 2, name='flow'), voc_object(1, 1, 2, 2, name='slump')
    )
    view = VOCTileDataset(
        name='landslide4sense',
        data_root=root,
        folder='two',
        metainfo={'classes': ('slump', 'flow')},
    )
    assert view.get_data_info(0)['labels'].tolist() == [1, 0]
    with pytest.raises(TileError, match=r"be one of \['slump', 'rock'\], got 'flow' in .*1.xml"):
        VOCTileDataset(
            name='landslide4sense',
            data_root=root,
            folder='two',
            metainfo={'classes': ('slump', 'rock')},
        )


@pytest.mark.parametrize('lost', ['9.xml', '9.png'])
def test_an_image_and_its_annotation_need_each_other(root, lost):
    (root / 'train' / lost).unlink()
    with pytest.raises(DatasetError, match=r"got 1 tiles without, such as \['9'\]"):
        VOCTileDataset(name='landslide4sense', data_root=root)


def test_two_images_of_one_stem_are_refused(root):
    (root / 'train' / '9.jpg').write_bytes((root / 'train' / '9.png').read_bytes())
    with pytest.raises(DatasetError, match=r"such as \['9'\]"):
        VOCTileDataset(name='landslide4sense', data_root=root)


def test_empty_and_missing_folders_are_refused(root):
    (root / 'valid').mkdir()
    with pytest.raises(DatasetError, match=r'got no image'):
        VOCTileDataset(name='landslide4sense', data_root=root, folder='valid')
    with pytest.raises(MissingPathError, match=r'got no folder'):
        VOCTileDataset(name='landslide4sense', data_root=root, folder='test')


def test_a_broken_image_is_named(root):
    (root / 'train' / '2.png').write_bytes(b'not a picture')
    with pytest.raises(TileError, match=r'must be readable image, got .*2.png'):
        VOCTileDataset(name='landslide4sense', data_root=root)


def test_a_picture_of_another_format_under_a_known_name_is_refused(tmp_path):
    Image.new('RGB', (4, 4)).save(tmp_path / '1.png', format='GIF')
    with pytest.raises(TileError, match=r'must be readable image, got .*1.png'):
        image_hw(tmp_path / '1.png')


def test_an_absurdly_large_picture_is_refused_by_its_header(tmp_path, monkeypatch):
    Image.new('RGB', (40, 30)).save(tmp_path / '1.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 500)  # refused above twice that; 40 * 30 = 1200
    with pytest.raises(TileError, match=r'must be readable image, got .*decompression bomb'):
        image_hw(tmp_path / '1.png')


def test_a_tile_id_says_which_tile(root):
    assert VOCTileDataset(name='own', data_root=root, tile_id='{stem}').tile_ids == [
        'own:2',
        'own:9',
        'own:10',
    ]
    with pytest.raises(ConfigError, match=r"tile_id must contain \{stem\}, got 'train/1'"):
        VOCTileDataset(name='own', data_root=root, tile_id='train/1')


def test_to_keep_only_tiles_with_a_box_there_must_be_one(root):
    write_tile(root / 'empty', 1)
    with pytest.raises(DatasetError, match=r'tile with a box, got none of 1 in .*empty'):
        VOCTileDataset(name='own', data_root=root, folder='empty', keep_negatives=False)


def test_the_dataset_is_found_by_its_name(root):
    assert (
        len(
            DATASETS.build(
                {'type': 'mmlandslide.VOCTileDataset', 'name': 'x', 'data_root': str(root)}
            )
        )
        == 3
    )


@pytest.mark.data
@pytest.mark.skipif(
    'MMLANDSLIDE_REAL_DATA' not in os.environ, reason='names the folder of real tiles'
)
@pytest.mark.parametrize(
    ('folder', 'tiles', 'boxes', 'far'),
    [
        ('l4s_rgb/train', 1440, 6098, 224),
        ('l4s_rgb/valid', 309, 1338, 224),
        ('dynahead_rgb/train', 665, 815, 512),
    ],
)
def test_the_real_tiles_are_read_whole(folder, tiles, boxes, far):
    view = VOCTileDataset(
        name='x', data_root=Path(os.environ['MMLANDSLIDE_REAL_DATA']), folder=folder
    )
    found = np.concatenate([view.get_data_info(index)['boxes_xyxy'] for index in range(len(view))])
    assert (len(view), len(found), found.max()) == (tiles, boxes, far)


def test_a_split_over_two_folders_takes_the_tiles_of_both(tmp_path):
    factories.write_voc(tmp_path, {'train': 2})
    factories.write_voc(tmp_path, {'valid': 2}, first=3)
    (tmp_path / 'ids.txt').write_text('train/4\ntrain/1\n')
    folders = ('train', 'valid')
    view = VOCTileDataset(
        data_root=tmp_path, name='rgb', folder=folders, split_file=tmp_path / 'ids.txt'
    )
    assert view.tile_ids == ['rgb:train/4', 'rgb:train/1']


def test_a_tile_in_two_folders_is_refused(tmp_path):
    factories.write_voc(tmp_path, {'train': 2, 'valid': 1})
    with pytest.raises(DatasetError, match=r'tile train/1 must lie in one folder, got .*valid/1'):
        VOCTileDataset(data_root=tmp_path, name='rgb', folder=('train', 'valid'))


def test_tiles_that_the_copy_lacks_are_skipped_where_asked_and_counted(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(view_module, 'print_log', lambda text, *_: said.append(text))
    factories.write_voc(tmp_path, {'train': 1})
    (tmp_path / 'ids.txt').write_text('train/1\ntrain/2\ntrain/3\n')
    options = {'data_root': tmp_path, 'name': 'rgb', 'split_file': tmp_path / 'ids.txt'}
    with pytest.raises(DatasetError, match=r"2 unknown: \['train/2', 'train/3'\]"):
        VOCTileDataset(**options)
    assert VOCTileDataset(**options, missing='skip').tile_ids == ['rgb:train/1']
    assert [text.split(' of /')[0] for text in said] == ['2 of the 3 tiles']


def test_an_id_that_no_tile_can_have_is_not_skipped(tmp_path):
    factories.write_voc(tmp_path, {'train': 1})
    (tmp_path / 'ids.txt').write_text('train/1\ntrain/3800\n')
    with pytest.raises(DatasetError, match=r"train/1 to train/3799, got 'train/3800'"):
        VOCTileDataset(
            data_root=tmp_path,
            name='landslide4sense',
            split_file=tmp_path / 'ids.txt',
            missing='skip',
        )
