import errno
import json
import sys
from dataclasses import replace

import geopandas as gpd
import planted_scene
import pytest
from rasterio._err import CPLE_AppDefinedError

from mmlandslide.errors import ConfigError, SceneError, StorageError
from mmlandslide.scenes import run
from mmlandslide.scenes.outputs import writer
from mmlandslide.scenes.outputs.overview import overview_of
from mmlandslide.scenes.outputs.writer import (
    ON_THE_MAP,
    Result,
    require_free,
    write,
    writers_for,
)
from mmlandslide.scenes.scene import InputFile

SUFFIXES = ['.geojson', '.gpkg', '.png', '.qml', '.run.json', '.stac.json']
RECORD = {
    'created': '2026-01-02T03:04:05+00:00',
    'seconds': 1.5,
    'detections': 1,
    'versions': {'mmlandslide': '1.0'},
}


def result(boxes=((5, 5, 9, 9),)):
    scene = planted_scene.scene(boxes=boxes)
    return Result(run.predict(planted_scene.job(scene)), scene, RECORD)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_files_stand_beside_each_other(tmp_path):
    paths = write(result(), tmp_path / 'new' / 'b.gpkg', ON_THE_MAP)
    assert (
        names(tmp_path / 'new')
        == [f'b{suffix}' for suffix in SUFFIXES]
        == sorted(path.name for path in paths)
    )
    assert json.loads((tmp_path / 'new' / 'b.run.json').read_text()) == RECORD
    assert (
        len(gpd.read_file(tmp_path / 'new' / 'b.gpkg'))
        == len(gpd.read_file(tmp_path / 'new' / 'b.geojson'))
        == 1
    )


def test_a_name_with_dots_keeps_them(tmp_path):
    write(result(), tmp_path / 'S2A.20150711.gpkg', ON_THE_MAP)
    assert names(tmp_path) == [f'S2A.20150711{suffix}' for suffix in SUFFIXES]


@pytest.mark.parametrize('failing', SUFFIXES)
@pytest.mark.parametrize('older', [False, True])
def test_an_error_of_any_writer_leaves_what_was_there(tmp_path, failing, older):
    def full(result, path):
        path.write_bytes(b'half')
        raise OSError(errno.ENOSPC, 'No space left on device')

    if older:
        write(result(), tmp_path / 'b.gpkg', ON_THE_MAP)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StorageError, match="be written whole, got 'No space left on device'"):
        write(result(boxes=()), tmp_path / 'b.gpkg', {**ON_THE_MAP, failing: full})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_output_that_is_there_must_be_overwritten_on_purpose(tmp_path):
    (tmp_path / 'b.geojson').write_text('mine')
    with pytest.raises(ConfigError, match=r"not be there yet, got \['b.geojson'\].*--overwrite"):
        require_free(tmp_path / 'b.gpkg', ON_THE_MAP, overwrite=False)
    require_free(tmp_path / 'b.gpkg', ON_THE_MAP, overwrite=True)


def test_a_folder_is_never_overwritten(tmp_path):
    (tmp_path / 'b.gpkg').mkdir()
    with pytest.raises(StorageError, match=r"be a file, got folders \['b.gpkg'\]"):
        require_free(tmp_path / 'b.gpkg', ON_THE_MAP, overwrite=True)


@pytest.mark.parametrize(
    ('crs', 'suffix', 'works'),
    [
        (planted_scene.UTM, '.kml', ['.gpkg', '.parquet', '.shp', '.geojson']),
        (planted_scene.UTM, '.GPKG', ['.gpkg', '.parquet', '.shp', '.geojson']),
        (None, '.geojson', ['.gpkg', '.parquet', '.shp']),
    ],
)
def test_another_kind_of_file_is_refused_with_those_that_work(crs, suffix, works):
    with pytest.raises(ConfigError, match='output must end in one of') as error:
        writers_for(planted_scene.scene(crs=crs), suffix=suffix)
    assert f'{works}, got {suffix!r}' in str(error.value)


def test_a_parquet_that_nothing_can_write_is_refused_before_the_search(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(ConfigError, match=r"have pyarrow.*pip install 'mmlandslide\[parquet\]'"):
        writers_for(planted_scene.scene(), suffix='.parquet')


def test_a_shapefile_is_several_files_with_a_style_of_its_own_names(tmp_path):
    scene = planted_scene.scene(boxes=[(5, 5, 9, 9)])
    job = planted_scene.calibrated_job(scene, replace(planted_scene.SETTINGS, expected=True))
    run.write(job, tmp_path / 'b.shp')
    parts = ['.cpg', '.dbf', '.prj', '.shp', '.shx']
    rest = ['.png', '.qml', '.run.json', '.stac.json']
    expected = [f'b.expected{part}' for part in parts]
    assert names(tmp_path) == sorted([f'b{each}' for each in (*parts, *rest)] + expected)
    assert 'attr="prob"' in (tmp_path / 'b.qml').read_text()
    assets = json.loads((tmp_path / 'b.stac.json').read_text())['assets'].values()
    assert sorted(each['href'][2:] for each in assets) == names(tmp_path)[:-1]


def test_a_geojson_alone_leaves_out_the_geopackage(tmp_path):
    run.write(planted_scene.job(planted_scene.scene(boxes=[(5, 5, 9, 9)])), tmp_path / 'b.geojson')
    assert names(tmp_path) == [f'b{each}' for each in SUFFIXES if each != '.gpkg']
    assert len(gpd.read_file(tmp_path / 'b.geojson')) == 1


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(
        StorageError, match=r"be written whole, got 'File exists' in .*file/b|got 'Not a directory'"
    ):
        write(result(), tmp_path / 'file' / 'b.gpkg', ON_THE_MAP)


def test_a_plain_tile_has_no_geojson(tmp_path):
    one = result()
    tile = replace(one.scene, frame=planted_scene.scene(crs=None).frame)
    write(replace(one, scene=tile), tmp_path / 'b.gpkg', writers_for(tile))
    assert names(tmp_path) == ['b.gpkg', 'b.png', 'b.qml', 'b.run.json']
    assert writers_for(one.scene) == writer.ON_THE_MAP


def test_a_report_is_written_where_it_is_asked_for_and_the_item_names_it(tmp_path):
    one = result()
    write(one, tmp_path / 'b.gpkg', writers_for(one.scene, report=True))
    assert names(tmp_path) == sorted([*(f'b{suffix}' for suffix in SUFFIXES), 'b.html'])
    assets = json.loads((tmp_path / 'b.stac.json').read_text())['assets'].values()
    assert sorted(asset['href'] for asset in assets) == [
        f'./{name}' for name in names(tmp_path) if name != 'b.stac.json'
    ]


def test_the_scene_is_read_for_its_pictures_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        writer, 'overview_of', lambda scene: calls.append(scene) or overview_of(scene)
    )
    one = result()
    write(one, tmp_path / 'b.gpkg', writers_for(one.scene, report=True))
    assert calls == [one.scene]


def test_a_file_that_is_read_is_never_replaced(tmp_path):
    (tmp_path / 'tile.png').write_text('mine')
    read = [InputFile.of(tmp_path / 'tile.png')]
    for overwrite in (False, True):
        with pytest.raises(
            ConfigError, match=r"replace none of the files that are read, got \['tile.png'\]"
        ):
            require_free(tmp_path / 'tile.gpkg', ON_THE_MAP, overwrite, read)
    require_free(tmp_path / 'other.gpkg', ON_THE_MAP, False, read)


def test_an_error_of_gdal_is_one_of_the_scene(tmp_path):
    def lost(result, path):
        raise CPLE_AppDefinedError(1, 1, 'Invalid dimensions')

    with pytest.raises(
        SceneError, match=r"one that GDAL can place for b.qml, got 'Invalid dimensions' in planted"
    ):
        write(result(), tmp_path / 'b.gpkg', {**ON_THE_MAP, '.qml': lost})
    assert names(tmp_path) == []
