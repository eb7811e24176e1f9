"""The readers of files from strangers, each with what must hold of all that it accepts."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

import numpy as np
import torch
from stress.fuzz import label_readers, scene_readers, seeds
from stress.fuzz.edits import EDITS
from stress.fuzz.mutations import Edit
from stress.fuzz.promises import promise

from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.storage import index, quarantine, split_file, tiles
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.datasets.views.masks import MaskFolderDataset
from mmlandslide.datasets.views.voc import paired_files, read_voc
from mmlandslide.errors import LandslideError
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint

#: Words that blind changes set in, by the form of file.
TOKENS: dict[str, tuple[bytes, ...]] = {
    'h5': (
        b'OHDR',
        b'FRHP',
        b'BTHD',
        b'TREE',
        b'SNOD',
        b'HEAP',
        b'GCOL',
        b'OCHK',
        b'FADB',
        b'\xff' * 8,
        b'\x00' * 8,
    ),
    'tif': (
        b'II*\x00',
        b'MM\x00*',
        b'II+\x00',
        b'<GDALMetadata>',
        b'\x00\x01\x00\x03',
        b'\x01\x11',
        b'\x53\x83',
    ),
    'png': (b'IHDR', b'IDAT', b'PLTE', b'tRNS', b'IEND', b'iCCP', b'zTXt', b'acTL', b'fdAT'),
    'jpg': (
        b'\xff\xd8',
        b'\xff\xd9',
        b'\xff\xda',
        b'\xff\xc0',
        b'\xff\xc4',
        b'\xff\xdb',
        b'\xff\xdd',
        b'\xff\xe1',
        b'Exif\0\0',
    ),
    'xml': (
        b'<![CDATA[',
        b']]>',
        b'<!--',
        b'<?a?>',
        b'&amp;',
        b'&b;',
        b'&#0;',
        b'xmlns="a"',
        b'<object>',
        b'</object>',
        b'</bndbox>',
    ),
    'json': (
        b'[',
        b']',
        b'{',
        b'}',
        b':',
        b',',
        b'"',
        b'null',
        b'NaN',
        b'1e999',
        b'9' * 5000,
        b'\\ud800',
        b'\\u0000',
        b'"tiles"',
    ),
    'lines': (
        b' -> ',
        b'/',
        b'image_',
        b'mask_',
        b'.h5',
        b'images/train/',
        b'epoch_',
        b'.pth',
        b'\x00',
        b'x' * 300,
        b'train/1',
    ),
    'pth': (
        b'cos\nsystem\n',
        b'cbuiltins\neval\n',
        b'ctorch\nDoubleStorage\n',
        b'R',
        b'b',
        b'.',
        b'}',
        b'(',
        b'Q',
        b'PK\x03\x04',
    ),
}
TOKENS |= {
    'legacy': TOKENS['pth'],
    'safetensors': TOKENS['json'],
    'store': TOKENS['json'],
    'npy': (),
    'block': (),
    'onnx': (b'ConstantOfShape', b'ai.onnx', b'Loop', b'window_px', b'\xff' * 9 + b'\x01', b'..'),
    'yaml': (
        b'&a [*a, *a]',
        b'*a',
        b'!!python/object/apply:os.system [ls]',
        b'!!binary x',
        b'!!timestamp 2026-99-99',
        b'2026-99-99',
        b'1:99:99',
        b'<<: ',
        b'- ',
        b'{',
        b'[',
        b'? ',
        b'%YAML 9.9',
        b'---\n',
        b'9' * 5000,
        b'.nan',
        b'.inf',
        b'"\\x1b"',
    ),
}


@dataclass(frozen=True)
class Reader:
    """One reader under test.

    Attributes:
        name: in the table, and of its seeds.
        file_name: under which it is given its input.
        read: reads the file and checks what was accepted; a refusal is a `LandslideError`, anything
            else a defect.
        form: of `edits.EDITS`.
        share: of all inputs, relative to the others.
    """

    name: str
    file_name: str
    read: Callable[[Path], None]
    form: str
    share: int = 4

    @property
    def edit(self) -> Edit:
        """Return the change that knows the format."""
        return EDITS[self.form]

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """Return words of the format."""
        return TOKENS[self.form]


def read_image(path: Path) -> None:
    """Read a tile of three bands."""
    image = tiles.read_image(path, seeds.BANDS)
    promise(
        image.ndim == 3 and image.shape[0] == len(seeds.BANDS) and image.size,
        f'(3, H, W), got {image.shape}',
    )
    promise(image.dtype.isnative and image.dtype.kind in 'uif', f'numbers, got {image.dtype}')
    promise(np.isfinite(image).all(), 'finite values')


def read_mask(path: Path) -> None:
    """Read a mask."""
    mask = tiles.read_mask(path)
    promise(
        mask.ndim == 2 and mask.dtype == np.uint8, f'(H, W) uint8, got {mask.shape} {mask.dtype}'
    )
    promise((mask <= 1).all(), '0 and 1')


def read_annotation(path: Path) -> None:
    """Read a VOC file, without and with the size of its image."""
    for image_hw in (None, (64, 64)):
        boxes, names = read_voc(path, image_hw)
        promise(
            boxes.shape == (len(names), 4) and boxes.dtype == np.float32,
            f'(N, 4) float32, got {boxes.shape}',
        )
        promise(
            np.isfinite(boxes).all() and (boxes[:, :2] < boxes[:, 2:]).all(),
            f'boxes, got {boxes.tolist()[:3]}',
        )
        promise(all(names) and all(len(name) < 1000 for name in names), 'names')


def read_weights(path: Path) -> None:
    """Read a checkpoint and touch every value of its tensors."""
    content = read_checkpoint(path)
    promise(isinstance(content, dict), 'a dict')
    for value in _tensors(content, 0):
        promise(value.device.type == 'cpu', f'values on the CPU, got {value.device}')
        promise(value.numel() <= 2**20, f'values that the file holds, got {tuple(value.shape)}')
        value.clone()


def _tensors(content: object, depth: int) -> list[torch.Tensor]:
    """Return the tensors in nested containers."""
    if isinstance(content, torch.Tensor):
        return [content]
    inner = (
        list(content.values())
        if isinstance(content, dict)
        else content
        if isinstance(content, list | tuple)
        else []
    )
    return (
        [tensor for value in inner for tensor in _tensors(value, depth + 1)] if depth < 20 else []
    )


def read_store(path: Path) -> None:
    """Open a packed store, read every tile of it, and verify it."""
    store = TileStore.open(path)
    promise(
        len(store.bands) == len(store.divisors)
        and all(isinstance(band, str) for band in store.bands),
        'a divisor a band',
    )
    promise(isinstance(store.fingerprint, str), 'a fingerprint')
    for tile_id in store.ids:
        image, mask, boxes = (
            store.read(tile_id),
            store.mask(tile_id),
            store.boxes(tile_id, RULES['components']),
        )
        promise(
            image.ndim == 3 and image.dtype == np.float32 and len(image) == len(store.bands),
            f'(C, H, W), got {image.shape}',
        )
        promise(
            mask is None or (mask.shape == image.shape[1:] and mask.max() <= 1),
            'a mask of the size of its image',
        )
        promise(boxes.ndim == 2 and np.isfinite(boxes).all(), 'finite boxes')
        promise(store.entry(tile_id).positive_px >= 0, 'a count of pixels')
    store.verify()


def read_split(path: Path) -> None:
    """Read a split file."""
    chosen = split_file.read_split(path, seeds.TILE_IDS)
    promise(
        chosen and len(set(chosen)) == len(chosen) and set(chosen) <= set(seeds.TILE_IDS),
        f'known ids, got {chosen}',
    )


def read_quarantine(path: Path) -> None:
    """Read a quarantine list against two tiles that are as it says."""
    refs = []
    for number in (1, 2):
        tile = path.with_name(f'image_{number}.h5')
        tile.write_bytes(b'tile')
        os.utime(tile, ns=(seeds.CHANGED_NS, seeds.CHANGED_NS))
        refs.append(index.TileRef(f'train/{number}', tile))
    found = quarantine.left_out([path.parent], index.Pairing(refs, {}))
    promise(set(found) <= set(seeds.TILE_IDS), f'known tiles, got {list(found)}')
    for finding in (finding for findings in found.values() for finding in findings):
        promise(finding.message.isprintable() and len(finding.message) < 2000, 'a line a fault')


def read_index(path: Path) -> None:
    """List a folder of hostile names by each of the package's three ways to find tiles.

    Refuse only if all of them do.
    """
    root = path.with_name('tree')
    planted(root, path.read_bytes().split(b'\n'))
    refusals = []
    for find in (
        partial(_indexed, split='train'),
        partial(_indexed, split='val'),
        _foldered,
        _annotated,
    ):
        try:
            for found in find(root):
                promise(found.name and root in found.parents, f'files of the root, got {found}')
        except LandslideError as error:
            refusals.append(error)
    if len(refusals) == 4:
        raise refusals[0]


def _indexed(root: Path, split: str) -> list[Path]:
    refs = index.find_tiles(root, split)
    promise(len({ref.tile_id for ref in refs}) == len(refs), 'ids that differ')
    return [path for ref in refs for path in (ref.image_path, ref.mask_path or ref.image_path)]


def _foldered(root: Path) -> list[Path]:
    view = MaskFolderDataset(data_root=root, source_bands='mars', name='fuzz', lazy_init=True)
    return [ref.image_path for ref in view.find_tiles()]


def _annotated(root: Path) -> list[Path]:
    return [path for pair in paired_files(root / 'train') for path in pair]


def read_pointer(path: Path) -> None:
    """Find the latest checkpoint of a work dir.

    The first line is its pointer, the others are its files.
    """
    root = path.with_name('tree')
    pointer, *names = path.read_bytes().split(b'\n')
    planted(root, names)
    (root / 'last_checkpoint').write_bytes(pointer)
    latest = latest_checkpoint(root)
    promise(
        latest is None or (latest.is_file() and latest.parent == root),
        f'a file of the folder, got {latest}',
    )


def planted(root: Path, lines: list[bytes]) -> None:
    """Make a folder anew with what the lines name: `file`, `folder/`, `link -> target`.

    What cannot be made is left out.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for line in lines[:40]:
        name, _, target = os.fsdecode(line).partition(' -> ')
        parts = [part for part in PurePath(name.replace('\0', '')).parts if part not in ('/', '..')]
        made = root.joinpath(*parts)
        with suppress(OSError, ValueError):
            (made if name.endswith('/') else made.parent).mkdir(parents=True, exist_ok=True)
            if target:
                made.symlink_to(target)
            elif not name.endswith('/') and parts:
                made.touch()


READERS: tuple[Reader, ...] = (
    Reader('image.h5', 'tile.h5', read_image, 'h5', share=20),
    Reader('image.tif', 'tile.tif', read_image, 'tif', share=8),
    Reader('image.npy', 'tile.npy', read_image, 'npy'),
    Reader('image.png', 'tile.png', read_image, 'png'),
    Reader('image.jpg', 'tile.jpg', read_image, 'jpg'),
    Reader('mask.h5', 'mask.h5', read_mask, 'h5', share=8),
    Reader('mask.tif', 'mask.tif', read_mask, 'tif'),
    Reader('mask.npy', 'mask.npy', read_mask, 'npy'),
    Reader('mask.png', 'mask.png', read_mask, 'png'),
    Reader('voc.xml', 'tile.xml', read_annotation, 'xml', share=8),
    Reader('checkpoint.pth', 'epoch_1.pth', read_weights, 'pth', share=8),
    Reader('checkpoint.legacy', 'epoch_1.pth', read_weights, 'legacy', share=6),
    Reader('checkpoint.safetensors', 'a.safetensors', read_weights, 'safetensors'),
    Reader('store', 'train.tiles', read_store, 'store', share=6),
    Reader('split', 'split.txt', read_split, 'lines'),
    Reader('quarantine', quarantine.FILE_NAME, read_quarantine, 'json'),
    Reader('index', 'listing', read_index, 'lines'),
    Reader('pointer', 'pointer', read_pointer, 'lines'),
    *(
        Reader(name, file_name, read, form, share)
        for name, file_name, read, form, share in (
            ('scene.tif', 'scene.tif', scene_readers.read_scene, 'tif', 12),
            ('dem.tif', 'dem.tif', scene_readers.read_dem, 'tif', 8),
            ('cloud.tif', 'cloud.tif', scene_readers.read_cloud_mask, 'tif', 8),
            ('safe.xml', 'MTD.xml', scene_readers.read_product_metadata, 'xml', 6),
            ('safe.zip', 'product.zip', scene_readers.read_package, 'pth', 6),
            ('model.onnx', 'detector.onnx', scene_readers.read_model, 'onnx', 12),
            ('coco', 'coco.json', label_readers.read_coco, 'json', 6),
            ('labelme', 'labels.json', label_readers.read_labelme, 'json', 6),
            ('yolo', 'labels', label_readers.read_yolo, 'lines', 6),
            ('yolo.names', 'names', label_readers.read_yolo_names, 'yaml', 4),
            ('voc.layout', 'labels.xml', label_readers.read_voc_layout, 'xml', 6),
            ('voc.set', 'list', label_readers.read_image_set, 'lines', 4),
            ('study', 'study.yaml', label_readers.read_study, 'yaml', 8),
            ('results', 'results.json', label_readers.read_study_results, 'json', 4),
            ('block', 'block', label_readers.read_block, 'block', 4),
        )
    ),
)
