import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, PARAM_SCHEDULERS

from mmlandslide.errors import ConfigError
from mmlandslide.models.self_supervision.swin_mae import SwinMAE
from mmlandslide.recipes import (
    adamw,
    backbone_from,
    balanced,
    cosine,
    early_stopping,
    imagenet_from_pip,
    loggers,
    teacher_from,
    weights_file,
)
from mmlandslide.registry import VISBACKENDS
from mmlandslide.weights.references import resolve

ARCH = {'embed_dims': 12, 'depths': [1, 1, 1, 1], 'num_heads': [1, 2, 4, 8]}


@pytest.mark.parametrize(('epochs', 'warmup'), [(400, 10), (12, 0), (2, 1)])
def test_the_schedule_ends_where_the_training_does(epochs, warmup):
    train_cfg, schedule = cosine(epochs, warmup)
    assert schedule[-1]['end'] == train_cfg['max_epochs'] == epochs
    assert schedule[-1]['begin'] == warmup
    assert schedule[-1]['begin'] + schedule[-1]['T_max'] == epochs
    assert [part['type'] for part in schedule[:-1]] == ['mmlandslide.LinearWarmupLR'] * bool(warmup)


def rates(epochs, warmup, steps_per_epoch, **options):
    """Return the learning rate of every step, from mmengine's own schedulers around a rate of 1."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    defaults = {'optimizer': optimiser, 'epoch_length': steps_per_epoch}
    parts = [
        PARAM_SCHEDULERS.build(part, default_args=defaults)
        for part in cosine(epochs, warmup, **options)[1]
    ]
    found = []
    for _ in range(epochs * steps_per_epoch):
        found.append(optimiser.param_groups[0]['lr'])
        optimiser.step()
        for part in parts:
            part.step()
    return found


def test_the_rate_climbs_to_its_full_height_and_falls_along_a_cosine():
    found = rates(epochs=6, warmup=2, steps_per_epoch=10)
    assert found[0] == pytest.approx(1e-3)
    assert found[:20] == sorted(found[:20])
    assert found[20] == pytest.approx(1, abs=0.06)
    assert found[40] == pytest.approx(0.5, abs=0.03)  # half of the four epochs after the warm-up
    assert found[20:] == sorted(found[20:], reverse=True)
    assert found[-1] < 0.01


def test_the_rate_ends_at_its_minimum():
    assert rates(epochs=3, warmup=0, steps_per_epoch=50, eta_min=0.1)[-1] == pytest.approx(
        0.1, abs=1e-3
    )


@pytest.mark.parametrize('warmup', [5, 6, -1])
def test_a_warmup_as_long_as_the_training_is_refused(warmup):
    with pytest.raises(
        ConfigError, match=f'warmup must be shorter than the 5 epochs, got {warmup}'
    ):
        cosine(5, warmup)


def test_validation_is_asked_for_where_the_stage_has_one():
    assert cosine(5, val_interval=2)[0]['val_interval'] == 2
    assert 'val_interval' not in cosine(5)[0]


def test_norms_biases_tables_and_tokens_are_not_decayed_and_all_else_is():
    model = SwinMAE(
        backbone={
            'type': 'mmlandslide.SwinTransformer',
            'arch': ARCH,
            'out_indices': (3,),
            'use_abs_pos_embed': True,
        },
        data_preprocessor={'type': 'mmlandslide.TilePreprocessor', 'bands': 'all'},
    )
    wrapper = build_optim_wrapper(model, adamw(1e-3, weight_decay=0.05))
    decay = {
        id(group['params'][0]): group['weight_decay'] for group in wrapper.optimizer.param_groups
    }
    undecayed = {name for name, value in model.named_parameters() if not decay[id(value)]}
    tables = {
        name
        for name, _ in model.named_parameters()
        if 'table' in name or name.endswith(('pos_embed', 'mask_token'))
    }
    vectors = {name for name, value in model.named_parameters() if value.ndim == 1}
    assert len(tables) == 4 + 2 * 3 + 2  # encoder blocks, decoder blocks, positions and mask token
    assert undecayed == tables | vectors
    assert {value for value in decay.values() if value} == {0.05}


def test_every_parameter_is_optimised_with_the_recipe():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    wrapper = build_optim_wrapper(model, adamw(3e-4, betas=(0.9, 0.95), clip=5.0))
    assert sum(len(group['params']) for group in wrapper.optimizer.param_groups) == 4
    assert {(group['lr'], tuple(group['betas'])) for group in wrapper.optimizer.param_groups} == {
        (3e-4, (0.9, 0.95))
    }
    assert wrapper.clip_grad_kwargs['max_norm'] == 5.0
    assert 'clip_grad' not in adamw(3e-4)


@pytest.mark.parametrize(
    'path',
    sorted(Path(__file__).parent.parent.glob('configs/pretrain/*.py')),
    ids=lambda path: path.stem,
)
def test_a_backbone_names_the_work_dir_that_its_pretraining_config_makes(path):
    found = backbone_from(path.stem)
    assert found['checkpoint'] == f'work_dirs/{path.stem}'
    assert (path.parent.parent.parent / found['made_by']).samefile(path)


def test_a_backbone_takes_the_bridges_options():
    found = backbone_from('swin_mae', stem='zero', min_matched=0.9)
    assert (found['stem'], found['min_matched']) == ('zero', 0.9)


@pytest.mark.parametrize(
    'name', ['efficientnet_lite0', 'efficientnet_lite1', 'efficientnet_lite2', 'mobilenet_v2']
)
def test_imagenet_weights_lie_in_the_packages_of_the_extra_weights(name):
    found = imagenet_from_pip(name, stem='zero')
    assert resolve(found['checkpoint']).is_file()
    assert found['stem'] == 'zero'


def test_other_imagenet_weights_are_not_to_be_had_from_pip():
    with pytest.raises(
        ConfigError,
        match=r"must be one of \['efficientnet_lite0', .*, 'mobilenet_v2'\], got 'resnet18'",
    ):
        imagenet_from_pip('resnet18')


def test_a_file_of_weights_lies_in_one_folder_and_says_where_it_is_published():
    found = weights_file('a.pt', 'https://a.org/a.zip', source='auto')
    assert found == {
        'checkpoint': 'data/weights/a.pt',
        'published_at': 'https://a.org/a.zip',
        'stem': 'rgb',
        'source': 'auto',
    }


def test_loggers_are_back_ends_that_exist():
    found = loggers('local', 'csv', 'tensorboard', 'wandb')
    assert all(VISBACKENDS.get(each['type']) for each in found)
    assert len({each['type'] for each in found}) == 4
    with pytest.raises(
        ConfigError, match=r"names must be among \['local', .*'wandb'\], got \['mlflow'\]"
    ):
        loggers('local', 'mlflow')


def test_training_stops_when_the_metric_has_not_risen_for_as_long_as_patience_says():
    hook = HOOKS.build(early_stopping(patience=2))
    runner = SimpleNamespace(
        train_loop=SimpleNamespace(stop_training=False), logger=logging.getLogger('test')
    )
    stopped = []
    for score in (
        0.3,
        0.4,
        0.4005,
        0.2,
        0.5,
    ):  # two validations without a gain of .001: the third and the fourth
        hook.after_val_epoch(runner, {'AP50': score})
        stopped.append(runner.train_loop.stop_training)
    assert stopped[:4] == [False, False, False, True]


def test_a_teacher_is_named_by_the_config_that_trains_it():
    teacher = teacher_from('supervised_l4s_vit_l')
    assert teacher == {
        'config': 'configs/pretrain/supervised_l4s_vit_l.py',
        'checkpoint': 'work_dirs/supervised_l4s_vit_l',
    }


def test_balanced_classes_weigh_half_each_and_one_in_the_mean():
    absent, landslide = balanced(0.8)['class_weight']
    assert (absent, landslide) == (2.5, 0.625)  # .2 * 2.5 = .8 * .625 = .5


@pytest.mark.parametrize('base_rate', [0.0, 1.0])
def test_a_class_without_tiles_cannot_be_balanced(base_rate):
    with pytest.raises(ConfigError, match=rf'base_rate must lie in \(0, 1\), got {base_rate}'):
        balanced(base_rate)


@pytest.mark.parametrize(('warmup', 'steps_per_epoch'), [(1, 1), (1, 2), (2, 1), (1, 20)])
def test_a_warm_up_of_any_length_comes_to_the_full_rate(warmup, steps_per_epoch):
    found = rates(6, warmup, steps_per_epoch)
    assert max(found) == pytest.approx(1.0)
    assert found[-1] < 0.2
