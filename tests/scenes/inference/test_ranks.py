import os
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import planted_scene
import pytest

SCRIPT = Path(planted_scene.__file__)
SUFFIXES = ('.geojson', '.gpkg', '.png', '.qml', '.run.json', '.stac.json')
BOXES = len(planted_scene.boxes(0, 220, 230))
#: GDAL states the time of writing in a GeoPackage unless it is told one.
SAME_TIME = {
    'OGR_CURRENT_DATE': '2026-01-01T00:00:00.000Z',
    'OMP_NUM_THREADS': '1',
    'PYTHONPATH': os.pathsep.join(map(str, (SCRIPT.parents[1], SCRIPT.parent))),
}


def run(out, processes=1, limit_bytes=None):
    """Detect as a user does; return what is said."""
    launch = (
        ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(processes)]
        if processes > 1
        else []
    )
    command = [sys.executable, *launch, str(SCRIPT), str(out)]
    limit = (
        ['bash', '-c', f'ulimit -f {limit_bytes // 1024}; exec "$@"', 'bash'] if limit_bytes else []
    )
    environment = {**os.environ, **SAME_TIME}
    return subprocess.run(
        [*limit, *command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_two_processes_write_what_one_writes(tmp_path):
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        done = run(tmp_path / str(processes) / 'out.gpkg', processes)
        assert done.returncode == 0, done.stderr
    one, two = (sorted((tmp_path / name).iterdir()) for name in '12')
    assert (
        [path.name for path in one]
        == [path.name for path in two]
        == [f'out{suffix}' for suffix in SUFFIXES]
    )
    for first, second in zip(one[:4], two[:4], strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert len(gpd.read_file(one[1])) == BOXES


def test_a_killed_run_resumes_and_writes_the_same(tmp_path):
    assert run(tmp_path / 'whole.gpkg').returncode == 0
    out, command = tmp_path / 'killed.gpkg', [sys.executable, str(SCRIPT)]
    started = subprocess.Popen(
        [*command, str(out), '5'], env={**os.environ, **SAME_TIME}, stderr=subprocess.DEVNULL
    )
    while not (finished := list(tmp_path.glob('killed.gpkg.blocks/*/block-*'))):
        assert started.poll() is None
        time.sleep(0.05)
    started.kill()
    started.wait()
    assert not out.exists()
    assert len(finished) < 4
    assert run(out).returncode == 0
    for suffix in ('.gpkg', '.geojson'):
        assert out.with_suffix(suffix).read_bytes() == (tmp_path / f'whole{suffix}').read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        f'{name}{suffix}' for name in ('whole', 'killed') for suffix in SUFFIXES
    }


@pytest.mark.parametrize('limit_bytes', [1024, 65536])
def test_a_full_disk_leaves_no_output(tmp_path, limit_bytes):
    """A limit on file sizes ends a block (1 KiB) or the GeoPackage (64 of 96 KiB)."""
    done = run(tmp_path / 'out.gpkg', limit_bytes=limit_bytes)
    assert done.returncode != 0
    assert 'must be written whole' in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ['out.gpkg.blocks']
    assert run(tmp_path / 'out.gpkg').returncode == 0
    assert len(gpd.read_file(tmp_path / 'out.gpkg')) == BOXES
