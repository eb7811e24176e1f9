"""Features and landslide fractions of the cells of tiles, the samples of a probe."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from mmlandslide import rng
from mmlandslide.datasets.storage.tiles import image_hw
from mmlandslide.datasets.views.view import TileView
from mmlandslide.errors import DatasetError
from mmlandslide.evaluation.bootstrap import grouping_of
from mmlandslide.evaluation.probes.classifiers import Samples
from mmlandslide.evaluation.probes.frozen_features import FrozenEncoder


@dataclass(frozen=True)
class CellGrid:
    """Cells into which each tile is divided.

    Attributes:
        cell_px: side of a cell in the tile's own px; `None` for a single cell, the whole tile.
    """

    cell_px: int | None = None

    def shape_hw(self, tile_hw: tuple[int, int]) -> tuple[int, int]:
        """Return how many cells a tile has in height and width."""
        if self.cell_px is None:
            return 1, 1
        height, width = tile_hw
        return max(1, round(height / self.cell_px)), max(1, round(width / self.cell_px))


@dataclass(frozen=True)
class CellFeatures:
    """Features and landslide fraction of the cells of a data set.

    Attributes:
        features: (N, D) float32.
        fraction: (N,) float32 in [0, 1], of the cell's area that is landslide.
        tiles: (N,) int, position of the tile in its view.
        where: folder of the tiles.
        tile_ids: `<name>:<tile id>` of each tile of the view.
    """

    features: np.ndarray
    fraction: np.ndarray
    tiles: np.ndarray
    where: str
    tile_ids: tuple[str, ...]

    def labelled(self, above: float, groups: Path | None = None) -> Samples:
        """Return the cells with a label each: landslide where the fraction is above a bound.

        Args:
            above: the bound, in [0, 1).
            groups: file of what intervals resample, as `grouping_of` takes it.
        """
        grouping = grouping_of(self.tile_ids, groups)
        return Samples(self.features, self.fraction > above, self.tiles, self.where, grouping)


def extract_features(
    encoder: FrozenEncoder,
    view: TileView,
    grid: CellGrid,
    seed: int = 0,
    at_most: int | None = None,
    batch_size: int = 16,
) -> CellFeatures:
    """Return features and landslide fraction of the cells of all tiles.

    Args:
        encoder: computes the features.
        view: tiles with masks or boxes.
        grid: cells of a tile.
        seed: of the choice among cells.
        at_most: cells in all, evenly over tiles; `None` for every cell.
        batch_size: tiles of one size that are computed at a time.

    Raises:
        DatasetError: a tile has neither mask nor boxes.
        ConfigError: as `FrozenEncoder` does.
    """
    quota = None if at_most is None else max(1, at_most // len(view))
    rows = []
    for positions, inputs in _batches(view, batch_size):
        fractions = [landslide_fraction(view, position, grid) for position in positions]
        features = encoder(inputs, fractions[0].shape)
        for position, feature, fraction in zip(positions, features, fractions, strict=True):
            kept = _kept(fraction.size, quota, seed, view.get_data_info(position)['img_id'])
            rows.append((feature[kept], fraction.ravel()[kept], np.full(len(kept), position)))
    features, fraction, tiles = (np.concatenate(column) for column in zip(*rows, strict=True))
    folder = Path(view.get_data_info(0)['img_path']).parent
    return CellFeatures(features, fraction, tiles, str(folder), tuple(view.tile_ids))


def landslide_fraction(view: TileView, position: int, grid: CellGrid) -> np.ndarray:
    """Return the landslide fraction of each cell of a tile.

    From its mask, or from the union of its boxes where it has no mask.

    Returns:
        (h, w) float32 in [0, 1].

    Raises:
        DatasetError: the tile has neither.
    """
    mask = torch.from_numpy(_landslide(view, view.get_data_info(position)).astype(np.float32))
    height, width = mask.shape
    return F.adaptive_avg_pool2d(mask[None], grid.shape_hw((height, width)))[0].numpy()


def _landslide(view: TileView, info: Mapping[str, Any]) -> np.ndarray:
    """Return a tile's landslide pixels, (H, W) of 0 and 1, in its own frame."""
    store = getattr(view, 'store', None)
    if store is None and 'boxes_xyxy' in info:
        found = np.zeros(image_hw(Path(info['img_path'])), np.uint8)
        for left, top, right, bottom in np.rint(info['boxes_xyxy']).astype(int):
            found[top:bottom, left:right] = 1
        return found
    mask = None if store is None else store.mask(info['img_id'])
    if mask is None:
        got, where = f'none for {info["img_id"]}', info['img_path']
        remedy = 'Probe on a split that is labelled'
        raise DatasetError.mismatch('tile', 'have a mask or boxes', got, where, remedy)
    return mask


def _batches(view: TileView, batch_size: int) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Yield positions and tiles (B, C, H, W), neighbours of one size together."""
    pairs = ((position, view[position]['inputs']) for position in range(len(view)))
    for _, same in itertools.groupby(pairs, key=lambda pair: pair[1].shape):
        while taken := list(itertools.islice(same, batch_size)):
            yield [position for position, _ in taken], torch.stack([inputs for _, inputs in taken])


def _kept(num_cells: int, quota: int | None, seed: int, tile_id: str) -> np.ndarray:
    """Return which cells of a tile are kept: all, or a quota drawn by seed and tile id."""
    if quota is None or quota >= num_cells:
        return np.arange(num_cells)
    return np.sort(rng.generator(seed, 'places', tile_id).choice(num_cells, quota, replace=False))
