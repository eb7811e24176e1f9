"""What runs without PyTorch, its hosts and fcntl: each test starts a Python that has none."""

import json
import subprocess
import sys
from pathlib import Path

import factories
import pytest
import tiny_detector

from mmlandslide.scenes.inference.onnx.export import export

BLOCKED = """
import sys
for name in (
    *('torch', 'torchvision', 'mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'fcntl'),
    *('cv2', 'faster_coco_eval', 'h5py', 'matplotlib', 'pydantic', 'safetensors', 'sklearn', 'scipy'),
):
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


def test_an_exported_detector_searches_a_scene(tmp_path):
    files = tiny_detector.write(tmp_path)
    model = export(*files, tmp_path / 'model.onnx', window_px=32, num_tiles=4).path
    scene = factories.write_tiff(tmp_path / 'scene.tif', tiny_detector.image(40, 50))
    order = ['--band-order', ','.join(tiny_detector.BANDS), '--scale', 'landslide4sense']
    out = ['--out', tmp_path / 'out.gpkg', '--score-thr', '0', '--no-check']
    done = run(CLI, 'detect', scene, '--model', model, *order, *out)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / 'out.run.json').read_text())
    # The windows of 32 px overlap by a quarter: 40 x 50 px take 2 x 2 of them.
    assert (record['windows'], record['settings']['overlap_px']) == (4, 8)
    assert record['detections'] > 10
    assert record['model']['onnx'] == str(model)


def test_a_verb_of_training_names_the_install_that_has_it(tmp_path):
    done = run(CLI, 'study', tmp_path / 'study.yaml')
    assert done.returncode == 1
    assert 'environment must have the packages for training, got no pydantic' in done.stderr
    assert '[openmmlab]' in done.stderr


def test_an_hdf5_tile_without_h5py_is_one_clear_error(tmp_path):
    model = export(
        *tiny_detector.write(tmp_path), tmp_path / 'model.onnx', window_px=32, num_tiles=4
    )
    (tmp_path / 'tile.h5').write_bytes(b'\x89HDF\r\n\x1a\n')
    out = ['--out', tmp_path / 'out.gpkg', '--band-order', ','.join(tiny_detector.BANDS)]
    done = run(CLI, 'detect', tmp_path / 'tile.h5', '--model', model.path, *out)
    assert done.returncode == 1
    assert 'must have h5py for HDF5' in done.stderr
