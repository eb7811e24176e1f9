from collections.abc import Callable

import numpy as np
import pytest

from mmlandslide.evaluation.results import TileResult


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
