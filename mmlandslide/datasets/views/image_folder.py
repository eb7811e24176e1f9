"""Photographs in one folder a class: ImageNet, or any other set in its layout."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide import bands as band_table
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.datasets.storage.tile_formats import IMAGE, read_photograph
from mmlandslide.datasets.views.view import Sample, TileView
from mmlandslide.datasets.views.voc import FILE_BANDS
from mmlandslide.errors import DatasetError, MissingPathError
from mmlandslide.registry import DATASETS


@DATASETS.register_module()
class ImageFolderDataset(TileView):
    """Photographs `<folder>/<class>/<name>.JPEG`, labelled by the folder that they lie in.

    Written for ImageNet-1k (Russakovsky et al. 2015): 1 281 167 training and 50 000 validation
    photographs of 1000 classes, whose folders are named by synsets,
    `data/imagenet/train/n01440764/n01440764_18.JPEG`. 8 bit, any size; grey and CMYK ones become
    RGB.

    Classes are numbered in the order of their names in `class_folder`, whichever folder is read: a
    validation folder that lacks one would otherwise shift all others.

    Args:
        data_root: that holds the folders.
        folder: such as `train` or `val`.
        class_folder: whose subfolders are the classes.
        bands: of `R`, `G`, `B`, in any order; values 0 to 255.
        name: of the data.
        kwargs: what `TileView` takes.

    Raises:
        MissingPathError: no such folder.
        DatasetError: no class, no photograph, a class that `class_folder` lacks, or a link that
            leads out of the data root.
        TileError: a broken photograph.
        BandError: a band that photographs do not have.
    """

    def __init__(
        self,
        *,
        data_root: str | Path,
        folder: str = 'train',
        class_folder: str = 'train',
        bands: str | Sequence[str] = FILE_BANDS,
        name: str = 'imagenet',
        **kwargs: Any,
    ) -> None:
        self.root = Path(data_root)
        self.folder, self.class_folder = self.root / folder, self.root / class_folder
        self.positions = band_table.positions(bands, FILE_BANDS, self.folder)
        super().__init__(bands=bands, name=name, data_root=str(data_root), **kwargs)

    @property
    def tile_ids(self) -> list[str]:
        """Return none: a photograph is no tile, and a checkpoint needs no list of a million."""
        return []

    def load_data_list(self) -> list[Sample]:
        """Return one dict a photograph: id, path and `gt_label`, in the order of class and name."""
        classes = self._subfolders(self.class_folder)
        found = self._subfolders(self.folder)
        strange = sorted(set(found) - set(classes))
        if strange:
            got, remedy = (
                f'{strange[:3]} beside them',
                'Take them out, or name another class_folder',
            )
            raise DatasetError.mismatch(
                'class folders', f'be among those of {self.class_folder}', got, self.folder, remedy
            )
        self._metainfo['classes'] = tuple(classes)
        label = {name: index for index, name in enumerate(classes)}
        samples = [
            {
                'img_id': f'{self.folder.name}/{name}/{path.stem}',
                'img_path': str(path),
                'gt_label': label[name],
            }
            for name in found
            for path in self._photographs(self.folder / name)
        ]
        if not samples:
            raise DatasetError.mismatch(
                'dataset',
                f'hold photographs ({", ".join(IMAGE)})',
                'none',
                self.folder,
                'Put them into one folder a class',
            )
        return samples

    def _subfolders(self, folder: Path) -> list[str]:
        if not folder.is_dir():
            remedy = (
                'Put the photographs there, one folder a class, or name the folder with data_root'
            )
            raise MissingPathError.mismatch('image folder', 'exist', 'no folder', folder, remedy)
        found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        if not found:
            raise DatasetError.mismatch(
                'image folder',
                'hold one folder a class',
                'none',
                folder,
                'Sort the photographs by class',
            )
        return found

    def _photographs(self, folder: Path) -> list[Path]:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE)
        require_inside(self.root, folder, found)
        return found

    def load_image(self, info: Sample) -> np.ndarray:
        """Return the photograph, (C, H, W) float32, 0 to 255."""
        return np.ascontiguousarray(
            read_photograph(Path(info['img_path']))[self.positions], np.float32
        )
