"""Images with boxes, as any label format gives them, and every fault of every file.

A reader of a format never stops at a fault: it notes it here, with the file, and goes on. A view
refuses a set that holds an error; `mmlandslide prepare` lists them all.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from natsort import natsorted

from mmlandslide.datasets.storage.faults import Finding, Problem
from mmlandslide.datasets.storage.index import require_inside
from mmlandslide.datasets.storage.tile_formats import SUFFIXES, image_hw
from mmlandslide.errors import DatasetError, LandslideError, MissingPathError

#: A box that leaves its image by less than this was rounded: it is clipped, and counted.
ROUNDING_PX = 0.5
#: Characters of a class name, at most.
_LONGEST_NAME = 200
#: Names of no object, in the words of labelme and CVAT and of those who mark what is none.
_NO_OBJECT = re.compile(
    r'_*(background|ignored?|unlabell?ed|negatives?)_*|(no|non|not)[-_ ]*(a[-_ ])?landslides?',
    re.IGNORECASE,
)
#: Of a label file; a COCO JSON of 100 000 polygons has 60 MB.
MAX_LABEL_BYTES = 2**28
#: Takes the code of a fault, the file and the error.
Note = Callable[[str, Path, LandslideError], None]


@dataclass
class Boxes:
    """Boxes of one image as they are read, with what is wrong with others.

    Attributes:
        image_hw: size of the image, px; `None` where boxes are checked against 0 alone.
        corners: x1, y1, x2, y2 of each sound box, half-open pixel corners.
        names: class of each.
        problems: what is wrong with the file's other boxes.
        clipped: sound boxes that left the image by rounding.
        difficult: objects that VOC marks as hard to tell; they are taken like the others.
    """

    image_hw: tuple[int, int] | None = None
    corners: list[tuple[float, ...]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    clipped: int = 0
    difficult: int = 0

    def add(self, corners: Sequence[float], name: str, subject: str) -> None:
        """Add a box, or what is wrong with it.

        Args:
            corners: x1, y1, x2, y2 in px.
            name: of its class.
            subject: what holds it, such as `<bndbox> of object 1`.
        """
        if len(name) > _LONGEST_NAME:
            expected, got = f'have at most {_LONGEST_NAME} characters', len(name)
            self.problems.append(Problem('broken-label', f'name in {subject}', expected, got))
            return
        height, width = self.image_hw or (np.inf, np.inf)
        given = np.asarray(corners, np.float64)
        limits = np.array([width, height, width, height])
        inside = np.clip(given, 0, limits)
        near = np.isfinite(given).all() and (np.abs(given - inside) < ROUNDING_PX).all()
        shares = near and given.max() <= 1 and not (given == np.round(given)).all()
        if near and not shares and inside[0] < inside[2] and inside[1] < inside[3]:
            self.clipped += int((given != inside).any())
            self.corners.append(tuple(inside.tolist()))
            self.names.append(name)
            return
        expected = f'have xmin < xmax and ymin < ymax within its image of {width} x {height} px'
        if shares:
            expected = 'be in px, not in shares of the image'
        self.problems.append(Problem('wrong-box', subject, expected, given.tolist()))

    @property
    def boxes_xyxy(self) -> np.ndarray:
        """Return the sound boxes, (N, 4) float32."""
        return np.array(self.corners, np.float32).reshape(-1, 4)


@dataclass(frozen=True)
class LabelledImage:
    """One image and its boxes.

    Attributes:
        path: of the image.
        key: path relative to its folder without suffix; the `{stem}` of a tile id.
        image_hw: size, px.
        boxes: sound boxes and their classes.
        label_path: of the file that holds them.
    """

    path: Path
    key: str
    image_hw: tuple[int, int]
    boxes: Boxes
    label_path: Path


@dataclass
class LabelSet:
    """All images of a data set with their boxes, and every fault of every file.

    Attributes:
        root: that holds the files, and that no link leads out of.
        images: in natural order of their keys.
        findings: faults, in the order of the files.
    """

    root: Path
    images: list[LabelledImage] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)

    @property
    def errors(self) -> list[Finding]:
        """Findings that keep the set from being used."""
        return [finding for finding in self.findings if finding.is_error]

    @property
    def names(self) -> Counter[str]:
        """How many boxes each class name has."""
        return Counter(name for image in self.images for name in image.boxes.names)

    @property
    def clipped(self) -> int:
        """How many boxes left their image by rounding."""
        return sum(image.boxes.clipped for image in self.images)

    @property
    def difficult(self) -> int:
        """How many objects are marked as hard to tell."""
        return sum(image.boxes.difficult for image in self.images)

    def note(self, code: str, path: Path, subject: str, expected: str, actual: object) -> None:
        """Note a fault of a file."""
        problem = Problem(code, subject, expected, actual)
        self.findings.append(problem.finding(self.key(path), path))

    def note_error(self, code: str, path: Path, error: LandslideError) -> None:
        """Note a fault that was raised."""
        self.findings.append(Finding(code, self.key(path), str(path), str(error)))

    def key(self, path: Path) -> str:
        """Return a path relative to the root, without suffix."""
        inside = path.relative_to(self.root) if path.is_relative_to(self.root) else Path(path.name)
        return inside.with_suffix('').as_posix()

    def add(self, path: Path, key: str, boxes: Boxes, label_path: Path) -> None:
        """Add an image whose boxes were read; note what is wrong with them."""
        if boxes.image_hw is not None:
            if key in self._keys:
                expected = 'have a name of its own, whatever its suffix'
                self.note('name-without-id', path, 'image', expected, f'{key} again')
            self._keys.add(key)
            image = LabelledImage(path, key, boxes.image_hw, boxes, label_path)
            self.images.append(image)
        self.findings += [problem.finding(self.key(path), label_path) for problem in boxes.problems]

    def size(self, path: Path) -> tuple[int, int] | None:
        """Return an image's height and width; note an image that cannot be read, `None`."""
        try:
            return image_hw(path)
        except LandslideError as error:
            self.findings.append(Finding('broken-image', self.key(path), str(path), str(error)))
            return None

    def require_classes(self, classes: Sequence[str]) -> None:
        """Note each box whose name is none of several classes.

        Of a single one every box is, but for names that say they are of no object.
        """
        several = len(classes) > 1
        expected = f'be one of {list(classes)}' if several else 'be of an object'
        for image in self.images:
            for name in sorted(set(image.boxes.names) - set(classes)):
                if several or _NO_OBJECT.fullmatch(name.strip()):
                    path = image.label_path
                    self.note('unknown-class', path, 'object name', expected, repr(name))

    def coco(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return images and boxes as a COCO annotation file's content.

        Args:
            classes: names of the categories, whose ids count from 1; of one class, every box is.

        Returns:
            An image's `file_name` is its path below the root; `bbox` is x, y, width, height in px.
        """
        places = {name: number for number, name in enumerate(classes, 1)}
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for image_id, image in enumerate(self.images, 1):
            height, width = image.image_hw
            name = image.path.relative_to(self.root).as_posix()
            images.append({'id': image_id, 'file_name': name, 'height': height, 'width': width})
            for (x1, y1, x2, y2), label in zip(image.boxes.corners, image.boxes.names, strict=True):
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': image_id,
                        'category_id': places[label] if len(places) > 1 else 1,
                        'bbox': [x1, y1, x2 - x1, y2 - y1],
                        'area': (x2 - x1) * (y2 - y1),
                        'iscrowd': 0,
                    }
                )
        categories = [{'id': number, 'name': name} for name, number in places.items()]
        return {'images': images, 'annotations': annotations, 'categories': categories}


def files_of(
    folder: Path,
    suffixes: Iterable[str],
    root: Path,
    deep: bool = False,
    note: Note | None = None,
) -> list[Path]:
    """Return the files of a folder with one of some suffixes, in natural order.

    What a file system adds beside others is passed over: `._1.jpg` of macOS, and hidden files.

    Args:
        folder: to look in.
        suffixes: in lower case.
        root: that no link may lead out of.
        deep: whether to look in its folders, too.
        note: is called for each link that leads out, and each name that cannot be printed; such
            files are then left out. Where `None`, the first one is raised.

    Raises:
        MissingPathError: no such folder.
        DatasetError: a link that leads out of the root.
    """
    if not folder.is_dir():
        raise MissingPathError.mismatch(
            'label folder', 'exist', 'no folder', folder, 'Put images and their labels there'
        )
    wanted = tuple(suffixes)
    found = folder.rglob('*') if deep else folder.iterdir()
    paths = [
        path
        for path in found
        if path.suffix.lower() in wanted and not path.name.startswith('.') and path.is_file()
    ]
    require_inside(root, folder)
    return [path for path in natsorted(paths, key=str) if _stays(path, root, note)]


def _stays(path: Path, root: Path, note: Note | None) -> bool:
    """Return whether a file lies below the root, or raise or note why it does not."""
    try:
        require_inside(root, path.parent, [path])
    except DatasetError as error:
        if note is None:
            raise
        note('leads-out', path, error)
        return False
    return True


def images_of(folder: Path, root: Path, deep: bool = False, note: Note | None = None) -> list[Path]:
    """Return the images of a folder in any format that is read; the rest as in `files_of`."""
    return files_of(folder, SUFFIXES, root, deep, note)


def label_text(path: Path) -> bytes:
    """Return the bytes of a label file.

    Raises:
        ValueError: absurdly large.
    """
    size = path.stat().st_size
    if size > MAX_LABEL_BYTES:
        raise ValueError(f'{size} bytes, more than {MAX_LABEL_BYTES}')
    return path.read_bytes()


def last_name(path: str) -> str:
    """Return the file name of a path as any system writes it, of Windows too."""
    return re.split(r'[\\/]', path.strip())[-1]
