import json

import geopandas as gpd
import planted_scene
import pytest

from mmlandslide.scenes import run

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
