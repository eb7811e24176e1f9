from collections.abc import Callable

import numpy as np
import pytest

from mmlandslide.evaluation.results import TileResult


def _tile(tile_id, predicted=(), scores=(), true=(), labels=None, true_labels=None) -> TileResult:
    return TileResult(
        tile_id,
        np.array(predicted, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array([0] * len(predicted) if labels is None else labels, np.int64),
        np.array(true, np.float32).reshape(-1, 4),
        np.array([0] * len(true) if true_labels is None else true_labels, np.int64),
    )


@pytest.fixture
def tile() -> Callable[..., TileResult]:
    """Makes a TileResult from lists; all labels are 0 unless given."""
    return _tile


def _random_tiles(seed: int, num_classes: int = 1, num_tiles: int = 30) -> list[TileResult]:
    rng = np.random.default_rng(seed)

    def boxes(count: int) -> np.ndarray:
        corner, wh = rng.integers(0, 60, (count, 2)), rng.integers(1, 45, (count, 2))
        return np.hstack([corner, corner + wh]).astype(np.float32)

    tiles = []
    for number in range(num_tiles):
        true = boxes(
            0 if number % 3 == 0 else int(rng.integers(1, 12))
        )  # every third tile is empty
        count = (
            0 if number % 5 == 1 else 160 if number == 2 else int(rng.integers(0, 40))
        )  # every fifth has no predictions
        predicted = boxes(count)
        near = min(count, len(true))
        predicted[:near] = true[:near] + rng.integers(0, 3, (near, 4))
        scores = rng.integers(0, 11, count) / 10  # many ties, within and over tiles
        labels, true_labels = (
            rng.integers(0, num_classes, count),
            rng.integers(0, num_classes, len(true)),
        )
        tiles.append(_tile(f'{number:03d}', predicted, scores, true, labels, true_labels))
    return tiles


@pytest.fixture
def random_tiles() -> Callable[..., list[TileResult]]:
    """Makes tiles of whole-pixel boxes, so that sizes and IoUs often lie on an edge."""
    return _random_tiles
