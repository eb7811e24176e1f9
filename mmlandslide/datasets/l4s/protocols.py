"""Splits of the Landslide4Sense training tiles whose scored tiles do not lie beside training tiles.

`configs/splits/` ships them as lists of ids; a test compares the files with `split_text`.
"""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from mmlandslide.datasets.l4s_grid import SCENES, GridScene, tile_id_of
from mmlandslide.errors import ConfigError

FOLDER = 'configs/splits'
_A = SCENES['A']


def _rows(scene: GridScene, first: int, last: int) -> list[int]:
    """Return the tiles of rows `first` to `last`, that one included."""
    begin = scene.first_number + first * scene.columns
    return [*range(begin, scene.first_number + (last + 1) * scene.columns)]


#: Name of a split -> what it is, and the numbers of its tiles.
SPLITS: dict[str, tuple[str, list[int]]] = {
    'block_train': ('scene A, rows 0-49, to train on', _rows(_A, 0, 49)),
    'block_fit': ('scene A, rows 0-39, to train on where block_tune tunes', _rows(_A, 0, 39)),
    'block_tune': ('scene A, rows 42-49, to tune and calibrate on', _rows(_A, 42, 49)),
    'block_score': ('scene A, rows 52-73, to score on', _rows(_A, 52, 73)),
    **{
        f'scene_{scene.name.lower()}': (f'scene {scene.name}', [*scene.numbers])
        for scene in SCENES.values()
    },
    **{
        f'leave_{scene.name.lower()}_out': (
            f'all scenes but {scene.name}',
            [number for other in SCENES.values() if other is not scene for number in other.numbers],
        )
        for scene in SCENES.values()
    },
}


@dataclass(frozen=True)
class Protocol:
    """Which tiles a model is trained, tuned and scored on.

    Attributes:
        train: name of a split.
        score: name of a split.
        tune: name of a split; `None` where nothing is tuned and the last epoch is scored.
    """

    train: str
    score: str
    tune: str | None = None


#: Name -> protocol.
PROTOCOLS: dict[str, Protocol] = {
    'block': Protocol('block_train', 'block_score'),
    'block_tuned': Protocol('block_fit', 'block_score', 'block_tune'),
    **{f'transfer_{scene}': Protocol('scene_a', f'scene_{scene}') for scene in 'bcd'},
    **{f'leave_{scene}_out': Protocol(f'leave_{scene}_out', f'scene_{scene}') for scene in 'abcd'},
}
#: Types of views of Landslide4Sense tiles -> what makes each read the training tiles.
_VIEWS: dict[str, dict[str, Any]] = {
    'Landslide4SenseDetDataset': {'split': 'train'},
    'Landslide4SenseClsDataset': {'split': 'train'},
    'Landslide4SenseUnlabelledDataset': {'split': 'train'},
    'VOCTileDataset': {'folder': ('train', 'valid'), 'missing': 'skip'},
}


def split_text(name: str) -> str:
    """Return the text of a split file.

    Args:
        name: of `SPLITS`.
    """
    said, numbers = SPLITS[name]
    lines = ''.join(f'{tile_id_of(number)}\n' for number in numbers)
    return f'# Landslide4Sense training tiles by place: {said}; {len(numbers)} tiles.\n{lines}'


def protocol_named(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises:
        ConfigError: no such protocol.
    """
    if name not in PROTOCOLS:
        where, remedy = 'the config', 'Name one of those'
        raise ConfigError.mismatch(
            'protocol', f'be one of {list(PROTOCOLS)}', repr(name), where, remedy
        )
    return PROTOCOLS[name]


def apply_protocol(cfg: MutableMapping[str, Any]) -> None:
    """Have a config train, tune and score as its `protocol` says; without one, nothing changes.

    A protocol that tunes nothing has no validation: the last epoch is scored. RGB tiles are read
    from both of the original study's folders, and those that it left out are skipped.

    Args:
        cfg: a pre-training or detection config, changed in place.

    Raises:
        ConfigError: no such protocol, or the data are no Landslide4Sense tiles.
    """
    if not cfg.get('protocol'):
        return
    protocol = protocol_named(cfg['protocol'])
    stages = {'train': protocol.train, 'val': protocol.tune, 'test': protocol.score}
    for stage, split in stages.items():
        if cfg.get(f'{stage}_dataloader') and split is not None:
            dataset = cfg[f'{stage}_dataloader']['dataset']
            dataset.update(_reading(dataset), split_file=f'{FOLDER}/{split}.txt')
    if protocol.tune is None and cfg.get('val_dataloader'):
        for key in ('val_dataloader', 'val_cfg', 'val_evaluator'):
            cfg[key] = None
        (cfg.get('train_cfg') or {}).pop('val_interval', None)
        checkpoints = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
        checkpoints.pop('save_best', None)
        checkpoints.pop('rule', None)


def _reading(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with which a view reads the training tiles."""
    kind = str(dataset.get('type')).removeprefix('mmlandslide.')
    known = kind in _VIEWS and dataset.get('name', 'landslide4sense') == 'landslide4sense'
    if not known:
        got = f'type {dataset.get("type")!r}, name {dataset.get("name")!r}'
        remedy = 'Leave protocol out, or take a config whose data are Landslide4Sense tiles'
        raise ConfigError.mismatch(
            'data of a protocol', f'be of {list(_VIEWS)}', got, 'the config', remedy
        )
    return _VIEWS[kind]
