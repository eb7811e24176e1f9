"""What runs without PyTorch, its hosts and fcntl: each test starts a Python that has none."""

import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'fcntl'):
    sys.modules[name] = None
"""
IMPORTS = """
import importlib, pkgutil
import mmlandslide.scenes as scenes
rooms = (room.name for room in pkgutil.walk_packages(scenes.__path__, 'mmlandslide.scenes.'))
verbs = (f'mmlandslide.cli.{verb}' for verb in ('main', 'detect', 'doctor'))
ground = ('mmlandslide.bands', 'mmlandslide.files', 'mmlandslide.errors')
print(len([importlib.import_module(name) for name in (*rooms, *verbs, *ground)]))
"""
CLI = """
from mmlandslide.cli.main import main
main(sys.argv[1:], prog_name='mmlandslide')
"""
SCENE = """
from pathlib import Path
import numpy as np, rasterio
from mmlandslide.scenes.inference.components import ComponentPredictor
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.run import write
out, bands = Path(sys.argv[1]), ('B4', 'slope', 'DEM')
values = np.ones((3, 60, 70), np.float32)
values[0, 5:15, 8:20] = 3
path, grid = out / 'scene.tif', rasterio.transform.from_origin(500000, 5000000, 10, 10)
shape = {'driver': 'GTiff', 'count': 3, 'height': 60, 'width': 70, 'dtype': 'float32'}
with rasterio.open(path, 'w', crs='EPSG:32633', transform=grid, **shape) as target:
    target.write(values)
options = InputOptions(band_order=bands, scale='landslide4sense', check_values=False)
job = InferenceJob(
    open_scene(path, bands, options), ComponentPredictor(bands, 'B4', 2), Settings(), {}
)
print(*(each.name for each in write(job, out / 'out.gpkg', report=True)))
"""


def run(code, *arguments):
    done = subprocess.run(
        [sys.executable, '-c', BLOCKED + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={'PYTHONPATH': f'{Path(__file__).parents[1]}:{Path(__file__).parent}'},
    )
    assert 'Traceback' not in done.stderr, done.stderr
    return done


def test_all_of_scenes_is_importable():
    assert int(run(IMPORTS).stdout) > 40


@pytest.mark.parametrize('arguments', [['--help'], ['detect', '--help'], ['doctor', '--help']])
def test_help_is_shown(arguments):
    done = run(CLI, *arguments)
    assert done.returncode == 0
    assert 'mmlandslide' in done.stdout


def test_doctor_says_what_is_missing_and_does_not_crash():
    assert run(CLI, 'doctor').returncode in (0, 1)


def test_a_scene_is_read_and_all_layers_are_written(tmp_path):
    names = 'out.html out.gpkg out.qml out.png out.run.json out.geojson out.stac.json'
    assert run(SCENE, tmp_path).stdout.split() == names.split()
