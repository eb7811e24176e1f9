"""Tiles as image files with boxes in a label format: VOC, COCO JSON, YOLO or labelme."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmlandslide import bands as band_table
from mmlandslide.datasets.labels import coco, labelme, voc, yolo
from mmlandslide.datasets.labels.label_set import LabelledImage, LabelSet
from mmlandslide.datasets.storage.tiles import read_image
from mmlandslide.datasets.views.view import Sample, TileView
from mmlandslide.errors import ConfigError, DatasetError, TileError
from mmlandslide.registry import DATASETS

FILE_BANDS = ('R', 'G', 'B')
_ALONE = ('image-without-label', 'label-without-image')
_OF_THE_SET = (*_ALONE, 'leads-out')


class LabelledImageDataset(TileView):
    """Image files of any format that `tiles.read_image` reads, with boxes from label files.

    Images are read when they are asked for, boxes once. A set with a faulty file is refused;
    `mmlandslide prepare --voc|--coco|--yolo|--labelme PATH` lists every fault of every file.

    Args:
        data_root: that holds the files; no link may lead out of it.
        bands: names or groups to load; all of the file by default.
        source_bands: names or group of all bands in the files, in their order; 8-bit RGB by
            default, values 0 to 255.
        nodata: band -> value that means no data there, as in `MaskFolderDataset`.
        tile_id: how an image's `{stem}` (path in its folder without suffix) becomes a tile id.
        split_file: text with one tile id per line; only those, in its order.
        missing: `refuse` an id of the split file whose tile is not there, or `skip` it; then the
            count is logged.
        keep_negatives: keep tiles without a box.
        kwargs: what `TileView` takes, `name` among it. `metainfo=dict(classes=...)` with several
            classes has each object's name looked up there; with one class, every object is of it,
            and other names than that are logged.

    Raises:
        MissingPathError: no such folder or file.
        ConfigError: a `tile_id` without `{stem}`, which would give all tiles one id.
        DatasetError: no tile, none with a box where only those are kept, an image or a label that
            stands alone, two tiles of one id, a tile of the split file that is not there, or a link
            that leads out of the data root.
        TileError: a broken image or label, a box that cannot be, or a name that is no class.
        BandError: a band that the files do not have.
    """

    #: Of `mmlandslide prepare`, for the error.
    option = ''

    def __init__(
        self,
        *,
        data_root: str | Path,
        bands: str | Sequence[str] | None = None,
        source_bands: str | Sequence[str] = FILE_BANDS,
        nodata: Mapping[str, float] | None = None,
        tile_id: str = 'train/{stem}',
        split_file: str | Path | None = None,
        missing: str = 'refuse',
        keep_negatives: bool = True,
        **kwargs: Any,
    ) -> None:
        self.root = Path(data_root)
        if '{stem}' not in tile_id:
            raise ConfigError.mismatch(
                'tile_id',
                'contain {stem}',
                repr(tile_id),
                self.where,
                "Write for example 'train/{stem}'",
            )
        self.tile_id = tile_id
        self.source_bands = band_table.names(source_bands)
        self.nodata = dict(nodata or {})
        self.split_file = Path(split_file) if split_file else None
        self.missing, self.keep_negatives = missing, keep_negatives
        wanted = bands or self.source_bands
        self.positions = band_table.positions(wanted, self.source_bands, self.where)
        super().__init__(bands=wanted, **kwargs)

    @property
    def where(self) -> str:
        """Return what holds the tiles, for errors."""
        return str(self.root)

    @abstractmethod
    def label_sets(self) -> list[LabelSet]:
        """Read images and labels, with every fault of every file."""

    def load_data_list(self) -> list[Sample]:
        """Return one dict per tile.

        Id, path, size, boxes, labels and `gt_label` (1 where there is a box).
        """
        samples: dict[str, Sample] = {}
        for labels in self.label_sets():
            labels.require_classes(self.metainfo['classes'])
            self._refuse_faults(labels)
            self._tell(labels)
            for sample in map(self._sample, labels.images):
                self._require_new(sample, samples)
                samples[sample['img_id']] = sample
        found = list(samples.values())
        if self.split_file is not None:
            chosen = self.listed(self.split_file, samples, self.missing)
            found = [samples[tile_id] for tile_id in chosen]
        return found if self.keep_negatives else self.with_boxes(found, self.where)

    def load_image(self, info: Sample) -> np.ndarray:
        """Return the tile's bands, (C, H, W) float32."""
        image = read_image(Path(info['img_path']), self.source_bands, nodata=self.nodata)
        return np.ascontiguousarray(image[self.positions], np.float32)

    def _refuse_faults(self, labels: LabelSet) -> None:
        """Raise the first fault of a set, which says how many there are and what lists them."""
        if not labels.errors:
            return
        first, count = labels.errors[0], len(labels.errors)
        alone = [Path(found.path) for found in labels.errors if found.fault in _ALONE]
        if self.option == '--voc' and Path(first.path) in alone and Path(first.path).is_file():
            raise voc.alone_error(alone, self.where)
        more = f' {count} faults in all: `mmlandslide prepare {self.option} {self.root}` lists them'
        of_the_set = any(found.fault in _OF_THE_SET for found in labels.errors)
        kind = DatasetError if of_the_set else TileError
        raise kind(first.message + (f'{more}.' if count > 1 else ''))

    def _tell(self, labels: LabelSet) -> None:
        """Log what was taken otherwise than it stands there."""
        classes = self.metainfo['classes']
        others = {name: count for name, count in labels.names.items() if name not in classes}
        if others:
            text = f'objects named {others} in {self.where} are taken for {classes[0]!r}'
            print_log(text, 'current', WARNING)
        if labels.clipped:
            text = f'{labels.clipped} boxes in {self.where} left their image by less than half a px'
            print_log(f'{text} and are clipped', 'current', WARNING)
        if labels.difficult:
            text = f'{labels.difficult} objects in {self.where} are marked difficult'
            print_log(f'{text} and are taken like the others', 'current', WARNING)
        for finding in labels.findings:
            print_log(finding.message, 'current', WARNING)

    def _sample(self, image: LabelledImage) -> Sample:
        height, width = image.image_hw
        names = list(self.metainfo['classes'])
        labels = [names.index(name) if len(names) > 1 else 0 for name in image.boxes.names]
        return {
            'img_id': self.tile_id.replace('{stem}', image.key),
            'img_path': str(image.path),
            'height': height,
            'width': width,
            'boxes_xyxy': image.boxes.boxes_xyxy,
            'labels': np.array(labels, np.int64),
            'gt_label': int(len(labels) > 0),
        }

    def _require_new(self, sample: Sample, samples: dict[str, Sample]) -> None:
        """Refuse a tile that lies in two folders."""
        known = samples.get(sample['img_id'])
        if known is not None:
            got, remedy = f'{sample["img_path"]} too', 'Take one of the two out'
            subject = f'tile {sample["img_id"]}'
            raise DatasetError.mismatch(
                subject, 'lie in one folder', got, known['img_path'], remedy
            )


@DATASETS.register_module()
class COCOTileDataset(LabelledImageDataset):
    """Images with the boxes of a COCO JSON (Lin et al. 2014).

    Boxes come from `bbox`, or from around the polygons where there is none. Images without
    annotations are negatives.

    Args:
        data_root: that holds both.
        ann_file: of the JSON, below `data_root`.
        images: folder below `data_root` that each `file_name` is relative to.
        kwargs: what `LabelledImageDataset` takes.
    """

    option = '--coco'

    def __init__(
        self, *, data_root: str | Path, ann_file: str, images: str = '', **kwargs: Any
    ) -> None:
        self.json_path, self.images = Path(data_root) / ann_file, Path(data_root) / images
        super().__init__(data_root=data_root, **kwargs)

    @property
    def where(self) -> str:
        """Return the JSON, for errors."""
        return str(self.json_path)

    def label_sets(self) -> list[LabelSet]:
        """Read the JSON and the images that it names."""
        return [coco.read_file(self.json_path, self.images, self.root)]


@DATASETS.register_module()
class YOLOTileDataset(LabelledImageDataset):
    """Images with the boxes of YOLO text files.

    `images/N.jpg` goes with `labels/N.txt`, or with `N.txt` beside it; an image without a label
    file is a negative, as the format says. Classes are named by `data.yaml` or `classes.txt`.

    Args:
        data_root: that holds `images` and `labels`, or folders of both.
        folder: below `data_root`, such as `train`, where that holds `images` and `labels`.
        kwargs: what `LabelledImageDataset` takes.
    """

    option = '--yolo'

    def __init__(self, *, data_root: str | Path, folder: str = '', **kwargs: Any) -> None:
        self.folder = Path(data_root) / folder
        super().__init__(data_root=data_root, **kwargs)

    def label_sets(self) -> list[LabelSet]:
        """Read the images below the folder and their labels."""
        return [yolo.read_folder(self.folder, self.root)]


@DATASETS.register_module()
class LabelmeTileDataset(LabelledImageDataset):
    """Images with labelme's JSON files: a box around each polygon, rectangle or circle.

    Args:
        data_root: that holds the files.
        folder: of the JSON files below `data_root`.
        images: folder of the images below `folder`; by default they lie beside the JSON files.
        kwargs: what `LabelledImageDataset` takes.
    """

    option = '--labelme'

    def __init__(
        self,
        *,
        data_root: str | Path,
        folder: str = '',
        images: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.folder, self.images = Path(data_root) / folder, images
        super().__init__(data_root=data_root, **kwargs)

    def label_sets(self) -> list[LabelSet]:
        """Read the JSON files and their images."""
        return [labelme.read_folder(self.folder, self.root, self.images)]
