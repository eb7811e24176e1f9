"""A small detector on tiles as a user has them: of many sizes, most without a landslide."""

import pickle
from argparse import ArgumentParser

import factories
import numpy as np
import pytest
import tiny_detector
from mmengine.config import Config, DictAction
from PIL import Image

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.recipes import cosine

SIZES_HW = [(94, 130), (64, 64), (100, 80), (48, 143)]


def write_tiles(root, sizes_hw=SIZES_HW, landslides=1):
    """Write RGB tiles and masks; the last few hold a landslide."""
    for number, (height, width) in enumerate(sizes_hw, 1):
        holds = number > len(sizes_hw) - landslides
        mask = np.zeros((height, width), np.uint8)
        mask[10:30, 8:40] = holds
        values = np.random.default_rng(number).integers(0, 255, (height, width, 3), np.uint8)
        for folder, pixels in (('images', values), ('masks', mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / folder / f'df{number:03d}.png')
    return root


def config(root, work_dir, batch_size=2):
    """Return a training of one epoch with its validation and test."""
    cfg = Config.fromfile(tiny_detector.CONFIG)
    bands = {'data_preprocessor.bands': 'rgb8', 'backbone.bands': 'rgb8'}
    cfg.merge_from_dict({f'model.{k}': v for k, v in {**tiny_detector.CHANGES, **bands}.items()})
    cfg.model.backbone.pretrained = None
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset = {
            'type': 'mmlandslide.MaskFolderDataset',
            'name': 'mine',
            'data_root': str(root),
            'source_bands': 'rgb8',
            'pattern': r'(\d+)\.png$',
            'pipeline': loader.dataset.pipeline,
            'test_mode': loader is not cfg.train_dataloader,
        }
        loader.update(batch_size=batch_size, num_workers=0)
    cfg.train_cfg, cfg.param_scheduler = cosine(epochs=1, val_interval=1)
    cfg.work_dir, cfg.experiment_name = str(work_dir), str(work_dir)
    return cfg


def trained(cfg):
    runner = LandslideRunner.from_cfg(cfg)
    runner.train()
    return {name: runner.message_hub.get_scalar(name).current() for name in ('train/loss',)}, runner


def test_a_detector_trains_on_tiles_of_many_sizes_few_of_which_hold_a_landslide(tmp_path):
    losses, runner = trained(config(write_tiles(tmp_path / 'in'), tmp_path / 'wd bänds'))
    assert (runner.iter, np.isfinite(losses['train/loss'])) == (2, True)
    assert runner.message_hub.get_scalar('val/AP50').current() >= 0
    assert (tmp_path / 'wd bänds' / 'epoch_1.pth').is_file()


@pytest.mark.parametrize('batch_size', [1, 2])
def test_tiles_without_any_landslide_train_the_background_alone(tmp_path, batch_size):
    cfg = config(write_tiles(tmp_path / 'in', landslides=0), tmp_path / 'wd', batch_size)
    losses, runner = trained(cfg)
    assert losses['train/loss'] > 0
    assert runner.message_hub.get_scalar('train/loss_bbox').current() == 0
    assert np.isnan(runner.message_hub.get_scalar('val/AP50').current())  # nothing to be found


def test_detections_of_a_test_are_written_where_out_says(tmp_path):
    cfg = config(write_tiles(tmp_path / 'in'), tmp_path / 'wd')
    dump = {'type': 'mmdet.DumpDetResults', 'out_file_path': str(tmp_path / 'out/results.pkl')}
    cfg.test_evaluator = [cfg.test_evaluator, dump]
    LandslideRunner.from_cfg(cfg).test()
    found = pickle.loads((tmp_path / 'out/results.pkl').read_bytes())
    assert [tuple(tile['ori_shape']) for tile in found] == SIZES_HW


@pytest.mark.parametrize('text', ['bands=(B4,B3,B2)', 'bands=[B4,B3,B2]', 'bands=B4,B3,B2'])
def test_bands_on_the_command_line_may_stand_in_any_brackets(tmp_path, text):
    from mmlandslide.datasets.views.landslide4sense import Landslide4SenseDetDataset

    parser = ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    given = parser.parse_args(['--cfg-options', text]).cfg_options
    root = factories.write_dataset(tmp_path, {'train': 1}, size_px=32)
    assert Landslide4SenseDetDataset(data_root=root, **given).bands == ('B4', 'B3', 'B2')
