"""COCO JSON: one file that lists images, categories and the boxes of all images."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlandslide.datasets.labels.label_set import Boxes, LabelSet, images_of, label_text
from mmlandslide.datasets.storage.faults import Problem
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.errors import DatasetError, MissingPathError, TileError

_LISTS = ('images', 'annotations', 'categories')


def read_file(ann_file: Path, images: Path, root: Path) -> LabelSet:
    """Read an annotation file and the images that it names.

    Args:
        ann_file: of the JSON.
        images: folder that `file_name` is relative to.
        root: that no link may lead out of.

    Raises:
        MissingPathError: no such file or folder.
        TileError: no JSON, or without images, annotations and categories.
        DatasetError: no image.
    """
    content, found = _content(ann_file), LabelSet(root)
    names = {_id(row, 'id'): str(row.get('name')) for row in _rows(content, 'categories')}
    by_image: dict[Any, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for number, row in enumerate(_rows(content, 'annotations'), 1):
        by_image[_id(row, 'image_id')].append((number, row))
    known, listed = set(), set()
    for row in _rows(content, 'images'):
        key, name = _id(row, 'id'), str(row.get('file_name'))
        if key in known or name in listed:
            expected = 'have an id and a file_name of its own'
            found.note('broken-label', ann_file, f'image {name!r}', expected, f'id {key} again')
            continue
        known.add(key)
        listed.add(name)
        _add_image(found, ann_file, images / name, row, by_image.get(key, []), names)
    for lost in (key for key in by_image if key not in known):
        number, _ = by_image[lost][0]
        subject = f'annotation {number}'
        found.note('broken-label', ann_file, subject, 'name an image_id of images', repr(lost))
    held = images_of(images, root, deep=True, note=lambda *_: None)  # it may name none of those
    extra = [path for path in held if path not in _paths(found)]
    if extra and not found.errors:
        got = f'{len(extra)} others, such as {[path.name for path in extra[:3]]}'
        found.note('ignored-file', images, 'image folder', 'hold the images of the JSON', got)
    if not found.images and not found.findings:
        raise DatasetError.mismatch(
            'COCO JSON', 'list images', 'none', ann_file, 'Name another file'
        )
    return found


def _paths(found: LabelSet) -> set[Path]:
    return {image.path for image in found.images}


def _content(ann_file: Path) -> Mapping[str, Any]:
    """Return the JSON of an annotation file."""
    if not ann_file.is_file():
        raise MissingPathError.mismatch(
            'COCO JSON', 'exist', 'no file', ann_file, 'Name the annotation file'
        )
    try:
        content = json.loads(label_text(ann_file))
        if not isinstance(content, Mapping):
            raise TypeError(type(content).__name__)
        if not all(isinstance(content.get(name), list) for name in _LISTS):
            raise TypeError(f'keys {sorted(content)[:9]}')
    except (ValueError, TypeError, RecursionError) as error:
        expected = f'be JSON with the lists {list(_LISTS)}'
        raise TileError.mismatch(
            'COCO JSON', expected, repr(error), ann_file, 'Export it anew'
        ) from error
    return content


def _rows(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return the entries of a list that are objects."""
    return [row if isinstance(row, Mapping) else {} for row in content[name]]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _id(row: Mapping[str, Any], name: str) -> Any:
    """Return an id, or the text of what can be none."""
    value = row.get(name)
    return repr(value) if isinstance(value, list | dict) else value


def _add_image(
    found: LabelSet,
    ann_file: Path,
    path: Path,
    row: Mapping[str, Any],
    annotations: list[tuple[int, Mapping[str, Any]]],
    names: Mapping[Any, str],
) -> None:
    """Add one image with its boxes, or note what is wrong."""
    name = str(row.get('file_name'))
    if '..' in Path(name).parts or Path(name).is_absolute() or not _is_file(path):
        got = f'file_name {name!r}'
        found.note('label-without-image', ann_file, 'image', f'lie in {path.parent}', got)
        return
    try:
        require_inside(found.root, path.parent, [path])
    except DatasetError as error:
        found.note_error('leads-out', path, error)
        return
    boxes = Boxes(found.size(path))
    stated = (row.get('height'), row.get('width'))
    if boxes.image_hw is not None and None not in stated and stated != boxes.image_hw:
        expected = f'have the height and width {boxes.image_hw} of its file'
        boxes.problems.append(Problem('image-size', f'image {name!r}', expected, stated))
    else:
        for number, annotation in annotations:
            _add_box(boxes, annotation, f'annotation {number}', names)
    found.add(path, Path(name).with_suffix('').as_posix(), boxes, ann_file)


def _add_box(boxes: Boxes, row: Mapping[str, Any], subject: str, names: Mapping[Any, str]) -> None:
    """Add the box of one annotation, from `bbox` or from around its polygons."""
    category = _id(row, 'category_id')
    if category not in names or row.get('iscrowd'):
        expected = f'be one object of the categories {dict(list(names.items())[:9])}'
        got = f'category_id {category!r}, iscrowd {row.get("iscrowd")!r}'
        boxes.problems.append(Problem('broken-label', subject, expected, got))
        return
    try:
        boxes.add(_corners(row), names[category], subject)
    except (TypeError, ValueError, LookupError) as error:
        expected = 'have a bbox [x, y, width, height] or polygons'
        boxes.problems.append(Problem('broken-label', subject, expected, repr(error)))


def _corners(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    if row.get('bbox'):
        x, y, width, height = (float(value) for value in row['bbox'])
        return x, y, x + width, y + height
    values = [float(value) for polygon in row['segmentation'] for value in polygon]
    xs, ys = values[::2], values[1::2]
    return min(xs), min(ys), max(xs), max(ys)
