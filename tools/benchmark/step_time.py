"""Time one training step of a detection config with its own head and with the one sized for COCO, in turn, in one run.

Example: python tools/benchmark/step_time.py configs/det/faster_rcnn_r18.py --batch 4 --steps 3
"""

import os
import statistics
import time
from pathlib import Path

import click
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table

#: MMDetection's own values for `faster-rcnn_r50_fpn`, on the same pyramid.
COCO_HEAD = {
    'roi_head.bbox_head.fc_out_channels': 1024,
    'train_cfg.rcnn.sampler.num': 512,
    'train_cfg.rpn.sampler.num': 256,
    'train_cfg.rpn_proposal.nms_pre': 2000,
    'train_cfg.rpn_proposal.max_per_img': 1000,
}


def batch_of(size: int, bands: int, side_px: int) -> dict[str, list[object]]:
    """Return random tiles with four boxes each, as many as a real tile holds."""
    samples = []
    for tile in range(size):
        corner = torch.rand(4, 2) * side_px * 0.8
        sample = DetDataSample(
            metainfo={'img_shape': (side_px, side_px), 'scale_factor': (1.0, 1.0)}
        )
        boxes = torch.cat([corner, corner + 8 + torch.rand(4, 2) * side_px * 0.15], 1)
        sample.gt_instances = InstanceData(
            metainfo={'sample_key': tile}, bboxes=boxes, labels=torch.zeros(4, dtype=torch.int64)
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)
        )
        samples.append(sample)
    return {'inputs': list(torch.rand(size, bands, side_px, side_px)), 'data_samples': samples}


def step_seconds(model: torch.nn.Module, data: dict[str, list[object]]) -> float:
    """Return the wall seconds of one forward and backward pass."""
    start = time.perf_counter()
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    model.zero_grad()
    return time.perf_counter() - start


@click.command(
    epilog='Example: python tools/benchmark/step_time.py configs/det/faster_rcnn_r18.py --batch 4'
)
@click.argument('config', type=click.Path(exists=True, path_type=Path))
@click.option('--batch', default=4, show_default=True)
@click.option('--side-px', default=256, show_default=True)
@click.option(
    '--steps', default=5, show_default=True, help='Counted steps of each; one more warms up.'
)
def main(config: Path, batch: int, side_px: int, steps: int) -> None:
    """Print the median step time of both heads and their ratio."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    models = {}
    for name, options in (('sized for tiles', {}), ('sized for COCO', COCO_HEAD)):
        cfg = Config.fromfile(config)
        init_default_scope(cfg.default_scope)
        cfg.merge_from_dict(
            {f'model.{key}': value for key, value in options.items()}
            | {'model.backbone.pretrained': None}
        )
        models[name] = MODELS.build(cfg.model).to(device).train()
    data = batch_of(
        batch, len(cfg_bands := models['sized for tiles'].data_preprocessor.bands), side_px
    )
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(steps + 1):
        for name, model in models.items():
            times[name].append(step_seconds(model, data))
    medians = {name: statistics.median(seconds[1:]) for name, seconds in times.items()}
    table = Table(
        'head',
        'median s a step',
        title=f'{config.name}, batch {batch}, {side_px} px, {len(cfg_bands)} bands, {device}',
    )
    for name, median in medians.items():
        table.add_row(name, f'{median:.2f}')
    Console().print(
        table,
        f'COCO / tiles: {medians["sized for COCO"] / medians["sized for tiles"]:.2f} ({os.cpu_count()} cores)',
    )


if __name__ == '__main__':
    main()
