import json
from dataclasses import replace

import geopandas as gpd
import planted_scene
import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.scenes import run
from mmlandslide.scenes.outputs.selection import Selection

BOX = (40, 30, 50, 50)


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'found.gpkg'


def test_scores_of_a_calibrated_detector_are_probabilities_in_every_file(out):
    written = run.write(
        planted_scene.calibrated_job(planted_scene.scene(boxes=[BOX])), out, report=True
    )
    assert {'.gpkg', '.geojson', '.qml', '.png', '.html'} <= {path.suffix for path in written}
    for suffix in ('.gpkg', '.geojson'):
        columns = list(gpd.read_file(out.with_suffix(suffix)))
        assert ('probability' in columns, 'score' in columns) == (True, False)
    assert 'attr="probability"' in out.with_suffix('.qml').read_text('utf-8')
    page = out.with_suffix('.html').read_text('utf-8')
    assert ('<h2>Probability</h2>' in page, '"score_name": "probability"' in page) == (True, True)
    meaning = 'that a box hits a landslide (IoU 0.5); isotonic, fitted on 2 tuning tiles'
    assert json.loads(out.with_suffix('.run.json').read_text('utf-8'))['probability'] == meaning
    assert meaning in page


def test_scores_without_a_calibration_are_no_probabilities(out):
    run.write(planted_scene.job(planted_scene.scene(boxes=[BOX])), out, report=True)
    assert 'probability' not in gpd.read_file(out)
    assert 'attr="score"' in out.with_suffix('.qml').read_text('utf-8')
    assert json.loads(out.with_suffix('.run.json').read_text('utf-8'))['probability'] is None
    assert '<h2>Score</h2>' in out.with_suffix('.html').read_text('utf-8')


def expecting(**changes):
    whole = {'window_px': 128, 'overlap_px': 0}  # no window cuts an object
    return replace(planted_scene.SETTINGS, score_thr=0.9, expected=True, **whole, **changes)


def test_expected_numbers_count_what_the_threshold_leaves_out_of_the_layer(out):
    # An L of 300 pixels fills .75 of its box; 2 landslides a km2 are never detected.
    scene = planted_scene.scene(boxes=[BOX, (50, 30, 60, 40)])
    run.write(planted_scene.calibrated_job(scene, expecting()), out)
    assert len(gpd.read_file(out)) == 0
    [square] = gpd.read_file(out.with_suffix('.expected.gpkg')).to_dict('records')
    assert square['area_km2'] == pytest.approx(0.9 * 1.1, rel=1e-3)
    assert square['count'] == pytest.approx(2 * square['area_km2'] + 0.75)
    assert square['area_m2'] == pytest.approx(0.75 * 40000, rel=1e-3)


def test_expected_numbers_change_nothing_in_the_layer(out):
    scene = planted_scene.scene(boxes=[BOX, (50, 30, 60, 40), (80, 60, 90, 70)])
    plain = run.predict(planted_scene.calibrated_job(scene, replace(expecting(), expected=False)))
    assert run.predict(planted_scene.calibrated_job(scene, expecting())).equals(plain)
    assert len(plain) == 1


@pytest.mark.parametrize(
    ('job', 'message'),
    [
        (lambda: planted_scene.job(settings=expecting()), 'have a detector that is calibrated'),
        (
            lambda: planted_scene.calibrated_job(planted_scene.scene(crs=None), expecting()),
            'have a scene on the map',
        ),
        (
            lambda: planted_scene.calibrated_job(settings=expecting(join=True)),
            'have merging by nms, without --tta and --join',
        ),
    ],
)
def test_expected_numbers_that_cannot_be_known_are_refused(out, job, message):
    with pytest.raises(ConfigError, match=message):
        run.write(job(), out)
    assert not out.exists()


def test_what_a_selection_has_written_is_known_again(out):
    job = planted_scene.job(planted_scene.scene(boxes=[BOX]))
    run.write(job, out, selection=Selection(min_area_m2=1e9))
    assert run.has_written(job, out, selection=Selection(min_area_m2=1e9))
    assert not run.has_written(job, out)
