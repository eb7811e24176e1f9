"""Compare a training step of this tree with that of another checkout: CPU seconds, losses, share of the peak.

Each round starts a process of each side, in turn, with the other's `mmlandslide`, configs and
operators, the same weights and the same random tiles. A step is normalisation, forward, backward
and the optimiser's. The share is the arithmetic of its convolutions and products over what sgemm
(2048 x 2048) does in that time in the same process. Losses of steps after the first are not equal
to the last bit where sums are taken in another order, and which proposals stay magnifies that; so
the side of before runs once more with weights moved by 1e-7 of themselves, to tell how much is to be
expected of rounding alone.

Example: OMP_NUM_THREADS=1 python tools/benchmark/training_step.py --against ../before faster_rcnn_r18
"""

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parents[2]
DEFAULT = ('faster_rcnn_r18', 'faster_rcnn_mobilenet_v2', 'faster_rcnn_swin_t')


def built(checkout: Path, name: str, weights: Path, nudge: float) -> Any:
    """Return a detector in training, as a checkout's runner has it, and its optimiser."""
    spec = importlib.util.spec_from_file_location('mmcv._ext', checkout / 'mmcv_ext' / '_ext.py')
    assert spec is not None
    assert spec.loader is not None
    sys.modules['mmcv._ext'] = operators = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(operators)
    import torch
    from mmengine.config import Config
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import MODELS, init_default_scope

    torch.set_num_threads(1)
    cfg = Config.fromfile(checkout / 'configs' / 'det' / f'{name}.py')
    init_default_scope(cfg.default_scope)
    cfg.merge_from_dict({'model.backbone.pretrained': None})
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    if not weights.exists():
        torch.save(model.state_dict(), weights)
    state = torch.load(weights)
    for value in state.values():
        if value.is_floating_point():
            value *= 1 + nudge
    model.load_state_dict(state)
    with suppress(ImportError):  # what a runner does, where it does
        from mmlandslide.engine.process import install, laid_out

        install({})
        laid_out(model)
    return model, build_optim_wrapper(model, cfg.optim_wrapper)


def child(
    checkout: Path, name: str, weights: Path, batch: int, steps: int, nudge: float
) -> dict[str, Any]:
    """Return a side's seconds and losses of each step, its arithmetic and what sgemm does here."""
    model, optimiser = built(checkout, name, weights, nudge)
    import torch
    from step_time import batch_of
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(1)
    data = batch_of(batch, len(model.data_preprocessor.bands), 256)

    def loss_of(number: int) -> Any:
        torch.manual_seed(number)
        return model.parse_losses(model(**model.data_preprocessor(data, True), mode='loss'))[0]

    with FlopCounterMode(display=False) as counter:
        loss_of(0).backward()
    model.zero_grad()
    seconds, losses = [], []
    for number in range(steps):
        start = time.process_time()
        loss = loss_of(number)
        optimiser.update_params(loss)
        seconds.append(time.process_time() - start)
        losses.append(loss.item())
    one, other = torch.rand(2, 2048, 2048)
    products = []
    for _ in range(5):
        start = time.process_time()
        _ = one @ other
        products.append(time.process_time() - start)
    return {
        'seconds': seconds,
        'losses': losses,
        'arithmetic': counter.get_total_flops(),
        'peak': 2 * 2048**3 / min(products),
        'MiB': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measured(
    checkout: Path, name: str, weights: Path, batch: int, steps: int, nudge: float = 0.0
) -> dict[str, Any]:
    """Return what a process of a side printed."""
    words = [
        name,
        '--against',
        checkout,
        '--batch',
        batch,
        '--steps',
        steps,
        '--child',
        weights,
        '--nudge',
        nudge,
    ]
    printed = subprocess.check_output(
        [sys.executable, __file__, *map(str, words)],
        env=os.environ | {'PYTHONPATH': str(checkout), 'OMP_NUM_THREADS': '1'},
        text=True,
    )
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def compared(checkout: Path, name: str, rounds: int, batch: int, steps: int) -> list[str]:
    """Return a config's row: seconds before and now, ratio, shares, losses, memory."""
    sides: dict[str, list[dict[str, Any]]] = {'before': [], 'now': []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for side, tree in (('before', checkout), ('now', HERE)):
                count = steps if number == 0 else 3
                sides[side].append(measured(tree, name, Path(folder) / 'w.pth', batch, count))
        nudged = measured(checkout, name, Path(folder) / 'w.pth', batch, steps, 1e-7)['losses']
    ratios, shares = [], {}
    for before, now in zip(sides['before'], sides['now'], strict=True):
        first, second = (statistics.median(each['seconds'][1:]) for each in (before, now))
        ratios.append(second / first)
    medians = {
        side: statistics.median(s for each in found for s in each['seconds'][1:])
        for side, found in sides.items()
    }
    for side, found in sides.items():
        peak = statistics.median(each['peak'] for each in found)
        shares[side] = sides['before'][0]['arithmetic'] / medians[side] / peak
    before, now = (sides[side][0]['losses'] for side in ('before', 'now'))
    apart, alone = (
        [abs(a - b) / abs(a) for a, b in zip(before, other, strict=True)] for other in (now, nudged)
    )
    return [
        name,
        *(f'{medians[side]:.2f}' for side in sides),
        f'{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})',
        ' / '.join(f'{share:.2f}' for share in shares.values()),
        'equal'
        if before == now
        else f'{apart[0]:.0e} at first, {max(apart):.0e} at most (nudged {alone[0]:.0e}, {max(alone):.0e})',
        ' / '.join(f'{max(each["MiB"] for each in found):.0f}' for found in sides.values()),
    ]


@click.command(
    epilog='Example: python tools/benchmark/training_step.py --against ../before faster_rcnn_r18'
)
@click.argument('configs', nargs=-1)
@click.option('--against', type=click.Path(exists=True, path_type=Path), required=True)
@click.option('--rounds', default=5, show_default=True)
@click.option('--batch', default=8, show_default=True)
@click.option('--steps', default=20, show_default=True, help='Of the first round, for the losses.')
@click.option('--child', 'weights', type=click.Path(path_type=Path), hidden=True)
@click.option('--nudge', default=0.0, hidden=True)
def main(
    configs: tuple[str, ...],
    against: Path,
    rounds: int,
    batch: int,
    steps: int,
    weights: Path | None,
    nudge: float,
) -> None:
    """Print a row for each config of configs/det."""
    against = against.resolve()
    if weights is not None:
        print(json.dumps(child(against, configs[0], weights, batch, steps, nudge)))  # noqa: T201
        return
    table = Table(
        'config',
        'CPU s a step, before',
        'now',
        'ratio, of each round',
        'share of sgemm',
        f'losses of {steps} steps',
        'MiB at most',
    )
    for name in configs or DEFAULT:
        table.add_row(*compared(against, name, rounds, batch, steps))
        Console(width=150).print(table)


if __name__ == '__main__':
    main()
