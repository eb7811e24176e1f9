"""Time Swin-MAE's training step with all tokens and with visible ones alone, and window 8 against window 7, in turn in one run.

Beside each ratio stands what the multiply-adds of the linear layers allow: 12 C^2 a token and
block, which is the most of it. Peak memory is that of a process which takes two steps of one
variant: resident memory on a CPU, CUDA's own on a GPU.

Example: python tools/benchmark/swin_mae_time.py --arch base --batch 24 --steps 5 --json times.json
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

CONFIG = Path(__file__).parents[2] / 'configs' / 'pretrain' / 'swin_mae.py'
LIGHT = {'decoder_expandings': 1, 'decoder_depth': 1}
SHALLOW = {'decoder_depth': 1}
#: Variant -> options of the model; the second of each pair of `RATIOS` is the faster. Decoders: the
#: paper's; one block a stage; one stage of one block.
VARIANTS = {
    'all': {'encoder': 'all'},
    'visible': {'encoder': 'visible'},
    'all, shallow decoder': {'encoder': 'all', **SHALLOW},
    'visible, shallow decoder': {'encoder': 'visible', **SHALLOW},
    'all, light decoder': {'encoder': 'all', **LIGHT},
    'visible, light decoder': {'encoder': 'visible', **LIGHT},
    'all, window 7': {'encoder': 'all', 'backbone.window_size': 7},
}
RATIOS = [
    ('all', 'visible'),
    ('all, shallow decoder', 'visible, shallow decoder'),
    ('all, light decoder', 'visible, light decoder'),
    ('all, window 7', 'all'),
]


def build(arch: str, variant: str, device: str) -> torch.nn.Module:
    """Return a model to be trained."""
    cfg = Config.fromfile(CONFIG)
    init_default_scope(cfg.default_scope)
    options = {'backbone.arch': arch, **VARIANTS[variant]}
    cfg.merge_from_dict({f'model.{key}': value for key, value in options.items()})
    return MODELS.build(cfg.model).to(device).train()


def step_seconds(model: torch.nn.Module, inputs: torch.Tensor, step: int) -> float:
    """Return the wall seconds of one forward and backward pass, in bfloat16 on a GPU.

    Every step masks anew.
    """
    samples = [
        DataSample(metainfo={'sample_key': 1000 * step + tile}) for tile in range(len(inputs))
    ]
    _wait(inputs)
    start = time.perf_counter()
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=inputs.is_cuda):
        loss = model.loss(inputs, samples)['loss']
    loss.backward()
    _wait(inputs)
    seconds = time.perf_counter() - start
    model.zero_grad(set_to_none=True)
    return seconds


def _wait(inputs: torch.Tensor) -> None:
    if inputs.is_cuda:
        torch.cuda.synchronize()


def multiply_adds(model: torch.nn.Module, side_px: int) -> float:
    """Return the multiply-adds of the blocks' linear layers for one tile, encoder and decoder."""
    total, tokens = 0.0, (side_px // 4) ** 2
    for index, stage in enumerate(model.backbone.stages):
        share = 0.25 if model.encoder == 'visible' and index < 3 else 1.0
        total += share * tokens / 4**index * 12 * stage.embed_dims**2 * len(stage.blocks)
    last = tokens / 4 ** (len(model.backbone.stages) - 1)
    for index, stage in enumerate(model.decoder.stages, 1):
        total += last * 4**index * 12 * stage.embed_dims**2 * len(stage.blocks)
    return total


def counted(model: torch.nn.Module, inputs: torch.Tensor) -> int:
    """Return the floating point operations of a step, attention among them, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        step_seconds(model, inputs, 0)
    return counter.get_total_flops()


def peak_mib(arch: str, variant: str, batch: int, side_px: int, device: str) -> float:
    """Take two steps; return the most memory that this process has had, in MiB."""
    model, inputs = (
        build(arch, variant, device),
        torch.randn(batch, 14, side_px, side_px, device=device),
    )
    for step in range(2):
        step_seconds(model, inputs, step)
    if device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


@click.command(epilog='Example: python tools/benchmark/swin_mae_time.py --arch tiny --batch 24')
@click.option(
    '--arch', type=click.Choice(['nano', 'tiny', 'base']), default='tiny', show_default=True
)
@click.option('--batch', default=24, show_default=True)
@click.option('--side-px', default=128, show_default=True)
@click.option('--steps', default=5, show_default=True, help='Counted rounds; one more warms up.')
@click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    help='Write the numbers to this file, too.',
)
@click.option(
    '--memory-of',
    type=click.Choice(list(VARIANTS)),
    help='Print the peak memory of one variant and nothing else.',
)
def main(
    arch: str, batch: int, side_px: int, steps: int, json_path: Path | None, memory_of: str | None
) -> None:
    """Print the median step time and the peak memory of each variant, and the ratios round by round."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if memory_of:
        print(peak_mib(arch, memory_of, batch, side_px, device))  # noqa: T201
        return
    options = ['--arch', arch, '--batch', str(batch), '--side-px', str(side_px), '--memory-of']
    memory = {
        name: float(
            subprocess.run(
                [sys.executable, __file__, *options, name], check=True, stdout=subprocess.PIPE
            ).stdout
        )
        for name in VARIANTS
    }
    models = {name: build(arch, name, device) for name in VARIANTS}
    inputs = torch.randn(batch, 14, side_px, side_px, device=device)
    flops = {name: counted(model, inputs[:1]) for name, model in models.items()}
    rounds = [
        {name: step_seconds(model, inputs, step) for name, model in models.items()}
        for step in range(steps + 1)
    ][1:]
    cores, title = (
        os.cpu_count(),
        f'Swin-MAE {arch}, batch {batch}, {side_px} px, 75 % masked, {device}',
    )
    table = Table('variant', 'median s a step', 'peak MiB', title=f'{title}, {cores} cores')
    seconds = {name: statistics.median(each[name] for each in rounds) for name in VARIANTS}
    for name in VARIANTS:
        table.add_row(name, f'{seconds[name]:.3f}', f'{memory[name]:.0f}')
    ratios = Table('ratio', 'median', 'least', 'most', 'arithmetic allows', 'counted by torch')
    found = {}
    for slow, fast in RATIOS:
        each = [times[slow] / times[fast] for times in rounds]
        allowed = multiply_adds(models[slow], side_px) / multiply_adds(models[fast], side_px)
        found[f'{slow} / {fast}'] = {
            'median': statistics.median(each),
            'least': min(each),
            'most': max(each),
            'allowed': allowed,
            'counted': flops[slow] / flops[fast],
        }
        shown = '' if 'window' in slow else f'{allowed:.2f}'
        ratios.add_row(
            f'{slow} / {fast}',
            *(f'{value:.2f}' for value in (statistics.median(each), min(each), max(each))),
            shown,
            f'{flops[slow] / flops[fast]:.2f}',
        )
    Console(width=120).print(table, ratios)
    if json_path:
        json_path.write_text(
            json.dumps(
                {'title': title, 'seconds': seconds, 'peak_mib': memory, 'ratios': found}, indent=2
            )
            + '\n'
        )


if __name__ == '__main__':
    main()
