"""Splits of a probe: tiles to fit on and other tiles to score on, as a config names its data."""

import copy
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from mmengine.registry import DefaultScope

from mmlandslide.datasets.l4s.protocols import FOLDER, apply_protocol, protocol_named
from mmlandslide.datasets.views.view import TileView
from mmlandslide.errors import ConfigError, SplitOverlapError
from mmlandslide.registry import DATASETS

#: Type -> key that names a split, and the split that scores where the config has no validation.
_SPLITS = {
    'Landslide4SenseDetDataset': ('split', 'validation'),
    'Landslide4SenseClsDataset': ('split', 'validation'),
    'Landslide4SenseUnlabelledDataset': ('split', 'validation'),
    'MaskFolderDataset': ('split', 'validation'),
    'VOCTileDataset': ('folder', 'valid'),
}


def probe_splits(
    cfg: MutableMapping[str, Any],
    data_root: Path | None = None,
    fit_split: str | None = None,
    score_split: str | None = None,
    input_px: int | None = None,
) -> tuple[TileView, TileView]:
    """Return the views of the tiles to fit on and of those to score on, without augmentation.

    Args:
        cfg: a pre-training or detection config: its training data fit, its validation data score.
            Where it has no validation, the test data of its `protocol` do, and without one split
            `validation` (folder `valid` of VOC tiles) of the training data.
        data_root: instead of the config's. One of tiles with masks holds a folder per split.
        fit_split: split, or folder of VOC tiles, to fit on, instead of the config's.
        score_split: split, or folder of VOC tiles, to score on, instead of the config's.
        input_px: longer side of a tile as the encoder sees it; where `None`, as in the config's
            validation.

    Raises:
        ConfigError: the config's data set is of another package, or several in one.
        SplitOverlapError: a tile is in both splits.
        LandslideError: what the views raise.
    """
    cfg = copy.deepcopy(cfg)
    apply_protocol(cfg)
    fitting = _dataset(cfg, 'train_dataloader')
    held_out = _held_out(cfg, fitting)
    steps = _steps(held_out, input_px)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        fit, scored = (
            DATASETS.build({**_moved(each, data_root, split), 'pipeline': steps, 'test_mode': True})
            for each, split in ((fitting, fit_split), (held_out, score_split))
        )
    both = sorted({*fit.tile_ids} & {*scored.tile_ids})
    if both:
        got = f'{len(both)} in both, such as {both[:3]}'
        remedy = 'Name another --score-split'
        raise SplitOverlapError.mismatch(
            'tiles', 'be in one split of a probe', got, scored.name, remedy
        )
    return fit, scored


def _dataset(cfg: Mapping[str, Any], loader: str) -> dict[str, Any]:
    """Return the data set of a config's loader, a dict of its own."""
    dataset = (cfg.get(loader) or {}).get('dataset') or {}
    if _kind(dataset) not in _SPLITS:
        where = getattr(cfg, 'filename', None) or 'the config'
        remedy = 'Name a config of this backbone whose data are, such as one in configs/det'
        raise ConfigError.mismatch(
            f'{loader}.dataset',
            f'be one of {list(_SPLITS)}',
            repr(dataset.get('type')),
            where,
            remedy,
        )
    return dict(dataset)


def _held_out(cfg: Mapping[str, Any], fitting: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data set that scores."""
    if cfg.get('val_dataloader'):
        return _dataset(cfg, 'val_dataloader')
    if not cfg.get('protocol'):
        return _other_split(fitting)
    if cfg.get('test_dataloader'):
        return _dataset(cfg, 'test_dataloader')
    scored = protocol_named(cfg['protocol']).score
    return {**fitting, 'split_file': f'{FOLDER}/{scored}.txt'}


def _kind(dataset: Mapping[str, Any]) -> str:
    return str(dataset.get('type')).removeprefix('mmlandslide.')


def _other_split(fitting: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data set that scores where a config has training data alone."""
    return _moved(fitting, None, _SPLITS[_kind(fitting)][1])


def _moved(dataset: Mapping[str, Any], data_root: Path | None, split: str | None) -> dict[str, Any]:
    """Return a data set with another root or split.

    A list of tiles was made for the old split and is left out.
    """
    key, _ = _SPLITS[_kind(dataset)]
    split_now = split or dataset.get(key, 'train')
    kept = {name: value for name, value in dataset.items() if split is None or name != 'split_file'}
    root = data_root or Path(dataset['data_root'])
    if _kind(dataset) == 'MaskFolderDataset' and (data_root or split):
        root = (data_root or root.parent) / split_now
    return {**kept, 'data_root': str(root), key: split_now}


def _steps(held_out: Mapping[str, Any], input_px: int | None) -> list[dict[str, Any]]:
    """Return the transforms of a probe: the zoom, where there is one, and the packing."""
    zooms = [
        dict(step)
        for step in held_out.get('pipeline', ())
        if step['type'] == 'mmlandslide.ResizeTile'
    ]
    zooms = zooms if input_px is None else [{'type': 'mmlandslide.ResizeTile', 'size_px': input_px}]
    return [*zooms, {'type': 'mmlandslide.PackTile'}]
