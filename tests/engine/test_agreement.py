"""Settings that hold only together, compared before the first step."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, DefaultSampler
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.data import DataLoader, default_collate

from mmlandslide.datasets.views.view import TileView
from mmlandslide.engine import agreement
from mmlandslide.engine.sampler import TileSampler
from mmlandslide.errors import ConfigError

TWO = ('landslide', 'rockfall')


class Tiles(TileView):
    """Two tiles without boxes."""

    def load_data_list(self):
        return [{'img_id': f'train/{number}'} for number in range(2)]

    def load_image(self, info):
        return np.zeros((1, 4, 4), np.float32)


class Loop(BaseLoop):
    """A loop that is built, and does nothing."""

    def __init__(self, dataset, epochs=36, steps=10):
        self.dataloader = DataLoader(dataset, sampler=TileSampler(dataset, seed=0))
        self.max_epochs, self.max_iters = epochs, epochs * steps

    def run(self):
        raise NotImplementedError


def view(classes=('landslide',), **options):
    metainfo = {'classes': classes}
    return Tiles(bands=('x',), name='mine', metainfo=metainfo, **options)


def detector(num_classes):
    """Return a model with the parts of a detector that count classes."""
    model, model.rpn_head, model.roi_head = nn.Module(), nn.Module(), nn.Module()
    model.rpn_head.num_classes = 1
    model.roi_head.bbox_head = nn.Module()
    model.roi_head.bbox_head.num_classes = num_classes
    return model


def classifier(num_classes):
    model, model.head = nn.Module(), nn.Module()
    model.head.num_classes = num_classes
    return model


def run(model, train=None, val=None, test=None, schedule=(), **options):
    """Compare the settings of a runner with these parts; return what it warned of."""
    warned = []
    loops = {'_train_loop': train, '_val_loop': val, '_test_loop': test}
    runner = SimpleNamespace(
        model=model,
        cfg=SimpleNamespace(filename='mine.py'),
        param_schedulers=list(schedule),
        logger=SimpleNamespace(warning=warned.append),
        train_loop=train and Loop(train, **options),
        **{name: dataset and Loop(dataset, **options) for name, dataset in loops.items()},
    )
    agreement.require_agreement(runner)
    return warned


@pytest.mark.parametrize(('classes', 'head'), [(TWO, 1), (('landslide',), 3), (TWO, 3)])
def test_a_head_with_another_number_of_classes_than_the_data_is_refused(classes, head):
    expected = rf'model.roi_head.bbox_head.num_classes must be {len(classes)}, for metainfo.classes'
    with pytest.raises(
        ConfigError, match=rf'{expected} .* of train_dataloader.dataset, got {head}'
    ):
        run(detector(head), train=view(classes))


def test_a_head_that_agrees_passes_and_region_proposals_are_no_classes():
    assert run(detector(2), train=view(TWO), val=view(TWO, test_mode=True)) == []


def test_the_data_sets_inside_a_wrapper_are_looked_at():
    with pytest.raises(ConfigError, match='num_classes must be 2'):
        run(detector(1), train=ConcatDataset([view(TWO), view(TWO)]))


def test_a_test_alone_is_compared_too():
    with pytest.raises(ConfigError, match=r'of test_dataloader\.dataset, got 1'):
        run(detector(1), test=view(TWO, test_mode=True))


def test_classes_in_another_order_at_validation_are_refused():
    with pytest.raises(ConfigError, match=r'metainfo.classes of val_dataloader.dataset must be'):
        run(detector(2), train=view(TWO), val=view(TWO[::-1]))


@pytest.mark.parametrize(('classes', 'head'), [(TWO, 1), (('a', 'b', 'c'), 2), (('landslide',), 1)])
def test_a_classifier_with_too_few_classes_is_refused(classes, head):
    with pytest.raises(ConfigError, match=r'model.head.num_classes must be'):
        run(classifier(head), train=view(classes))


def test_landslide_or_none_are_two_classes_for_a_classifier():
    assert run(classifier(2), train=view()) == []


def test_a_training_under_a_sampler_without_draws_is_refused_before_its_first_step():
    loader = DataLoader(view(), sampler=DefaultSampler(range(2), seed=0))
    with pytest.raises(ConfigError, match=r'mmlandslide\.TileSampler'):
        agreement.require_draws(loader)
    assert agreement.require_draws(DataLoader(view(test_mode=True))) is None


class CosineAnnealingLR(SimpleNamespace):
    """As much of mmengine's as is looked at."""


class LinearLR(CosineAnnealingLR):
    start_factor, end_factor = 0.001, 1.0


def test_a_training_that_is_longer_than_its_schedule_is_refused():
    short = CosineAnnealingLR(by_epoch=False, begin=10, end=360)
    with pytest.raises(
        ConfigError, match=r'CosineAnnealingLR must last as long as the training, 500 iterations'
    ):
        run(detector(1), train=view(), schedule=[short], epochs=50)


def test_a_warm_up_that_is_the_whole_training_and_a_decay_that_does_not_end_are_told():
    parts = [LinearLR(by_epoch=True, end=5), CosineAnnealingLR(by_epoch=True, end=36)]
    warmed, decayed = run(detector(1), train=view(), schedule=parts, epochs=5)
    assert 'LinearLR ends after 5 epochs, the training after 5: the warm-up is all of it' in warmed
    assert 'the learning rate will not have decayed' in decayed


def test_a_schedule_as_long_as_the_training_or_without_end_passes():
    parts = [CosineAnnealingLR(by_epoch=True, end=36), CosineAnnealingLR(by_epoch=True, end=10**9)]
    assert run(detector(1), train=view(), schedule=parts) == []


def test_a_loader_without_workers_keeps_nothing_that_needs_them():
    cfg = {'num_workers': 0, 'persistent_workers': True, 'prefetch_factor': 2, 'batch_size': 4}
    assert agreement.settled_dataloader(cfg) == {'num_workers': 0, 'batch_size': 4}
    with_workers = {**cfg, 'num_workers': 2}
    assert agreement.settled_dataloader(with_workers) == with_workers


def sample(height, width, path):
    return {'inputs': torch.zeros(3, height, width), 'data_samples': SimpleNamespace(img_path=path)}


def test_tiles_of_two_sizes_in_a_batch_are_named_with_the_transform_that_helps():
    collate = agreement.OneSize(default_collate)
    with pytest.raises(
        ConfigError,
        match=r'got 100 x 80 px \(a/1.png\) and 120 x 120 px \(a/2.png\).*RandomResizedCrop',
    ):
        collate([sample(100, 80, 'a/1.png'), sample(120, 120, 'a/2.png')])


def test_tiles_of_one_size_are_stacked():
    batch = agreement.OneSize(default_collate)([{'inputs': torch.zeros(3, 4, 5)}] * 2)
    assert batch['inputs'].shape == (2, 3, 4, 5)


def test_the_collate_function_of_a_config_names_tiles_of_two_sizes_too():
    cfg = {'type': 'default_collate'}
    loader = {'batch_size': 2, 'num_workers': 0, 'collate_fn': cfg, 'dataset': [1, 2]}
    loader['sampler'] = {'type': 'DefaultSampler', 'shuffle': False}
    built = agreement.of_one_size(Runner.build_dataloader(loader))
    with pytest.raises(ConfigError, match='RandomResizedCrop'):
        built.collate_fn([sample(100, 80, '1.png'), sample(120, 120, '2.png')])


@pytest.mark.parametrize(('batch_size', 'drop_last'), [(3, True), (2, True), (3, False)])
def test_a_loader_that_drops_all_tiles_is_refused(batch_size, drop_last):
    loader = DataLoader(view(), batch_size=batch_size, drop_last=drop_last)
    if batch_size > 2 and drop_last:
        with pytest.raises(ConfigError, match='give a batch, got 2 tiles for batches of 3'):
            agreement.require_batches(loader)
    else:
        agreement.require_batches(loader)
