"""What of a config's data fits a probe and what scores it."""

import factories
import pytest
from mmengine.config import Config

from mmlandslide.errors import ConfigError, SplitOverlapError
from mmlandslide.evaluation.probes.probe_splits import probe_splits


def config(train, **validation):
    loaders = {'train_dataloader': {'dataset': train}}
    if validation:
        loaders['val_dataloader'] = {'dataset': {**train, **validation}}
    return Config(loaders)


def l4s(root, kind='Landslide4SenseUnlabelledDataset', **options):
    return {'type': f'mmlandslide.{kind}', 'data_root': str(root), 'split': 'train', **options}


def mars(root, **options):
    return {
        'type': 'mmlandslide.MaskFolderDataset',
        'name': 'mars',
        'source_bands': 'mars',
        'data_root': str(root / 'train'),
        'split': 'train',
        **options,
    }


def names(views):
    return [view.tile_ids for view in views]


@pytest.fixture
def l4s_root(tmp_path):
    return factories.write_dataset(tmp_path / 'l4s', {'train': 2, 'validation': 1, 'test': 1})


@pytest.fixture
def mars_root(tmp_path):
    for split in ('train', 'validation'):
        factories.write_mask_folder(tmp_path / 'mars' / split, count=1)
    return tmp_path / 'mars'


def test_a_pretraining_config_is_scored_on_validation(l4s_root):
    found = probe_splits(config(l4s(l4s_root, split_file=str(write_ids(l4s_root, 'train/2')))))
    assert names(found) == [['landslide4sense:train/2'], ['landslide4sense:validation/1']]


def write_ids(folder, text):
    (folder / 'ids.txt').write_text(text)
    return folder / 'ids.txt'


def test_a_detection_config_names_both_sides(l4s_root):
    cfg = config(l4s(l4s_root, 'Landslide4SenseDetDataset'), split='test')
    assert names(probe_splits(cfg)) == [
        ['landslide4sense:train/1', 'landslide4sense:train/2'],
        ['landslide4sense:test/1'],
    ]


def test_splits_and_root_can_be_named(l4s_root):
    found = probe_splits(
        config(l4s('elsewhere')), l4s_root, fit_split='validation', score_split='test'
    )
    assert names(found) == [['landslide4sense:validation/1'], ['landslide4sense:test/1']]


@pytest.mark.parametrize('named', [False, True])
def test_mask_folders_have_a_folder_a_split(mars_root, tmp_path, named):
    cfg = config(mars(tmp_path / 'elsewhere' if named else mars_root))
    assert names(probe_splits(cfg, mars_root if named else None)) == [
        ['mars:train/1_1'],
        ['mars:validation/1_1'],
    ]


def test_voc_folders_are_scored_on_valid(tmp_path):
    for folder, number in (('train', 1), ('valid', 2)):
        factories.write_voc(tmp_path / folder, {folder: number})
    (tmp_path / 'valid' / 'valid' / '1.jpg').unlink()
    (tmp_path / 'valid' / 'valid' / '1.xml').unlink()
    (tmp_path / 'valid' / 'valid').rename(tmp_path / 'train' / 'valid')
    cfg = config(
        {'type': 'mmlandslide.VOCTileDataset', 'data_root': str(tmp_path / 'train'), 'name': 'voc'}
    )
    assert names(probe_splits(cfg)) == [['voc:train/1'], ['voc:train/2']]


def test_augmentation_is_left_out_and_the_validations_zoom_kept(l4s_root):
    steps = [
        {'type': 'mmlandslide.RandomGain'},
        {'type': 'mmlandslide.ResizeTile', 'size_px': 32},
        {'type': 'mmlandslide.PackDetection'},
    ]
    cfg = config(l4s(l4s_root, 'Landslide4SenseDetDataset', pipeline=steps), split='validation')
    fit, _ = probe_splits(cfg)
    assert [type(step).__name__ for step in fit.pipeline.transforms] == ['ResizeTile', 'PackTile']
    assert fit[0]['inputs'].shape == (14, 32, 32)
    assert probe_splits(cfg, input_px=48)[1][0]['inputs'].shape == (14, 48, 48)


def test_a_tile_on_both_sides_is_refused(l4s_root):
    with pytest.raises(
        SplitOverlapError,
        match=r"in one split of a probe, got 2 in both, such as \['landslide4sense:train/1', ",
    ):
        probe_splits(config(l4s(l4s_root)), score_split='train')


def test_data_of_another_kind_are_refused():
    with pytest.raises(
        ConfigError,
        match=r"train_dataloader.dataset must be one of \[.*\], got 'ImageNet' in the config",
    ):
        probe_splits(config({'type': 'ImageNet'}))


def test_a_protocol_names_both_sides(tmp_path):
    factories.write_voc(tmp_path, {'train': 1})  # row 0 of scene A
    factories.write_voc(tmp_path, {'valid': 1}, first=2133)  # row 52
    tiles = {'type': 'mmlandslide.VOCTileDataset', 'data_root': str(tmp_path)}
    cfg = config({**tiles, 'name': 'landslide4sense'})
    cfg['protocol'] = 'block'
    assert names(probe_splits(cfg)) == [['landslide4sense:train/1'], ['landslide4sense:train/2133']]
