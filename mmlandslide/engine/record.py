"""What a checkpoint states of its training: the tiles it saw, its bands, its classes."""

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.model import is_model_wrapper

from mmlandslide import __version__
from mmlandslide.weights.lineage import classes_of


def record_of(runner: Any) -> dict[str, Any]:
    """Return what the checkpoint of a runner states of itself.

    Args:
        runner: a `LandslideRunner`.
    """
    backbones = list(backbones_of(bare(runner.model)))
    config, classes = runner.cfg.filename, classes_of(dataset_of(runner._train_loop))
    return {
        'version': __version__,
        'config': Path(config).name if config else None,
        'bands': list(backbones[0].bands) if backbones else None,
        'tile_ids': sorted(set(tile_ids_of(runner._train_loop))),
        'lineage': copy.deepcopy(backbones[0].lineage) if backbones else {},
        **({'classes': classes} if classes else {}),
    }


def bare(model: Any) -> Any:
    """Return a model without what wraps it among several processes."""
    return model.module if is_model_wrapper(model) else model


def backbones_of(model: Any) -> Iterable[Any]:
    """Yield the modules that carry a lineage."""
    return (module for module in model.modules() if hasattr(module, 'lineage'))


def tile_ids_of(loop: Any) -> list[str]:
    """Return the tiles of a loop's dataset.

    None where there is no loop or the dataset knows no ids.
    """
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
