from collections.abc import Callable

import numpy as np
import pytest
from factories import write_voc
from study import stub_mim

from mmlandslide.evaluation.results import TileResult
from mmlandslide.study.plan import Plan, plan
from mmlandslide.study.specification import read


def _tile(tile_id, predicted=(), scores=(), true=()) -> TileResult:
    boxes, true_boxes = (np.array(each, np.float32).reshape(-1, 4) for each in (predicted, true))
    labels, true_labels = (np.zeros(len(each), np.int64) for each in (boxes, true_boxes))
    return TileResult(tile_id, boxes, np.array(scores, np.float32), labels, true_boxes, true_labels)


@pytest.fixture
def tile() -> Callable[..., TileResult]:
    """Makes a TileResult of one class from lists."""
    return _tile


@pytest.fixture
def random_tiles() -> Callable[..., list[TileResult]]:
    """Makes tiles of whole-pixel boxes near the truth; scores differ within and over tiles."""

    def made(seed: int, num_tiles: int = 20, jitter_px: int = 6) -> list[TileResult]:
        truth, noise = np.random.default_rng(99), np.random.default_rng(seed)
        tiles = []
        for number in range(num_tiles):
            corner = truth.integers(0, 80, (0 if number % 4 == 0 else 5, 2))
            true = np.hstack([corner, corner + truth.integers(8, 40, corner.shape)])
            away = noise.integers(0, 200, (130 if number == 3 else 6, 2))
            near = true + noise.integers(0, jitter_px, true.shape)
            predicted = np.concatenate([near, np.hstack([away, away + 20])])
            tiles.append(_tile(f'{number:03d}', predicted, noise.random(len(predicted)), true))
        return tiles

    return made


STUDY = """
name: Two backbones
seeds: [0, 1]
protocols:
  study: {train_ids: train.txt, score_ids: score.txt, detect_options: {test_dataloader.dataset.data_root: tiles}}
detect: {epochs: 3, batch_size: 2}
backbones:
  Swin-Tiny:
    config: det.py
    strategies:
      scratch: {options: {model.backbone.pretrained: null}}
      MAE: {pretrain: [{config: mae.py, epochs: 2, batch_size: 4}]}
compare:
  - {of: {strategy: MAE}, over: {strategy: scratch}}
"""

DATA = """
_tiles = dict(type='mmlandslide.VOCTileDataset', data_root='elsewhere', name='landslide4sense', pipeline=[])
test_dataloader = dict(dataset=_tiles)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with `study.yaml` and what it names, as the current one."""
    (tmp_path / 'train.txt').write_text(
        '# ten\n' + ''.join(f'train/{number}\n' for number in range(100, 110))
    )
    (tmp_path / 'score.txt').write_text('\n'.join(f'train/{number}' for number in range(6)))
    for name in ('mae.py', 'broken.py', 'seen.py'):
        (tmp_path / name).write_text('')
    (tmp_path / 'study.yaml').write_text(STUDY)
    (tmp_path / 'det.py').write_text(DATA)
    write_voc(tmp_path / 'tiles', {'train': 6}, size_px=128, first=0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def edited(place):
    """Writes `study.yaml` with parts of it replaced."""

    def edit(*replaced: tuple[str, str]) -> str:
        text = STUDY
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (place / 'study.yaml').write_text(text)
        return 'study.yaml'

    return edit


@pytest.fixture
def done(place):
    """Reads `study.yaml` and has every stage leave its files, within this process."""

    def run(path: str = 'study.yaml') -> Plan:
        planned = plan(read(path))
        for stage in planned.stages.values():
            stub_mim.run(stage.command[1:])
        return planned

    return run
