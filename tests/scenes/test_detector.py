import json
import subprocess
import sys

import factories
import geopandas as gpd
import numpy as np
import pytest
import tiny_detector

from mmlandslide import LandslideDetector
from mmlandslide.engine.visual.visualizer import tile_panel
from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.onnx.export import export
from mmlandslide.scenes.inputs.options import InputOptions

OPTIONS = {'window_px': 32, 'overlap_px': 12, 'score_thr': 0.2}
ORDER = InputOptions(band_order=tiny_detector.BANDS, scale='landslide4sense', check_values=False)


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    return LandslideDetector(*tiny_detector.write(tmp_path_factory.mktemp('tiny')), device='cpu')


def test_importing_the_package_imports_no_host():
    hosts = '("torch", "mmdet", "mmengine")'
    found = f'(name for name in sys.modules if name.split(".")[0] in {hosts})'
    code = f'import sys, mmlandslide; print(*{found})'
    assert (
        subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == ''
    )


def test_an_array_a_file_and_an_open_scene_give_the_same(detector, tmp_path):
    image = tiny_detector.image(50, 60)
    path = factories.write_tiff(tmp_path / 'scene.tif', image)
    from_array = detector(image, **OPTIONS)
    from_file = detector(path, options=ORDER, **OPTIONS)
    from_scene = detector(detector.open(path, ORDER), **OPTIONS)
    assert len(from_array) > 5
    assert from_file.equals(from_scene)
    assert (from_file.crs.to_epsg(), from_array.crs) == (32633, None)
    np.testing.assert_allclose(from_array['score'], from_file['score'], atol=1e-6)
    # Pixels of 10 m from (500000, 5000000), rows downwards; the file's elevation is rounded to
    # float32 metres on the way.
    corners = from_file.bounds[['minx', 'maxy']].to_numpy()
    in_px = np.stack([(corners[:, 0] - 500000) / 10, (5000000 - corners[:, 1]) / 10], axis=1)
    nearest = (
        np.abs(in_px[:, None] - from_array.bounds[['minx', 'miny']].to_numpy())
        .max(axis=-1)
        .min(axis=1)
    )
    assert nearest.max() < 1e-3


def test_a_sample_is_what_mmdetection_s_users_know(detector):
    sample = detector(tiny_detector.image(48, 64), as_='sample', score_thr=0.2)
    boxes = sample.pred_instances.bboxes
    assert 0 < len(boxes) == len(sample.pred_instances.scores)
    assert sample.pred_instances.scores.min() >= 0.2
    assert boxes.max() <= 64
    assert tile_panel(tiny_detector.image(48, 64), sample, 0.2).shape[2] == 3


def test_written_files_hold_what_a_call_returns_and_the_record_says_how(detector, tmp_path):
    image = tiny_detector.image(50, 60)
    path = factories.write_tiff(tmp_path / 'scene.tif', image)
    paths = detector.write(path, tmp_path / 'out.gpkg', options=ORDER, **OPTIONS)
    back, record = gpd.read_file(paths[0]), json.loads((tmp_path / 'out.run.json').read_text())
    assert back['score'].tolist() == detector(path, options=ORDER, **OPTIONS)['score'].tolist()
    assert (record['detections'], record['windows'], record['processes']) == (len(back), 6, 1)
    assert len(record['model']['sha256']) == 64
    assert 'FasterRCNN' in record['model']['config_text']
    [source] = record['scene']['inputs']
    assert (source['path'], source['size_bytes']) == (str(path), path.stat().st_size)
    assert {'mmlandslide', 'torch', 'geopandas'} <= set(record['versions'])
    assert record['settings']['overlap_px'] == 12


def test_output_that_is_there_is_refused_before_the_search(detector, tmp_path):
    (tmp_path / 'out.run.json').write_text('mine')
    with pytest.raises(ConfigError, match=r"not be there yet, got \['out.run.json'\]"):
        detector.write(
            tiny_detector.image(),
            tmp_path / 'out.gpkg',
            advance=lambda windows: pytest.fail('searched'),
        )


def test_a_scene_smaller_than_a_window_works(detector):
    found = detector(tiny_detector.image(20, 25), window_px=64, score_thr=0.1)
    assert len(found) > 0
    assert (found.total_bounds >= 0).all()
    assert (found.total_bounds <= [25, 20, 25, 20]).all()


@pytest.mark.parametrize('tta', ['flips', 'all'])
def test_more_views_change_scores_and_stay_in_the_scene(detector, tta):
    image = tiny_detector.image(50, 60)
    one, more = detector(image, **OPTIONS), detector(image, **{**OPTIONS, 'tta': tta})
    assert not np.array_equal(one['score'], more['score'])
    assert (more.total_bounds >= 0).all()


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'as_': 'boxes'}, r"be one of \['geodataframe', 'sample'\], got 'boxes'"),
        ({'overlap': 3}, r"settings must be among .*'overlap_px'.*, got \['overlap'\]"),
    ],
)
def test_unknown_forms_and_settings_are_refused(detector, given, message):
    with pytest.raises(ConfigError, match=message):
        detector(tiny_detector.image(), **given)


def test_an_array_of_other_bands_is_refused(detector):
    with pytest.raises(
        ConfigError, match=r"with the 3 bands \('B4', 'slope', 'DEM'\), got shape \(2, 64, 64\)"
    ):
        detector(tiny_detector.image()[:2])


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('exported')
    files = tiny_detector.write(folder)
    return export(*files, folder / 'model.onnx', window_px=32, num_tiles=4).path


def test_an_exported_detector_finds_what_the_checkpoint_finds(detector, exported):
    image, options = tiny_detector.image(50, 60), {'overlap_px': 12, 'score_thr': 0.2}
    found = LandslideDetector(exported)(image, **options)
    expected = detector(image, window_px=32, **options)
    np.testing.assert_allclose(found['score'], expected['score'], atol=1e-5)
    np.testing.assert_allclose(found.bounds, expected.bounds, atol=1e-3)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'checkpoint': 'a.pth'}, r'checkpoint must be none for a \.onnx, got a\.pth'),
        ({'amp': True}, r'amp must be off for a \.onnx, got on'),
    ],
)
def test_what_an_exported_detector_does_not_take_is_refused(exported, changes, message):
    with pytest.raises(ConfigError, match=message):
        LandslideDetector(exported, **changes)


def test_a_config_without_checkpoint_is_refused():
    with pytest.raises(ConfigError, match='checkpoint must be given for a config, got None'):
        LandslideDetector('configs/det/faster_rcnn_r18.py')


def test_an_exported_detector_gives_no_sample(exported):
    with pytest.raises(ConfigError, match='as_ must be geodataframe for an exported detector'):
        LandslideDetector(exported)(tiny_detector.image(32, 32), as_='sample')
