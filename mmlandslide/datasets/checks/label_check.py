"""Checks a data set with labels or masks in one pass and gives its boxes as COCO JSON."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.checks.isolation import Died, Readers
from mmlandslide.datasets.labels import coco, labelme, voc, yolo
from mmlandslide.datasets.labels.label_set import Boxes, LabelledImage, LabelSet
from mmlandslide.datasets.storage.faults import Finding, Problem
from mmlandslide.datasets.storage.index import TileRef
from mmlandslide.datasets.storage.tiles import read_array, read_image, read_mask
from mmlandslide.errors import DatasetError, LandslideError

#: Formats of labels, by the option of `mmlandslide prepare`.
FORMATS = ('coco', 'yolo', 'labelme', 'voc')

#: Share of an image that a box covers as a whole, and of images above which that is told.
_WHOLE, _MOST_WHOLE = 0.95, 0.5


def check_labels(
    form: str,
    path: Path,
    images: str | None = None,
    image_set: str | None = None,
    classes: Sequence[str] = (),
) -> LabelSet:
    """Read labels and images of a data set; note every fault of every file.

    Args:
        form: of `FORMATS`.
        path: of the data set; with `coco` also of the JSON itself.
        images: folder of the images below `path`, where it is not where the format has it.
        image_set: of VOC's layout.
        classes: that names must be of, where there are several.

    Raises:
        MissingPathError: no such folder or file.
        DatasetError: nothing of that format there.
        TileError: a file for all images (COCO JSON, class names) that cannot be read.
    """
    if form == 'coco':
        ann_file = path if path.is_file() else _only_json(path)
        root = ann_file.parent
        found = coco.read_file(ann_file, root / images if images else _image_root(root), root)
    elif form == 'yolo':
        found = yolo.read_folder(path, path)
    elif form == 'labelme':
        found = labelme.read_folder(path, path, images)
    else:
        found = voc.read_folder(path, path, images, image_set)
    found.require_classes(classes)
    _read_images(found)
    _note_whole_images(found)
    return found


def check_masks(
    refs: Sequence[TileRef],
    root: Path,
    bands: Sequence[str],
    rule_name: str = 'components',
    nodata: Mapping[str, float] | None = None,
) -> LabelSet:
    """Read tiles and masks of a folder; note every fault of every file.

    Args:
        refs: the tiles.
        root: that holds them.
        bands: names of the bands in the files.
        rule_name: how a mask becomes boxes, of `boxes.RULES`.
        nodata: band -> value that means no data there.
    """
    found = LabelSet(root)
    work = partial(_tile, bands=tuple(bands), nodata=dict(nodata or {}))
    with Readers() as readers:
        for ref, outcome in zip(refs, readers.run(work, refs), strict=True):
            if isinstance(outcome, Died):
                _note_death(found, ref.image_path, outcome)
            elif isinstance(outcome, tuple):
                code, place, message = outcome
                found.findings.append(_finding(found, code, Path(place), message))
            else:
                boxes = Boxes(outcome.shape)
                for number, corners in enumerate(boxes_from_mask(outcome, RULES[rule_name]), 1):
                    boxes.add(corners, 'landslide', f'component {number}')
                label_path = ref.mask_path or ref.image_path
                found.add(ref.image_path, ref.tile_id, boxes, label_path)
    _note_whole_images(found)
    return found


def _note_whole_images(found: LabelSet) -> None:
    """Note where most images lie within one box each, as they do where masks are inverted."""
    whole = [image for image in found.images if _is_whole(image)]
    if whole and len(whole) > _MOST_WHOLE * len(found.images):
        got = f'{len(whole)} of {len(found.images)}'
        path, expected = whole[0].label_path, 'rarely be one landslide as a whole'
        found.note('whole-image-box', path, 'images', expected, got)


def _is_whole(image: LabelledImage) -> bool:
    height, width = image.image_hw
    x1, y1, x2, y2 = image.boxes.boxes_xyxy.T
    return bool(((x2 - x1) * (y2 - y1) >= _WHOLE * height * width).any())


def _tile(ref: TileRef, bands: tuple[str, ...], nodata: dict[str, float]) -> Any:
    """Return the mask of a tile, or the code, file and message of its first fault."""
    try:
        image = read_image(ref.image_path, bands, nodata=nodata)
    except LandslideError as error:
        return 'broken-image', str(ref.image_path), str(error)
    if ref.mask_path is None:
        return image[0] * 0
    try:
        return read_mask(ref.mask_path, shape_hw=image.shape[1:])
    except LandslideError as error:
        return 'broken-label', str(ref.mask_path), str(error)


def _read_images(found: LabelSet) -> None:
    """Read every image to its end, in child processes; note those that cannot be."""
    with Readers() as readers:
        paths = [image.path for image in found.images]
        for path, outcome in zip(paths, readers.run(_broken, paths), strict=True):
            if isinstance(outcome, Died):
                _note_death(found, path, outcome)
            elif outcome is not None:
                found.findings.append(_finding(found, 'broken-image', path, outcome))


def _broken(path: Path) -> str | None:
    """Return why an image cannot be read, `None` where it can."""
    try:
        read_array(path, 'img')
    except LandslideError as error:
        return str(error)
    return None


def _finding(found: LabelSet, code: str, path: Path, message: str) -> Finding:
    return Finding(code, found.key(path), str(path), message)


def _note_death(found: LabelSet, path: Path, death: Died[Any]) -> None:
    problem = Problem('reader-died', 'tile file', 'be readable', death.reason)
    found.findings.append(problem.finding(found.key(path), path))


def _only_json(folder: Path) -> Path:
    """Return the JSON file of a folder."""
    held = sorted(folder.glob('*.json')) or sorted(folder.glob('annotations/*.json'))
    if len(held) != 1:
        got = [path.name for path in held[:5]] or 'none'
        raise DatasetError.mismatch(
            'COCO folder', 'hold one JSON file', got, folder, 'Name the file itself'
        )
    return held[0]


def _image_root(root: Path) -> Path:
    """Return the folder that file names are relative to: `images` or `img` where there is one."""
    folders = (root / name for name in ('images', 'img'))
    return next((folder for folder in folders if folder.is_dir()), root)
