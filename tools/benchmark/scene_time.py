"""Time a scene of simulated terrain through a detector against the detector alone, and against SAHI's slicing of the same detector.

The detector alone is its forward pass over the same windows in the same batches, cut and zoomed
beforehand and not timed. The scene's time holds everything: reading, cutting, zooming, merging,
writing. SAHI (pip install sahi) gets the scene as an array in memory. All three hand the very same
predictor batches in one memory layout, (B, C, h, w) contiguous, to weights that are channels_last
on CPUs, in a process that keeps its freed memory, as `mmlandslide detect` does. Weights are random:
the head works as hard as ever, and the score threshold leaves about five boxes a window. All take
turns, so that a busy machine slows all alike; the seconds of the processor are less disturbed than
those of the clock.

Example: python tools/benchmark/scene_time.py configs/det/faster_rcnn_r18.py --side-px 2048
"""

import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from rich.console import Console
from rich.table import Table
from scene_memory import write_scene

from mmlandslide.allocator import keep_freed_memory
from mmlandslide.models.traceable_detector import zoomed
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.run import write
from mmlandslide.scenes.scene import Scene

SETTINGS = Settings()
BOXES_A_WINDOW = 5


def random_checkpoint(config: Path, folder: Path) -> Path:
    """Write a checkpoint of fresh weights."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    cfg.merge_from_dict({'model.backbone.pretrained': None})
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, folder / 'random.pth')
    return folder / 'random.pth'


def batches(values: np.ndarray, zoom: float, scene: Scene) -> Any:
    """Yield the windows of a scene as the model sees them."""
    grid, side = SETTINGS.grid(scene), SETTINGS.window_px
    places = [(row, col) for row in grid.row_starts for col in grid.col_starts]
    for start in range(0, len(places), SETTINGS.batch_size):
        windows = [
            values[:, row : row + side, col : col + side]
            for row, col in places[start : start + SETTINGS.batch_size]
        ]
        yield zoomed(torch.from_numpy(np.stack(windows)), zoom).numpy()


def now() -> np.ndarray:
    """Return the seconds of the clock and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def alone(values: np.ndarray, predictor: ModelPredictor, scene: Scene) -> np.ndarray:
    """Return the seconds of the model alone."""
    seconds, zoom = np.zeros(2), predictor.zoom
    predictor.zoom = 1.0  # the batch is zoomed already
    for images in batches(values, zoom, scene):
        start = now()
        predictor.predict(images)
        seconds += now() - start
    predictor.zoom = zoom
    return seconds


def whole(predictor: ModelPredictor, scene: Scene, out: Path, settings: Settings) -> np.ndarray:
    """Return the seconds from the scene to its layers."""
    start = now()
    write(InferenceJob(scene, predictor, settings, {}), out)
    return now() - start


def sliced(values: np.ndarray, predictor: ModelPredictor, score_thr: float) -> np.ndarray:
    """Return the seconds of SAHI's slicing, batched inference and suppression."""
    from sahi.models.base import DetectionModel
    from sahi.predict import get_sliced_prediction
    from sahi.prediction import ObjectPrediction

    class Wrapped(DetectionModel):
        def perform_batch_inference(self, images: list[np.ndarray]) -> None:
            self._original_predictions = predictor.predict(
                # (B, C, h, w); without this, NumPy keeps the order of (h, w, C) in memory.
                np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
            )

        def _create_object_prediction_list_from_original_predictions(
            self, shift_amount_list: Any, full_shape_list: Any
        ) -> None:
            self._object_prediction_list_per_image = [
                [
                    ObjectPrediction(
                        bbox=box,
                        category_id=0,
                        category_name='landslide',
                        score=score,
                        shift_amount=shift,
                        full_shape=shape,
                    )
                    for box, score in zip(boxes.tolist(), scores.tolist(), strict=True)
                    if score >= score_thr
                ]
                for (boxes, scores), shift, shape in zip(
                    self._original_predictions, shift_amount_list, full_shape_list, strict=True
                )
            ]

    model = Wrapped(
        model=predictor,
        load_at_init=False,
        confidence_threshold=score_thr,
        category_mapping={'0': 'landslide'},
    )
    share, image, start = SETTINGS.overlap_px / SETTINGS.window_px, values.transpose(1, 2, 0), now()
    options = {
        'perform_standard_pred': False,
        'postprocess_type': 'NMS',
        'postprocess_match_metric': 'IOU',
        'verbose': 0,
    }
    get_sliced_prediction(
        image,
        model,
        SETTINGS.window_px,
        SETTINGS.window_px,
        share,
        share,
        batch_size=SETTINGS.batch_size,
        **options,
    )
    return now() - start


@click.command(
    epilog='Example: python tools/benchmark/scene_time.py configs/det/faster_rcnn_r18.py --side-px 2048'
)
@click.argument('config', type=click.Path(exists=True, path_type=Path))
@click.option('--side-px', default=2048, show_default=True)
@click.option('--rounds', default=5, show_default=True)
@click.option('--sahi/--no-sahi', default=False, show_default=True)
@click.option('--device', default='cpu', show_default=True)
def main(config: Path, side_px: int, rounds: int, sahi: bool, device: str) -> None:
    """Print the median seconds of each and their ratios.

    Exit with 1 where the scene takes more than 1.10 times the model.
    """
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_scene(folder, side_px, 1)
        predictor = ModelPredictor(config, random_checkpoint(config, folder), torch.device(device))
        scene = open_scene(folder / 'scene.vrt', predictor.bands)
        values, _ = scene.read((0, 0, scene.height, scene.width))
        [(_, scores)] = predictor.predict(values[None, :, :128, :128])
        settings = replace(SETTINGS, score_thr=float(np.sort(scores)[-BOXES_A_WINDOW]))
        times: dict[str, list[np.ndarray]] = {'model alone': [], 'scene': []} | (
            {'SAHI': []} if sahi else {}
        )
        for number in range(rounds):
            times['model alone'].append(alone(values, predictor, scene))
            times['scene'].append(whole(predictor, scene, folder / f'{number}.gpkg', settings))
            if sahi:
                times['SAHI'].append(sliced(values, predictor, settings.score_thr))
    windows, medians = (
        len(SETTINGS.grid(scene)),
        {kind: np.median(seconds, axis=0) for kind, seconds in times.items()},
    )
    table = Table(
        '',
        's, clock',
        's, processor',
        'ms a window',
        'of the model alone',
        'by processor',
        title=config.name,
    )
    for kind, (clock, processor) in medians.items():
        ratios = (clock, processor) / medians['model alone']
        table.add_row(
            kind,
            f'{clock:.1f}',
            f'{processor:.1f}',
            f'{1000 * clock / windows:.1f}',
            *(f'{ratio:.3f}' for ratio in ratios),
        )
    size = f'{windows} windows of {scene.height} x {scene.width} px, batch {SETTINGS.batch_size}'
    Console().print(
        table,
        f'{size}, medians of {rounds} rounds, {device}, {torch.get_num_threads()} threads, {os.cpu_count()} cores',
    )
    if medians['scene'][0] > 1.10 * medians['model alone'][0]:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
