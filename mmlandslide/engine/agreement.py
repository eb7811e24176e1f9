"""Settings of a config that hold only together, compared before the first step.

Each disagreement would otherwise be silent: a class that the head lacks is learned as background, a
schedule that ends before the training leaves the learning rate where it was.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from mmengine.dataset import default_collate as host_collate
from mmengine.runner import BaseLoop
from torch import nn
from torch.utils.data import DataLoader, default_collate

from mmlandslide.datasets.views.view import TileView, undrawn
from mmlandslide.engine.record import bare, dataset_of
from mmlandslide.engine.sampler import TileSampler, with_inner
from mmlandslide.errors import ConfigError, SplitOverlapError
from mmlandslide.weights.lineage import classes_of

#: What torch takes only of a data loader with worker processes.
_OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'multiprocessing_context', 'timeout')
_INFINITE = 10**9  # mmengine's end of a schedule without end
_LOOPS = {'train_dataloader': '_train_loop', 'val_dataloader': '_val_loop'}
_TEST = {'test_dataloader': '_test_loop'}


def require_agreement(runner: Any) -> None:
    """Compare classes, sampler and schedule of a runner whose loops are built.

    Args:
        runner: a `LandslideRunner`.

    Raises:
        ConfigError: two settings contradict each other.
    """
    loops = {
        name: loop
        for name, attribute in (_LOOPS | _TEST).items()
        if isinstance(loop := getattr(runner, attribute, None), BaseLoop)
    }
    classes = {name: _classes(dataset_of(loop)) for name, loop in loops.items()}
    _require_one_list(classes, runner.cfg.filename)
    for name, names in classes.items():
        _require_heads(bare(runner.model), names, name, runner.cfg.filename)
    if 'train_dataloader' in loops:
        require_draws(loops['train_dataloader'].dataloader)
        _compare_schedule(runner)


def _classes(dataset: Any) -> list[str]:
    """Return the classes of our views; other datasets are compared by their hosts."""
    ours = any(isinstance(each, TileView) for each in with_inner(dataset))
    return classes_of(dataset) if ours else []


def _require_one_list(classes: Mapping[str, list[str]], where: object) -> None:
    """Refuse loops whose datasets number the classes differently."""
    known = {name: names for name, names in classes.items() if names}
    for name, names in list(known.items())[1:]:
        first, expected = next(iter(known.items()))
        if names != expected:
            raise ConfigError.mismatch(
                f'metainfo.classes of {name}.dataset',
                f'be those of {first}.dataset, {expected}',
                names,
                where,
                'Name the same classes in the same order, in metainfo=dict(classes=...) of each',
            )


def _require_heads(model: nn.Module, names: list[str], loader: str, where: object) -> None:
    """Refuse a head with another number of classes than a dataset has."""
    if not names:
        return
    for path, head in heads(model):
        is_box_head = 'bbox_head' in path or 'mask_head' in path
        expected = len(names) if is_box_head else max(len(names), 2)  # no landslide, or any
        if head.num_classes != expected:
            raise ConfigError.mismatch(
                f'model.{path}.num_classes',
                f'be {expected}, for metainfo.classes {names} of {loader}.dataset',
                head.num_classes,
                where,
                f'Set model.{path}.num_classes={expected}, or name the classes of the head in '
                'metainfo=dict(classes=...) of the dataset',
            )


def heads(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield path and module of each head that tells classes apart.

    A region proposal network tells objects from background whatever they are; a teacher's classes
    are its own affair.
    """
    for path, module in model.named_modules():
        parts = path.split('.')
        is_head = any(part.endswith('head') for part in parts[-2:])
        counts = isinstance(getattr(module, 'num_classes', None), int)
        if is_head and counts and not {'rpn_head', 'teacher'} & set(parts):
            yield path, module


def require_draws(dataloader: Any) -> None:
    """Refuse a training of our views under a sampler that hands out plain positions.

    Args:
        dataloader: of the training.

    Raises:
        ConfigError: every epoch would draw the same augmentations and masks.
    """
    views = [each for each in with_inner(dataloader.dataset) if isinstance(each, TileView)]
    drawing = [view for view in views if not view.test_mode]
    samplers = (dataloader.sampler, getattr(dataloader.batch_sampler, 'sampler', None))
    if drawing and not any(isinstance(sampler, TileSampler) for sampler in samplers):
        raise undrawn(drawing[0].name)


def _compare_schedule(runner: Any) -> None:
    """Refuse a schedule that ends before the training; warn of one that does not come to its end.

    Raises:
        ConfigError: the learning rate would stay where the schedule left it.
    """
    schedulers = runner.param_schedulers
    several = schedulers.values() if isinstance(schedulers, dict) else [schedulers or []]
    loop = runner.train_loop
    for each in (scheduler for schedule in several for scheduler in schedule):
        total = loop.max_epochs if each.by_epoch else loop.max_iters
        if each.end >= _INFINITE or not total:
            continue
        rises = getattr(each, 'start_factor', 1) < getattr(each, 'end_factor', 0)
        unit, kind = 'epochs' if each.by_epoch else 'iterations', type(each).__name__
        if each.end < total and _decays(kind):
            raise ConfigError.mismatch(
                f'param_scheduler {kind}',
                f'last as long as the training, {total} {unit}',
                f'end={each.end}',
                runner.cfg.filename,
                'Set its end and T_max together with train_cfg.max_epochs, as '
                'mmlandslide.recipes.cosine(epochs=...) does',
            )
        if (rises and each.end >= total) or (each.end > total and _decays(kind)):
            runner.logger.warning(
                f'param_scheduler {kind} ends after {each.end} {unit}, the training after {total}: '
                + (
                    'the warm-up is all of it'
                    if rises
                    else 'the learning rate will not have decayed'
                )
            )


def _decays(kind: str) -> bool:
    return kind.startswith(('Cosine', 'Poly', 'OneCycle'))


def require_unseen(runner: Any, known: Collection[str], tested: Iterable[str]) -> None:
    """Refuse a test on tiles that the model has seen.

    Args:
        runner: of the test.
        known: tiles of training and pre-training.
        tested: tiles of the test.

    Raises:
        SplitOverlapError: the two overlap.
    """
    seen = sorted(set(known) & set(tested))
    if seen:
        raise SplitOverlapError.mismatch(
            'test tiles',
            'be unseen by training and pre-training',
            f'{len(seen)} seen, such as {seen[:3]}',
            runner._load_from or runner.work_dir,
            'Test on another split, or pass --cfg-options allow_overlap=True',
        )


def settled_dataloader(cfg: Any) -> Any:
    """Return a data loader's config without what torch takes only with worker processes.

    `num_workers=0` is the advice in every thread on hung workers and shared memory.

    Args:
        cfg: a config, or a data loader, which is returned as it is.
    """
    if not isinstance(cfg, dict) or cfg.get('num_workers'):
        return cfg
    return {key: value for key, value in cfg.items() if key not in _OF_WORKERS}


def require_batches(dataloader: DataLoader[Any]) -> None:
    """Refuse a data loader that drops all tiles as the rest of a batch.

    Raises:
        ConfigError: a training would end without a step.
    """
    batches = dataloader.batch_sampler
    size, drops = getattr(batches, 'batch_size', None), getattr(batches, 'drop_last', False)
    with suppress(TypeError):  # samplers without end have no length
        if drops and size and not len(dataloader):
            got = f'{len(dataloader.sampler)} tiles for batches of {size}, drop_last=True'  # type: ignore[arg-type]
            remedy = 'Lower batch_size, or set drop_last=False'
            raise ConfigError.mismatch('data loader', 'give a batch', got, 'the config', remedy)


def of_one_size(dataloader: DataLoader[Any]) -> DataLoader[Any]:
    """Return a data loader that names two tiles where it cannot stack a batch."""
    collate = dataloader.collate_fn
    # `collate_fn=dict(type='default_collate')` of a config is mmengine's, bound to no arguments.
    if getattr(collate, 'func', collate) in (default_collate, host_collate):
        dataloader.collate_fn = OneSize(collate)
    return dataloader


class OneSize:
    """A collate function that says which tiles of a batch differ in size before torch fails.

    Args:
        collate: stacks the samples of a batch.
    """

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: Any) -> Any:
        """Return the batch.

        Raises:
            ConfigError: two tiles differ in size.
        """
        sizes: dict[tuple[int, ...], Any] = {}
        for sample in samples:
            inputs = sample.get('inputs') if isinstance(sample, dict) else None
            if isinstance(inputs, torch.Tensor) and inputs.ndim == 3:
                sizes.setdefault(tuple(inputs.shape[1:]), sample)
        if len(sizes) > 1:
            first, second = (
                f'{height} x {width} px ({_path(sample)})'
                for (height, width), sample in list(sizes.items())[:2]
            )
            raise ConfigError(
                f'tiles of a batch must have one size, got {first} and {second} in the pipeline. '
                "Put dict(type='mmlandslide.RandomResizedCrop', size_px=128) into it, which crops "
                'every tile to one size (mmlandslide.CenterCrop in a test).'
            )
        return self.collate(samples)


def _path(sample: Mapping[str, Any]) -> str:
    data_sample = sample.get('data_samples')
    return str(getattr(data_sample, 'img_path', None) or getattr(data_sample, 'img_id', 'a tile'))
