"""labelme: one JSON file per image, a shape per object, each given by its points.

Shapes of one label and one `group_id` are parts of one object, as in labelme's own converters.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmlandslide.datasets.labels.label_set import (
    Boxes,
    LabelSet,
    files_of,
    images_of,
    label_text,
    last_name,
)
from mmlandslide.datasets.storage.faults import Problem
from mmlandslide.errors import DatasetError

#: Shapes that enclose an area -> least number of points.
_SHAPES = {'polygon': 3, 'rectangle': 2, 'circle': 2}
Point = tuple[float, float]


def read_folder(folder: Path, root: Path, images: str | None = None) -> LabelSet:
    """Read a folder of JSON files.

    Args:
        folder: of the JSON files.
        root: that no link may lead out of.
        images: folder of the images below `folder`; by default they lie beside the JSON files.

    Raises:
        MissingPathError: no such folder.
        DatasetError: no JSON file, or a folder that is a link which leads out.
    """
    found, place = LabelSet(root), folder / images if images else folder
    pictures = images_of(place, root, note=found.note_error)
    labels = files_of(folder, ['.json'], root, note=found.note_error)
    if not labels and not found.errors:
        raise DatasetError.mismatch(
            'labelme folder', 'hold N.json for each image', 'none', folder, 'Name their folder'
        )
    by_name = {path.name: path for path in pictures}
    by_stem = {path.stem: path for path in pictures}
    taken = set()
    for label in labels:
        try:
            content = json.loads(label_text(label))
            if not isinstance(content, Mapping) or not isinstance(content.get('shapes'), list):
                raise TypeError('no list of shapes')
        except (ValueError, TypeError, RecursionError) as error:
            found.note('broken-label', label, 'label file', 'be labelme JSON', repr(error))
            taken.add(by_stem.get(label.stem))
            continue
        named = last_name(str(content.get('imagePath') or ''))
        image = by_name.get(named) or by_stem.get(label.stem)
        if image is None:
            got = f'no {named or label.stem} in {place}'
            found.note('label-without-image', label, 'file', 'have its image', got)
            continue
        taken.add(image)
        found.add(image, image.stem, parse(content, found.size(image)), label)
    for image in pictures:
        if image not in taken:
            expected = 'have a JSON file (with "shapes": [] where it holds no landslide)'
            found.note('image-without-label', image, 'image', expected, 'none')
    return found


def parse(content: Mapping[str, Any], image_hw: tuple[int, int] | None) -> Boxes:
    """Return the boxes around the shapes of a file, with every fault in it.

    Args:
        content: of the JSON file.
        image_hw: size of its image in px; `None` where it is not known.
    """
    boxes = Boxes(image_hw)
    stated = (content.get('imageHeight'), content.get('imageWidth'))
    if image_hw is not None and None not in stated and stated != image_hw:
        problem = Problem('image-size', 'imageHeight, imageWidth', f'be {image_hw}', stated)
        boxes.problems.append(problem)
        return boxes
    objects: dict[tuple[str, object], tuple[str, list[Point]]] = {}
    for number, shape in enumerate(content['shapes'], 1):
        subject = f'shape {number}'
        points = _points(boxes, shape, subject)
        if points:
            group = shape.get('group_id')
            key = (str(shape['label']).strip(), number if group is None else f'group {group}')
            objects.setdefault(key, (subject, []))[1].extend(points)
    for (name, _), (subject, points) in objects.items():
        xs, ys = zip(*points, strict=True)
        boxes.add((min(xs), min(ys), max(xs), max(ys)), name, subject)
    return boxes


def _points(boxes: Boxes, shape: Any, subject: str) -> list[Point]:
    """Return points whose box is the shape's, none where there is a fault, which is noted."""
    try:
        kind, name = str(shape.get('shape_type') or 'polygon'), str(shape['label']).strip()
        points = [(float(x), float(y)) for x, y in shape['points']]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        expected = 'have a label and points'
        boxes.problems.append(Problem('broken-label', subject, expected, repr(error)))
        return []
    if kind not in _SHAPES or len(points) < _SHAPES[kind] or not name:
        expected = f'be one of {list(_SHAPES)} with its points and a label'
        got = f'{kind} of {len(points)} points, label {name!r}'
        boxes.problems.append(Problem('broken-label', subject, expected, got))
        return []
    if kind == 'circle':
        (x, y), edge = points[0], points[1]
        radius = math.dist(points[0], edge)
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    return points
