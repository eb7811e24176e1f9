import os
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import planted_scene
import pytest

SCRIPT = Path(planted_scene.__file__)
#: GDAL states the time of writing in a GeoPackage unless it is told one.
SAME_TIME = {'OGR_CURRENT_DATE': '2026-01-01T00:00:00.000Z', 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(SCRIPT.parent)}


def run(out, processes=1, limit_bytes=None):
    """Detect as a user does; return what is said."""
    launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(processes)] if processes > 1 else []
    command = [sys.executable, *launch, str(SCRIPT), str(out)]
    limit = ['bash', '-c', f'ulimit -f {limit_bytes // 1024}; exec "$@"', 'bash'] if limit_bytes else []
    environment = {**os.environ, **SAME_TIME}
    return subprocess.run([*limit, *command], env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_two_processes_write_what_one_writes(tmp_path):
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        done = run(tmp_path / str(processes) / 'out.gpkg', processes)
        assert done.returncode == 0, done.stderr
    one, two = (sorted((tmp_path / name).iterdir()) for name in '12')
    assert [path.name for path in one] == [path.name for path in two] == ['out.geojson', 'out.gpkg', 'out.run.json']
    for first, second in zip(one[:2], two[:2], strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert len(gpd.read_file(one[1])) == len(planted_scene.boxes())


@pytest.mark.parametrize('limit_bytes', [1024, 65536])
def test_a_full_disk_leaves_no_output(tmp_path, limit_bytes):
    """A limit on the size of files ends a block (1 KiB) or the GeoPackage (64 KiB; it has 96) as a full disk does."""
    done = run(tmp_path / 'out.gpkg', limit_bytes=limit_bytes)
    assert done.returncode != 0
    assert 'must be written whole' in done.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ['out.gpkg.blocks']
    assert run(tmp_path / 'out.gpkg').returncode == 0
    assert len(gpd.read_file(tmp_path / 'out.gpkg')) == len(planted_scene.boxes())
