"""Classifiers and students in the training and test loops.

The teacher is looked at, and what both have seen is known.
"""

import json
import logging
import shutil
import sys
from pathlib import Path

import factories
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from tiny_classifiers import parts, write_config, write_teacher

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import ConfigError, MissingPathError, SplitOverlapError
from mmlandslide.recipes import adamw, cosine
from mmlandslide.registry import MODELS

TRAIN = [f'landslide4sense:train/{number}' for number in range(1, 7)]


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    counts = {'train': 6, 'validation': 4, 'test': 4}
    return factories.write_dataset(tmp_path_factory.mktemp('data') / 'l4s', counts, size_px=32)


def loader(data_root, split, **options):
    dataset = {
        'type': 'mmlandslide.Landslide4SenseClsDataset',
        'data_root': str(data_root),
        'split': split,
        **options,
    }
    sampler = {'type': 'mmlandslide.TileSampler', 'shuffle': split == 'train'}
    batches = {'batch_size': 3, 'num_workers': 0, 'collate_fn': {'type': 'default_collate'}}
    return {
        'dataset': {**dataset, 'pipeline': [{'type': 'mmlandslide.PackTile'}]},
        'sampler': sampler,
        **batches,
    }


def config(data_root, work_dir, model, epochs=2, **changes):
    """Return a training of two steps an epoch with validation."""
    train_cfg, param_scheduler = cosine(epochs, val_interval=1)
    values = {
        'model': {**parts(), **model},
        'train_dataloader': loader(data_root, 'train'),
        'train_cfg': train_cfg,
        'param_scheduler': param_scheduler,
        'optim_wrapper': adamw(1e-3),
        'val_dataloader': loader(data_root, 'validation', test_mode=True),
        'val_cfg': {},
        'val_evaluator': {'type': 'mmlandslide.TileMetric'},
        'default_hooks': {
            'checkpoint': {
                'type': 'mmlandslide.CheckpointHook',
                'interval': 1,
                'save_best': 'AUROC',
                'rule': 'greater',
            }
        },
        'custom_hooks': [{'type': 'mmlandslide.StepSeedHook'}],
        'randomness': {'seed': 0},
        'default_scope': 'mmpretrain',
        'work_dir': str(work_dir),
        'experiment_name': str(work_dir),
    }
    return Config({**values, **changes})


def taught(data_root, work_dir, teacher, **changes):
    """Return the training of a student whose teacher is looked at."""
    hooks = [{'type': 'mmlandslide.StepSeedHook'}, {'type': 'mmlandslide.TeacherHook'}]
    model = {'type': 'mmlandslide.DistilledClassifier', 'teacher': teacher}
    return config(data_root, work_dir, model, custom_hooks=hooks, **changes)


def train(cfg):
    runner = LandslideRunner.from_cfg(cfg)
    runner.train()
    return runner


def read(path):
    return torch.load(path, weights_only=True)


@pytest.fixture(scope='module')
def whole(data_root, tmp_path_factory):
    """Return the work dir of a student's training of two epochs, and its teacher."""
    before, folder = sys.excepthook, tmp_path_factory.mktemp('whole')
    teacher = write_teacher(folder / 'teacher')
    train(taught(data_root, folder / 'student', teacher))
    sys.excepthook = before
    return folder / 'student', teacher


# A classifier.


@pytest.fixture(scope='module')
def classified(data_root, tmp_path_factory):
    before, folder = sys.excepthook, tmp_path_factory.mktemp('classified')
    train(config(data_root, folder, {'type': 'mmlandslide.ImageClassifier'}))
    sys.excepthook = before
    return folder


def test_a_classifier_keeps_its_best_checkpoint_and_states_the_tiles_it_saw(classified):
    assert len(list(classified.glob('best_AUROC_epoch_*.pth'))) == 1
    assert read(classified / 'epoch_2.pth')['meta']['mmlandslide']['tile_ids'] == TRAIN


def measured(data_root, classified, split):
    cfg = config(
        data_root, classified, {'type': 'mmlandslide.ImageClassifier'}, load_from=str(classified)
    )
    test = {
        'test_dataloader': loader(data_root, split, test_mode=True),
        'test_cfg': {},
        'test_evaluator': cfg.val_evaluator,
    }
    cfg.update(**test, experiment_name=f'{classified}_{split}')
    return LandslideRunner.from_cfg(cfg).test()


def test_a_test_leaves_its_metrics_in_the_work_dir(data_root, classified):
    found = measured(data_root, classified, 'test')
    kept = json.loads((classified / 'metrics.json').read_text())
    assert kept['AUROC'] == found['AUROC']
    assert kept['base_rate'] == 0.5  # the odd two of four tiles hold a landslide


def test_a_classifier_is_not_tested_on_tiles_that_it_saw(data_root, classified):
    with pytest.raises(SplitOverlapError, match='6 seen'):
        measured(data_root, classified, 'train')


# A student.


def test_a_students_checkpoint_holds_the_student_alone_and_states_what_its_teacher_saw(whole):
    checkpoint = read(whole[0] / 'epoch_2.pth')
    teacher = read(whole[1]['checkpoint'] + '/epoch_1.pth')
    lineage = checkpoint['meta']['mmlandslide']['lineage']
    assert set(checkpoint['state_dict']) == set(teacher['state_dict'])
    assert lineage['tile_ids'] == ['landslide4sense:train/1', 'landslide4sense:train/9']
    assert checkpoint['meta']['mmlandslide']['classes'] == ['no landslide', 'landslide']
    assert lineage['teacher']['checkpoint'] == whole[1]['checkpoint'] + '/epoch_1.pth'
    assert (
        len(checkpoint['optimizer']['state'])
        == len(list(read(whole[0] / 'epoch_1.pth')['optimizer']['state']))
        > 0
    )
    assert {'train/loss_hard', 'train/loss_soft', 'train/loss'} <= set(
        checkpoint['message_hub']['log_scalars']
    )


def test_a_resumed_student_ends_with_the_weights_of_one_that_was_never_killed(
    whole, data_root, tmp_path
):
    shutil.copy(whole[0] / 'epoch_1.pth', tmp_path / 'epoch_1.pth')
    train(taught(data_root, tmp_path, whole[1], resume=True))
    one, two = (read(folder / 'epoch_2.pth') for folder in (whole[0], tmp_path))
    assert all(
        torch.equal(value, two['state_dict'][name]) for name, value in one['state_dict'].items()
    )
    assert one['meta']['mmlandslide'] == two['meta']['mmlandslide']


def test_a_student_that_starts_from_another_ones_checkpoint_has_seen_what_its_own_teacher_saw(
    whole, classified, data_root, tmp_path
):
    train(taught(data_root, tmp_path, whole[1], epochs=1, load_from=str(classified)))
    seen = read(tmp_path / 'epoch_1.pth')['meta']['mmlandslide']['lineage']['tile_ids']
    assert seen == sorted({*TRAIN, 'landslide4sense:train/9'})


def test_a_missing_teacher_stops_a_training_before_it_begins(data_root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / 'configs' / 'pretrain')
    teacher = {'config': 'configs/pretrain/teacher.py', 'checkpoint': 'work_dirs/teacher'}
    with pytest.raises(
        MissingPathError, match=r'Make it with `mim train mmpretrain configs/pretrain/teacher\.py`'
    ):
        train(taught(data_root, tmp_path, teacher))
    assert not list(tmp_path.glob('*.pth'))


def test_a_detector_starts_from_all_of_a_students_backbone_and_has_seen_what_its_teacher_saw(
    data_root, tmp_path
):
    cfg = taught(data_root, tmp_path / 'student', write_teacher(tmp_path / 'teacher'), epochs=1)
    resnet = {
        'type': 'mmlandslide.ResNet',
        'depth': 18,
        'base_channels': 8,
        'stem_channels': 8,
        'bands': 'all',
    }
    cfg.model.backbone, cfg.model.neck, cfg.model.head.in_channels = (
        resnet,
        {'type': 'GlobalAveragePooling'},
        64,
    )
    student = train(cfg).model.backbone
    detector = Config.fromfile(
        Path(__file__).parents[2] / 'configs' / 'det' / 'faster_rcnn_r18.py'
    ).model
    detector.backbone.update(
        base_channels=8, stem_channels=8, pretrained={'checkpoint': str(tmp_path / 'student')}
    )
    detector.neck.in_channels = [8, 16, 32, 64]
    with DefaultScope.overwrite_default_scope('mmdet'):
        backbone = MODELS.build(detector).backbone
    backbone.init_weights()
    assert backbone.lineage['carried'] == 1
    assert {*TRAIN, 'landslide4sense:train/9'} == {*backbone.lineage['tile_ids']}
    assert all(
        torch.equal(value, dict(student.named_parameters())[name])
        for name, value in backbone.named_parameters()
    )


# A look at the teacher.


def said_of(teacher, data_root, work_dir, caplog, bias=None):
    """Return the warnings of a training whose teacher has a constant head, or a trained one."""
    path = f'{teacher["checkpoint"]}/epoch_1.pth'
    checkpoint = read(path)
    if bias is not None:
        checkpoint['state_dict']['head.fc.weight'].zero_()
        checkpoint['state_dict']['head.fc.bias'] = torch.tensor(bias)
    torch.save(checkpoint, path)
    runner = LandslideRunner.from_cfg(taught(data_root, work_dir, teacher, epochs=1))
    runner.logger.addHandler(caplog.handler)
    runner.train()
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and record.getMessage().startswith('The teacher')
    ]


@pytest.mark.parametrize('bias', [[0.0, 5.0], [5.0, 0.0]])
def test_a_teacher_that_says_the_same_of_every_tile_never_learned(
    data_root, tmp_path, caplog, bias
):
    (said,) = said_of(
        write_teacher(tmp_path / 'teacher'), data_root, tmp_path / 'run', caplog, bias
    )
    assert 'never learned (accuracy 0.500, AUROC 0.500, 0.500 by the majority alone)' in said
    assert 'mim train mmpretrain' in said


def test_a_teacher_that_tells_the_tiles_apart_is_not_warned_of(
    data_root, tmp_path, caplog, monkeypatch
):
    teacher = write_teacher(tmp_path / 'teacher')
    tells = {'accuracy': 0.75, 'majority': 0.5, 'AUROC': 0.9}
    monkeypatch.setattr('mmlandslide.engine.teacher_hook.teacher_scores', lambda *args: tells)
    assert said_of(teacher, data_root, tmp_path / 'run', caplog) == []


def test_a_student_of_more_classes_than_its_data_is_refused(data_root, tmp_path):
    teacher = write_teacher(tmp_path / 'teacher', num_classes=3)
    cfg = taught(data_root, tmp_path / 'run', teacher, epochs=1, default_hooks={})
    cfg.model.head.num_classes = 3
    with pytest.raises(ValueError, match=r'model\.head\.num_classes must be 2, .*, got 3'):
        LandslideRunner.from_cfg(cfg).train()


def test_a_teacher_of_the_same_classes_in_another_order_is_refused(data_root, tmp_path):
    teacher = write_teacher(tmp_path / 'teacher')
    checkpoint = read(tmp_path / 'teacher' / 'epoch_1.pth')
    checkpoint['meta']['mmlandslide']['classes'] = ['landslide', 'no landslide']
    torch.save(checkpoint, tmp_path / 'teacher' / 'epoch_1.pth')
    with pytest.raises(
        ConfigError,
        match=r"be those of the student's tiles, \['no.*slide', 'landslide'\], got \['landslide'",
    ):
        train(taught(data_root, tmp_path / 'run', teacher, epochs=1))
