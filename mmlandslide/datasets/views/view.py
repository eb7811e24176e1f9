"""What every dataset view shares.

Keyed randomness, loading by tile id, and no silent substitution of samples.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from mmlandslide import bands as band_table
from mmlandslide import rng
from mmlandslide.datasets.l4s_grid import SCENES, position_of, tile_id_of, tile_number
from mmlandslide.datasets.storage.split_file import listed_ids, read_split
from mmlandslide.errors import ConfigError, DatasetError

Sample = dict[str, Any]


class TileView(BaseDataset, ABC):
    """A list of tiles, each loaded, drawn upon with its own randomness and sent through a pipeline.

    A sample that enters the pipeline holds `img` ((C, H, W) float32 in stored units; bands
    in the order asked for), `bands` (names), `img_id` (tile id), `dataset`
    (name of the data), `img_path`, `ori_shape` and `img_shape` ((h, w) in px), `scale_factor` ((w,
    h), 1 at first), `rng` (a NumPy generator keyed by seed, epoch and tile id), `sample_key`
    (63-bit int from the same) and, outside tests, `draw_other` (returns another sample, loaded and
    with the same generator, for transforms that mix). Subclasses add truth.

    Args:
        bands: names or groups to load.
        name: of the data; tile ids of one name are compared with each other wherever they come
            from, so that a tile that served for training cannot be tested unnoticed.
        pipeline: transforms, each a dict with a `type`.
        test_mode: no tile is mixed in; the draw is the same in every epoch.
        lazy_init: leave listing the tiles for later.
        indices: positions of the tiles to keep, or how many of the first; `None` for all.
        metainfo: entries that replace those of `METAINFO`.
        serialize_data: keep the list of tiles as bytes that workers share.
        data_root: folder of the data.
    """

    METAINFO = {'classes': ('landslide',), 'palette': [(255, 64, 32)]}  # noqa: RUF012 (mmengine's own spelling)

    def __init__(
        self,
        *,
        bands: str | Sequence[str],
        name: str,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]] = (),
        test_mode: bool = False,
        lazy_init: bool = False,
        indices: int | Sequence[int] | None = None,
        metainfo: Mapping[str, Any] | None = None,
        serialize_data: bool = True,
        data_root: str = '',
    ) -> None:
        self.bands = band_table.names(bands)
        self.name = name
        self._latest: rng.SampleIndex | None = None
        self._places: dict[str, int] | None = None  # of ids, once one is looked for
        self._asked: Counter[int] = Counter()
        super().__init__(
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
            indices=indices,
            metainfo=metainfo,
            serialize_data=serialize_data,
            data_root=data_root,
        )

    @property
    def tile_ids(self) -> list[str]:
        """Return `<name>:<tile id>` for every tile of the view."""
        self.full_init()
        return [f'{self.name}:{self.get_data_info(index)["img_id"]}' for index in range(len(self))]

    def with_boxes(self, tiles: Sequence[Sample], where: object) -> list[Sample]:
        """Return the tiles that have a box.

        Args:
            tiles: entries with `boxes_xyxy`.
            where: what holds them, for the error.

        Raises:
            DatasetError: none has.
        """
        found = [tile for tile in tiles if len(tile['boxes_xyxy'])]
        if not found:
            remedy = 'Name another folder or split, or keep_negatives=True'
            raise DatasetError.mismatch(
                'dataset',
                'hold at least one tile with a box',
                f'none of {len(tiles)}',
                where,
                remedy,
            )
        return found

    def listed(self, split_file: Path, known: Collection[str], missing: str) -> list[str]:
        """Return the tile ids of a split file; how many are skipped is logged.

        Args:
            split_file: as in `split_file.read_split`.
            known: ids of the tiles at hand.
            missing: what to do about others, `refuse` or `skip`.

        Raises:
            DatasetError: `skip`, and an id that no Landslide4Sense training tile can have.
            LandslideError: see `split_file.read_split`.
        """
        found = read_split(split_file, known, missing)
        if missing == 'skip':
            tile_ids = listed_ids(split_file)
            if self.name == 'landslide4sense':
                for tile_id in (each for each in tile_ids if each.startswith('train/')):
                    tile_number(tile_id)
            left_out = f'{len(tile_ids) - len(found)} of the {len(tile_ids)} tiles of {split_file}'
            print_log(f'{left_out} are not in this copy and left out', 'current', WARNING)
        return found

    @abstractmethod
    def load_image(self, info: Sample) -> np.ndarray:
        """Return the tile's bands, (C, H, W) float32 in stored units."""

    def load(self, index: int, generator: np.random.Generator) -> Sample:
        """Return one sample before any transform.

        Args:
            index: position in the view.
            generator: that the transforms draw from.
        """
        info: Sample = self.get_data_info(index)
        image = self.load_image(info)
        height, width = image.shape[-2:]
        boxes = np.asarray(info.pop('boxes_xyxy', np.zeros((0, 4))), np.float32).reshape(-1, 4)
        labels = np.asarray(info.pop('labels', np.zeros(len(boxes))), np.int64)
        return {
            **info,
            'dataset': self.name,
            'img': image,
            'bands': self.bands,
            'ori_shape': (height, width),
            'img_shape': (height, width),
            'scale_factor': (1.0, 1.0),
            'native_boxes_xyxy': boxes,
            'native_labels': labels,
            'gt_bboxes': boxes.copy(),
            'gt_bboxes_labels': labels.copy(),
            'rng': generator,
        }

    def get_cat_ids(self, index: int) -> list[int]:
        """Return the classes on a tile, which `ClassBalancedDataset` asks for; none if empty."""
        info = self.get_data_info(index)
        if 'boxes_xyxy' not in info:
            return [int(info['gt_label'])] if 'gt_label' in info else []
        return [int(label) for label in info.get('labels', np.zeros(len(info['boxes_xyxy'])))]

    def _drawn(self, index: int) -> rng.SampleIndex:
        """Return a position with its draw.

        A plain position has one in three cases. In a test every draw is the same. After an index
        that came with its draw, it belongs to that: a host's `MultiImageMixDataset` picks partners
        by number. In the user's own process it is for looking at samples: asked again, a tile is
        drawn anew, as if in the next epoch.

        Raises:
            ConfigError: a worker of a data loader was handed a plain position. It cannot know the
                epoch, and would repeat the first.
            IndexError: a plain position beyond the view.
        """
        if isinstance(index, rng.SampleIndex):
            self._latest = index
            return index
        if not -len(self) <= index < len(self):  # what ends a loop over the view
            raise IndexError(f'position must lie in a view of {len(self)} tiles, got {index}')
        position = int(index) % len(self)
        if self.test_mode:
            return rng.SampleIndex(0, 0, position)
        if self._latest is not None:
            return self._latest.at(position)
        if get_worker_info() is not None:
            raise undrawn(self.name)
        self._asked[position] += 1
        return rng.SampleIndex(0, self._asked[position] - 1, position)

    def _beside(
        self, tile_id: str, generator: np.random.Generator, down: int, right: int
    ) -> Sample | None:
        """Return the Landslide4Sense tile so many rows below and columns right of another.

        `None` outside the scene, and where this view does not hold it.
        """
        if self._places is None:
            ids = [self.get_data_info(index)['img_id'] for index in range(len(self))]
            self._places = {name: index for index, name in enumerate(ids)}
        scene, row, column = position_of(tile_number(tile_id))
        number = SCENES[scene].number(row + down, column + right)
        index = None if number is None else self._places.get(tile_id_of(number))
        return None if index is None else self.load(index, generator)

    def __getitem__(self, index: int) -> Any:
        """Return one sample after the pipeline.

        Args:
            index: a position with its seed and epoch as `TileSampler` hands it, or a plain one.

        Raises:
            ConfigError: a plain position in a training, see `_drawn`.
            DatasetError: a transform returned nothing; mmengine would put a random other sample in
                its place.
        """
        self.full_init()
        draw = self._drawn(index)
        tile_id = self.get_data_info(int(draw))['img_id']
        key = rng.key(draw.seed, 0, tile_id) if self.test_mode else draw.key(tile_id)
        generator = np.random.default_rng(key)
        sample = self.load(int(draw), generator)
        sample['sample_key'] = key
        if not self.test_mode:
            sample['draw_other'] = lambda: self.load(int(generator.integers(len(self))), generator)
            if self.name == 'landslide4sense' and tile_id.startswith('train/'):
                sample['beside'] = partial(self._beside, tile_id, generator)
        packed = self.pipeline(sample)
        if packed is None:
            raise DatasetError.mismatch(
                'a sample',
                'survive its pipeline',
                'None',
                f'tile {tile_id} of {self.name}',
                'Check the transforms of this pipeline',
            )
        return packed


def undrawn(name: str) -> ConfigError:
    """Return the error for a sampler that hands a training view plain positions.

    Args:
        name: of the data.
    """
    return ConfigError(
        'sampler must hand seed and epoch along with each position, got plain positions, with '
        'which every epoch draws the same augmentations and masks, in the dataloader of dataset '
        f"{name!r}. Write sampler=dict(type='mmlandslide.TileSampler', shuffle=True) there, or "
        'test_mode=True in a dataset that is not trained on.'
    )
