"""What a checkpoint states of its training: tiles seen, input, classes and settings.

mmengine restores the optimiser, the schedule and the seed of a resumed training from the checkpoint
whatever the config says, and takes all else from the config. Both are silent; here each difference
is named.
"""

import copy
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import is_model_wrapper

from mmlandslide import __version__
from mmlandslide.configs import input_zoom
from mmlandslide.weights.gate import inherited_notes, terms_of
from mmlandslide.weights.lineage import classes_of

_RECORDED = (
    'model',
    'train_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'randomness',
    'custom_hooks',
    'auto_scale_lr',
)
#: Parts of keys that change speed or place and no result.
_NO_MATTER = (
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'non_blocking',
    'val_interval',
    'val_begin',
)
#: What a resumed training takes from its checkpoint whatever the config says.
_RESTORED = (
    'optim_wrapper.optimizer.',
    'optim_wrapper.paramwise_cfg.',
    'param_scheduler.',
    'randomness.seed',
    'auto_scale_lr.',
    'model.backbone.pretrained.',
)
_LONGEST = 200
_MOST = 12


class WrittenConfig(Config):
    """mmengine's config, whose text is formatted anew only where its content has changed.

    The text goes into the log, the work dir, TensorBoard and each checkpoint, and yapf takes a
    third of a second for it.
    """

    @classmethod
    def of(cls, cfg: Any) -> 'WrittenConfig':
        """Return a config of the same content.

        Args:
            cfg: mmengine's, or a mapping.
        """
        cfg = cfg if isinstance(cfg, Config) else Config(cfg)
        written = cls.__new__(cls)
        written.__dict__.update(cfg.__dict__)
        return written

    @property
    def pretty_text(self) -> str:
        """Return the text, as mmengine formats it."""
        content = repr(self.to_dict())
        if self.__dict__.get('_written', ('', ''))[0] != content:
            self.__dict__['_written'] = content, super().pretty_text
        return str(self.__dict__['_written'][1])


def record_of(runner: Any) -> dict[str, Any]:
    """Return what the checkpoint of a runner states of itself.

    The tiles are those of this training and of all that it was resumed from: a checkpoint never
    forgets one.

    Args:
        runner: a `LandslideRunner`.
    """
    backbones = list(backbones_of(bare(runner.model)))
    config = runner.cfg.filename
    resumed = getattr(runner, 'resumed_tiles', ())
    return {
        'version': __version__,
        'config': Path(config).name if config else None,
        'bands': None,
        **terms_of_runner(runner, runner._train_loop, 'train_dataloader'),
        'tile_ids': sorted({*tile_ids_of(runner._train_loop), *resumed}),
        'lineage': copy.deepcopy(backbones[0].lineage) if backbones else {},
        'settings': settings_of(runner.cfg),
    }


def terms_of_runner(runner: Any, loop: Any, loader: str) -> dict[str, Any]:
    """Return what a runner's model is fed by a loop and what it tells apart, see `gate.terms_of`.

    Args:
        runner: a `LandslideRunner`.
        loop: of its dataset; where it is not built its classes are not known.
        loader: key of the loop's data loader in the config.
    """
    return terms_of(
        bare(runner.model), input_zoom(runner.cfg, loader), classes_of(dataset_of(loop))
    )


def bare(model: Any) -> Any:
    """Return a model without what wraps it among several processes."""
    return model.module if is_model_wrapper(model) else model


def backbones_of(model: Any) -> Iterable[Any]:
    """Yield the modules that carry a lineage."""
    return (module for module in model.modules() if hasattr(module, 'lineage'))


def seen_by_pretraining(model: Any) -> set[str]:
    """Return the tiles that a model's pre-training has seen."""
    return {
        tile
        for backbone in backbones_of(bare(model))
        for tile in backbone.lineage.get('tile_ids', ())
    }


def pretraining_notes(runner: Any) -> list[str]:
    """Return how the pre-training of a runner's backbones differs from what it trains now."""
    terms = terms_of_runner(runner, runner._train_loop, 'train_dataloader')
    reports = [getattr(each, 'report', None) for each in backbones_of(bare(runner.model))]
    return [
        note
        for report in reports
        if report is not None
        for note in inherited_notes(report.record, terms, report.path)
    ]


def tile_ids_of(loop: Any) -> list[str]:
    """Return the tiles of a loop's dataset, none where it is not built or knows no ids."""
    return _tiles_of(dataset_of(loop))


def dataset_of(loop: Any) -> Any:
    """Return the dataset of a loop, `None` where there is no loop."""
    return getattr(getattr(loop, 'dataloader', None), 'dataset', None)


def _tiles_of(dataset: Any) -> list[str]:
    """Return the tiles of a dataset, also of those that mmengine's wrappers hold."""
    if hasattr(dataset, 'tile_ids'):
        return list(dataset.tile_ids)
    inner = [*getattr(dataset, 'datasets', ()), getattr(dataset, 'dataset', None)]
    return [tile for each in inner if each is not None for tile in _tiles_of(each)]


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a config that decide what a training learns.

    Args:
        config: of the training.

    Returns:
        Dotted key -> number, text, boolean or `None`; a long value by its digest.
    """
    return {
        name: value
        for key in _RECORDED
        if key in config
        for name, value in _flat(config[key], key)
        if name.rpartition('.')[2] not in _NO_MATTER
    }


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f'{name}.{key}')
    elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
        for index, item in enumerate(value):
            yield from _flat(item, f'{name}.{index}')
    elif isinstance(value, int | float | None):
        yield name, value
    else:
        yield name, _short(str(list(value) if isinstance(value, tuple) else value))


def _short(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f'{text[:40]}... ({hashlib.blake2b(text.encode(), digest_size=8).hexdigest()})'


def changed_on_resume(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return one line for each setting that differs from a checkpoint's when it is resumed.

    Args:
        before: settings that the checkpoint records.
        now: those of the config.

    Returns:
        What has no effect first, then what changes the rest of the training.
    """
    differing = [
        key
        for key in sorted({*before, *now})
        if before.get(key, 'nothing') != now.get(key, 'nothing')
    ]
    restored = [key for key in differing if key.startswith(_RESTORED)]
    others = [key for key in differing if not key.startswith(_RESTORED)]
    lines = [
        f'{key} = {now.get(key, "nothing")} has no effect on a resumed training: '
        f'the {before.get(key, "nothing")} of its checkpoint stays'
        for key in restored
    ]
    lines += [
        f'{key} = {now.get(key, "nothing")} changes what follows: '
        f'the checkpoint was trained with {before.get(key, "nothing")}'
        for key in others
    ]
    more = [f'and {len(lines) - _MOST} more settings differ'] if len(lines) > _MOST else []
    return [*lines[:_MOST], *more]
