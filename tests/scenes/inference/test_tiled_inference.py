from dataclasses import replace

import numpy as np
import planted_scene
import pytest

from mmlandslide.errors import ConfigError, StorageError
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.inference.blocks import BlockFolder, BlocksInMemory
from mmlandslide.scenes.inference.job import Settings
from mmlandslide.scenes.inference.ranks import WorkerRank
from mmlandslide.scenes.inference.tiled_inference import predict

SETTINGS = planted_scene.SETTINGS
BOXES = planted_scene.boxes()
EVERYWHERE = [
    {'batch_size': 1},
    {'origin_rc': (7, 13)},
    {'window_px': 48, 'overlap_px': 20},
    {'window_px': 500},
    {'tta': 'all'},
    {'method': 'wbf'},
    {'join': True},
]


def found(settings=SETTINGS, scene=None, blocks=None, worker=WorkerRank()):  # noqa: B008
    scene = scene or planted_scene.scene(boxes=BOXES)
    job = planted_scene.job(scene, settings)
    return predict(job, blocks or BlocksInMemory(), worker)


def rows(detections):
    """Return boxes, scores and ground, without the windows that found them."""
    return np.delete(detections.table, (5, 6), axis=1)


@pytest.mark.parametrize('changes', EVERYWHERE)
def test_objects_are_the_same_however_windows_are_laid_and_looked_at(changes):
    everything = found(replace(SETTINGS, **changes))
    assert sorted(map(tuple, everything.boxes_xyxy.round(9))) == BOXES
    np.testing.assert_allclose(everything.scores, 1)


@pytest.mark.parametrize('changes', EVERYWHERE[:4])
def test_rows_are_identical_for_any_batch_and_placement(changes):
    np.testing.assert_array_equal(rows(found(replace(SETTINGS, **changes))), rows(found()))


@pytest.mark.parametrize('origin_rc', [(0, 0), (3, 17)])
def test_an_object_larger_than_windows_is_joined(origin_rc):
    scene = planted_scene.scene(boxes=[(5, 6, 101, 83)])
    assert found(replace(SETTINGS, join=True, origin_rc=origin_rc), scene).boxes_xyxy.tolist() == [
        [5, 6, 101, 83]
    ]
    assert len(found(SETTINGS, scene)) > 1


def test_finished_blocks_are_not_searched_again(tmp_path):
    blocks = BlockFolder(tmp_path / 'a.gpkg', 'key')
    scene = planted_scene.scene(220, 230, planted_scene.boxes(0, 220, 230))
    whole = found(scene=scene, blocks=blocks)
    files = sorted(blocks.path.iterdir())
    assert len(files) == 4  # 11 x 11 windows in blocks of 8 x 8
    files[1].unlink()
    kept, done = {path: path.stat().st_mtime_ns for path in files if path.exists()}, []
    again = predict(planted_scene.job(scene), blocks, advance=done.append)
    np.testing.assert_array_equal(again.table, whole.table)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert sum(done) == 121


def test_processes_share_the_blocks_and_the_first_one_merges(tmp_path):
    scene = planted_scene.scene(220, 230, planted_scene.boxes(0, 220, 230))
    blocks, workers = (
        BlockFolder(tmp_path / 'a.gpkg', 'key'),
        [WorkerRank(rank, 2) for rank in (1, 0)],
    )
    for worker in workers:
        object.__setattr__(worker, 'wait', lambda: None)
    assert found(scene=scene, blocks=blocks, worker=workers[0]) is None
    assert len(list(blocks.path.iterdir())) == 2
    np.testing.assert_array_equal(
        found(scene=scene, blocks=blocks, worker=workers[1]).table, found(scene=scene).table
    )


def test_blocks_that_the_first_process_cannot_see_are_named():
    scene, worker = planted_scene.scene(220, 230), WorkerRank(0, 2)
    object.__setattr__(worker, 'wait', lambda: None)
    with pytest.raises(StorageError, match='seen by the first process, got 2 of 4'):
        found(scene=scene, worker=worker)


def test_what_cannot_be_merged_is_refused_before_the_search():
    with pytest.raises(ConfigError, match="got 'soft'"):
        found(replace(SETTINGS, method='soft'))


def test_the_batch_and_the_merge_do_not_decide_what_a_block_holds():
    assert replace(SETTINGS, batch_size=99, method='wbf', join=True).decisive == SETTINGS.decisive
    assert replace(SETTINGS, score_thr=0.5).decisive != SETTINGS.decisive
    assert set(Settings().decisive) == {
        'window_px',
        'overlap_px',
        'origin_rc',
        'score_thr',
        'tta',
        'expected',
        'iou_thr',
    }


@pytest.mark.parametrize('seed', range(12))
def test_one_large_object_anywhere_is_joined_into_one(seed):
    draws = np.random.default_rng(seed)
    width, height = draws.integers(20, 120, 2)
    x, y = int(draws.integers(1, 158 - width)), int(draws.integers(1, 158 - height))
    box = (x, y, x + int(width), y + int(height))
    scene = planted_scene.scene(160, 170, boxes=[box])
    assert found(replace(SETTINGS, join=True), scene).boxes_xyxy.tolist() == [list(box)]


@pytest.mark.parametrize(
    ('window_px', 'longest_px'), [(128, 800), (1024, 1024), (1536, 1536), (4096, 4096)]
)
def test_large_windows_make_blocks_of_few(window_px, longest_px):
    grid = Settings(window_px=window_px).grid(
        replace(planted_scene.scene(), frame=GeoBox(10980, 10980))
    )
    assert (
        max(grid.extent(block)[2] for block in grid.blocks) == longest_px
    )  # 8 windows of 128: 7 * 96 + 128


def test_a_window_beyond_all_memory_is_refused():
    with pytest.raises(ConfigError, match='window must be at most 4096 px, got 200000 px'):
        found(replace(SETTINGS, window_px=200000))
