"""Image tiles with boxes in Pascal VOC files: those of the original study and of Dynahead-YOLO."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmlandslide.datasets.labels import voc
from mmlandslide.datasets.labels.label_set import LabelSet
from mmlandslide.datasets.labels.voc import paired_files, read_voc
from mmlandslide.datasets.views.labelled_images import FILE_BANDS, LabelledImageDataset
from mmlandslide.registry import DATASETS

__all__ = ['FILE_BANDS', 'VOCTileDataset', 'paired_files', 'read_voc']


@DATASETS.register_module()
class VOCTileDataset(LabelledImageDataset):
    """Tiles `N.jpg`, each with its boxes in `N.xml`, in one folder or several, or in VOC's layout.

    `data/l4s_rgb`: Landslide4Sense tiles as 8-bit RGB, resized from 128 to 224 px, 1440 train and
    309 valid, class `landslides`; boxes are whole numbers from 0 to 224, half-open.
    `data/dynahead_rgb`: RGB tiles, mostly 512 x 512 px, 665 train and 142 valid, class `landslide`;
    boxes are whole numbers from 1 to the width, as LabelImg writes them, so that at the left and
    the upper edge a 1 stands for 0. No tile of either is empty. Both are read as half-open pixel
    corners, counted from 0, in the frame of the image file; the XML's `<size>` is not looked at,
    for that of `l4s_rgb` wrongly says 128.

    With the default `tile_id` and `name='landslide4sense'` the RGB tile 12 has the id of the
    14-band tile it was made from, so that a tile in both is seen as the same. The original study
    kept 1749 of the 3799 Landslide4Sense tiles.

    Args:
        data_root: that holds the folder.
        folder: of images and XML files, such as `train`, or several, such as `('train', 'valid')`
            where a split file names tiles of both; or a folder in VOC's own layout, such as `'.'`
            or `VOC2007`: `Annotations`, `JPEGImages` and `ImageSets`.
        images: in that layout, the folder of the images if it is not `JPEGImages`.
        image_set: in that layout, such as `train`: only what `ImageSets/**/train.txt` names.
        kwargs: what `LabelledImageDataset` takes.
    """

    option = '--voc'

    def __init__(
        self,
        *,
        data_root: str | Path,
        folder: str | Sequence[str] = 'train',
        images: str | None = None,
        image_set: str | None = None,
        **kwargs: Any,
    ) -> None:
        names = (folder,) if isinstance(folder, str) else tuple(folder)
        self.folders = [Path(data_root) / name for name in names]
        self.images, self.image_set = images, image_set
        super().__init__(data_root=data_root, **kwargs)

    @property
    def where(self) -> str:
        """Return the folders, for errors."""
        return ', '.join(map(str, self.folders))

    def label_sets(self) -> list[LabelSet]:
        """Read each folder."""
        return [
            voc.read_folder(folder, self.root, self.images, self.image_set)
            for folder in self.folders
        ]
