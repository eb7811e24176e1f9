"""Time a scene of simulated terrain through a detector against the detector alone, and against SAHI's slicing of the same detector.

The detector alone is its forward pass over the same windows in the same batches, cut and zoomed
beforehand and not timed. The scene's time holds everything: reading, cutting, zooming, merging,
writing. SAHI (pip install sahi) gets the scene as an array in memory. All hand the very same
predictor batches in one memory layout, (B, C, h, w) contiguous, to weights that are channels_last
on CPUs. Each round starts a process in which all take turns, another first in each round, and which
keeps its freed memory, as `mmlandslide detect` does; SAHI runs once more in a process that does
not, as its users start it. Weights are random: the head works as hard as ever, and the score
threshold leaves about five boxes a window. The seconds of the processor are less disturbed by a
busy machine than those of the clock, and those of one process less than those of two.

Example: python tools/benchmark/scene_time.py configs/det/faster_rcnn_r18.py --side-px 2048
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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
ALONE, WHOLE, SAHI, LOOSE = 'model alone', 'scene', 'SAHI', 'SAHI as users start it'


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


def measured(
    config: Path, checkpoint: Path, folder: Path, sides: Sequence[str], device: str
) -> dict[str, Any]:
    """Return the seconds of each side, of the clock and of the processor, and the windows."""
    if LOOSE not in sides:
        keep_freed_memory()
    predictor = ModelPredictor(config, checkpoint, torch.device(device))
    scene = open_scene(folder / 'scene.vrt', predictor.bands)
    values, _ = scene.read((0, 0, scene.height, scene.width))
    [(_, scores)] = predictor.predict(values[None, :, :128, :128])
    settings = replace(SETTINGS, score_thr=float(np.sort(scores)[-BOXES_A_WINDOW]))
    seconds = {}
    for side in sides:
        if side == ALONE:
            taken = alone(values, predictor, scene)
        elif side == WHOLE:
            with tempfile.TemporaryDirectory() as out:
                taken = whole(predictor, scene, Path(out) / 'out.gpkg', settings)
        else:
            taken = sliced(values, predictor, settings.score_thr)
        seconds[side] = taken.tolist()
    return {'seconds': seconds, 'windows': len(SETTINGS.grid(scene))}


def in_process(
    config: Path, checkpoint: Path, folder: Path, sides: Sequence[str], device: str
) -> dict[str, Any]:
    """Return what a process of some sides measured."""
    words = [sys.executable, __file__, config, '--device', device]
    words += [word for side in sides for word in ('--side', side)]
    printed = subprocess.check_output(
        [*map(str, words), '--folder', str(folder), '--checkpoint', str(checkpoint)], text=True
    )
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


@click.command(
    epilog='Example: python tools/benchmark/scene_time.py configs/det/faster_rcnn_r18.py --side-px 2048'
)
@click.argument('config', type=click.Path(exists=True, path_type=Path))
@click.option('--side-px', default=2048, show_default=True)
@click.option('--rounds', default=5, show_default=True)
@click.option('--sahi/--no-sahi', default=False, show_default=True)
@click.option('--device', default='cpu', show_default=True)
@click.option('--side', 'only', multiple=True, hidden=True)
@click.option('--folder', type=click.Path(path_type=Path), hidden=True)
@click.option('--checkpoint', type=click.Path(path_type=Path), hidden=True)
def main(
    config: Path,
    side_px: int,
    rounds: int,
    sahi: bool,
    device: str,
    only: tuple[str, ...],
    folder: Path,
    checkpoint: Path,
) -> None:
    """Print the median seconds of each side and their ratios, over the rounds."""
    if only:
        print(json.dumps(measured(config, checkpoint, folder, only, device)))  # noqa: T201
        return
    kept = (ALONE, WHOLE, SAHI) if sahi else (ALONE, WHOLE)
    apart = [(LOOSE,)] if sahi else []
    found: dict[str, list[list[float]]] = {side: [] for side in (*kept, *(LOOSE for _ in apart))}
    windows = 0
    with tempfile.TemporaryDirectory() as name:
        write_scene(Path(name), side_px, 1)
        checkpoint = random_checkpoint(config, Path(name))
        for first in range(rounds):
            turn = first % len(kept)
            for sides in [(*kept[turn:], *kept[:turn]), *apart]:
                run = in_process(config, checkpoint, Path(name), sides, device)
                windows = run['windows']
                for side in sides:
                    found[side].append(run['seconds'][side])
    seconds = {side: np.array(runs) for side, runs in found.items()}
    columns = ('', 's, clock', 's, processor', 'ms a window', 'of the model alone', f'of {LOOSE}')
    table = Table(*columns, title=f'{config.name}, ratios of seconds of the processor')
    for name, each in seconds.items():
        clock, processor = np.median(each, axis=0)
        ratios = [
            each[:, 1] / seconds[base][:, 1] if base in seconds else None for base in (ALONE, LOOSE)
        ]
        table.add_row(
            name,
            f'{clock:.1f}',
            f'{processor:.1f}',
            f'{1000 * processor / windows:.1f}',
            *(
                '' if r is None else f'{np.median(r):.3f} ({r.min():.3f} to {r.max():.3f})'
                for r in ratios
            ),
        )
    size = f'{windows} windows of {side_px} x {side_px} px, batch {SETTINGS.batch_size}'
    Console(width=120).print(
        table,
        f'{size}, medians of {rounds} rounds, {device}, {torch.get_num_threads()} threads, {os.cpu_count()} cores',
    )


if __name__ == '__main__':
    main()
