"""Pascal VOC: one XML file per image, beside it or in the layout of the challenge itself.

The challenge's layout (Everingham et al. 2010): `Annotations/N.xml`, `JPEGImages/N.jpg` and
`ImageSets/Main/train.txt`, which names the images of a split.
"""

import re
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import ElementTree

from mmlandslide.datasets.labels.label_set import (
    Boxes,
    LabelSet,
    Note,
    files_of,
    images_of,
    label_text,
)
from mmlandslide.datasets.storage.faults import Problem
from mmlandslide.datasets.storage.tile_formats import SUFFIXES
from mmlandslide.errors import DatasetError, MissingPathError, TileError

ANNOTATIONS, IMAGES, IMAGE_SETS = 'Annotations', 'JPEGImages', 'ImageSets'
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_REMEDY = 'Correct the file, or take it and its image out of the folder'
#: Encodings of several bytes per character, which Python's XML parser does not know.
_WIDE = ('gb2312', 'gbk', 'gb18030', 'big5', 'euc-jp', 'shift_jis', 'euc-kr', 'cp949')
Pair = tuple[Path, Path]


def read_folder(
    folder: Path, root: Path, images: str | None = None, image_set: str | None = None
) -> LabelSet:
    """Read a folder in either layout.

    Args:
        folder: of images and XML files, or one that holds `Annotations`.
        root: that no link may lead out of.
        images: folder of the images beside `Annotations`; by default `JPEGImages`, or else the only
            other one that holds images.
        image_set: such as `train`: only the images that `ImageSets/**/train.txt` names.

    Raises:
        MissingPathError: no such folder or image set.
        DatasetError: no images, or a folder that is a link which leads out.
    """
    found = LabelSet(root)
    pairs, alone = pair_files(folder, root, images, image_set, found.note_error)
    for path in alone:
        other = 'image' if path.suffix.lower() == '.xml' else 'XML file'
        code = 'label-without-image' if other == 'image' else 'image-without-label'
        found.note(code, path, 'file', f'have one {other} of its name', 'none, or two')
    for image_path, xml_path in pairs:
        size = found.size(image_path)
        found.add(image_path, image_path.stem, parse(xml_path, size), xml_path)
    return found


def pair_files(
    folder: Path,
    root: Path,
    images: str | None = None,
    image_set: str | None = None,
    note: Note | None = None,
) -> tuple[list[Pair], list[Path]]:
    """Return image and XML of each tile, and the files that stand alone.

    Arguments and errors are those of `read_folder`. Links that lead out, and names in an image set
    that no file has, are passed to `note`; where that is `None`, the first is raised.
    """
    annotations, image_folder = folder, folder
    if (folder / ANNOTATIONS).is_dir():
        annotations, image_folder = folder / ANNOTATIONS, _image_folder(folder, root, images)
    pictures = images_of(image_folder, root, note=note)
    labels = {path.stem: path for path in files_of(annotations, ['.xml'], root, note=note)}
    counts = Counter(path.stem for path in pictures)
    chosen = {*counts, *labels} if image_set is None else set(_named(folder, image_set))
    alone = [path for path in pictures if counts[path.stem] > 1 or path.stem not in labels]
    alone += [path for stem, path in labels.items() if stem not in counts]
    pairs = [
        (path, labels[path.stem])
        for path in pictures
        if path.stem in chosen and path.stem in labels and counts[path.stem] == 1
    ]
    missing = sorted(chosen - {*counts, *labels})
    if missing:
        got = f'{len(missing)} that are not there, such as {missing[:3]}'
        where = folder / IMAGE_SETS
        error = DatasetError.mismatch(
            f'image set {image_set!r}', 'name images', got, where, 'Take those lines out'
        )
        if note is None:
            raise error
        note('label-without-image', where, error)
    if not pictures:
        raise DatasetError.mismatch(
            'VOC folder',
            'hold one image and one XML file for each tile',
            f'no image ({", ".join(SUFFIXES)}) beside {len(labels)} XML files',
            image_folder,
            'Put the images there, or name their folder',
        )
    return pairs, [path for path in alone if path.stem in chosen]


def _image_folder(folder: Path, root: Path, images: str | None) -> Path:
    """Return the folder of the images beside `Annotations`."""
    if images is not None or (folder / IMAGES).is_dir():
        return folder / (images or IMAGES)
    others = [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir()
        and path.name not in (ANNOTATIONS, IMAGE_SETS)
        and images_of(path, root, note=lambda *_: None)
    ]
    if len(others) == 1:
        return others[0]
    raise MissingPathError.mismatch(
        'VOC folder',
        f'hold {IMAGES} beside {ANNOTATIONS}',
        f'folders with images {[path.name for path in others]}',
        folder,
        f'Call the folder of the images {IMAGES}, or name it with images=...',
    )


def _named(folder: Path, image_set: str) -> list[str]:
    """Return the stems that an image set names: the first word of each line."""
    files = sorted((folder / IMAGE_SETS).rglob(f'{image_set}.txt'))
    if not files:
        held = sorted(path.stem for path in (folder / IMAGE_SETS).rglob('*.txt'))
        raise MissingPathError.mismatch(
            f'image set {image_set!r}',
            'exist',
            f'only {held}',
            folder / IMAGE_SETS,
            'Name one of those',
        )
    lines = label_text(files[0]).decode('utf-8-sig', 'replace').splitlines()
    return [line.split()[0] for line in lines if line.split()]


def paired_files(folder: Path, root: Path | None = None) -> list[Pair]:
    """Return image and XML of each tile of a folder, or refuse those that stand alone.

    Args:
        folder: in either layout.
        root: that no link may lead out of, see `index.require_inside`; the folder itself by
            default.

    Raises:
        MissingPathError: no such folder.
        DatasetError: no image, one without XML, an XML without image, two images of one stem, or a
            link that leads out.
    """
    pairs, alone = pair_files(folder, root or folder)
    if alone:
        raise alone_error(alone, folder)
    return pairs


def alone_error(alone: list[Path], folder: object) -> DatasetError:
    """Return the error for images and XML files that stand alone."""
    stems = sorted({path.stem for path in alone})
    shown = ', '.join(path.name for path in alone[:3])
    return DatasetError(
        'VOC folder must hold one image and one XML file for each tile, got '
        f'{len(stems)} tiles without, such as {stems[:3]} (files {shown}), in {folder}. '
        'An image without landslides needs an XML file without <object>.'
    )


def read_voc(path: Path, image_hw: tuple[int, int] | None = None) -> tuple[np.ndarray, list[str]]:
    """Return the boxes of a Pascal VOC file and the names of their objects, or its first fault.

    Coordinates are taken as they stand, fractions included; a box that leaves its image by less
    than half a pixel is clipped. A document type, entities and external references are refused;
    `<filename>` is not looked at, as the image is found by the XML file's own name.

    Args:
        path: of the XML file.
        image_hw: size of its image in px, to check the boxes against; `None` to check the lower
            bound alone.

    Returns:
        (N, 4) float32 xyxy half-open pixel corners, and N names.

    Raises:
        MissingPathError: no such file.
        TileError: not such a file, absurdly large, a coordinate or a name that is missing, or a box
            that is empty or outside the image.
    """
    if not path.is_file():
        raise MissingPathError.mismatch(
            'annotation file', 'exist', 'no file', path, 'Put it beside its image'
        )
    boxes = parse(path, image_hw)
    if boxes.problems:
        problem = boxes.problems[0]
        raise TileError.mismatch(problem.subject, problem.expected, problem.actual, path, _REMEDY)
    return boxes.boxes_xyxy, boxes.names


def parse(path: Path, image_hw: tuple[int, int] | None = None) -> Boxes:
    """Return the boxes of a Pascal VOC file with every fault in it.

    Args:
        path: of the XML file.
        image_hw: size of its image in px, `None` where it is not known.
    """
    boxes = Boxes(image_hw)
    try:
        root = _root(label_text(path))
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        expected = 'be well-formed XML without entities'
        got: object = repr(error)
        if not path.stat().st_size:
            expected += ' (<annotation></annotation> where the tile holds no landslide)'
        boxes.problems.append(Problem('broken-label', 'annotation file', expected, got))
        return boxes
    for number, entry in enumerate(root.findall('object'), 1):
        _add(boxes, entry, number)
    return boxes


def _root(content: bytes) -> Element:
    """Return the root element; defusedxml's own errors are ValueErrors."""
    stated = re.match(rb'\s*<\?xml[^>]*?encoding=["\']([\w.-]+)["\'][^>]*\?>', content)
    if stated and stated[1].decode().lower() in _WIDE:
        text = content[stated.end() :].decode(stated[1].decode())
        content = text.encode()
    root: Element = ElementTree.fromstring(content, forbid_dtd=True)
    return root


def _add(boxes: Boxes, entry: Element, number: int) -> None:
    """Add the box of one `<object>`; `number` counts from 1, as a reader of the file does."""
    texts = {corner: entry.findtext(f'bndbox/{corner}') for corner in _CORNERS}
    name, subject = (entry.findtext('name') or '').strip(), f'<bndbox> of object {number}'
    if not name:
        problem = Problem('broken-label', f'object {number}', 'have a <name>', 'none')
        boxes.problems.append(problem)
    try:
        corners = [float(text or '') for text in texts.values()]
    except ValueError:
        expected = f'hold numbers {_CORNERS}'
        boxes.problems.append(Problem('broken-label', subject, expected, texts))
        return
    boxes.difficult += (entry.findtext('difficult') or '').strip() == '1'
    boxes.add(corners, name, subject)
