"""What a user reads who has made a mistake.

One line that names the file, what it holds and what to do; no traceback before it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import factories
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from payload import Payload

from mmlandslide.cli.main import main
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import CheckpointError, LandslideError
from mmlandslide.weights.checkpoint_file import read_checkpoint

REPOSITORY = Path(__file__).parent.parent
PRETRAIN, DETECT = 'configs/pretrain/swin_mae_demo.py', 'configs/det/faster_rcnn_demo.py'
SIZE_PX = 32
pytestmark = pytest.mark.filterwarnings('ignore')


class Fault(NamedTuple):
    """A faulty data set.

    Attributes:
        plant: puts the fault into a sound data set.
        shown: what the error says: file, actual value, remedy.
        reported: what `prepare` says, where it knows more of the fault than the reader.
    """

    plant: object
    shown: tuple[str, ...]
    reported: tuple[str, ...] = ()


def rewrite(**options):
    """Return what writes tile 2 again, with other bands, key or type."""

    def plant(root):
        image = factories.image(size_px=SIZE_PX, bands=options.get('bands', 14)).astype(
            options.get('dtype', 'float64')
        )
        factories.write_array(factories.image_path(root, 2), image, options.get('key', 'img'))

    return plant


def nan_tile(root):
    image = factories.image(size_px=SIZE_PX)
    image[5, 3, 4] = np.nan
    factories.write_tile(root, 2, image, factories.mask(size_px=SIZE_PX))


def small_mask(root):
    factories.write_array(factories.mask_path(root, 2), factories.mask(size_px=16), 'mask')


def lone_mask(root):
    factories.write_array(factories.mask_path(root, 9), factories.mask(size_px=SIZE_PX), 'mask')


FAULTS = {
    'truncated': Fault(
        lambda root: factories.truncate(factories.image_path(root, 2)),
        (
            'images/train/image_2.h5',
            'truncated file',
            'Download the file again, or run `mmlandslide prepare --check`',
        ),
    ),
    'wrong key': Fault(
        rewrite(key='image'),
        ('images/train/image_2.h5', "keys ['image']", "Rename the dataset to 'img'"),
    ),
    '12 bands': Fault(
        rewrite(bands=12),
        ('images/train/image_2.h5', 'shape (32, 32, 12)', 'Download the file with 14 bands'),
        ('image_2.h5', 'shape (32, 32, 12)', 'Download the file again'),
    ),
    'float16': Fault(
        rewrite(dtype='float16'),
        ('images/train/image_2.h5', 'got float16', 'Download the file again'),
        ('image_2.h5', 'got float16', 'Convert it'),
    ),
    'NaN': Fault(
        nan_tile,
        ('images/train/image_2.h5', 'got 1 NaN or infinite of 14336', 'Download the file again'),
        ('image_2.h5', 'got 1 NaN of 14336', 'Download the file again'),
    ),
    'mask of another size': Fault(
        small_mask,
        (
            'annotations/train/mask_2.h5',
            'the shape (32, 32) of its image, got shape (16, 16)',
            'Download the file again',
        ),
        ('annotations/train/mask_2.h5', 'got shape (16, 16)', 'Download image and mask again'),
    ),
    'mask without image': Fault(
        lone_mask, ('annotations/train/mask_9.h5', 'must have its image, got none', 'Add the image')
    ),
    'no data root': Fault(
        shutil.rmtree, ('landslide4sense', 'got no folder', '`mmlandslide synth --out')
    ),
}
every_fault = pytest.mark.parametrize('fault', FAULTS.values(), ids=list(FAULTS))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Write a sound data set where the demo configs look for it, and stand there.

    Keep what a runner sets for a process.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    counts = {'train': 3, 'validation': 2, 'test': 2}
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield factories.write_dataset(Path('demo') / 'landslide4sense', counts, size_px=SIZE_PX)


def runner_of(config, **options):
    """Return the runner that the hosts' scripts build, with `--cfg-options`."""
    cfg = Config.fromfile(REPOSITORY / config)
    for loader in (value for key, value in cfg.items() if key.endswith('_dataloader')):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.merge_from_dict(
        {'work_dir': 'work_dirs/run', 'experiment_name': str(Path.cwd()), **options}
    )
    return LandslideRunner.from_cfg(cfg)


def printed(run, capsys):
    """Return what Python writes to stderr when a call ends with an error of ours that nobody catches."""
    with pytest.raises(LandslideError) as caught:
        run()
    capsys.readouterr()
    sys.excepthook(caught.type, caught.value, caught.tb)
    return capsys.readouterr().err


def is_clear(text, shown):
    """Return whether a text begins with one `error: ...` line that says all of something, and shows no traceback."""
    first = text.splitlines()[0]
    return (
        first.startswith('error: ')
        and 'Traceback' not in text
        and all(part in first for part in shown)
    )


@every_fault
def test_prepare_names_the_fault(fault, root):
    fault.plant(root)
    result = CliRunner().invoke(main, ['prepare', '--data-root', str(root)])
    assert result.exit_code == 1
    assert any(
        all(part in line for part in fault.reported or fault.shown)
        for line in result.output.splitlines()
    )
    assert isinstance(result.exception, SystemExit)


@every_fault
def test_training_names_the_fault_on_one_line(fault, root, capsys):
    fault.plant(root)
    text = printed(lambda: runner_of(PRETRAIN).train(), capsys)
    assert is_clear(text, fault.shown)
    assert text.count('\n') == 1


def write_model(path, config, **record):
    """Write a checkpoint of a config's model, with what it states of itself."""
    cfg = Config.fromfile(REPOSITORY / config)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    torch.save(
        {'state_dict': model.state_dict(), 'meta': {'mmlandslide': {'tile_ids': [], **record}}},
        path,
    )


def write_resnet(path):
    """Write a checkpoint of our ResNet-18 alone."""
    state = MODELS.build({'type': 'mmlandslide.ResNet', 'depth': 18}).state_dict()
    torch.save({'state_dict': {f'backbone.{key}': value for key, value in state.items()}}, path)


def write_text(path):
    path.write_text('<html>Not found</html>')


def write_code(path):
    """Write what an attacker would: a checkpoint that would remove `proof` when unpickled."""
    Path('proof').write_text('still here')
    torch.save({'state_dict': Payload(os.remove, ('proof',))}, path)


def truncate_photograph(path):
    factories.truncate(factories.write_voc(Path('data') / 'l4s_rgb') / 'train' / '2.jpg')


class Mistake(NamedTuple):
    """A mistake on the command line.

    Attributes:
        run: `train` or `test`.
        config: that is run.
        plant: writes `weights.pth`.
        options: of `--cfg-options`.
        shown: what the error says.
    """

    run: str
    config: str
    plant: object
    options: dict
    shown: tuple[str, ...]


OTHER_MODEL = (
    'fill the model exactly',
    'keys missing',
    'weights.pth',
    'Pass the checkpoint that this config trained',
)
PRETRAINED = {'model.backbone.pretrained.checkpoint': 'weights.pth'}
LOADED = {'load_from': 'weights.pth', 'model.backbone.pretrained': None}
MISTAKES = {
    'unknown band': Mistake(
        'train',
        PRETRAIN,
        None,
        {'train_dataloader.dataset.bands': ['B4', 'B99']},
        ("['B99']", 'demo/landslide4sense', 'Name those'),
    ),
    'band without statistics': Mistake(
        'train',
        PRETRAIN,
        None,
        {'model.data_preprocessor.bands': ['B99']},
        ("['B99']", 'known statistics', '`mmlandslide stats --masks FOLDER`'),
    ),
    'other bands in dataset and model': Mistake(
        'train',
        PRETRAIN,
        None,
        {'train_dataloader.dataset.bands': 'rgb'},
        ('have 14 bands, got 3', 'Name the same bands'),
    ),
    'pre-training not made yet': Mistake(
        'train',
        DETECT,
        None,
        {},
        ('work_dirs/swin_mae_demo', 'nothing', f'Make it with `mim train mmpretrain {PRETRAIN}`'),
    ),
    'weights of another architecture': Mistake(
        'train',
        DETECT,
        write_resnet,
        PRETRAINED,
        ('got 0.00%', 'weights.pth', 'Use a checkpoint of this architecture'),
    ),
    'weights that are no checkpoint': Mistake(
        'train',
        DETECT,
        write_text,
        PRETRAINED,
        ("starts with b'<html>Not found</html>' in weights.pth", 'from its publisher again'),
    ),
    'weights that carry code': Mistake(
        'train',
        DETECT,
        write_code,
        PRETRAINED,
        ('GLOBAL posix.remove', 'weights.pth', 'or as safetensors'),
    ),
    'truncated photograph, seen by a worker': Mistake(
        'train',
        'configs/pretrain/swin_mae_tiny_rgb8.py',
        truncate_photograph,
        {'train_dataloader.num_workers': 1, 'model.backbone.arch': 'nano'},
        ('data/l4s_rgb/train/2.jpg', 'truncated', 'Download the file again'),
    ),
    'load_from another architecture': Mistake(
        'train', DETECT, lambda path: write_model(path, PRETRAIN), LOADED, OTHER_MODEL
    ),
    'test of another architecture': Mistake(
        'test', DETECT, lambda path: write_model(path, PRETRAIN), LOADED, OTHER_MODEL
    ),
    'test without checkpoint': Mistake(
        'test', DETECT, None, LOADED, ('weights.pth', 'got nothing', 'Check the path')
    ),
    'test tile seen in pre-training': Mistake(
        'test',
        DETECT,
        lambda path: write_model(path, DETECT, lineage={'tile_ids': ['landslide4sense:test/1']}),
        LOADED,
        (
            "1 seen, such as ['landslide4sense:test/1']",
            'weights.pth',
            '--cfg-options allow_overlap=True',
        ),
    ),
    'amp on a CPU': Mistake(
        'train',
        PRETRAIN,
        None,
        {'optim_wrapper.type': 'AmpOptimWrapper'},
        ('--amp must run on a GPU', 'Leave --amp out'),
    ),
}


@pytest.mark.parametrize('mistake', MISTAKES.values(), ids=list(MISTAKES))
@pytest.mark.usefixtures('root')
def test_a_mistake_on_the_command_line_is_named_at_once(mistake, capsys):
    if mistake.plant:
        mistake.plant(Path('weights.pth'))
    text = printed(
        lambda: getattr(runner_of(mistake.config, **mistake.options), mistake.run)(), capsys
    )
    assert is_clear(text, mistake.shown)


def run_mim(*arguments):
    """Run `mim` as a user does, from the repository root.

    Return what it writes to stderr up to mim's own traceback.
    """
    mim = Path(sys.executable).parent / 'mim'
    result = subprocess.run(
        [mim, *map(str, arguments)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    return result.stderr


def before_mims_own(text):
    """Return the error and what stands before it.

    Mim itself, whose child has failed, shows a traceback of its own after it.
    """
    ours, _, mims = text.partition('Traceback (most recent call last)')
    assert mims.rstrip().endswith('returned non-zero exit status 1.')
    return ours[ours.index('error: ') :]


def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_code(Path('weights.pth'))
    with pytest.raises(CheckpointError, match=r'got .*GLOBAL posix\.remove.* in weights\.pth'):
        read_checkpoint('weights.pth')
    assert Path('proof').read_text() == 'still here'


@pytest.mark.slow
def test_mim_train_names_a_truncated_tile_and_shows_no_traceback_before_it(root, tmp_path):
    fault = FAULTS['truncated']
    fault.plant(root)
    options = (
        '--work-dir',
        tmp_path / 'run',
        '--cfg-options',
        f'train_dataloader.dataset.data_root={root.absolute()}',
    )
    text = run_mim('train', 'mmpretrain', PRETRAIN, *options)
    assert is_clear(before_mims_own(text), fault.shown)


@pytest.mark.slow
def test_mim_test_refuses_a_checkpoint_of_another_architecture(root, tmp_path):
    write_model(tmp_path / 'weights.pth', PRETRAIN)
    options = (
        '--work-dir',
        tmp_path / 'run',
        '--cfg-options',
        f'test_dataloader.dataset.data_root={root.absolute()}',
    )
    text = run_mim('test', 'mmdet', DETECT, '--checkpoint', tmp_path / 'weights.pth', *options)
    assert is_clear(before_mims_own(text), OTHER_MODEL)


@pytest.mark.slow
def test_mim_train_with_amp_on_a_cpu_says_to_leave_it_out(root, tmp_path):
    options = (
        '--work-dir',
        tmp_path / 'run',
        '--amp',
        '--cfg-options',
        f'train_dataloader.dataset.data_root={root.absolute()}',
    )
    text = run_mim('train', 'mmdet', DETECT, *options)
    assert is_clear(before_mims_own(text), MISTAKES['amp on a CPU'].shown)
