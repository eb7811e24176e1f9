"""RGB tiles with boxes in Pascal VOC files: the data of the original study and of Dynahead-YOLO."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import ElementTree

from mmlandslide import bands as band_table
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.datasets.storage.tiles import IMAGE, image_hw, read_image
from mmlandslide.datasets.views.view import Sample, TileView
from mmlandslide.errors import ConfigError, DatasetError, MissingPathError, TileError
from mmlandslide.registry import DATASETS

FILE_BANDS = ('R', 'G', 'B')
#: Of an XML file; one with 45 boxes has 12 kB.
MAX_XML_BYTES = 2**24
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_REMEDY = 'Correct the file, or take it and its image out of the folder'


@DATASETS.register_module()
class VOCTileDataset(TileView):
    """RGB tiles `N.jpg`, each with its boxes in `N.xml`, in one folder or several.

    `data/l4s_rgb`: Landslide4Sense tiles as 8-bit RGB, resized from 128 to 224 px, 1440 train and
    309 valid, class `landslides`; boxes are whole numbers from 0 to 224, half-open.
    `data/dynahead_rgb`: RGB tiles, mostly 512 x 512 px, 665 train and 142 valid, class `landslide`;
    boxes are whole numbers from 1 to the width, as LabelImg writes them, so that at the left and
    the upper edge a 1 stands for 0. No tile of either is empty. Both are read as half-open pixel
    corners, counted from 0, in the frame of the image file; the XML's `<size>` is not looked at,
    for that of `l4s_rgb` wrongly says 128.

    Args:
        data_root: that holds the folder.
        folder: of images and XML files, such as `train`, or several, such as `('train', 'valid')`
            where a split file names tiles of both.
        bands: of `R`, `G`, `B`, in any order; values 0 to 255.
        tile_id: how the file's `{stem}` becomes a tile id. With the default and
            `name='landslide4sense'` the RGB tile 12 has the id of the 14-band tile it was made
            from, so that a tile in both is seen as the same.
        split_file: text with one tile id a line; only those, in its order.
        missing: `refuse` an id of the split file whose tile is not there, or `skip` it; then the
            count is logged. The original study kept 1749 of the 3799 Landslide4Sense tiles.
        keep_negatives: keep tiles without a box.
        kwargs: what `TileView` takes, `name` among it. `metainfo=dict(classes=...)` with several
            classes has each object's name looked up there; with one class, every object is of it.

    Raises:
        MissingPathError: no such folder or split file.
        ConfigError: a `tile_id` without `{stem}`, which would give all tiles one id.
        DatasetError: no tile, none with a box where only those are kept, an image without XML, an
            XML without image, a tile in two of the folders, a tile named in the split file that is
            not there, or a link that leads out of the data root.
        TileError: a broken image or XML, or a box that cannot be.
    """

    def __init__(
        self,
        *,
        data_root: str | Path,
        folder: str | Sequence[str] = 'train',
        bands: str | Sequence[str] = FILE_BANDS,
        tile_id: str = 'train/{stem}',
        split_file: str | Path | None = None,
        missing: str = 'refuse',
        keep_negatives: bool = True,
        **kwargs: Any,
    ) -> None:
        self.root = Path(data_root)
        names = (folder,) if isinstance(folder, str) else tuple(folder)
        self.folders = [self.root / name for name in names]
        self.where = ', '.join(map(str, self.folders))
        if '{stem}' not in tile_id:
            raise ConfigError.mismatch(
                'tile_id',
                'contain {stem}',
                repr(tile_id),
                self.where,
                "Write for example 'train/{stem}'",
            )
        self.tile_id = tile_id
        self.split_file = Path(split_file) if split_file else None
        self.missing, self.keep_negatives = missing, keep_negatives
        self.positions = band_table.positions(bands, FILE_BANDS, self.where)
        super().__init__(bands=bands, **kwargs)

    def load_data_list(self) -> list[Sample]:
        """Return one dict a tile.

        Ids, paths, boxes, labels and `gt_label` (1 where there is a box).
        """
        files = [pair for folder in self.folders for pair in paired_files(folder, self.root)]
        samples: dict[str, Sample] = {}
        for sample in map(self._sample, files):
            self._require_new(sample, samples)
            samples[sample['img_id']] = sample
        found = list(samples.values())
        if self.split_file is not None:
            chosen = self.listed(self.split_file, samples, self.missing)
            found = [samples[tile_id] for tile_id in chosen]
        return found if self.keep_negatives else self.with_boxes(found, self.where)

    def load_image(self, info: Sample) -> np.ndarray:
        """Return the tile's bands, (C, H, W) float32, 0 to 255."""
        image = read_image(Path(info['img_path']), FILE_BANDS)
        return np.ascontiguousarray(image[self.positions], np.float32)

    def _sample(self, paths: tuple[Path, Path]) -> Sample:
        image_path, xml_path = paths
        boxes, names = read_voc(xml_path, image_hw(image_path))
        return {
            'img_id': self.tile_id.replace('{stem}', image_path.stem),
            'img_path': str(image_path),
            'boxes_xyxy': boxes,
            'labels': np.array([self._label(name, xml_path) for name in names], np.int64),
            'gt_label': int(len(boxes) > 0),
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

    def _label(self, name: str, xml_path: Path) -> int:
        """Return the class of an object from its name."""
        classes = list(self.metainfo['classes'])
        if len(classes) > 1 and name not in classes:
            raise TileError.mismatch(
                'object name',
                f'be one of {classes}',
                repr(name),
                xml_path,
                'Name it in metainfo.classes',
            )
        return classes.index(name) if len(classes) > 1 else 0


def paired_files(folder: Path, root: Path | None = None) -> list[tuple[Path, Path]]:
    """Return image and XML of each tile, in the order of their numbers, then of their names.

    Args:
        folder: of images and XML files.
        root: that no link may lead out of, see `index.require_inside`; the folder itself by
            default.

    Raises:
        MissingPathError: no such folder.
        DatasetError: no image, one without XML, an XML without image, two images of one stem, or a
            link that leads out.
    """
    if not folder.is_dir():
        raise MissingPathError.mismatch(
            'VOC folder', 'exist', 'no folder', folder, 'Put tiles N.jpg with N.xml there'
        )
    files = sorted(folder.iterdir())
    images = [path for path in files if path.suffix.lower() in IMAGE]
    annotations = {path.stem: path for path in files if path.suffix.lower() == '.xml'}
    counts = Counter(path.stem for path in images)
    faulty = sorted(
        stem for stem in {*counts, *annotations} if counts[stem] != 1 or stem not in annotations
    )
    if faulty or not images:
        raise DatasetError.mismatch(
            'VOC folder',
            'hold one image and one XML file for each tile',
            f'{len(faulty)} tiles without, such as {faulty[:3]}' if faulty else 'no image',
            folder,
            'An image without landslides needs an XML file without <object>',
        )
    require_inside(root or folder, folder, [*images, *annotations.values()])
    images.sort(key=lambda path: (int(path.stem) if path.stem.isdecimal() else -1, path.stem))
    return [(path, annotations[path.stem]) for path in images]


def read_voc(path: Path, image_hw: tuple[int, int] | None = None) -> tuple[np.ndarray, list[str]]:
    """Return the boxes of a Pascal VOC file and the names of their objects.

    Coordinates are taken as they stand, fractions included. A document type, entities and external
    references are refused, and a `<filename>` that is more than a name: the image is found by the
    XML file's own name, but other tools open what stands there.

    Args:
        path: of the XML file.
        image_hw: size of its image in px, to check the boxes against; `None` to check the lower
            bound alone.

    Returns:
        (N, 4) float32 xyxy half-open pixel corners, and N names.

    Raises:
        MissingPathError: no such file.
        TileError: not such a file, absurdly large, a coordinate or a name that is missing, a box
            that is empty or outside the image, or a `<filename>` that leads elsewhere.
    """
    if not path.is_file():
        raise MissingPathError.mismatch(
            'annotation file', 'exist', 'no file', path, 'Put it beside its image'
        )
    root = _parsed(path)
    _refuse_path(root, path)
    limits = (np.inf, np.inf) if image_hw is None else (image_hw[1], image_hw[0])
    objects = root.findall('object')
    boxes = [_box(entry, index, limits, path) for index, entry in enumerate(objects, 1)]
    return np.array(boxes, np.float32).reshape(-1, 4), [
        _name(entry, index, path) for index, entry in enumerate(objects, 1)
    ]


def _parsed(path: Path) -> Element:
    size = path.stat().st_size
    if size > MAX_XML_BYTES:
        raise TileError.mismatch(
            'annotation file', f'have at most {MAX_XML_BYTES} bytes', size, path, _REMEDY
        )
    try:
        root: Element = ElementTree.parse(path, forbid_dtd=True).getroot()
    except (
        ParseError,
        ValueError,
        LookupError,
    ) as error:  # defusedxml's own errors are ValueErrors
        raise TileError.mismatch(
            'annotation file', 'be well-formed XML without entities', repr(error), path, _REMEDY
        ) from error
    return root


def _refuse_path(root: Element, path: Path) -> None:
    named = (root.findtext('filename') or '').strip()
    if set(named) & {'/', '\\', ':'} or named in ('.', '..') or not named.isprintable():
        raise TileError.mismatch(
            '<filename>', 'be a name without a folder', repr(named[:99]), path, _REMEDY
        )


def _box(entry: Element, index: int, limits_xy: tuple[float, float], path: Path) -> list[float]:
    """Return the checked box of one `<object>`.

    `index` counts from 1, as a reader of the file does.
    """
    texts = {corner: entry.findtext(f'bndbox/{corner}') for corner in _CORNERS}
    try:
        x1, y1, x2, y2 = (float(text or '') for text in texts.values())
    except ValueError as error:
        raise TileError.mismatch(
            f'<bndbox> of object {index}', f'hold numbers {_CORNERS}', texts, path, _REMEDY
        ) from error
    if not (0 <= x1 < x2 <= limits_xy[0] and 0 <= y1 < y2 <= limits_xy[1]):
        inside = f'have xmin < xmax and ymin < ymax within its image of {limits_xy[0]} x {limits_xy[1]} px'
        raise TileError.mismatch(
            f'<bndbox> of object {index}', inside, [x1, y1, x2, y2], path, _REMEDY
        )
    return [x1, y1, x2, y2]


def _name(entry: Element, index: int, path: Path) -> str:
    name = (entry.findtext('name') or '').strip()
    if not name:
        raise TileError.mismatch(f'object {index}', 'have a <name>', 'none', path, _REMEDY)
    return name
