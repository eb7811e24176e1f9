import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from mmlandslide import bands as band_table
from mmlandslide.datasets.transforms.formatting import PackDetection, PackTile
from mmlandslide.datasets.views.masks import MaskFolderDataset
from mmlandslide.errors import BandError, ConfigError, DatasetError, MissingPathError
from mmlandslide.registry import DATASETS

pytestmark = pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')
MARS = 'mars'


def write_tiff(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {
        'driver': 'GTiff',
        'count': array.shape[0],
        'height': array.shape[1],
        'width': array.shape[2],
    }
    with rasterio.open(path, 'w', dtype='float32', **profile) as sink:
        sink.write(array.astype(np.float32))


def write_tile(root, key, *boxes, level=0.5):
    """Write a 7-band tile whose band b is level + b / 100, and its mask."""
    mask = np.zeros((1, 16, 24))
    for x1, y1, x2, y2 in boxes:
        mask[:, y1:y2, x1:x2] = 1
    write_tiff(
        root / 'images' / f'Image_patch_{key}.tif',
        np.ones((7, 16, 24)) * level + np.arange(7)[:, None, None] / 100,
    )
    write_tiff(root / 'masks' / f'Mask_patch_{key}.tif', mask)


@pytest.fixture
def root(tmp_path):
    write_tile(tmp_path, '10_4', (2, 3, 6, 8), (10, 0, 24, 2))
    write_tile(tmp_path, '9_16', level=0.25)
    return tmp_path


def test_tiles_come_by_the_numbers_in_their_ids_under_split_and_name(root):
    view = MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, split='val')
    assert view.tile_ids == ['mars:validation/9_16', 'mars:validation/10_4']


def test_a_sample_holds_its_bands_and_the_boxes_of_its_own_mask(root):
    packed = MaskFolderDataset(
        data_root=root, name='mars', source_bands=MARS, pipeline=[PackDetection()]
    )[1]
    assert packed['inputs'].shape == (7, 16, 24)
    assert packed['inputs'][:, 0, 0].numpy() == pytest.approx(
        [0.5, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56]
    )
    assert packed['data_samples'].gt_instances.bboxes.tolist() == [
        [10, 0, 24, 2],
        [2, 3, 6, 8],
    ]  # by their top


def test_bands_are_chosen_by_name_in_any_order(root):
    view = MaskFolderDataset(
        data_root=root,
        name='mars',
        source_bands=MARS,
        bands=('mars_grey', 'mars_R'),
        pipeline=[PackDetection()],
    )
    assert view[1]['inputs'][:, 5, 5].numpy() == pytest.approx([0.56, 0.5])
    assert view[1]['data_samples'].bands == ('mars_grey', 'mars_R')


def test_bands_of_ones_own_need_no_table(root):
    view = MaskFolderDataset(
        data_root=root,
        name='own',
        source_bands=tuple('abcdefg'),
        bands='c',
        pipeline=[PackDetection()],
    )
    assert view[1]['inputs'][:, 5, 5].numpy() == pytest.approx([0.52])


@pytest.mark.parametrize('options', [{'bands': 'B8'}, {'nodata': {'B8': 0.0}}])
def test_a_band_that_the_files_lack_is_refused(root, options):
    with pytest.raises(BandError, match=r"got \['B8'\]"):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, **options)


def test_negatives_are_kept_unless_told_otherwise(root):
    view = MaskFolderDataset(data_root=root, name='mars', source_bands=MARS)
    assert [view.get_data_info(index)['gt_label'] for index in (0, 1)] == [0, 1]
    assert MaskFolderDataset(
        data_root=root, name='mars', source_bands=MARS, keep_negatives=False
    ).tile_ids == ['mars:train/10_4']


def test_the_box_rule_decides_what_is_a_box(root):
    write_tile(root, '11_1', (1, 1, 5, 9))  # 32 px^2: under the study's 100 * (128 / 224)^2 = 32.7
    views = {
        rule: MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, box_rule=rule)
        for rule in ('components', 'study')
    }
    assert len(views['components'].get_data_info(2)['boxes_xyxy']) == 1
    assert len(views['study'].get_data_info(2)['boxes_xyxy']) == 0
    with pytest.raises(ConfigError, match=r"box_rule must be one of .*, got 'other'"):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, box_rule='other')


def test_pixels_without_data_get_the_mean_of_the_others(root):
    image = np.full((7, 16, 24), 0.9)
    image[:, :, :12] = 0
    image[4, 0, 12:] = 0.1  # 12 of 192 pixels with data: mean (12 * 0.1 + 180 * 0.9) / 192 = 0.85
    write_tiff(root / 'images' / 'Image_patch_9_16.tif', image)
    view = MaskFolderDataset(
        data_root=root,
        name='mars',
        source_bands=MARS,
        nodata={'mars_thermal': 0.0},
        pipeline=[PackTile()],
    )
    inputs = view[0]['inputs']
    assert inputs[4, :, :12].numpy() == pytest.approx(0.85)
    assert inputs[4, 0, 12:].numpy() == pytest.approx(0.1)
    assert (inputs[5, :, :12] == 0).all()


def test_tiles_without_masks_have_no_label_and_no_box(root):
    packed = MaskFolderDataset(
        data_root=root, name='mars', source_bands=MARS, masks=None, pipeline=[PackTile()]
    )[1]
    assert 'gt_label' not in packed['data_samples']
    assert (
        len(
            MaskFolderDataset(
                data_root=root, name='mars', source_bands=MARS, masks=None
            ).get_data_info(1)['boxes_xyxy']
        )
        == 0
    )


def test_a_split_file_chooses_tiles(root):
    (root / 'split.txt').write_text('train/10_4\n')
    view = MaskFolderDataset(
        data_root=root, name='mars', source_bands=MARS, split_file=root / 'split.txt'
    )
    assert view.tile_ids == ['mars:train/10_4']


@pytest.mark.parametrize('lost', ['images/Image_patch_9_16.tif', 'masks/Mask_patch_9_16.tif'])
def test_an_image_and_its_mask_need_each_other(root, lost):
    (root / lost).unlink()
    with pytest.raises(DatasetError, match=r"got 1 ids with only one of them, such as \['9_16'\]"):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS)


def test_two_files_of_one_id_are_refused(root):
    (root / 'images' / 'Other_9_16.tif').write_bytes(b'')
    with pytest.raises(DatasetError, match=r"'Other_9_16.tif' beside 'Image_patch_9_16.tif'"):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS)


def test_a_file_name_without_id_is_refused(root):
    (root / 'masks' / 'readme.tif').write_bytes(b'')
    with pytest.raises(DatasetError, match=r"with an id of its own, got 'readme.tif'"):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS)


@pytest.mark.parametrize(
    ('pattern', 'message'),
    [(r'\d+\.tif$', 'have a group for the id, got none'), (r'(\d+', 'unterminated')],
)
def test_a_pattern_that_gives_no_id_is_refused(root, pattern, message):
    with pytest.raises(ConfigError, match=message):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, pattern=pattern)


def test_empty_and_missing_folders_are_refused(root):
    (root / 'empty').mkdir()
    with pytest.raises(DatasetError, match=r'tile folder must hold files .* got none in .*empty'):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, images='empty')
    with pytest.raises(MissingPathError, match=r'got no folder in .*other'):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, images='other')


def test_a_changed_mask_is_seen_at_the_next_start(root):
    MaskFolderDataset(data_root=root, name='mars', source_bands=MARS)
    write_tile(root, '9_16', (0, 0, 5, 5))
    assert MaskFolderDataset(data_root=root, name='mars', source_bands=MARS).get_data_info(0)[
        'boxes_xyxy'
    ].tolist() == [[0, 0, 5, 5]]


def test_views_that_read_one_folder_otherwise_keep_stores_of_their_own(root):
    options = (
        {},
        {'split': 'val'},
        {'masks': None},
        {'source_bands': tuple('abcdefg')},
        {'pattern': r'_(\d+_\d+)\.tif$'},
    )
    views = [
        MaskFolderDataset(**{'data_root': root, 'name': 'mars', 'source_bands': MARS, **each})
        for each in options
    ]
    assert len({view.store.path for view in views}) == 5
    assert [view.store.ids[0] for view in views] == [
        'train/9_16',
        'validation/9_16',
        *['train/9_16'] * 3,
    ]
    assert all(view[0]['img'].shape == (7, 16, 24) for view in views)


def test_tiles_of_ones_own_need_a_name(root):
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'name'"):
        MaskFolderDataset(data_root=root, source_bands=MARS)


def test_to_keep_only_tiles_with_a_box_there_must_be_one(root):
    write_tile(root, '10_4')
    with pytest.raises(DatasetError, match=r'hold at least one tile with a box, got none of 2 in'):
        MaskFolderDataset(data_root=root, name='mars', source_bands=MARS, keep_negatives=False)


def test_the_dataset_is_found_by_its_name():
    assert DATASETS.get('mmlandslide.MaskFolderDataset') is MaskFolderDataset


@pytest.mark.data
@pytest.mark.skipif(
    'MMLANDSLIDE_REAL_DATA' not in os.environ, reason='names the folder of real tiles'
)
def test_the_real_mars_tiles_have_the_statistics_of_the_band_table(tmp_path):
    for folder in ('images', 'masks'):
        (tmp_path / folder).symlink_to(
            Path(os.environ['MMLANDSLIDE_REAL_DATA']).resolve() / 'mars_mmls' / 'train' / folder
        )
    view = MaskFolderDataset(
        data_root=tmp_path, name='mars', source_bands=MARS, nodata={'mars_thermal': 0.0}
    )
    pixels = np.stack(
        [view.load_image(view.get_data_info(index)) for index in range(len(view))]
    ).astype(np.float64)
    mean, std = band_table.statistics(MARS)
    assert pixels.shape == (180, 7, 128, 128)
    assert pixels.mean((0, 2, 3)) == pytest.approx(mean, abs=1e-4)
    assert pixels.std((0, 2, 3)) == pytest.approx(std, abs=1e-4)
