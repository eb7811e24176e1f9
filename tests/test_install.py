import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
STAND_IN = (ROOT / 'mmcv_ext/_ext.py').read_bytes()


@pytest.mark.parametrize('kind', ['standard', 'editable'])
def test_the_wheel_carries_the_stand_in_and_lists_it_for_uninstalling(tmp_path, kind):
    [path] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=[kind])
    with zipfile.ZipFile(path) as wheel:
        assert wheel.read('_mmlandslide_stand_in/_ext.py') == STAND_IN
        assert wheel.read('mmlandslide_stand_in.pth') == b'import _mmlandslide_stand_in\n'
        assert not [name for name in wheel.namelist() if name.startswith('mmcv')]
        [record] = [name for name in wheel.namelist() if name.endswith('RECORD')]
        for name in (b'_mmlandslide_stand_in/__init__.py', b'mmlandslide_stand_in.pth'):
            assert name + b',sha256=' in wheel.read(record)


def test_the_wheel_carries_configs_splits_and_studies(tmp_path):
    [path] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=['standard'])
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
    for name in ('configs/pretrain/swin_mae.py', 'configs/splits/l4s_train.txt', 'model-index.yml'):
        assert f'mmlandslide/.mim/{name}' in names
    own = {f'mmlandslide/.mim/{path.relative_to(ROOT)}' for path in ROOT.glob('configs/*/*.py')}
    assert own <= names
    assert {
        f'mmlandslide/.mim/studies/{name}' for name in ('kill.yaml', 'splits/block_rgb_fit.txt')
    } <= names
    assert not [name for name in names if 'archives' in name]


def test_the_installed_stand_in_belongs_to_this_package():
    owned = [str(path) for path in metadata.files('mmlandslide') or ()]
    assert {'_mmlandslide_stand_in/_ext.py', 'mmcv/_ext.py'} & {*owned}


FOUND = """
import sys
sys.path.insert(0, sys.argv[1])
import finder, mmcv._ext
print(mmcv._ext.__file__)
"""


@pytest.mark.parametrize('own', [True, False])
def test_the_finder_is_asked_after_mmcv_s_own_folder(tmp_path, own):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv/__init__.py').touch()
    if own:
        (tmp_path / 'mmcv/_ext.py').touch()
    shutil.copy(ROOT / 'mmcv_ext/finder.py', tmp_path / 'finder.py')
    (tmp_path / '_ext.py').touch()
    done = subprocess.run(
        [sys.executable, '-S', '-c', FOUND, tmp_path],  # without the finder that is installed
        capture_output=True,
        text=True,
        check=True,
    )
    place = 'mmcv/_ext.py' if own else '_ext.py'
    assert done.stdout.strip() == str(tmp_path / place)


@pytest.mark.parametrize('hollow', [False, True])
def test_a_stand_in_in_mmcv_s_own_folder_would_be_a_hollow_mmcv(tmp_path, hollow):
    if hollow:
        (tmp_path / 'mmcv').mkdir()
        (tmp_path / 'mmcv/_ext.py').touch()
    shutil.copy(ROOT / 'mmcv_ext/finder.py', tmp_path / 'finder.py')
    code = 'import sys; sys.path.insert(0, sys.argv[1]); import finder, mmcv'
    done = subprocess.run(
        [sys.executable, '-S', '-c', code, tmp_path], stderr=-1, text=True, check=False
    )
    assert ("No module named 'mmcv'" in done.stderr) is not hollow


def test_the_stand_in_imports_nothing_of_ours():
    code = 'import sys, mmcv._ext; print(*(m for m in sys.modules if m.startswith("mmlandslide")))'
    assert (
        subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == ''
    )


def test_a_mappers_install_asks_for_nothing_that_trains():
    project = WheelBuilder(str(ROOT)).metadata.core
    base = {Requirement(line).name for line in project.dependencies}
    train = {Requirement(line).name for line in project.optional_dependencies['train']}
    assert not base & train
    assert {'torch', 'torchvision', 'scipy'} <= train
    for stack in ('openmmlab', 'onedl'):
        hosts = {Requirement(line).name for line in project.optional_dependencies[stack]}
        assert train < hosts


@pytest.mark.parametrize('name', ['constraints.txt', 'constraints-onedl.txt'])
@pytest.mark.parametrize('python', ['3.10', '3.11', '3.12'])
def test_constraints_pin_torch_and_torchvision_once_for_each_python(name, python):
    lines = [
        line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith('#')
    ]
    pins = [Requirement(line) for line in lines]
    env = {
        'python_version': python,
        'python_full_version': f'{python}.0',
        'sys_platform': 'linux',
        'platform_machine': 'x86_64',
    }
    chosen = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(env)]
    assert (chosen.count('torch'), chosen.count('torchvision')) == (1, 1)
    assert all(str(pin.specifier).startswith('==') and pin.url is None for pin in pins)
