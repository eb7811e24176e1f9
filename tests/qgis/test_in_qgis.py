"""The plugin in QGIS itself, where Debian's is installed: each algorithm is run without a display."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Debian's `qgis_process` adds an option that its program does not know.
PROCESS = shutil.which('qgis_process.bin')
pytestmark = pytest.mark.skipif(PROCESS is None, reason='QGIS is not installed')
ROOT = Path(__file__).parents[2]


def run(home, algorithm, **parameters):
    """Run an algorithm of the plugin; return its results and what it said."""
    own = {'QGIS_PLUGINPATH': str(ROOT / 'qgis'), 'QT_QPA_PLATFORM': 'offscreen'}
    own |= {'HOME': str(home), 'XDG_RUNTIME_DIR': str(home), 'PATH': os.defpath}
    for command in (['plugins', 'enable', 'mmlandslide'], ['--json', 'run', algorithm, '--']):
        given = [f'{name}={value}' for name, value in parameters.items()]
        more = given if 'run' in command else []
        done = subprocess.run(
            [PROCESS, *command, *more], env=own, capture_output=True, text=True, check=False
        )
    start = done.stdout.find('{')
    return json.loads(done.stdout[start:] or '{}') if start >= 0 else {}, done.stderr


def environment(folder, program):
    path = folder / 'bin/mmlandslide'
    path.parent.mkdir(parents=True)
    path.write_text(f'#!{sys.executable}\nimport sys\n{program}\n')
    path.chmod(0o755)
    return folder


def test_a_scene_is_checked_with_the_options_that_were_given(tmp_path):
    home, scene = tmp_path / 'home', tmp_path / 'scene.tif'
    home.mkdir(mode=0o700)
    scene.touch()
    said = tmp_path / 'said.txt'
    place = environment(tmp_path / 'env', f'open({str(said)!r}, "w").write(" ".join(sys.argv[1:]))')
    found, text = run(
        home, 'mmlandslide:checkscene', SCENE=scene, ENVIRONMENT=place, MORE='--dn-offset 0'
    )
    assert said.is_file(), text
    assert said.read_text() == f'detect {scene} --check --dn-offset 0'
    assert found['results']['OK'] in (True, 1)
