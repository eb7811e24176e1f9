"""A user's copy of the Landslide4Sense training tiles, by tile number: HDF5 files or 8-bit RGB."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmlandslide.bands import GROUPS, LANDSLIDE4SENSE
from mmlandslide.datasets.boxes import BoxRule, boxes_from_mask
from mmlandslide.datasets.l4s_grid import NUM_TILES
from mmlandslide.datasets.storage.index import LAYOUTS, pair
from mmlandslide.datasets.storage.tile_formats import IMAGE
from mmlandslide.datasets.storage.tiles import read_image, read_mask
from mmlandslide.datasets.views.voc import paired_files, read_voc
from mmlandslide.errors import DatasetError, LandslideError, MissingPathError, TileError

HDF5, RGB = 'hdf5', 'rgb'
#: Bands of an RGB tile, in the order of its file.
RGB_BANDS = ('R', 'G', 'B')


@dataclass(frozen=True)
class TileCopy:
    """Training tiles on disk; nothing is read before it is needed, and one tile at a time.

    Attributes:
        root: folder that a user has named.
        form: `hdf5` (14 bands, masks) or `rgb` (8-bit, VOC boxes).
        images: tile number -> file of its bands, ascending.
        truths: tile number -> mask (HDF5) or XML file (RGB); a tile that is not labelled has none.
    """

    root: Path
    form: str
    images: dict[int, Path]
    truths: dict[int, Path]
    _tile_px: list[int] = field(default_factory=list, repr=False)

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands of its files, in their order."""
        return LANDSLIDE4SENSE if self.form == HDF5 else RGB_BANDS

    @property
    def color_indices(self) -> list[int]:
        """Positions of red, green and blue among the bands."""
        names = GROUPS['rgb'] if self.form == HDF5 else RGB_BANDS
        return [self.bands.index(name) for name in names]

    @property
    def tile_px(self) -> int:
        """Side of a tile, px, from the first one."""
        if not self._tile_px:
            number = next(iter(self.images))
            self._tile_px.append(read_image(self.images[number], self.bands).shape[-1])
        return self._tile_px[0]

    def image(self, number: int) -> np.ndarray:
        """Return the bands of a tile.

        Args:
            number: of a tile that the copy holds.

        Returns:
            (C, H, W): float32 in Landslide4Sense units, or uint8 of an RGB tile.

        Raises:
            TileError: the file is broken, or its size is not that of the first tile.
        """
        image = read_image(self.images[number], self.bands)
        self._require_size(image.shape[-2:], self.images[number])
        return image.astype(np.float32) if self.form == HDF5 else image

    def mask(self, number: int) -> np.ndarray | None:
        """Return the landslide mask of a tile, (H, W) uint8 with 1 = landslide.

        `None` where there is none.

        Raises:
            TileError: the file is broken, or its size is not that of the first tile.
        """
        if self.form != HDF5 or number not in self.truths:
            return None
        return read_mask(self.truths[number], shape_hw=(self.tile_px, self.tile_px))

    def boxes(self, number: int, rule: BoxRule) -> np.ndarray | None:
        """Return the boxes of a tile, (N, 4) float32 xyxy in its px.

        `None` where it is not labelled.

        Args:
            number: of a tile.
            rule: how a mask becomes boxes; boxes of XML files are taken as they are.

        Raises:
            TileError: the file is broken.
        """
        if number not in self.truths:
            return None
        if self.form == RGB:
            return read_voc(self.truths[number], (self.tile_px, self.tile_px))[0]
        mask = self.mask(number)
        return None if mask is None else boxes_from_mask(mask, rule)

    def _require_size(self, hw: tuple[int, ...], path: Path) -> None:
        if hw != (self.tile_px, self.tile_px):
            expected = f'be {self.tile_px} x {self.tile_px} px as the first of this copy'
            remedy = 'Name a folder with Landslide4Sense tiles alone'
            raise TileError.mismatch('tile', expected, f'{hw[0]} x {hw[1]} px', path, remedy)


def open_copy(data_root: Path) -> TileCopy:
    """Find the training tiles below a folder.

    Args:
        data_root: a published layout of the HDF5 files (see `datasets.storage.index`), or a folder
            of RGB tiles `N.jpg` with `N.xml`, or one whose folders hold such tiles, as the original
            study's `train` and `valid` do. N is the number of the HDF5 tile.

    Raises:
        MissingPathError: no such folder, or no tiles in it.
        DatasetError: a file whose name is no number from 1 to 3799, or a number twice.
    """
    if any((data_root / splits['train'][0]).is_dir() for splits in LAYOUTS.values()):
        refs = pair(data_root, 'train').refs
        images = _numbered((ref.tile_id.split('/')[1], ref.image_path) for ref in refs)
        masks = {
            int(ref.tile_id.split('/')[1]): ref.mask_path
            for ref in refs
            if ref.mask_path is not None
        }
        return _non_empty(TileCopy(data_root, HDF5, images, masks))
    pairs = [
        files for folder in _rgb_folders(data_root) for files in paired_files(folder, data_root)
    ]
    images = _numbered((image.stem, image) for image, _ in pairs)
    return _non_empty(TileCopy(data_root, RGB, images, {int(xml.stem): xml for _, xml in pairs}))


def _rgb_folders(data_root: Path) -> list[Path]:
    """Return the folders that hold image files: the root itself, or folders in it."""
    if not data_root.is_dir():
        remedy = 'Name the folder of your Landslide4Sense tiles'
        raise MissingPathError.mismatch('data root', 'be a folder', 'none', data_root, remedy)
    folders = [data_root, *sorted(path for path in data_root.iterdir() if path.is_dir())]
    return [
        folder
        for folder in folders
        if any(path.suffix.lower() in IMAGE for path in folder.iterdir())
    ]


def _numbered(files: Iterator[tuple[str, Path]]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for stem, path in files:
        number = (
            int(stem)
            if stem.isascii() and stem.isdecimal() and len(stem) <= len(str(NUM_TILES))
            else 0
        )
        if not 1 <= number <= NUM_TILES:
            raise _not_ours(path)
        if number in found:
            got = f'{number} also in {found[number]}'
            remedy = 'Take one of the two out'
            raise DatasetError.mismatch('tile number', 'stand on one file', got, path, remedy)
        found[number] = path
    return dict(sorted(found.items()))


def _not_ours(path: Path) -> LandslideError:
    return DatasetError.mismatch(
        'tile file',
        f'bear the number of a Landslide4Sense training tile, 1 to {NUM_TILES}',
        repr(path.name),
        path.parent,
        'Name the folder of your Landslide4Sense training tiles',
    )


def _non_empty(copy: TileCopy) -> TileCopy:
    if not copy.images:
        expected = (
            'hold Landslide4Sense training tiles (TrainData/img, images/train, or N.jpg with N.xml)'
        )
        remedy = 'Name the folder of your copy'
        raise MissingPathError.mismatch('data root', expected, 'none', copy.root, remedy)
    return copy
