"""Files that a stranger made to do harm.

Each is refused with a typed error, runs nothing, and shows nothing of the secret file. A payload
that runs makes the file `canary`. `SECRET` lies outside the data root; whatever follows a link
brings it into the result.
"""

import io
import os
import pickle
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

import factories
import h5py
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.evaluator import BaseMetric
from mmengine.infer import BaseInferencer
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import load_checkpoint
from payload import Payload
from PIL import Image

from mmlandslide.datasets.storage.index import find_tiles
from mmlandslide.datasets.storage.split_file import select
from mmlandslide.datasets.storage.tiles import read_image
from mmlandslide.datasets.views.masks import MaskFolderDataset
from mmlandslide.datasets.views.voc import VOCTileDataset, read_voc
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import (
    CheckpointError,
    DatasetError,
    LandslideError,
    MissingPathError,
    TileError,
)
from mmlandslide.weights.checkpoint_file import read_checkpoint

SECRET = 42.5
CANARY = ('canary', 'w')
SHAPE = (4, 4, 3)
BANDS = ('R', 'G', 'B')


class Attack(NamedTuple):
    """A file and what becomes of it.

    Attributes:
        build: writes the file in the working folder and returns its path.
        read: takes that path and hands it to the reader under attack.
        error: that is raised.
        said: pattern that its message matches.
    """

    build: object
    read: object
    error: type
    said: str


def tile(path):
    return read_image(path, BANDS)


def hdf5(plant):
    """Return what writes `t.h5`, filled by `plant`."""

    def build():
        with h5py.File('t.h5', 'w') as file:
            plant(file)
        return Path('t.h5')

    return build


def plant_external_storage(file):
    np.full(SHAPE, SECRET).tofile('secret.bin')
    file.create_dataset('img', SHAPE, 'f8', external=[('secret.bin', 0, 8 * 48)])


def secret_h5():
    with h5py.File('secret.h5', 'w') as file:
        file['img'] = np.full(SHAPE, SECRET)


def plant_external_link(file):
    secret_h5()
    file['img'] = h5py.ExternalLink('secret.h5', '/img')


def plant_soft_link(file):
    file['other'] = np.full(SHAPE, SECRET)
    file['img'] = h5py.SoftLink('/other')


def plant_virtual_dataset(file):
    secret_h5()
    layout = h5py.VirtualLayout(SHAPE, 'f8')
    layout[:] = h5py.VirtualSource('secret.h5', 'img', SHAPE)
    file.create_virtual_dataset('img', layout)


def plant_group(file):
    file.create_group('other')['img'] = np.full(SHAPE, SECRET)
    file['img'] = file['other']


def plant_terabytes(file):
    file.create_dataset('img', (10**6, 10**6, 1), 'f8', chunks=(64, 64, 1))


def plant_huge_chunk(file):
    file.create_dataset('img', SHAPE, 'f8', chunks=(2**13, 2**13, 3), maxshape=(None, None, None))


def plant_compound(file):
    file.create_dataset('img', SHAPE, np.dtype([('a', 'f8'), ('b', 'f8')]))


def plant_text(file):
    file.create_dataset('img', SHAPE, h5py.string_dtype())


def plant_references(file):
    file.create_dataset('img', SHAPE, h5py.ref_dtype)


def plant_plugin_filter(file):
    """Ask for filter 32015, which HDF5 would load from its plugin folder."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_chunk(SHAPE)
    properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b'img', h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple(SHAPE), properties)


def plant_chunk_bomb(file):
    """Store 1 MB of zeros, as 1 kB of gzip, in a chunk of 384 bytes."""
    dataset = file.create_dataset('img', SHAPE, 'f8', chunks=SHAPE, compression='gzip')
    dataset.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(2**20), 9))


def write_vrt():
    factories.write_tiff(Path('secret.tif'), np.full((3, 4, 4), SECRET))
    secret = Path('secret.tif').absolute()
    source = f'<SimpleSource><SourceFilename>{secret}</SourceFilename></SimpleSource>'
    bands = ''.join(
        f'<VRTRasterBand dataType="Float64" band="{band}">{source}</VRTRasterBand>'
        for band in (1, 2, 3)
    )
    Path('t.tif').write_text(f'<VRTDataset rasterXSize="4" rasterYSize="4">{bands}</VRTDataset>')
    return Path('t.tif')


def write_picture_bomb():
    """Write 150 million black pixels in 150 kB."""
    Image.new('1', (15000, 10000)).save('t.png')
    return Path('t.png')


def write_npy_pickle():
    np.save('t.npy', np.array([Payload(open, CANARY)], object), allow_pickle=True)
    return Path('t.npy')


def write_fifo():
    os.mkfifo('t.h5')
    return Path('t.h5')


class Storage:
    """Stands for a storage in a pickle."""

    def __init__(self, values):
        self.named = ('storage', torch.FloatStorage, '0', 'cpu', values)


class Pickler(pickle.Pickler):
    def persistent_id(self, part):
        return part.named if isinstance(part, Storage) else None


def tensor(shape=(4,), stride=(1,), values=4):
    return Payload(
        torch._utils._rebuild_tensor_v2, (Storage(values), 0, shape, stride, False, OrderedDict())
    )


def archive(content=None, index=None, compression=zipfile.ZIP_STORED, storage=bytes(16)):
    """Return what writes `c.pth` as torch does, of a content or of the bytes of a pickle."""

    def build():
        stream = io.BytesIO()
        Pickler(stream, 2).dump(content)
        with zipfile.ZipFile('c.pth', 'w', compression) as file:
            file.writestr('archive/data.pkl', index or stream.getvalue())
            file.writestr('archive/byteorder', 'little')
            file.writestr('archive/version', '3\n')
            file.writestr('archive/data/0', storage)
        return Path('c.pth')

    return build


def legacy():
    torch.save({'a': Payload(open, CANARY)}, 'c.pth', _use_new_zipfile_serialization=False)
    return Path('c.pth')


def safetensors(header, claimed=None):
    """Return what writes `c.safetensors` with a header and 16 bytes of values."""

    def build():
        text = header.encode()
        Path('c.safetensors').write_bytes(
            (claimed or len(text)).to_bytes(8, 'little') + text + bytes(16)
        )
        return Path('c.safetensors')

    return build


def text(name, content):
    """Return what writes a text file."""

    def build():
        Path('secret.txt').write_text(f'secret {SECRET}')
        Path(name).write_text(content)
        return Path(name)

    return build


def bomb():
    levels = ''.join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 10))
    return f'<!DOCTYPE a [<!ENTITY e0 "x">{levels}]><a><object><name>&e9;</name></object></a>'


def write_external_entity():
    entity = f'<!DOCTYPE a [<!ENTITY e SYSTEM "file://{Path("secret.txt").absolute()}">]>'
    return text('t.xml', f'{entity}<a><object><name>&e;</name></object></a>')()


def split(path):
    root = factories.write_dataset(Path('data'), {'train': 1})
    return select(find_tiles(root, 'train'), path)


def split_link():
    Path('secret.txt').write_text(f'secret {SECRET}')
    Path('splits').mkdir()
    Path('splits/ids.txt').symlink_to(Path('secret.txt').absolute())
    return Path('splits/ids.txt')


def linked_tile(root='data'):
    """Write a Landslide4Sense folder whose first tile is a link to one outside."""
    factories.write_dataset(Path(root), {'train': 2})
    path = factories.image_path(Path(root), 1)
    path.rename('secret.h5')
    path.symlink_to(Path('secret.h5').absolute())
    return Path(root)


def linked_mask():
    root = factories.write_dataset(Path('data'), {'train': 2})
    path = factories.mask_path(root, 1)
    path.rename('secret.h5')
    path.symlink_to(Path('secret.h5').absolute())
    return root


def linked_folder():
    root = factories.write_dataset(Path('data'), {'train': 2})
    (root / 'images' / 'train').rename('secret')
    (root / 'images' / 'train').symlink_to(Path('secret').absolute())
    return root


def linked_xml():
    root = factories.write_voc(Path('voc'), {'train': 2})
    (root / 'train' / '1.xml').rename('secret.xml')
    (root / 'train' / '1.xml').symlink_to(Path('secret.xml').absolute())
    return root


def linked_masks():
    root = factories.write_mask_folder(Path('mars'))
    (root / 'masks').rename('secret')
    (root / 'masks').symlink_to(Path('secret').absolute())
    return root


def l4s(root):
    return find_tiles(root, 'train')


def voc(root):
    return VOCTileDataset(name='x', data_root=root)


def mars(root):
    return MaskFolderDataset(name='x', data_root=root, source_bands='mars')


def tuples(depth):
    """Return a pickle of a dict whose key is nested so deep that hashing it overflows C's stack."""
    return b'\x80\x02}(K\x01' + b'\x85' * depth + b'K\x01u.'


OWN, DATA, SAFE, LEAD = (
    'keep its values in its own file',
    'must hold numbers',
    'be stored as it is',
    'lead to a place inside',
)
PLAIN = 'hold tensors and plain types only'
ATTACKS = {
    'HDF5 external storage': Attack(hdf5(plant_external_storage), tile, TileError, OWN),
    'HDF5 external link': Attack(hdf5(plant_external_link), tile, TileError, OWN),
    'HDF5 soft link': Attack(hdf5(plant_soft_link), tile, TileError, OWN),
    'HDF5 virtual dataset': Attack(hdf5(plant_virtual_dataset), tile, TileError, OWN),
    'HDF5 hard link to a group': Attack(hdf5(plant_group), tile, TileError, OWN),
    'HDF5 of 10^12 elements': Attack(
        hdf5(plant_terabytes),
        tile,
        TileError,
        r'at most 67108864 values, got shape \(1000000, 1000000, 1\)',
    ),
    'HDF5 absurd chunk': Attack(
        hdf5(plant_huge_chunk), tile, TileError, r'got shape \(8192, 8192, 3\)'
    ),
    'HDF5 compound': Attack(hdf5(plant_compound), tile, TileError, DATA),
    'HDF5 text of any length': Attack(hdf5(plant_text), tile, TileError, DATA),
    'HDF5 references': Attack(hdf5(plant_references), tile, TileError, DATA),
    'HDF5 filter of a plugin': Attack(
        hdf5(plant_plugin_filter), tile, TileError, f'{SAFE}.* got filter 32015'
    ),
    'HDF5 chunk that inflates without end': Attack(
        hdf5(plant_chunk_bomb), tile, TileError, f'{SAFE}.* more than its 384 bytes'
    ),
    'VRT as .tif': Attack(write_vrt, tile, TileError, 'be readable GeoTIFF'),
    'picture bomb': Attack(
        write_picture_bomb,
        tile,
        TileError,
        r'at most 67108864 values, got shape \(15000, 10000, 1\)',
    ),
    'pickle in .npy': Attack(write_npy_pickle, tile, TileError, 'be readable NumPy'),
    'named pipe': Attack(write_fifo, tile, MissingPathError, 'tile file must exist, got no file'),
    'pickle in .pth': Attack(
        archive({'a': Payload(open, CANARY)}), read_checkpoint, CheckpointError, f'{PLAIN}.*io.open'
    ),
    'pickle in .pth of old torch': Attack(
        legacy, read_checkpoint, CheckpointError, f'{PLAIN}.*io.open'
    ),
    'zip bomb': Attack(
        archive(
            {'a': tensor((2**24,), values=2**24)},
            compression=zipfile.ZIP_DEFLATED,
            storage=bytes(2**26),
        ),
        read_checkpoint,
        CheckpointError,
        'keep its records as they are, got 4 compressed',
    ),
    'tensor of 10^12 over 16 bytes': Attack(
        archive({'a': tensor((10**12,), (0,))}),
        read_checkpoint,
        CheckpointError,
        r'shape \(1000000000000,\) over 16 bytes',
    ),
    'storage of 10^12': Attack(
        archive({'a': tensor(values=10**12)}), read_checkpoint, CheckpointError, 'c.pth'
    ),
    'array of nothing but a length': Attack(
        archive({'a': Payload(bytearray, (2**31,))}),
        read_checkpoint,
        CheckpointError,
        'GLOBAL __builtin__.bytearray',
    ),
    'key that overflows the stack': Attack(
        archive(index=tuples(10**6)), read_checkpoint, CheckpointError, 'nest at most 10000 tuples'
    ),
    'key that writes to the terminal': Attack(
        archive({'\x1b]0;owned\x07': tensor()}),
        read_checkpoint,
        CheckpointError,
        r"got '\\x1b\]0;owned\\x07' of 10",
    ),
    'absurdly long key': Attack(
        archive({'a' * 10**6: tensor()}), read_checkpoint, CheckpointError, 'of 1000000'
    ),
    'safetensors of 10^12': Attack(
        safetensors('{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,16]}}'),
        read_checkpoint,
        CheckpointError,
        PLAIN,
    ),
    'safetensors header of 10^12 bytes': Attack(
        safetensors('{}', 10**12), read_checkpoint, CheckpointError, 'one of 1000000000000'
    ),
    'XML entity bomb': Attack(
        text('t.xml', bomb()), read_voc, TileError, 'without entities, got DTDForbidden'
    ),
    'XML external entity': Attack(
        write_external_entity, read_voc, TileError, 'without entities, got DTDForbidden'
    ),
    'path in split file': Attack(
        text('ids.txt', '../secret\n'), split, DatasetError, r"1 unknown: \['../secret'\]"
    ),
    'NUL in split file': Attack(
        text('ids.txt', 'train/1\0\n'), split, DatasetError, r"1 unknown: \['train/1\\x00'\]"
    ),
    'split file out of its folder': Attack(split_link, split, DatasetError, LEAD),
    'tile out of the data root': Attack(
        linked_tile, l4s, DatasetError, f'{LEAD}.*/data, got .*secret.h5 in .*image_1.h5'
    ),
    'mask out of the data root': Attack(linked_mask, l4s, DatasetError, LEAD),
    'folder out of the data root': Attack(linked_folder, l4s, DatasetError, LEAD),
    'XML out of the data root': Attack(linked_xml, voc, DatasetError, LEAD),
    'masks out of the data root': Attack(linked_masks, mars, DatasetError, LEAD),
}


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Stand in an empty folder, so that every file of an attack has a short name there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMLANDSLIDE_LINKS_INTO', raising=False)
    (tmp_path / 'cache').mkdir()
    monkeypatch.setenv('MMLANDSLIDE_CACHE', str(tmp_path / 'cache'))


@pytest.mark.parametrize('attack', ATTACKS.values(), ids=list(ATTACKS))
@pytest.mark.filterwarnings('ignore')
def test_an_attack_is_refused_and_nothing_is_run_or_shown(attack):
    path = attack.build()
    with pytest.raises(attack.error, match=attack.said) as caught:
        attack.read(path)
    assert isinstance(caught.value, LandslideError)
    assert not Path('canary').exists()
    assert str(SECRET) not in str(caught.value)
    assert str(caught.value).isprintable()


# Config text, which mmengine runs where a checkpoint carries it.

CONFIG = "model = open('canary', 'w').close()"


class Toy(BaseModel):
    """One number."""

    def __init__(self):
        super().__init__()
        self.number = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return {'loss': self.number.sum()} if mode == 'loss' else [{}]


class Count(BaseMetric):
    """Counts predictions."""

    def process(self, data_batch, data_samples):
        self.results.append(1)

    def compute_metrics(self, results):
        return {'count': len(results)}


def run(kind, epochs=1, **options):
    """Train or test the toy in the project's runner."""
    loader = {'dataset': [{'inputs': torch.ones(1)}] * 2, 'batch_size': 1, 'num_workers': 0}
    loader['sampler'] = {'type': 'DefaultSampler', 'shuffle': False}
    training = {
        'train_dataloader': loader,
        'train_cfg': {'by_epoch': True, 'max_epochs': epochs},
        'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 0.1}},
    }
    testing = {'test_dataloader': loader, 'test_cfg': {}, 'test_evaluator': [Count()]}
    chosen = training if kind == 'train' else testing
    with DefaultScope.overwrite_default_scope('mmengine'):
        runner = LandslideRunner(
            Toy(),
            'run',
            default_scope='mmengine',
            experiment_name=str(Path.cwd()),
            **chosen,
            **options,
        )
        getattr(runner, kind)()
    return runner


def planted():
    """Train the toy for an epoch; return its checkpoint with text wherever a config may stand."""
    run('train')
    content = torch.load('run/epoch_1.pth', weights_only=True)
    content['meta'].update(config=CONFIG, cfg=CONFIG)
    content['message_hub']['runtime_info']['cfg'] = CONFIG
    torch.save(content, 'planted.pth')
    return 'planted.pth'


@pytest.mark.filterwarnings('ignore')
def test_config_text_is_not_run_when_resuming():
    runner = run('train', epochs=2, load_from=planted(), resume=True)
    assert runner.iter == 4  # 2 epochs of 2 samples, the first of them before
    assert not Path('canary').exists()


@pytest.mark.filterwarnings('ignore')
def test_config_text_is_not_run_when_testing():
    assert run('test', load_from=planted()).model.number < 1
    assert not Path('canary').exists()


@pytest.mark.filterwarnings('ignore')
def test_config_text_is_not_run_by_an_inferencer_without_a_config():
    torch.save(
        {
            'message_hub': {'runtime_info': {'cfg': CONFIG}},
            'meta': {'cfg': CONFIG},
            'state_dict': {},
        },
        'c.pth',
    )
    with pytest.raises(ValueError, match='Cannot find the config in the checkpoint'):
        BaseInferencer._init_model(None, ConfigDict(), 'c.pth')
    assert not Path('canary').exists()


def test_a_pickle_is_not_run_by_the_hosts_own_loading(monkeypatch):
    monkeypatch.setenv(
        'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1'
    )  # what torch before 2.6 does by itself
    torch.save({'state_dict': {}, 'meta': Payload(open, CANARY)}, 'c.pth')
    with pytest.raises(CheckpointError, match=r'GLOBAL io\.open'):
        load_checkpoint(Toy(), 'c.pth')
    assert not Path('canary').exists()


# Links that a user means.


def test_a_data_root_may_be_a_link():
    factories.write_dataset(Path('real'), {'train': 2})
    Path('data').symlink_to('real')
    assert len(l4s(Path('data'))) == 2


def test_a_link_may_lead_where_the_user_allows_it(monkeypatch):
    root = linked_tile()
    monkeypatch.setenv('MMLANDSLIDE_LINKS_INTO', os.pathsep.join(['/nowhere', str(Path.cwd())]))
    assert len(l4s(root)) == 2


def test_a_link_may_lead_from_place_to_place_within_the_root():
    root = factories.write_dataset(Path('data'), {'train': 2})
    factories.image_path(root, 3).symlink_to(factories.image_path(root, 1).absolute())
    factories.mask_path(root, 3).symlink_to(factories.mask_path(root, 1).absolute())
    assert len(l4s(root)) == 3
