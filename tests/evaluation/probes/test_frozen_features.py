"""Features and landslide fractions of cells, against maps and masks averaged by hand."""

import factories
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmlandslide.datasets.views.landslide4sense import Landslide4SenseUnlabelledDataset
from mmlandslide.datasets.views.masks import MaskFolderDataset
from mmlandslide.datasets.views.voc import VOCTileDataset
from mmlandslide.errors import CheckpointError, CheckpointMismatchError, ConfigError, DatasetError
from mmlandslide.evaluation.probes.cell_features import (
    CellFeatures,
    CellGrid,
    extract_features,
    landslide_fraction,
)
from mmlandslide.evaluation.probes.frozen_features import FrozenEncoder
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.backbones.swin_transformer import SwinTransformer

PACK = [{'type': 'mmlandslide.PackTile'}]
RESNET = {'type': 'mmlandslide.ResNet', 'depth': 18, 'base_channels': 8, 'bands': 'mars'}
VIT = {
    'type': 'mmlandslide.VisionTransformer',
    'arch': 'deit-tiny',
    'img_size': 64,
    'out_type': 'cls_token',
    'bands': 'mars',
}


def config(backbone=RESNET, **preprocessor):
    preprocessor = {'type': 'mmlandslide.TilePreprocessor', 'bands': 'mars', **preprocessor}
    return Config({'model': {'backbone': dict(backbone), 'data_preprocessor': preprocessor}})


@pytest.fixture
def mars(tmp_path):
    factories.write_mask_folder(tmp_path, count=3)
    return MaskFolderDataset(
        data_root=tmp_path, source_bands='mars', name='mars', pipeline=PACK, test_mode=True
    )


def test_the_fraction_of_a_mask_is_counted_in_pixels(mars):
    # The landslide fills columns 10 to 39 and rows 20 to 39 of 64.
    assert landslide_fraction(mars, 0, CellGrid())[0, 0] == pytest.approx(30 * 20 / 64**2)
    cells = landslide_fraction(mars, 0, CellGrid(16))
    assert cells[1].tolist() == pytest.approx([6 * 12 / 256, 16 * 12 / 256, 8 * 12 / 256, 0])
    assert (cells[0].any(), cells[3].any()) == (False, False)


def test_the_fraction_of_boxes_is_that_of_their_union(tmp_path):
    view = VOCTileDataset(data_root=factories.write_voc(tmp_path), name='voc', pipeline=PACK)
    assert landslide_fraction(view, 0, CellGrid())[0, 0] == pytest.approx(30 * 20 / 64**2)


def test_a_tile_without_mask_is_refused(tmp_path):
    factories.write_dataset(tmp_path, {'train': 1}, labelled=False)
    with pytest.raises(
        DatasetError, match=r'tile must have a mask or boxes, got none for train/1 in .*image_1\.h5'
    ):
        landslide_fraction(Landslide4SenseUnlabelledDataset(data_root=tmp_path), 0, CellGrid())


@torch.no_grad()
def test_features_are_the_stages_maps_averaged_over_the_cell(mars):
    encoder = FrozenEncoder(config())
    inputs = torch.stack([mars[index]['inputs'] for index in range(2)])
    maps = encoder.backbone(encoder.preprocessor({'inputs': inputs})['inputs'])
    assert [tuple(each.shape[1:]) for each in maps] == [
        (8, 16, 16),
        (16, 8, 8),
        (32, 4, 4),
        (64, 2, 2),
    ]
    cells = encoder(inputs, (4, 4)).reshape(2, 4, 4, 120)  # 8 + 16 + 32 + 64 channels
    np.testing.assert_allclose(
        cells[1, 2, 3, :8], maps[0][1, :, 8:12, 12:16].mean((1, 2)), rtol=1e-5
    )
    np.testing.assert_allclose(cells[1, 2, 3, 24:56], maps[2][1, :, 2, 3])
    np.testing.assert_allclose(cells[1, 2, 3, 56:], maps[3][1, :, 1, 1])
    np.testing.assert_allclose(
        encoder(inputs, (1, 1))[0, 0, 56:], maps[3][0].mean((1, 2)), rtol=1e-5
    )


@pytest.mark.parametrize(('stage', 'dimensions'), [('all', 8 + 16 + 32 + 64), ('last', 64)])
def test_the_last_stage_alone_can_be_taken(mars, stage, dimensions):
    assert extract_features(FrozenEncoder(config(), stage), mars, CellGrid(16)).features.shape == (
        3 * 16,
        dimensions,
    )


def test_a_vit_gives_the_map_of_its_patches(mars):
    assert extract_features(FrozenEncoder(config(VIT)), mars, CellGrid(16)).features.shape == (
        3 * 16,
        192,
    )


def test_batches_do_not_change_features_and_tiles_of_two_sizes_are_no_fault(tmp_path):
    factories.write_mask_folder(tmp_path, count=3)
    factories.write_array(
        tmp_path / 'images' / 'Image_patch_1_2.tif',
        np.random.default_rng(0).random((7, 32, 96), np.float32),
    )
    factories.write_array(tmp_path / 'masks' / 'Mask_patch_1_2.tif', np.ones((32, 96), np.float32))
    view = MaskFolderDataset(data_root=tmp_path, source_bands='mars', name='mars', pipeline=PACK)
    one, many = (
        extract_features(FrozenEncoder(config()), view, CellGrid(16), batch_size=size)
        for size in (1, 16)
    )
    assert np.bincount(many.tiles).tolist() == [16, 12, 16]
    assert many.fraction[16:28].tolist() == [1.0] * 12
    np.testing.assert_allclose(one.features, many.features, rtol=1e-4, atol=1e-5)


def test_few_cells_are_drawn_evenly_and_always_the_same(mars):
    encoder = FrozenEncoder(config())
    first, again, other = (
        extract_features(encoder, mars, CellGrid(16), seed, at_most=15) for seed in (0, 0, 1)
    )
    assert np.bincount(first.tiles).tolist() == [5, 5, 5]
    np.testing.assert_array_equal(first.features, again.features)
    assert not np.array_equal(first.features, other.features)


def test_a_cell_is_landslide_above_the_bound():
    fraction = np.array([0.0, 0.5, 0.6], np.float32)
    found = CellFeatures(np.zeros((3, 1)), fraction, np.arange(3), 'folder', ('a', 'b', 'c'))
    assert found.labelled(0.5).positive.tolist() == [False, False, True]
    assert found.labelled(0.0).positive.tolist() == [False, True, True]


def test_random_weights_are_those_of_the_seed_and_leave_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    weights = [FrozenEncoder(config(), seed=seed).backbone.conv1.weight for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_checkpoint_replaces_every_weight_by_the_configs_stem_rule(tmp_path):
    theirs = factories.randomised(ResNet(depth=18, base_channels=8, bands='photograph'))
    torch.save(theirs.state_dict(), tmp_path / 'r18.pth')
    pretrained = {
        'checkpoint': 'work_dirs/none',
        'made_by': 'configs/pretrain/none.py',
        'stem': 'zero',
    }
    encoder = FrozenEncoder(config({**RESNET, 'pretrained': pretrained}))
    assert encoder.load(str(tmp_path / 'r18.pth')).carried == 1.0
    assert not encoder.backbone.conv1.weight[:, 3:].any()
    torch.testing.assert_close(
        encoder.backbone.layer4[1].conv2.weight, theirs.layer4[1].conv2.weight
    )


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    torch.save(SwinTransformer(arch='nano', bands='mars').state_dict(), tmp_path / 'swin.pth')
    with pytest.raises(
        CheckpointMismatchError, match=r'must be of a ResNet, got 0.00% of it .*swin.pth'
    ):
        FrozenEncoder(config()).load(str(tmp_path / 'swin.pth'))


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (
            {},
            r"model.backbone must be an mmlandslide class \('mmlandslide....'\), got none in the "
            'config',
        ),
        (
            {'backbone': {'type': 'ResNet', 'depth': 18}},
            "model.backbone must be an mmlandslide class .*, got 'ResNet' in",
        ),
        (
            {'backbone': RESNET},
            'model.data_preprocessor must be an mmlandslide class .*, got none in',
        ),
    ],
)
def test_a_config_without_mmlandslide_parts_is_refused(model, message):
    with pytest.raises(ConfigError, match=message):
        FrozenEncoder(Config({'model': model}))


def test_cells_need_tiles_that_are_not_padded(mars):
    with pytest.raises(
        ConfigError,
        match=r'no padding for a probe of cells, got \(64, 64\) padded to \(96, 96\) px',
    ):
        extract_features(FrozenEncoder(config(pad_size_divisor=48)), mars, CellGrid(16))


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="device must be there, got 'nonsense'"):
        FrozenEncoder(config(), device='nonsense')


def test_features_that_are_no_numbers_are_refused():
    encoder = FrozenEncoder(config())
    tiles = torch.rand(2, len(encoder.backbone.bands), 64, 64)
    assert np.isfinite(encoder(tiles, (1, 1))).all()
    with torch.no_grad():
        encoder.backbone.layer4[1].conv2.weight.fill_(3e38)
    with pytest.raises(CheckpointError, match='features must be finite, got NaN or infinite'):
        encoder(tiles, (1, 1))
