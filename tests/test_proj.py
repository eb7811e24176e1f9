import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import rasterio

from mmlandslide.proj import VARIABLES, forget_foreign_databases

OWN = Path(rasterio.__file__).parent / 'proj_data'


@pytest.fixture
def older(tmp_path):
    """A database of the layout that Debian's PROJ 9.1 has."""
    shutil.copy(OWN / 'proj.db', tmp_path)
    with closing(sqlite3.connect(tmp_path / 'proj.db')) as connection:
        connection.execute(
            "UPDATE metadata SET value = '2' WHERE key = 'DATABASE.LAYOUT.VERSION.MINOR'"
        )
        connection.commit()
    return tmp_path


@pytest.mark.parametrize('name', VARIABLES)
def test_an_older_or_missing_database_is_forgotten(monkeypatch, older, tmp_path, name):
    for folder in (older, tmp_path / 'nowhere'):
        monkeypatch.setenv(name, str(folder))
        assert forget_foreign_databases() == [name]
        assert name not in os.environ


def test_a_database_that_rasterio_can_read_stays(monkeypatch):
    monkeypatch.setenv('PROJ_DATA', f'/nowhere{os.pathsep}{OWN}')
    assert forget_foreign_databases() == []
    assert os.environ['PROJ_DATA'] == f'/nowhere{os.pathsep}{OWN}'


@pytest.mark.parametrize('name', VARIABLES)
def test_scenes_are_placed_on_the_map_under_another_install_s_database(older, name):
    code = (
        'import mmlandslide.scenes.outputs.footprint as footprint\n'
        'from mmlandslide.scenes.frame import GeoBox\n'
        'from rasterio.crs import CRS\nfrom rasterio.transform import from_origin\n'
        'crs = CRS.from_epsg(32633)\n'
        'print(GeoBox(2, 2, from_origin(500000, 5000000, 10, 10), crs).gsd_m)'
    )
    env = {**os.environ, name: str(older)}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=env)
    assert done.stderr == ''
    assert float(done.stdout) == pytest.approx(10 / 0.9996, rel=1e-5)
