"""Any folder of tiles with landslide masks, with any bands: the Mars tiles, or a user's own."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from natsort import natsorted

from mmlandslide import bands as band_table
from mmlandslide.datasets.boxes import rule_named
from mmlandslide.datasets.storage.index import TileRef, require_inside, split_named
from mmlandslide.datasets.storage.split_file import select
from mmlandslide.datasets.storage.store import ensure
from mmlandslide.datasets.storage.store_folder import store_folder
from mmlandslide.datasets.storage.tile_formats import SUFFIXES
from mmlandslide.datasets.views.view import Sample, TileView
from mmlandslide.errors import ConfigError, DatasetError, MissingPathError
from mmlandslide.registry import DATASETS

#: Finds the id in the file names of the Mars tiles.
PATTERN = r'(\d+_\d+)\.tif$'
#: Takes the code of a fault, the file and the error.
Note = Callable[[str, Path, DatasetError], None]


@DATASETS.register_module()
class MaskFolderDataset(TileView):
    r"""Tiles in one folder, their masks in another, paired by an id in the file name.

    Written for `data/mars_mmls` (Multimodal-Martian-Landslides, WACV 2024): 180 train and 31
    validation tiles of Valles Marineris, 128 x 128 px float32 GeoTIFF scaled to [0, 1], bands as in
    the group `mars`; `images/Image_patch_R_C.tif` goes with `masks/Mask_patch_R_C.tif`, values 0
    and 1. Every tile holds a landslide, which covers half of it in the mean. Thermal inertia is 0
    where it has no data: give `nodata={'mars_thermal': 0.0}`. Any format that `tiles.read_image`
    reads will do.

    Tiles are packed into a store on first use, as Landslide4Sense's are.

    Args:
        data_root: that holds both folders, such as `data/mars_mmls/train`.
        source_bands: names or group of all bands in the files, in their order.
        bands: names or groups to load; all by default.
        images: folder of images below `data_root`.
        masks: folder of masks below `data_root`; `None` for tiles without labels.
        pattern: regular expression, searched for in each file name; its first group is the id that
            pairs image and mask.
        split: `train`, `validation` or `test`: the first part of the tile ids.
        split_file: text with one tile id a line; only those, in its order.
        box_rule: of `boxes.RULES`.
        keep_negatives: keep tiles without a box.
        nodata: band -> the value that means no data there (NaN among them), beside what the files
            say themselves: nodata tags, masks and alpha bands of GeoTIFF and PNG. Such pixels get
            the mean of the tile's other pixels in that band.
        kwargs: what `TileView` takes, `name` among it.

    Raises:
        MissingPathError: no such folder or split file.
        DatasetError: no tile, a file name without id, an id twice, an image or mask that stands
            alone, or a link that leads out of the data root.
        ConfigError: no such split or box rule, or a pattern without group.
        BandError: a band that the files do not have.
        TileError: a tile that cannot be read.
    """

    def __init__(
        self,
        *,
        data_root: str | Path,
        source_bands: str | Sequence[str],
        bands: str | Sequence[str] | None = None,
        images: str = 'images',
        masks: str | None = 'masks',
        pattern: str = PATTERN,
        split: str = 'train',
        split_file: str | Path | None = None,
        box_rule: str = 'components',
        keep_negatives: bool = True,
        nodata: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        self.folder = Path(data_root)
        self.source_bands = band_table.names(source_bands)
        self.images, self.masks, self.pattern = images, masks, _compiled(pattern)
        self.split = split_named(split)
        self.split_file = Path(split_file) if split_file else None
        self.rule = rule_named(box_rule)
        self.keep_negatives = keep_negatives
        self.nodata = dict(nodata or {})
        band_table.positions(tuple(self.nodata) or self.source_bands, self.source_bands, 'nodata')
        self.positions = band_table.positions(
            bands or self.source_bands, self.source_bands, self.folder
        )
        super().__init__(bands=bands or self.source_bands, **kwargs)

    @property
    def store_name(self) -> str:
        """Return the store's name.

        Views that read the same files otherwise have stores of their own.
        """
        reading: list[Any] = [self.images, self.masks, self.pattern.pattern, self.source_bands]
        reading += [sorted(self.nodata.items())] if self.nodata else []
        digest = hashlib.blake2b(json.dumps(reading).encode(), digest_size=4).hexdigest()
        return f'{Path(self.images).name}_{self.split}_{digest}'

    def load_data_list(self) -> list[Sample]:
        """Return one dict a tile.

        Ids, path, boxes and, where there are masks, `gt_label` (1 if any pixel is landslide).
        """
        refs = self.find_tiles()
        self.store = ensure(
            refs, self.source_bands, store_folder(self.folder), self.store_name, self.nodata
        )
        chosen = refs if self.split_file is None else select(refs, self.split_file)
        samples = [self._sample(ref) for ref in chosen]
        return samples if self.keep_negatives else self.with_boxes(samples, self.folder)

    def load_image(self, info: Sample) -> np.ndarray:
        """Return the tile's bands, (C, H, W) float32 in stored units, no-data pixels filled."""
        return self.store.read(info['img_id'], self.positions)

    def find_tiles(self) -> list[TileRef]:
        """Return all tiles, paired, in the order of the numbers in their ids."""
        refs, files = self.paired()
        if files:
            alone = natsorted(files)
            raise DatasetError.mismatch(
                'folders',
                'hold one image and one mask for each tile',
                f'{len(alone)} ids with only one of them, such as {alone[:3]}',
                f'{self.folder / self.images} and {self.folder / str(self.masks)}',
                'Add what is missing, or take its other half away',
            )
        return refs

    def paired(self, note: Note | None = None) -> tuple[list[TileRef], dict[str, Path]]:
        """Return the tiles that are whole, and id -> file of images or masks that stand alone.

        Args:
            note: is called with code and error of each file whose name is at fault, which is then
                left out; where `None`, the first one is raised.
        """
        images = self._by_id(self.folder / self.images, note)
        masks = {} if self.masks is None else self._by_id(self.folder / self.masks, note)
        alone = set(images) ^ set(masks) if self.masks is not None else set()
        refs = [
            TileRef(f'{self.split}/{key}', images[key], masks.get(key))
            for key in natsorted(set(images) - alone)
        ]
        return refs, {key: {**images, **masks}[key] for key in alone}

    def _by_id(self, folder: Path, note: Note | None) -> dict[str, Path]:
        """Return id -> path of the tile files in a folder."""
        if not folder.is_dir():
            raise MissingPathError.mismatch(
                'tile folder',
                'exist',
                'no folder',
                folder,
                'Put the tiles there or name the folder',
            )
        found: dict[str, Path] = {}
        files = [path for path in sorted(folder.iterdir()) if not path.name.startswith('.')]
        tiles = [path for path in files if path.suffix.lower() in SUFFIXES]
        for path in tiles:
            try:
                require_inside(self.folder, folder, [path])
                found[self._id_of(path, found)] = path
            except DatasetError as error:
                if note is None:
                    raise
                note('leads-out' if path.is_symlink() else 'name-without-id', path, error)
        if not tiles:
            others = sorted({path.suffix for path in files if path.is_file()})
            got = f'only files {others}' if others else 'none'
            remedy = 'Convert them, or put the tiles there'
            raise DatasetError.mismatch(
                'tile folder', f'hold files {SUFFIXES}', got, folder, remedy
            )
        return found

    def _id_of(self, path: Path, taken: Mapping[str, Path]) -> str:
        """Return the id in a file's name, which no other file may have."""
        match = self.pattern.search(path.name)
        if match is not None and match[1] not in taken:
            return match[1]
        got = repr(path.name)
        if match is not None:
            got = f'{got} beside {taken[match[1]].name!r}'
        expected = f'match {self.pattern.pattern!r} with an id of its own'
        raise DatasetError.mismatch(
            'file name', expected, got, path.parent, 'Pass pattern=..., or rename the file'
        )

    def _sample(self, ref: TileRef) -> Sample:
        labelled = (
            {}
            if ref.mask_path is None
            else {'gt_label': int(self.store.entry(ref.tile_id).positive_px > 0)}
        )
        boxes = self.store.boxes(ref.tile_id, self.rule)
        return {
            'img_id': ref.tile_id,
            'img_path': str(ref.image_path),
            'height': self.store.entry(ref.tile_id).shape[1],
            'width': self.store.entry(ref.tile_id).shape[2],
            'boxes_xyxy': boxes,
            **labelled,
        }


def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern that has a group to take an id from."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError.mismatch(
            'pattern', 'be a regular expression', error, repr(pattern), 'Correct it'
        ) from error
    if not compiled.groups:
        raise ConfigError.mismatch(
            'pattern',
            'have a group for the id',
            'none',
            repr(pattern),
            r'Write for example (\d+)\.tif$',
        )
    return compiled
