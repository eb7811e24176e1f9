"""Export detectors, compare ONNX with PyTorch detection by detection, and time both in turn.

Weights are random, drawn once; NAME=CHECKPOINT takes those of a file. Both run on one thread; a
round is one batch of each, and the median of the rounds' CPU seconds counts.

Example: OMP_NUM_THREADS=1 python tools/benchmark/exported_detectors.py faster_rcnn_r18_rgb8
faster_rcnn_mobilenet_v2_small_rgb8=mmlandslide/zoo/mobilenet_v2_rgb/model.safetensors
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import torch

from mmlandslide.configs import read_config
from mmlandslide.scenes.inference.model_predictor import ModelPredictor, _built
from mmlandslide.scenes.inference.onnx.export import export, probes
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor

CONFIGS = Path(__file__).parents[2] / 'configs/det'
SIDE_PX, BATCH = 224, 4


def random_checkpoint(config: Path, folder: Path) -> Path:
    """Write a detector whose weights are random, with scores that spread; return the path."""
    read = read_config(config)
    read.merge_from_dict({'model.backbone.pretrained': None})
    torch.manual_seed(0)
    model = _built(read, config)
    model.init_weights()
    generator = torch.Generator().manual_seed(0)
    for name, values in model.state_dict().items():
        if name.endswith('running_var'):
            values.uniform_(0.5, 2, generator=generator)
        elif name.endswith(('rpn_cls.weight', 'fc_cls.weight')):
            values.normal_(0, 0.1, generator=generator)
    path = folder / 'random.pth'
    own = {'bands': list(model.backbone.bands)}
    torch.save({'state_dict': model.state_dict(), 'meta': {'mmlandslide': own}}, path)
    return path


def timed(predictors: dict[str, Any], tiles: Any, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median CPU and wall seconds of a tile, by predictor; one round more warms up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in predictors}
    for _ in range(rounds + 1):
        for name, predictor in predictors.items():
            cpu, wall = time.process_time(), time.perf_counter()
            predictor.predict(tiles)
            times[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: tuple(statistics.median(each) / len(tiles) for each in zip(*found[1:], strict=True))
        for name, found in times.items()
    }


@click.command()
@click.argument('names', nargs=-1, required=True)
@click.option('--tiles', default=100, show_default=True, help='On which both are compared.')
@click.option('--rounds', default=5, show_default=True)
def main(names: tuple[str, ...], tiles: int, rounds: int) -> None:
    """Print a row of a Markdown table for each config of configs/det."""
    torch.set_num_threads(1)
    click.echo('| detector | MB | unmatched | px | score | CPU s a tile, ONNX | PyTorch | ratio |')
    click.echo('|---|---|---|---|---|---|---|---|')
    for name in names:
        stem, _, stated = name.partition('=')
        config = CONFIGS / f'{stem}.py'
        with tempfile.TemporaryDirectory() as made:
            checkpoint = Path(stated) if stated else random_checkpoint(config, Path(made))
            out = Path(made, 'model.onnx')
            found = export(config, checkpoint, out, window_px=SIDE_PX, num_tiles=tiles, native=True)
            own = ModelPredictor(config, checkpoint, torch.device('cpu'))
            own.zoom = float(OnnxPredictor(out).metadata['zoom'])
            exported = OnnxPredictor(out)
            shown = next(batch for batch in probes(own, SIDE_PX, 20) if len(batch) >= BATCH)
            times = timed({'onnx': exported, 'torch': own}, shown[:BATCH], rounds)
            same, size = found.agreement, out.stat().st_size / 1e6
        (onnx_s, _), (torch_s, _) = times['onnx'], times['torch']
        click.echo(
            f'| {stem} | {size:.1f} | {same.unmatched} of {same.detections} | {same.box_px:.1g} | '
            f'{same.score:.1g} | {onnx_s:.3f} | {torch_s:.3f} | {torch_s / onnx_s:.2f} |'
        )


if __name__ == '__main__':
    main()
