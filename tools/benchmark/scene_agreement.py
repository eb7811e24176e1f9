"""Search one simulated scene with a trained detector in several ways, and say how far what is found agrees.

- tile by tile against one walk without overlap: AP on the same true boxes;
- one walk with overlap: AP on the true boxes of the whole scene;
- batches of one against batches of eight: the largest difference of a box and of a score;
- windows laid elsewhere: the share of boxes that have a partner at IoU .5.

Example: python tools/benchmark/scene_agreement.py configs/det/faster_rcnn_demo.py work_dirs/faster_rcnn_demo/epoch_9.pth
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from rich.console import Console

from mmlandslide import LandslideDetector
from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.simulation.synthetic import simulate
from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.results import Rules, TileResult
from mmlandslide.scenes.inference.blocks import BlocksInMemory
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.job import Settings
from mmlandslide.scenes.inference.tiled_inference import predict

TILE_PX = 128


def simulated(side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first simulated scene that has landslides, (14, H, W) in stored units, and its mask."""
    for seed in range(100):
        raw, mask = simulate(np.random.default_rng(seed), (side_px, side_px))
        if mask.any():
            break
    return (
        raw / np.array([BANDS[name].divisor for name in LANDSLIDE4SENSE])[:, None, None]
    ).astype(np.float32), mask


def scored(
    name: str, found: Sequence[tuple[np.ndarray, np.ndarray]], masks: Sequence[np.ndarray]
) -> str:
    """Return AP50 and AP of images as a line."""
    results = []
    for number, ((boxes, scores), mask) in enumerate(zip(found, masks, strict=True)):
        true = boxes_from_mask(mask, RULES['components'])
        labels, true_labels = np.zeros(len(scores), int), np.zeros(len(true), int)
        results.append(TileResult(str(number), boxes, scores, labels, true, true_labels))
    metrics = average_precision(results, Rules(max_dets=10**6), 1).metrics
    return f'{name}: AP50 {metrics["AP50"]:.4f}, AP {metrics["AP"]:.4f}'


def cut(found: Detections, row: int, col: int) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes and scores that a tile's window has found, in its own frame."""
    own = found[(found.window_rc == (row, col)).all(axis=1)]
    return own.boxes_xyxy - np.array((col, row, col, row)), own.scores


def partners(one: Detections, other: Detections) -> float:
    """Return the share of boxes that some box of the other overlaps at IoU .5."""
    a, b = one.boxes_xyxy[:, None], other.boxes_xyxy[None]
    shared = np.maximum(
        np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0
    ).prod(-1)
    iou = shared / (
        (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    )
    return float((iou.max(axis=1, initial=0) >= 0.5).mean()) if len(one) else 1.0


def differences(one: Detections, other: Detections) -> str:
    """Return how many boxes differ, and by how much, as a line."""
    if len(one) != len(other):
        return f'{len(one)} against {len(other)} boxes'
    gaps = np.abs(one.table[:, None, :5] - other.table[None, :, :5])
    nearest = gaps[..., :4].max(axis=-1).argmin(axis=1)
    gap = gaps[np.arange(len(one)), nearest]
    return f'{len(one)} boxes, largest difference {gap[:, :4].max(initial=0):.1e} px, {gap[:, 4].max(initial=0):.1e} in score'


@click.command(
    epilog='Example: python tools/benchmark/scene_agreement.py configs/det/faster_rcnn_demo.py CHECKPOINT'
)
@click.argument('config', type=click.Path(exists=True, path_type=Path))
@click.argument('checkpoint')
@click.option('--side-px', default=1024, show_default=True, help='A multiple of 128.')
@click.option(
    '--score-thr',
    default=0.3,
    show_default=True,
    help='For agreement; AP looks at all scores from 0.01.',
)
@click.option('--device', default='auto', show_default=True)
def main(config: Path, checkpoint: str, side_px: int, score_thr: float, device: str) -> None:
    """Print how far the ways agree."""
    detector, (values, mask) = LandslideDetector(config, checkpoint, device), simulated(side_px)
    scene, say = detector.open(values), Console().print
    base = Settings(score_thr=0.01)

    def found(**changes: object) -> Detections:
        result = predict(detector.job(scene, replace(base, **changes)), BlocksInMemory())
        assert result is not None
        return result

    tiles = [(row, col) for row in range(0, side_px, TILE_PX) for col in range(0, side_px, TILE_PX)]

    def views(array: np.ndarray) -> list[np.ndarray]:
        return [array[..., row : row + TILE_PX, col : col + TILE_PX] for row, col in tiles]

    alone = [detector.predictor.predict(tile[None])[0] for tile in views(values)]
    kept = [
        (boxes[scores >= base.score_thr], scores[scores >= base.score_thr])
        for boxes, scores in alone
    ]
    side_by_side = found(overlap_px=0, iou_thr=1.0)
    say(scored('tile by tile', kept, views(mask)))
    say(
        scored(
            'one walk without overlap, by tile',
            [cut(side_by_side, *tile) for tile in tiles],
            views(mask),
        )
    )
    overlapping = found()
    say(
        scored(
            'one walk with overlap, whole scene',
            [(overlapping.boxes_xyxy, overlapping.scores)],
            [mask],
        )
    )
    sure = found(score_thr=score_thr)
    say(f'batch 8 against 1: {differences(sure, found(score_thr=score_thr, batch_size=1))}')
    for origin in ((48, 48), (17, 71)):
        other = found(score_thr=score_thr, origin_rc=origin)
        say(
            f'windows from (0, 0) against {origin}: {partners(sure, other):.3f} and {partners(other, sure):.3f} have a partner'
        )


if __name__ == '__main__':
    main()
