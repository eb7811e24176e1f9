"""Simulated terrain with scars at known places.

What is found lies on the map where the scars are.
"""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import array_bounds, from_origin

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.simulation.synthetic import simulate
from mmlandslide.scenes.inference.components import ComponentPredictor
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.run import predict, write

PLACES = {
    32633: from_origin(432100.0, 5123450.0, 10, 10),
    4326: from_origin(14.25, 46.5, 1.3e-4, 9e-5),
}
SIZE_HW = (230, 310)


def planted(path, epsg):
    """Write a simulated scene whose scars are as bright in B4 as no ground is; return the mask."""
    values, mask = simulate(np.random.default_rng(10), SIZE_HW)
    assert mask.any()
    values[3] = np.where(mask, 9000, np.minimum(values[3], 4000))
    options = {
        'driver': 'GTiff',
        'count': 14,
        'height': SIZE_HW[0],
        'width': SIZE_HW[1],
        'dtype': 'uint16',
    }
    with rasterio.open(path, 'w', crs=f'EPSG:{epsg}', transform=PLACES[epsg], **options) as target:
        target.write(values)
        target.descriptions = LANDSLIDE4SENSE
    return mask


def job(scene, settings):
    predictor = ComponentPredictor(scene.bands, 'B4', 6000 / 445.17)  # B4's divisor
    return InferenceJob(scene, predictor, settings, {})


@pytest.mark.parametrize('epsg', PLACES)
def test_scars_are_found_where_they_are_on_the_map(tmp_path, epsg):
    mask = planted(tmp_path / 'scene.tif', epsg)
    scene = open_scene(tmp_path / 'scene.tif', options=InputOptions(check_values=False))
    settings = Settings(window_px=128, overlap_px=80, score_thr=0.0)  # the largest scar is 63 px
    [path, *_] = write(job(scene, settings), tmp_path / 'out.gpkg')
    found, truth = gpd.read_file(path), boxes_from_mask(mask, RULES['components'])
    transform = PLACES[epsg]
    corners = [
        [*(transform @ (x1, y2)), *(transform @ (x2, y1))] for x1, y1, x2, y2 in truth.astype(float)
    ]
    assert found.crs.to_epsg() == epsg
    assert len(found) == len(truth) > 10
    gap = np.abs(found.bounds.to_numpy()[:, None] - np.array(corners)).max(axis=-1) / transform.a
    assert gap.min(axis=1).max() < 1e-6  # of a pixel
    assert gap.min(axis=0).max() < 1e-6


def test_the_ground_is_that_under_the_scars(tmp_path):
    planted(tmp_path / 'scene.tif', 32633)
    scene = open_scene(tmp_path / 'scene.tif', options=InputOptions(check_values=False))
    layer = predict(job(scene, Settings(score_thr=0.0)))
    with rasterio.open(tmp_path / 'scene.tif') as source:
        slope, elevation = source.read(13), source.read(14)
        west, _, _, north = array_bounds(*SIZE_HW, source.transform)
    for row in layer.itertuples():
        left, low, right, high = row.geometry.bounds
        part = np.s_[
            round((north - high) / 10) : round((north - low) / 10),
            round((left - west) / 10) : round((right - west) / 10),
        ]
        assert row.slope_deg == pytest.approx(slope[part].mean(), rel=1e-5)
        assert (row.elevation_min_m, row.elevation_max_m) == pytest.approx(
            (elevation[part].min(), elevation[part].max())
        )
