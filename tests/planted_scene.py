"""Scenes in memory with planted rectangles, and a run of several processes over one of them.

Started as a user's run is: `torchrun --nproc-per-node 2 tests/planted_scene.py OUT [SECONDS]`,
seconds for each block of windows.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import from_origin

from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inference.components import ComponentPredictor
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inference.ranks import init_process_group
from mmlandslide.scenes.inputs.tile_scene import TileScene
from mmlandslide.scenes.run import write

BANDS = ('B4', 'slope', 'DEM')
UTM = CRS.from_epsg(32633)
ORIGIN_XY = (500000.0, 5000000.0)
SETTINGS = Settings(window_px=32, overlap_px=12, score_thr=0.0)


def scene(height=90, width=110, boxes=(), valid=None, crs=UTM):
    """Return a scene whose B4 is 2 in each half-open box and 0 elsewhere.

    The ground slopes by 1 and rises from left to right.
    """
    values = np.zeros((3, height, width), np.float32)
    values[1], values[2] = 1, np.arange(width)
    for x1, y1, x2, y2 in boxes:
        values[0, y1:y2, x1:x2] = 2
    known = np.ones((height, width), bool) if valid is None else valid
    frame = (
        GeoBox(height, width, from_origin(*ORIGIN_XY, 10, 10), crs)
        if crs
        else GeoBox(height, width)
    )
    return TileScene('planted', BANDS, frame, None, (), values, known)


def boxes(seed=0, height=90, width=110, largest_px=12):
    """Return rectangles that do not touch, at most one per grid cell, (N, 4) xyxy, sorted."""
    draws, cell = np.random.default_rng(seed), largest_px + 2
    found = []
    for top in range(0, height - cell, cell):
        for left in range(0, width - cell, cell):
            w, h = draws.integers(2, largest_px + 1, 2)
            found.append((left, top, left + w, top + h))
    return sorted(found)


def predictor():
    return ComponentPredictor(BANDS, 'B4', 1.5)


def calibrated_job(of_scene=None, settings=SETTINGS):
    """Return a job whose scores are probabilities, with 2 unseen landslides a km2."""
    model = {'per_km2': 2.0, 'slope': 1.0, 'low': -1.0, 'high': 2.0}
    fitted = {'method': 'isotonic', 'iou_thr': 0.5, 'tile_ids': ['image_1', 'image_2']}
    fitted['blocks'] = {'count': model, 'area_m2': {**model, 'per_km2': 0.0}}
    by = predictor()
    by.calibration = fitted
    return InferenceJob(of_scene or scene(), by, settings, {'name': 'calibrated'})


def job(of_scene=None, settings=SETTINGS):
    return InferenceJob(of_scene or scene(), predictor(), settings, {'name': 'components'})


def main():
    height, width, seconds = (
        220,
        230,
        float(sys.argv[2]) if len(sys.argv) > 2 else 0.0,
    )  # four blocks
    planted = scene(height, width, boxes(0, height, width))
    slow = replace(SETTINGS, batch_size=1000)  # one batch a block
    with init_process_group() as worker:
        write(
            job(planted, slow),
            Path(sys.argv[1]),
            worker=worker,
            advance=lambda windows: time.sleep(seconds * (windows > 0)),
        )


if __name__ == '__main__':
    main()
