"""Valid files of each format, made here and small, from which the harness starts."""

import io
import json
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import rasterio
import torch
from mmengine.logging import HistoryBuffer
from PIL import Image
from rasterio.io import MemoryFile
from safetensors.torch import save
from stress.fuzz import label_readers, scene_readers

from mmlandslide.datasets.storage.index import TileRef
from mmlandslide.datasets.storage.packed_tile import pack
from mmlandslide.datasets.storage.store_writer import StoreWriter

BANDS = ('a', 'b', 'c')
TILE_IDS = ('train/1', 'train/2', 'train/10')
#: Time that the files a quarantine list speaks of are given, so that its seed fits them.
CHANGED_NS = 1_700_000_000 * 10**9


@cache
def seeds_of(name: str) -> tuple[bytes, ...]:
    """Return the seeds of a reader by its name in `readers.READERS`."""
    kind, _, form = name.partition('.')
    if kind in ('image', 'mask'):
        return tuple(_tiles(form, kind))
    return tuple(_MAKERS[name]())


def values(kind: str, size_px: int = 4) -> np.ndarray:
    """Return a tile (H, W, C) or a mask (H, W) in whole numbers."""
    drawn = np.random.default_rng(size_px).integers(0, 200, (size_px, size_px + 1, len(BANDS)))
    return drawn if kind == 'image' else drawn[..., 0] % 2


def _tiles(form: str, kind: str) -> list[bytes]:
    key = 'img' if kind == 'image' else 'mask'
    small, large = values(kind), values(kind, 24)
    if form == 'h5':
        return _hdf5(small, large, key)
    if form == 'tif':
        return _tiff(*(np.atleast_3d(array).transpose(2, 0, 1) for array in (small, large)))
    if form == 'npy':
        array = small.transpose(2, 0, 1) if kind == 'image' else small
        arrays = [array.astype(code) for code in ('<f4', '>f8', 'u1', '<u2')]
        return [_saved(np.save, array) for array in (*arrays, np.asfortranarray(arrays[0]))]
    whole = [array.astype('u1') * (1 if kind == 'image' else 255) for array in (small, large)]
    options = [{}, {'progressive': True}] if form == 'jpg' else [{}, {'compress_level': 0}]
    name = 'JPEG' if form == 'jpg' else 'PNG'
    return [
        _saved(lambda file, a=a, o=o: Image.fromarray(a).save(file, name, **o))
        for a in whole
        for o in options
    ]


def _saved(write: Callable[..., object], *values: object) -> bytes:
    file = io.BytesIO()
    write(file, *values)
    return file.getvalue()


def _hdf5(small: np.ndarray, large: np.ndarray, key: str) -> list[bytes]:
    """Return files with each storage, filter, format version and kind of link that HDF5 has."""
    code = 'f8' if key == 'img' else 'u1'
    plain: dict[str, object] = {'data': small.astype(code)}
    packed = {'data': large.astype(code), 'chunks': True}
    made = [
        plain,
        {**packed, 'compression': 'gzip', 'shuffle': True},
        {**packed, 'compression': 'lzf', 'fletcher32': True},
    ]
    files = [
        _hdf5_file(key, options, version) for options in made for version in ('earliest', 'latest')
    ]
    files.append(_hdf5_file(key, {**plain, 'maxshape': (None,) * small.ndim, 'chunks': True}))
    files.append(_hdf5_file(key, {'data': np.zeros(2, [('a', 'f4'), ('b', 'S4')])}))
    files.append(_hdf5_file(key, {'data': ['a', 'b'], 'dtype': h5py.string_dtype()}))
    files.append(
        _hdf5_file(
            key, {'shape': small.shape, 'dtype': code, 'external': [('outside.bin', 0, 10**4)]}
        )
    )
    return [
        *files,
        _linking(key, h5py.SoftLink('/other')),
        _linking(key, h5py.ExternalLink('other.h5', '/x')),
        _virtual(key),
    ]


def _hdf5_file(key: str, options: dict[str, object], version: str = 'earliest') -> bytes:
    file = io.BytesIO()
    with h5py.File(file, 'w', libver=version) as target:
        target.create_dataset(key, **options).attrs['units'] = 'reflectance'
    return file.getvalue()


def _linking(key: str, link: object) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, 'w') as target:
        target[key] = link
    return file.getvalue()


def _virtual(key: str) -> bytes:
    space, options = h5py.h5s.create_simple((4, 5, 3)), h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_obj_track_times(False)  # the same bytes each time
    options.set_virtual(space, b'other.h5', b'x', space)
    file = io.BytesIO()
    with h5py.File(file, 'w', libver='latest') as target:
        h5py.h5d.create(target.id, key.encode(), h5py.h5t.IEEE_F64LE, space, options)
    return file.getvalue()


def _tiff(small: np.ndarray, large: np.ndarray) -> list[bytes]:
    warnings.simplefilter('ignore', rasterio.errors.NotGeoreferencedWarning)
    many: list[tuple[np.ndarray, dict[str, object]]] = [
        (small.astype('f4'), {}),
        (small.astype('u1'), {'compress': 'packbits'}),
        (large.astype('u2'), {'compress': 'lzw', 'predictor': 2}),
        (large.astype('f4'), {'compress': 'deflate', 'predictor': 3, 'interleave': 'pixel'}),
        (
            large.astype('u1'),
            {'tiled': True, 'blockxsize': 16, 'blockysize': 16, 'compress': 'zstd'},
        ),
        (large.astype('f4'), {'crs': 'EPSG:32633', 'BIGTIFF': 'YES', 'ENDIANNESS': 'BIG'}),
        (large.astype('u1'), {'compress': 'jpeg'}),
    ]
    files = []
    for array, options in many:
        count, height, width = array.shape
        with MemoryFile() as memory:
            with memory.open(
                driver='GTiff',
                count=count,
                height=height,
                width=width,
                dtype=array.dtype,
                **options,
            ) as target:
                target.write(array)
            files.append(memory.read())
    return files


def _voc() -> list[bytes]:
    box = '<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30.5</xmax><ymax>40</ymax></bndbox>'
    told = '<name>landslides</name><pose>Unspecified</pose><difficult>0</difficult>'
    one = f'<object>{told}{box}</object>'
    inner = ('', f'<filename>1.jpg</filename>{one}', one * 3)
    texts = [f'<annotation>{text}</annotation>' for text in inner]
    return [text.encode() for text in texts] + [
        b'<?xml version="1.0" encoding="latin-1"?>' + texts[1].encode()
    ]


def checkpoint() -> dict[str, object]:
    """Return a training checkpoint with each type that mmengine writes."""
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    layers = {
        'weight': torch.arange(6.0).reshape(2, 3),
        'bias': torch.zeros(2, dtype=torch.float16),
        'count': torch.tensor(3),
    }
    optimizer = {
        'state': {0: {'step': torch.tensor(1.0)}},
        'param_groups': [{'lr': 0.1, 'betas': (0.9, 0.999), 'params': [0]}],
    }
    meta = {'epoch': 1, 'ids': list(TILE_IDS), 'scores': np.arange(3.0), 'score': np.float32(2)}
    return {
        'meta': meta,
        'state_dict': layers,
        'message_hub': {'log_scalars': {'loss': history}},
        'optimizer': optimizer,
    }


def _zipped() -> list[bytes]:
    shared = torch.arange(12.0)
    views = {'a': shared[:6].reshape(2, 3).t(), 'b': shared[::2], 'c': torch.nn.Parameter(shared)}
    return [_saved(lambda file, c=c: torch.save(c, file)) for c in (checkpoint(), views)]


def _legacy() -> list[bytes]:
    """Return checkpoints of one storage each.

    Torch names storages by their address, which is replaced here.
    """
    flat = torch.arange(12.0)
    content = {
        'meta': checkpoint()['meta'],
        'state_dict': {'weight': flat[:6].reshape(2, 3), 'bias': flat[6:8]},
    }
    saved = [
        _saved(lambda file, c=c: torch.save(c, file, _use_new_zipfile_serialization=False))
        for c in (content, {'a': flat[::2]})
    ]
    return [re.sub(rb'X.\0\0\0\d{9,19}(?=q)', b'X\x09\0\0\x00123456789', file) for file in saved]


def _safetensors() -> list[bytes]:
    states = (
        {'a': torch.ones(2, 3), 'b': torch.zeros(2, dtype=torch.bfloat16)},
        {'c.weight': torch.arange(4)},
    )
    return [save(state, metadata={'format': 'pt'}) for state in states]


def _store() -> list[bytes]:
    """Return stores of uint16 tiles with masks and of float32 tiles without."""
    files = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step, masked in ((1.0, True), (0.3, False)):
            image, mask = folder / 'image.npy', folder / 'mask.npy'
            np.save(image, values('image').transpose(2, 0, 1) * step)
            np.save(mask, values('mask'))
            for path in (image, mask):
                os.utime(path, ns=(CHANGED_NS, CHANGED_NS))  # the fingerprint knows it
            refs = [TileRef(tile_id, image, mask if masked else None) for tile_id in TILE_IDS]
            with StoreWriter(folder / 'store.tiles', BANDS, (1.0, 2.0, 3.0)) as writer:
                for ref in refs:
                    writer.add(pack(ref, BANDS, (1.0, 2.0, 3.0)))
                writer.commit()
            files.append((folder / 'store.tiles').read_bytes())
    return files


def _split() -> list[bytes]:
    return [
        b'train/1\ntrain/10\n',
        b'# chosen by hand\ntrain/2 # far\n\ntrain/1',
        '\n'.join(TILE_IDS).encode(),
    ]


def _quarantine() -> list[bytes]:
    files = [[f'image_{number}.h5', 4, CHANGED_NS] for number in (1, 2)]
    entries = {}
    for number, file in enumerate(files, 1):
        finding = {
            'fault': 'nan',
            'tile_id': f'train/{number}',
            'path': file[0],
            'message': 'dataset must hold finite values',
        }
        entries[f'train/{number}'] = {'findings': [finding], 'files': [file, None]}
    return [json.dumps(text).encode() for text in ({}, entries, {'train/2': entries['train/2']})]


def _index() -> list[bytes]:
    """Return listings: a line is a file, a folder where it ends in `/`, a link where it holds `->`.

    See `readers.planted`.
    """
    return [
        b'TrainData/img/image_1.h5\nTrainData/img/image_2.h5\nTrainData/mask/mask_1.h5\nTrainData/mask/mask_2.h5',
        b'images/train/image_1.h5\nimages/train/image_02.h5\nimages/validation/image_3.h5\nannotations/train/mask_1.h5',
        b'images/train/image_1.h5 -> ../../outside\nimages/train/image_2.h5/\n'
        b'images/train/image_3.h5 -> image_3.h5',
        'images/image_1_2.tif\nmasks/mask_1_2.tif\nimages/é_3_4.tif\ntrain/1.jpg\ntrain/1.xml\ntrain/a.png\ntrain/a.xml'.encode(),
    ]


def _pointer() -> list[bytes]:
    """Return listings of a work dir, after the content of its `last_checkpoint`."""
    return [
        b'work_dirs/a/epoch_2.pth\nepoch_1.pth\nepoch_2.pth\niter_9.pth',
        b'epoch_3.pth\nepoch_10.pth\nepoch_9.pth',
        b'\nepoch_01.pth\niter_5.pth\nbest_epoch_3.pth\nepoch_4.pth/',
    ]


_MAKERS: dict[str, Callable[[], list[bytes]]] = {
    'voc.xml': _voc,
    'checkpoint.pth': _zipped,
    'checkpoint.legacy': _legacy,
    'checkpoint.safetensors': _safetensors,
    'store': _store,
    'split': _split,
    'quarantine': _quarantine,
    'index': _index,
    'pointer': _pointer,
    'scene.tif': scene_readers.scene_seeds,
    'dem.tif': scene_readers.dem_seeds,
    'cloud.tif': scene_readers.cloud_mask_seeds,
    'safe.xml': scene_readers.metadata_seeds,
    'safe.zip': scene_readers.package_seeds,
    'model.onnx': scene_readers.model_seeds,
    'coco': label_readers.coco_seeds,
    'labelme': label_readers.labelme_seeds,
    'yolo': label_readers.yolo_seeds,
    'yolo.names': label_readers.yolo_name_seeds,
    'voc.layout': label_readers.voc_seeds,
    'voc.set': label_readers.image_set_seeds,
    'study': label_readers.study_seeds,
    'results': label_readers.results_seeds,
    'block': label_readers.block_seeds,
}
