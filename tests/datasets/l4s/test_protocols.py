"""Honest splits: what they hold, that the shipped lists are these, and how a config takes them."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmlandslide.datasets.l4s.leaks import find_leaks, read_numbers
from mmlandslide.datasets.l4s.protocols import PROTOCOLS, SPLITS, apply_protocol, split_text
from mmlandslide.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / 'configs'
every_protocol = pytest.mark.parametrize('protocol', PROTOCOLS.values(), ids=PROTOCOLS)


def config(name, protocol):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.protocol = protocol
    apply_protocol(cfg)
    return cfg


@pytest.mark.parametrize('name', SPLITS)
def test_the_shipped_list_is_the_one_that_the_grid_gives(name):
    assert (CONFIGS / 'splits' / f'{name}.txt').read_text() == split_text(name)
    assert read_numbers(CONFIGS / 'splits' / f'{name}.txt') == SPLITS[name][1]


@pytest.mark.parametrize(
    ('name', 'first', 'last', 'count'),
    [
        ('block_train', 1, 2050, 2050),  # 50 rows of 41
        ('block_fit', 1, 1640, 1640),  # 40 rows
        ('block_tune', 1723, 2050, 328),  # rows 42 to 49: from 42 * 41 + 1
        ('block_score', 2133, 3034, 902),  # rows 52 to 73: from 52 * 41 + 1
        ('scene_c', 3185, 3305, 121),
        ('leave_a_out', 3035, 3799, 765),  # 3799 - 3034
        ('leave_d_out', 1, 3305, 3305),
    ],
)
def test_the_splits_hold_the_rows_that_their_names_say(name, first, last, count):
    numbers = SPLITS[name][1]
    assert (numbers[0], numbers[-1], len(numbers)) == (first, last, count)


@every_protocol
def test_no_scored_or_tuned_tile_lies_within_two_tiles_of_a_training_tile(protocol):
    for other in filter(None, (protocol.score, protocol.tune)):
        leaks = find_leaks(SPLITS[protocol.train][1], SPLITS[other][1], within_tiles=2)
        assert (leaks.by_edge_or_corner, leaks.within, leaks.leaking) == (0, 0, False)


@every_protocol
def test_tuning_tiles_lie_apart_from_scored_tiles(protocol):
    if protocol.tune:
        leaks = find_leaks(SPLITS[protocol.tune][1], SPLITS[protocol.score][1], within_tiles=2)
        assert not leaks.leaking


def test_leaving_a_scene_out_trains_on_every_other_tile():
    for scene in 'abcd':
        rest, left_out = SPLITS[f'leave_{scene}_out'][1], SPLITS[f'scene_{scene}'][1]
        assert sorted(rest + left_out) == [*range(1, 3800)]


def test_a_detector_is_scored_on_training_tiles_of_the_block_and_tunes_nothing():
    cfg = config('det/faster_rcnn_r18', 'block')
    scored = cfg.test_dataloader.dataset
    assert (scored.split, scored.split_file) == ('train', 'configs/splits/block_score.txt')
    assert cfg.train_dataloader.dataset.split_file == 'configs/splits/block_train.txt'
    assert (cfg.val_dataloader, cfg.val_cfg, cfg.val_evaluator) == (None, None, None)
    assert 'save_best' not in cfg.default_hooks.checkpoint


def test_a_protocol_with_tuning_tiles_validates_on_them():
    cfg = config('det/faster_rcnn_r18', 'block_tuned')
    assert cfg.train_dataloader.dataset.split_file == 'configs/splits/block_fit.txt'
    assert cfg.val_dataloader.dataset.split_file == 'configs/splits/block_tune.txt'
    assert cfg.default_hooks.checkpoint.save_best == 'AP50'


def test_rgb_tiles_come_from_both_folders_and_absent_ones_are_skipped():
    cfg = config('det/faster_rcnn_r18_rgb8', 'transfer_c')
    for loader, split in (('train_dataloader', 'scene_a'), ('test_dataloader', 'scene_c')):
        dataset = cfg[loader].dataset
        assert list(dataset.folder) == ['train', 'valid']
        assert (dataset.split_file, dataset.missing) == (f'configs/splits/{split}.txt', 'skip')


def test_a_pretraining_sees_the_training_tiles_of_the_protocol_alone():
    cfg = config('pretrain/swin_mae', 'leave_b_out')
    assert cfg.train_dataloader.dataset.split_file == 'configs/splits/leave_b_out.txt'


def test_a_config_without_a_protocol_stays_as_it_is():
    before = Config.fromfile(CONFIGS / 'det/faster_rcnn_r18.py').to_dict()
    assert config('det/faster_rcnn_r18', None).to_dict() == before


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ConfigError, match=r"protocol must be one of \['block'.*, got 'blocks'"):
        config('det/faster_rcnn_r18', 'blocks')


def test_other_data_have_no_places():
    with pytest.raises(ConfigError, match=r"got type 'mmlandslide.MaskFolderDataset', name 'mars'"):
        config('det/faster_rcnn_r18_mars', 'block')
