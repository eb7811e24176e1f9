"""Time a batch of tiles through a detector on a CPU: before and after each change, in turn.

Changes: the layout of the weights (channels_last), a suppression of proposals that ends when enough
are kept, and memory that glibc keeps. The last one concerns a whole process, so each round starts
one with it and one without; the others take turns within. Weights are random. CPU seconds.

Example: OMP_NUM_THREADS=1 python tools/benchmark/inference_time.py configs/det/faster_rcnn_r18.py
"""

import copy
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from rich.console import Console
from rich.table import Table

from mmlandslide.allocator import keep_freed_memory

BATCH, SIDE_PX = 8, 256
BEFORE = 'before'


def variants(config: Path) -> dict[str, torch.nn.Module]:
    """Return the detector as it was, and with each change."""
    cfg = Config.fromfile(config)
    init_default_scope(cfg.default_scope)
    cfg.merge_from_dict({'model.backbone.pretrained': None})
    torch.manual_seed(0)
    models = {'suppression that ends': MODELS.build(cfg.model).eval()}
    models['both'] = copy.deepcopy(models['suppression that ends'])
    for name, of in ((BEFORE, 'suppression that ends'), ('channels_last', 'both')):
        models[name] = copy.deepcopy(models[of])
        models[name].rpn_head.__class__ = RPNHead
    for name in ('channels_last', 'both'):
        models[name].to(memory_format=torch.channels_last)
    return models


def seconds(models: dict[str, torch.nn.Module], batches: int) -> dict[str, float]:
    """Return the median CPU seconds of a batch, by variant; one more warms up."""
    torch.set_num_threads(1)
    bands = models[BEFORE].data_preprocessor.bands
    images = torch.rand(BATCH, len(bands), SIDE_PX, SIDE_PX)
    side = (SIDE_PX, SIDE_PX)
    meta = {'img_shape': side, 'ori_shape': side, 'scale_factor': (1.0, 1.0), 'bands': bands}
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(batches + 1):
        for name, model in models.items():
            samples = [DetDataSample(metainfo=meta) for _ in range(BATCH)]
            start = time.process_time()
            with torch.inference_mode():
                model.test_step({'inputs': images, 'data_samples': samples})
            times[name].append(time.process_time() - start)
    return {name: statistics.median(each[1:]) for name, each in times.items()}


@click.command(
    epilog='Example: python tools/benchmark/inference_time.py configs/det/faster_rcnn_r18.py'
)
@click.argument('config', type=click.Path(exists=True, path_type=Path))
@click.option('--rounds', default=5, show_default=True)
@click.option('--batches', default=2, show_default=True, help='Of each variant in each round.')
@click.option('--child', type=click.Choice(['given back', 'kept']), hidden=True)
def main(config: Path, rounds: int, batches: int, child: str | None) -> None:
    """Print the median CPU seconds of a batch of 8 tiles of 256 px and the ratio to before."""
    if child is not None:
        if child == 'kept' and not keep_freed_memory():
            raise click.ClickException('this C library is not glibc')
        print(json.dumps(seconds(variants(config), batches)))  # noqa: T201
        return
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for memory in ('given back', 'kept'):
            command = [sys.executable, __file__, config, '--batches', batches, '--child', memory]
            printed = subprocess.check_output([str(word) for word in command], text=True)
            for name, each in json.loads(printed.splitlines()[-1]).items():
                found.setdefault((name, memory), []).append(each)
    medians = {key: statistics.median(each) for key, each in found.items()}
    table = Table('', 'freed memory', 'CPU s a batch', 'of before', title=config.name)
    for (name, memory), median in medians.items():
        ratio = f'{median / medians[BEFORE, "given back"]:.2f}'
        table.add_row(name, memory, f'{median:.2f}', ratio)
    Console().print(table, f'medians of {rounds} rounds, one thread')


if __name__ == '__main__':
    main()
