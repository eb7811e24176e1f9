import json
import subprocess
import sys

import factories
import geopandas as gpd
import numpy as np
import pytest
import tiny_detector
import torch
from click.testing import CliRunner
from PIL import Image
from shapely import box

from mmlandslide.bands import BANDS
from mmlandslide.cli.main import main

OPTIONS = [
    '--window',
    '32',
    '--overlap',
    '12',
    '--score-thr',
    '0.2',
    '--device',
    'cpu',
    '--scale',
    'landslide4sense',
    '--no-check',
]
SUFFIXES = ['.html', '.gpkg', '.qml', '.png', '.run.json', '.geojson', '.stac.json']
ORDER = ['--band-order', ','.join(tiny_detector.BANDS)]


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    config, checkpoint = tiny_detector.write(tmp_path_factory.mktemp('tiny'))
    return ['--config', str(config), '--checkpoint', str(checkpoint)]


def detect(*arguments):
    return CliRunner().invoke(main, ['detect', *map(str, arguments)])


def scene(folder, **options):
    return factories.write_tiff(folder / 'scene.tif', tiny_detector.image(50, 60), **options)


def test_a_scene_becomes_layers_and_a_record(model, tmp_path):
    result = detect(
        scene(tmp_path),
        *model,
        *OPTIONS,
        *ORDER,
        '--out',
        tmp_path / 'out.gpkg',
        '--join',
        '--merge',
        'wbf',
        '--report',
    )
    assert result.exit_code == 0, result.output
    assert [line.rpartition('out')[2] for line in result.stdout.splitlines()] == SUFFIXES
    layer = gpd.read_file(tmp_path / 'out.gpkg')
    assert (len(layer) > 0, layer.crs.to_epsg(), layer['score'].min() >= 0.2) == (True, 32633, True)
    settings = json.loads((tmp_path / 'out.run.json').read_text())['settings']
    assert (settings['window_px'], settings['method'], settings['join'], settings['tta']) == (
        32,
        'wbf',
        True,
        'none',
    )


def test_a_checkpoint_of_other_bands_is_taken_where_that_is_accepted(model, tmp_path):
    checkpoint = torch.load(model[3], weights_only=True)
    checkpoint['meta']['mmlandslide']['bands'] = ['B4', 'DEM', 'slope']
    torch.save(checkpoint, tmp_path / 'other.pth')
    other = [*model[:3], tmp_path / 'other.pth']
    command = [scene(tmp_path), *other, *OPTIONS, *ORDER, '--out', tmp_path / 'out.gpkg']
    refused = detect(*command)
    assert (refused.exit_code, '--accept bands of detect' in refused.stderr) == (1, True)
    assert detect(*command, '--accept', 'bands').exit_code == 0


def test_output_that_is_there_needs_overwrite(model, tmp_path):
    path, out = scene(tmp_path), tmp_path / 'out.gpkg'
    out.write_text('mine')
    refused = detect(path, *model, *OPTIONS, *ORDER, '--out', out)
    assert (refused.exit_code, out.read_text()) == (1, 'mine')
    assert "error: output must not be there yet, got ['out.gpkg']" in refused.stderr
    assert detect(path, *model, *OPTIONS, *ORDER, '--out', out, '--overwrite').exit_code == 0
    assert len(gpd.read_file(out)) > 0


def test_files_of_one_band_each_are_a_scene(model, tmp_path):
    image = tiny_detector.image(50, 60)
    image[2] *= BANDS['DEM'].divisor  # a file of elevation holds metres
    paths = [
        factories.write_tiff(tmp_path / f'{number}.tif', band) for number, band in enumerate(image)
    ]
    bands = [f'--band={band}={path}' for band, path in zip(tiny_detector.BANDS, paths, strict=True)]
    apart = detect(*bands, *model, *OPTIONS, '--out', tmp_path / 'apart.gpkg')
    assert apart.exit_code == 0, apart.output
    detect(scene(tmp_path), *model, *OPTIONS, *ORDER, '--out', tmp_path / 'whole.gpkg')
    one, other = (gpd.read_file(tmp_path / f'{name}.gpkg')['score'] for name in ('apart', 'whole'))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_folder_of_tiles_becomes_a_folder_of_layers(model, tmp_path):
    for number in (1, 2):
        factories.write_array(
            tmp_path / 'tiles' / f'image_{number}.npy', tiny_detector.image(seed=number)
        )
    result = detect(tmp_path / 'tiles', *model, *OPTIONS, *ORDER, '--out', tmp_path / 'found')
    assert result.exit_code == 0, result.output
    names = [
        f'image_{number}{suffix}'
        for number in (1, 2)
        for suffix in ('.gpkg', '.png', '.qml', '.run.json')
    ]
    assert sorted(path.name for path in (tmp_path / 'found').iterdir()) == names


def test_an_error_of_the_input_is_one_line_and_leaves_nothing(model, tmp_path):
    result = detect(tmp_path / 'none.tif', *model, *OPTIONS, '--out', tmp_path / 'out.gpkg')
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith('error: scene must exist, got nothing in ')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('--band=B4', "must be NAME=VALUE, got 'B4'"),
        ('--fill=B10=dark', "B10 must be a number or mean, got 'dark'"),
    ],
)
def test_a_malformed_pair_is_named(model, tmp_path, option, message):
    result = detect(scene(tmp_path), *model, option, '--out', tmp_path / 'out.gpkg')
    assert (result.exit_code, message in result.output) == (2, True)


def tiles(folder, numbers=(1, 2, 3)):
    for number in numbers:
        factories.write_array(folder / f'image_{number}.npy', tiny_detector.image(seed=number))
    return folder


def test_an_interrupted_folder_goes_on_and_leaves_alone_what_is_done(model, tmp_path):
    folder, command = (
        tiles(tmp_path / 'tiles'),
        [*model, *OPTIONS, *ORDER, '--out', tmp_path / 'found'],
    )
    (folder / 'image_2.npy').write_bytes(b'broken')
    assert detect(folder, *command).exit_code == 1
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'found').iterdir()}
    tiles(folder, (2,))
    result = detect(folder, *command)
    assert result.exit_code == 0, result.output
    assert (len(before), len(list((tmp_path / 'found').iterdir()))) == (4, 12)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize('changed', [['--join'], ['--score-thr', '0.25'], ['--report']])
def test_a_folder_of_another_search_is_not_taken_for_done(model, tmp_path, changed):
    folder, command = (
        tiles(tmp_path / 'tiles', (1,)),
        [*model, *OPTIONS, *ORDER, '--out', tmp_path / 'found'],
    )
    assert detect(folder, *command).exit_code == 0
    refused = detect(folder, *command, *changed)
    assert (refused.exit_code, 'output must not be there yet' in refused.stderr) == (1, True)
    assert detect(folder, *command, *changed, '--overwrite').exit_code == 0


def test_tiles_that_would_write_the_same_files_are_refused_before_any_is_searched(model, tmp_path):
    folder = tiles(tmp_path / 'tiles', (1, 2))
    factories.write_tiff(folder / 'image_2.tif', tiny_detector.image())
    result = detect(folder, *model, *OPTIONS, *ORDER, '--out', tmp_path / 'found')
    assert result.exit_code == 1
    assert "differ before the suffix, got ['image_2']" in result.stderr
    assert not (tmp_path / 'found').exists()


def test_processes_share_the_tiles_of_a_folder(model, tmp_path):
    folder, out = tiles(tmp_path / 'tiles'), tmp_path / 'found'
    launch = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        '--standalone',
        '--nproc-per-node',
        '2',
        '-m',
        'mmlandslide',
        'detect',
    ]
    command = [*launch, folder, *model, *OPTIONS, *ORDER, '--out', out]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    devices = [
        json.loads((out / f'image_{number}.run.json').read_text())['processes']
        for number in (1, 2, 3)
    ]
    assert (devices, len(list(out.iterdir()))) == ([1, 1, 1], 12)


def test_a_tile_that_bears_the_name_of_the_quick_look_survives(model, tmp_path):
    path = tmp_path / 'tile.png'
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    before = path.read_bytes()
    result = detect(path, *model, *OPTIONS, *ORDER, '--out', tmp_path / 'tile.gpkg', '--overwrite')
    assert (result.exit_code, path.read_bytes() == before) == (1, True)
    assert "replace none of the files that are read, got ['tile.png']" in result.stderr


@pytest.mark.parametrize(
    ('source', 'out', 'single'),
    [
        ('tiles', 'out_v1.0', False),
        ('tiles', 'there_v1.0', False),
        ('scene.tif', 'there_v1.0', False),
        ('scene.tif', 'a.gpkg', True),
        ('tiles', 'out', False),
        (None, 'a.gpkg', True),
    ],
)
def test_a_folder_of_tiles_gets_a_folder_whatever_its_name(tmp_path, source, out, single):
    from mmlandslide.cli.parts.scene_source import is_single

    for name in ('tiles', 'there_v1.0'):
        (tmp_path / name).mkdir()
    source = None if source is None else str(tmp_path / source)
    assert is_single(source, tmp_path / out) == single


@pytest.mark.parametrize(
    ('arguments', 'got'),
    [
        (['--config', 'a.py'], '--config'),
        (['--model', 'a.onnx', '--checkpoint', 'a.pth'], '--checkpoint and --model'),
    ],
)
def test_a_detector_is_named_in_one_way(arguments, got):
    result = CliRunner().invoke(main, ['detect', 'a.tif', '--out', 'a.gpkg', *arguments])
    assert result.exit_code == 2
    assert f'--model alone; got {got}' in result.stderr


def test_the_console_says_how_much_was_found_searched_and_masked(model, tmp_path):
    # 15 of 50 rows lie under the mask.
    hidden = np.zeros((1, 50, 60), np.float32)
    hidden[:, :15] = 1
    mask = factories.write_tiff(tmp_path / 'mask.tif', hidden)
    out = ['--out', tmp_path / 'out.gpkg', '--mask', mask]
    result = detect(scene(tmp_path), *model, *OPTIONS, *ORDER, *out)
    assert result.exit_code == 0, result.output
    count = len(gpd.read_file(tmp_path / 'out.gpkg'))
    line = f'{count} landslides found; 70 % of the scene was searched; the mask hides 30 %'
    assert line in result.stderr


def test_what_lies_in_the_area_of_interest_is_kept(model, tmp_path):
    # The western half of 60 px of 10 m, drawn in degrees.
    area = gpd.GeoSeries([box(500000, 4999000, 500300, 5000000)], crs='EPSG:32633')
    area.to_crs('EPSG:4326').to_file(tmp_path / 'aoi.geojson')
    command = [scene(tmp_path), *model, *OPTIONS, *ORDER, '--out']
    whole = detect(*command, tmp_path / 'all.gpkg')
    part = detect(*command, tmp_path / 'part.shp', '--aoi', tmp_path / 'aoi.geojson')
    assert (whole.exit_code, part.exit_code) == (0, 0), part.output
    found, kept = gpd.read_file(tmp_path / 'all.gpkg'), gpd.read_file(tmp_path / 'part.shp')
    inside = found[found.centroid.x < 500300]
    assert 0 < len(inside) < len(found)
    assert kept.geometry.bounds.to_numpy() == pytest.approx(inside.geometry.bounds.to_numpy())
    assert f'{len(inside)} landslides found' in part.stderr


def test_a_check_says_how_the_scene_is_read_and_writes_nothing(tmp_path):
    values = np.random.default_rng(0).uniform(500, 2500, (3, 130, 140)).astype(np.uint16)
    path = factories.write_tiff(tmp_path / 'scene.tif', values)
    result = detect(path, '--check', '--band-order', 'B4,B3,B2', '--no-check')
    assert result.exit_code == 0, result.output
    assert 'scene: 140 x 130 px, 10 m, EPSG:32633; taken: unknown' in result.stdout
    assert 'bands B4 B3 B2' in result.stdout
    assert 'warning: scene is beyond what the detector was trained on' in result.stdout
    assert [each.name for each in tmp_path.iterdir()] == ['scene.tif']


@pytest.mark.parametrize('more', [[], ['--check', '--out', 'a.gpkg']])
def test_an_output_is_named_or_the_scene_is_checked(more):
    result = detect('a.tif', *more)
    assert result.exit_code == 2
    assert 'pass --out, or --check alone' in result.stderr


def test_without_a_model_the_default_of_the_zoo_searches_reflectance(tmp_path):
    values = np.random.default_rng(0).uniform(500, 2500, (3, 130, 140)).astype(np.uint16)
    path = factories.write_tiff(tmp_path / 'scene.tif', values)
    order = ('--band-order', 'B4,B3,B2', '--score-thr', '0.05', '--no-check')
    result = detect(path, '--out', tmp_path / 'out.gpkg', *order)
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / 'out.run.json').read_text())
    assert record['settings']['window_px'] == 128  # of 10 m, shown at 224 px
    assert record['scene']['bands'] == ['B4', 'B3', 'B2']
    assert record['training_range']['distance'] > 1  # noise is no ground
    assert 'warning: scene is beyond what the detector was trained on' in result.stderr


@pytest.mark.parametrize('kind', [np.uint16, np.float32])
def test_rgb_of_16_bit_or_from_0_to_1_is_refused(tmp_path, kind):
    draws = np.random.default_rng(0).uniform(0, 1, (3, 64, 64))
    values = (draws * 65535).astype(kind) if kind is np.uint16 else draws.astype(kind)
    path = factories.write_tiff(tmp_path / 'scene.tif', values)
    result = detect(path, '--out', tmp_path / 'out.gpkg', '--band-order', 'R,G,B')
    assert result.exit_code == 1
    assert 'must hold 0 to 255' in result.stderr
    assert not (tmp_path / 'out.gpkg').exists()


def test_a_model_that_the_zoo_lacks_is_refused_with_those_that_it_has(tmp_path):
    result = detect(tmp_path / 'a.tif', '--out', tmp_path / 'a.gpkg', '--model', 'nothing')
    assert result.exit_code == 1
    assert "model must be one of ['mobilenet_v2_rgb']" in result.stderr
