import numpy as np
import pytest
from factories import write_image_folder
from PIL import Image

from mmlandslide.datasets.storage.tile_errors import UnreadableTileError
from mmlandslide.datasets.storage.tile_formats import read_photograph
from mmlandslide.datasets.views.image_folder import ImageFolderDataset
from mmlandslide.errors import DatasetError, MissingPathError


@pytest.fixture
def root(tmp_path):
    return write_image_folder(tmp_path / 'imagenet')


def test_a_photograph_is_labelled_by_its_folder(root):
    view = ImageFolderDataset(data_root=root)
    assert view.metainfo['classes'] == ('n01', 'n02')
    assert [(each['img_id'], each['gt_label']) for each in view] == [
        ('train/n01/0', 0),
        ('train/n01/1', 0),
        ('train/n02/0', 1),
        ('train/n02/1', 1),
    ]


def test_a_photograph_comes_in_the_bands_asked_for(root):
    whole, some = (
        ImageFolderDataset(data_root=root, bands=bands)[2]['img']
        for bands in ('photograph', ('B', 'R'))
    )
    assert whole.shape == (3, 48, 40)
    assert whole.dtype == np.float32
    assert np.array_equal(some, whole[[2, 0]])


def test_a_class_keeps_its_number_where_a_folder_lacks_another(root):
    (root / 'val' / 'n01' / '0.JPEG').unlink()
    (root / 'val' / 'n01' / '1.JPEG').unlink()
    (root / 'val' / 'n01').rmdir()
    view = ImageFolderDataset(data_root=root, folder='val')
    assert [each['gt_label'] for each in view] == [1, 1]


def test_a_class_that_training_lacks_is_refused(root):
    (root / 'val' / 'n03').mkdir()
    with pytest.raises(
        DatasetError,
        match=r"class folders must be among those of .*train, got \['n03'\] beside them in .*val",
    ):
        ImageFolderDataset(data_root=root, folder='val')


def test_photographs_are_no_tiles(root):
    assert ImageFolderDataset(data_root=root).tile_ids == []


@pytest.mark.parametrize('mode', ['L', 'CMYK', 'P', 'RGBA'])
def test_a_photograph_of_any_colours_becomes_red_green_and_blue(mode, tmp_path):
    suffix = 'jpg' if mode in ('L', 'CMYK') else 'png'
    Image.new('RGB', (4, 3), (200, 100, 50)).convert(mode).save(tmp_path / f'a.{suffix}')
    image = read_photograph(tmp_path / f'a.{suffix}')
    expected = (
        (124, 124, 124) if mode == 'L' else (200, 100, 50)
    )  # .299 * 200 + .587 * 100 + .114 * 50
    assert image.shape == (3, 3, 4)
    assert np.abs(image[:, 1, 1].astype(int) - expected).max() <= {'CMYK': 3, 'P': 4}.get(
        mode, 1
    )  # of a palette the nearest colour


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        MissingPathError,
        match=r'image folder must exist, got no folder in .*imagenet/train\. Put the photographs',
    ):
        ImageFolderDataset(data_root=tmp_path / 'imagenet')


@pytest.mark.parametrize('made', ['train', 'train/n01'])
def test_a_folder_without_classes_or_photographs_is_refused(tmp_path, made):
    (tmp_path / made).mkdir(parents=True)
    with pytest.raises(
        DatasetError,
        match=r'must hold (one folder a class|photographs \(\.png.*\)), got none in .*train',
    ):
        ImageFolderDataset(data_root=tmp_path)


def test_a_broken_photograph_is_named(root):
    (root / 'train' / 'n01' / '0.JPEG').write_bytes(b'no picture')
    with pytest.raises(UnreadableTileError, match=r'readable image.*0\.JPEG'):
        ImageFolderDataset(data_root=root)[0]
