import json

import numpy as np
import planted_scene
import pytest
import scene_files

from mmlandslide.scenes.inference.components import ComponentPredictor
from mmlandslide.scenes.inference.job import InferenceJob
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.outputs.run_record import optical_without_dem_fraction, scene_facts
from mmlandslide.scenes.run import write

BANDS = ('B2', 'slope', 'DEM')


def scene(folder, void_cols=0):
    """Return 120 x 120 px of 10 m and a DEM of 30 m whose eastern columns have no data."""
    heights = np.add.outer(np.arange(60), np.arange(60)).astype(np.float32) + 500
    if void_cols:
        heights[:, 10 + 40 - void_cols :] = -9999  # of the scene's 40 columns; 10 lie before it
    x, y = scene_files.ORIGIN_XY
    dem = scene_files.write_raster(
        folder / 'dem.tif', heights, 30.0, (x - 300, y + 300), nodata=-9999
    )
    light = scene_files.write_raster(
        folder / 'a.tif', scene_files.digital_numbers('B2', 120, 120), names=('B2',)
    )
    return open_scene(
        light, BANDS, InputOptions(dem=dem, scale='dn', dn_offset=0, check_values=False)
    )


@pytest.mark.parametrize('void_cols', [0, 10, 30])
def test_the_optical_share_without_dem_is_measured(tmp_path, void_cols):
    # The cubic warp and the slope reach a pixel or two of the DEM beyond each void.
    assert optical_without_dem_fraction(scene(tmp_path, void_cols)) == pytest.approx(
        void_cols / 40, abs=0.05
    )


def test_nobody_knows_it_without_map_or_elevation():
    assert optical_without_dem_fraction(planted_scene.scene(crs=None)) is None
    assert optical_without_dem_fraction(planted_scene.scene()) == 0


def test_a_half_empty_elevation_model_is_told_before_the_search_and_recorded(tmp_path, caplog):
    predictor = ComponentPredictor(BANDS, 'B2', 9)
    job = InferenceJob(scene(tmp_path, 20), predictor, planted_scene.SETTINGS, {})
    write(job, tmp_path / 'out.gpkg')
    record = json.loads((tmp_path / 'out.run.json').read_text())
    assert record['valid_share'] == pytest.approx(0.5, abs=0.05)
    assert record['optical_without_dem_fraction'] == pytest.approx(0.5, abs=0.05)
    assert 0 < record['windows_searched'] < record['windows']
    assert 'a: the DEM has no data for' in caplog.text


def test_the_record_says_how_the_input_was_read(tmp_path):
    facts = scene_facts(scene(tmp_path))
    assert facts['nodata'] == {'B2': 0.0, 'slope': -9999.0, 'DEM': -9999.0}
    assert set(facts['units']) == set(BANDS)
    assert (facts['fill'], facts['mask']) == ({}, None)
