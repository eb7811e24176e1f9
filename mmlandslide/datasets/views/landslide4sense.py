"""Three views of one Landslide4Sense index: boxes, `any landslide?` and unlabelled tiles."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide import bands as band_table
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.boxes import rule_named
from mmlandslide.datasets.storage.store import ensure_split
from mmlandslide.datasets.views.view import Sample, TileView
from mmlandslide.errors import DatasetError
from mmlandslide.registry import DATASETS


class Landslide4SenseView(TileView):
    """Landslide4Sense tiles out of their packed store, which the first use builds.

    Sensor: Sentinel-2 L1C (12 bands: B8A is left out, B10 is in) with slope and elevation from ALOS
    PALSAR. Tile: 128 x 128 px of about 10 m. Values: raw value / a fixed divisor a band, see
    `mmlandslide.bands`. Files: `image_N.h5` with `img` (128, 128, 14) float64, `mask_N.h5` with
    `mask` (128, 128) uint8, 0 = no landslide, 1 = landslide. Counts: 3799 training, 245 validation
    and 800 test tiles; 58.7 % of the training tiles hold a landslide, on about 2 % of all pixels.
    Published as Zenodo record 10463239.

    Args:
        data_root: folder in either published layout (see `mmlandslide.datasets.storage.index`).
        split: `train`, `validation` (or `val`) or `test`.
        bands: names or groups to load, such as `'all'` or `('B4', 'B3', 'B2')`.
        split_file: text file with one tile id a line; `None` for all tiles of the split.
        missing: `refuse` an id of the split file whose tile is not there, or `skip` it; then the
            count is logged.
        name: of the data.
        kwargs: what `TileView` takes.

    Raises:
        MissingPathError: no data there, or no such split file.
        DatasetError: no tile, a faulty pairing, an unknown id in the split file.
        TileError: a faulty tile, when the store is built.
        BandError: a band that the tiles do not have.
        ConfigError: no such split.
    """

    def __init__(
        self,
        *,
        data_root: str | Path,
        split: str = 'train',
        bands: str | Sequence[str] = 'all',
        split_file: str | Path | None = None,
        missing: str = 'refuse',
        name: str = 'landslide4sense',
        **kwargs: Any,
    ) -> None:
        self.split, self.split_file, self.missing = split, split_file, missing
        self.positions = band_table.positions(
            bands, LANDSLIDE4SENSE, f'Landslide4Sense tiles of {data_root}'
        )
        super().__init__(bands=bands, name=name, data_root=str(data_root), **kwargs)

    def load_data_list(self) -> list[Sample]:
        """Return one entry a tile, in the order of the split file or of their numbers.

        Build the store where needed.
        """
        self.store, refs = ensure_split(Path(self.data_root), self.split)
        if self.split_file is not None:
            known = {ref.tile_id: ref for ref in refs}
            chosen = self.listed(Path(self.split_file), known, self.missing)
            refs = [known[tile_id] for tile_id in chosen]
        return [
            {
                'img_id': ref.tile_id,
                'img_path': str(ref.image_path),
                'height': self.store.entry(ref.tile_id).shape[1],
                'width': self.store.entry(ref.tile_id).shape[2],
                **self.truth(ref.tile_id),
            }
            for ref in refs
        ]

    def truth(self, tile_id: str) -> Sample:
        """Return what is known of a tile besides its bands: here nothing."""
        return {}

    def load_image(self, info: Sample) -> np.ndarray:
        """Return the tile's bands, (C, H, W) float32 in stored units."""
        return self.store.read(info['img_id'], self.positions)

    def require_mask(self, tile_id: str) -> None:
        """Refuse a tile without a mask.

        Raises:
            DatasetError: the tile is not labelled.
        """
        if self.store.entry(tile_id).mask_digest is None:
            raise DatasetError.mismatch(
                f'split {self.split!r}',
                'have masks',
                f'none for tile {tile_id}',
                self.data_root,
                'Add its masks (Zenodo record 10463239 has those of all splits) '
                'or use Landslide4SenseUnlabelledDataset',
            )


@DATASETS.register_module()
class Landslide4SenseDetDataset(Landslide4SenseView):
    """Landslide4Sense tiles with one box a landslide.

    Sensor, bands, files and counts as in `Landslide4SenseView`.

    Args:
        box_rule: how a mask becomes boxes, a name in `mmlandslide.datasets.boxes.RULES`.
        keep_negatives: keep tiles without a box.
        kwargs: what `Landslide4SenseView` takes.

    Raises:
        DatasetError: the split has no masks, or no tile with a box where only those are kept; and
            as in `Landslide4SenseView`.
        ConfigError: no such rule or split.
    """

    def __init__(
        self, *, box_rule: str = 'components', keep_negatives: bool = True, **kwargs: Any
    ) -> None:
        self.box_rule, self.keep_negatives = rule_named(box_rule), keep_negatives
        super().__init__(**kwargs)

    def load_data_list(self) -> list[Sample]:
        """Return one entry a tile, with `boxes_xyxy` (M, 4) float32 in the tile's own px."""
        found = super().load_data_list()
        return (
            found
            if self.keep_negatives
            else self.with_boxes(found, f'split {self.split!r} of {self.data_root}')
        )

    def truth(self, tile_id: str) -> Sample:
        """Return the tile's boxes."""
        self.require_mask(tile_id)
        return {'boxes_xyxy': self.store.boxes(tile_id, self.box_rule)}


@DATASETS.register_module()
class Landslide4SenseClsDataset(Landslide4SenseView):
    """Landslide4Sense tiles labelled 1 where any pixel is landslide.

    The rest as in `Landslide4SenseView`.

    Raises:
        DatasetError: the split has no masks; and as in `Landslide4SenseView`.
    """

    METAINFO = {'classes': ('no landslide', 'landslide')}  # noqa: RUF012 (mmengine's own spelling)

    def truth(self, tile_id: str) -> Sample:
        """Return `gt_label`: 1 where the tile has any landslide pixel, else 0."""
        self.require_mask(tile_id)
        return {'gt_label': int(self.store.entry(tile_id).positive_px > 0)}


@DATASETS.register_module()
class Landslide4SenseUnlabelledDataset(Landslide4SenseView):
    """Landslide4Sense tiles for self-supervision: masks, where there are any, are not used.

    The rest is as in `Landslide4SenseView`.
    """
