"""YOLO: one text file per image, a line per object: class, centre and size as shares of the image.

`images/N.jpg` goes with `labels/N.txt` (also `images/train/N.jpg` with `labels/train/N.txt`), or
with `N.txt` beside it. A longer line is a polygon. An image without a file, or with an empty one,
holds no object: so the format says. `data.yaml` or `classes.txt` names the classes.
"""

from pathlib import Path
from typing import Any

import yaml

from mmlandslide import plain_yaml
from mmlandslide.datasets.labels.label_set import Boxes, LabelSet, files_of, images_of, label_text
from mmlandslide.datasets.storage.faults import Problem
from mmlandslide.errors import DatasetError, LandslideError, TileError

_LISTS = ('classes.txt', 'obj.names', 'labels.txt')


def read_folder(folder: Path, root: Path) -> LabelSet:
    """Read the images below a folder and the labels that belong to them.

    Args:
        folder: that holds `images` and `labels`, or images and text files side by side.
        root: that no link may lead out of.

    Raises:
        MissingPathError: no such folder.
        DatasetError: no image, no label file at all, or a folder that is a link which leads out.
        TileError: a file of class names that cannot be read.
    """
    found, names = LabelSet(root), class_names(folder, root)
    pictures = images_of(folder, root, deep=True, note=found.note_error)
    labels = {
        path: None
        for path in files_of(folder, ['.txt'], root, deep=True, note=found.note_error)
        if path.name not in _LISTS and _belongs(path)
    }
    if not (pictures and labels) and not found.errors:
        got = f'{len(pictures)} images and {len(labels)} label files'
        raise DatasetError.mismatch(
            'YOLO folder', 'hold images/ and labels/', got, folder, 'Name the folder above both'
        )
    taken = set()
    for path in pictures:
        label, size = label_of(path), found.size(path)
        taken.add(label)
        boxes = parse(label, size, names) if label in labels else Boxes(size)
        found.add(path, _key(path, folder), boxes, label)
    for label in labels:
        if label not in taken:
            found.note('label-without-image', label, 'file', 'have an image of its name', 'none')
    return found


def label_of(image: Path) -> Path:
    """Return where the label file of an image lies: its last folder `images` becomes `labels`."""
    parts = list(image.parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == 'images']
    if places:
        parts[places[-1]] = 'labels'
    return Path(*parts).with_suffix('.txt')


def _belongs(label: Path) -> bool:
    """Return whether a text file is a label file: below `labels`, or beside its image."""
    beside = any(
        path.stem == label.stem and path.suffix.lower() != '.txt'
        for path in label.parent.glob(f'{label.stem}.*')
    )
    return 'labels' in label.parts or beside


def _key(image: Path, folder: Path) -> str:
    parts = image.relative_to(folder).with_suffix('').parts
    return '/'.join(part for part in parts if part != 'images')


def class_names(folder: Path, root: Path) -> dict[int, str]:
    """Return number -> name of the classes, empty where no file names them.

    Raises:
        TileError: a file that does not list names.
    """
    for place in (folder, root):
        for path in sorted(place.glob('*.y*ml')):
            try:
                content = plain_yaml.load(label_text(path))
            except (yaml.YAMLError, ValueError, RecursionError, AttributeError) as error:
                raise _no_names(path, repr(error)) from error
            names = _stated(path, content) if isinstance(content, dict) else None
            if isinstance(names, dict) and all(isinstance(number, int) for number in names):
                return {number: str(name) for number, name in names.items()}
            if isinstance(names, dict):
                got = f'keys {list(names)[:9]}'
                raise _no_names(path, got, 'number each of `names` from 0')
            if isinstance(names, list):
                return {number: str(name) for number, name in enumerate(names)}
        for path in (place / name for name in _LISTS):
            if path.is_file():
                lines = label_text(path).decode('utf-8-sig', 'replace').splitlines()
                return {number: line.strip() for number, line in enumerate(lines) if line.strip()}
    return {}


def _stated(path: Path, content: dict[Any, Any]) -> Any:
    """Return what a class file says of `names`.

    Raises:
        TileError: lines of key points, which look like polygons, or another number of classes.
    """
    if content.get('kpt_shape'):
        got = f'kpt_shape {content["kpt_shape"]!r}'
        raise _no_names(path, got, 'tell of boxes or polygons, not of key points')
    names, count = content.get('names'), content.get('nc')
    if isinstance(names, list | dict) and count is not None and count != len(names):
        raise _no_names(path, f'{len(names)} for nc {count!r}')
    if names is not None and not isinstance(names, list | dict):
        raise _no_names(path, f'names {names!r:.99}')
    return names


def _no_names(path: Path, got: str, expected: str = 'list `names`') -> LandslideError:
    return TileError.mismatch('class file', expected, got, path, 'Correct the file')


def parse(path: Path, image_hw: tuple[int, int] | None, names: dict[int, str]) -> Boxes:
    """Return the boxes of a label file with every fault in it.

    Args:
        path: of the text file.
        image_hw: size of its image in px; `None` where it is not known: then no box is.
        names: number -> name of the classes; a number without a name is its own.
    """
    boxes = Boxes(image_hw)
    if image_hw is None:
        return boxes
    try:
        lines = label_text(path).decode('utf-8-sig').splitlines()
    except ValueError as error:
        boxes.problems.append(Problem('broken-label', 'label file', 'be text', repr(error)))
        return boxes
    for number, line in enumerate(lines, 1):
        if line.strip():
            _add(boxes, line, number, names)
    return boxes


def _add(boxes: Boxes, line: str, number: int, names: dict[int, str]) -> None:
    """Add the box of one line; `number` counts from 1."""
    subject = f'line {number}'
    try:
        label, *values = (float(word) for word in line.split())
    except ValueError:
        boxes.problems.append(Problem('broken-label', subject, 'hold numbers', repr(line[:99])))
        return
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if not label.is_integer() or not (len(values) == 4 or polygon):
        expected = 'hold a class and 4 shares (or a polygon of 3 points or more)'
        boxes.problems.append(Problem('broken-label', subject, expected, repr(line[:99])))
        return
    if names and int(label) not in names:
        expected = f'be of a class of {names}'
        boxes.problems.append(Problem('unknown-class', subject, expected, int(label)))
        return
    if max(values) > 1.5:  # rounding is far below; pixels are far above
        expected = 'hold shares of the image, from 0 to 1'
        boxes.problems.append(Problem('wrong-box', subject, expected, values[:8]))
        return
    if polygon:
        xs, ys = values[::2], values[1::2]
        shares = (min(xs), min(ys), max(xs), max(ys))
    else:
        x, y, width, height = values
        shares = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    height_px, width_px = boxes.image_hw or (1, 1)
    sides = (width_px, height_px, width_px, height_px)
    corners = [share * side for share, side in zip(shares, sides, strict=True)]
    boxes.add(corners, names.get(int(label), str(int(label))), subject)
