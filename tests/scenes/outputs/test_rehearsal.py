"""What doctor tries besides imports, on machines that lack something."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from mmlandslide import proj
from mmlandslide.cli import doctor
from mmlandslide.scenes.outputs import rehearsal
from mmlandslide.scenes.outputs.rehearsal import findings

RUN = f'from {rehearsal.__name__} import main; main()'


def rows(folder, before='', **env):
    """Return name -> (value, remedy, fault) of a rehearsal in a folder after some code."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', before + RUN],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(Path(rehearsal.__file__).parents[3]), **env},
    )
    assert done.returncode == 0, done.stderr
    return {name: rest for name, *rest in json.loads(done.stdout)}


def test_a_sound_machine_places_warps_and_writes_and_nothing_is_left_behind(tmp_path):
    found = rows(tmp_path)
    assert not any(fault for _, _, fault in found.values())
    assert found['GeoPackage'][0] == f'written and read in {tmp_path}'
    assert not list(tmp_path.iterdir())


def test_another_program_s_projections_do_no_harm_and_are_named(tmp_path, monkeypatch):
    (tmp_path / 'proj.db').write_bytes(b'')
    assert not rows(tmp_path, PROJ_DATA=str(tmp_path))['map projection'][2]
    monkeypatch.setenv('PROJ_LIB', str(tmp_path))
    proj.forget_foreign_databases()
    monkeypatch.chdir(tmp_path)
    found = {finding.name: finding for finding in findings()}
    assert (found['PROJ_LIB'].value, found['PROJ_LIB'].fault) == (str(tmp_path), False)


def test_a_database_that_knows_no_projection_is_a_fault_with_its_remedy(tmp_path):
    # A copy of rasterio's own layout, emptied: nothing tells that it is another's.
    shutil.copy(Path(rasterio.__file__).parent / 'proj_data' / 'proj.db', tmp_path)
    empty = (
        f'import sqlite3; c = sqlite3.connect({str(tmp_path / "proj.db")!r}); '
        'c.execute("DELETE FROM projected_crs"); c.commit(); c.close(); '
    )
    value, remedy, fault = rows(tmp_path, empty, PROJ_DATA=str(tmp_path))['map projection']
    assert fault
    assert (value, 'Unset PROJ_DATA' in remedy) == ('fails', True)


@pytest.mark.skipif(sys.platform == 'win32', reason='no such limit')
def test_a_disk_without_room_is_a_fault(tmp_path):
    full = (
        'import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); '
        'resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); '
    )
    _, remedy, fault = rows(tmp_path, full)['GeoPackage']
    assert fault
    assert remedy.startswith('Free space')


def test_without_locks_a_note_says_what_to_take_care_of(tmp_path):
    value, remedy, fault = rows(tmp_path, 'import sys; sys.modules["fcntl"] = None; ')['locks']
    assert (value.startswith('none here'), fault) == (True, False)
    assert 'no two runs' in remedy


def test_without_a_home_a_note_names_the_cache_s_variable(tmp_path):
    homeless = 'import pwd, os; os.environ.pop("HOME"); os.getuid = lambda: 987654; '
    value, remedy, fault = rows(tmp_path, homeless)['home']
    assert (value, fault) == ('none', False)
    assert 'MMLANDSLIDE_CACHE' in remedy


def test_doctor_shows_what_the_rehearsal_found(monkeypatch):
    from click.testing import CliRunner

    found = doctor.Finding('GeoPackage', 'fails', 'Free space', fault=True)
    monkeypatch.setattr(doctor.installation, 'examine', list)
    monkeypatch.setattr(doctor.rehearsal, 'findings', lambda: [found])
    result = CliRunner().invoke(doctor.command, env={'COLUMNS': '200'})
    assert result.exit_code == 1
    assert 'Free space' in result.output
