"""How far batch norm in training is off on a CPU, by layout and in bfloat16, against float64.

Maps are smooth, as features are. Beside it stands how far the means of two batches lie apart: what
a detector lives with at every step.

Example: OMP_NUM_THREADS=1 python tools/benchmark/layout_rounding.py
"""

import click
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table


def smooth(side_px: int) -> torch.Tensor:
    """Return (8, 96, side, side) float32, no value below 0."""
    return F.interpolate(
        torch.randn(8, 96, side_px // 8, side_px // 8), size=(side_px, side_px), mode='bilinear'
    ).relu()


@click.command(epilog='Example: OMP_NUM_THREADS=1 python tools/benchmark/layout_rounding.py')
def main() -> None:
    """Print the largest error over the largest value, for two sizes of a map."""
    torch.manual_seed(0)
    table = Table('px', 'own layout', 'channels_last', 'bfloat16', 'means of two batches, std')
    for side_px in (64, 128):
        one, other = smooth(side_px), smooth(side_px)
        exact = torch.nn.BatchNorm2d(96).double()(one.double())
        forms = (one, one.contiguous(memory_format=torch.channels_last), one.bfloat16().float())
        errors = [
            ((torch.nn.BatchNorm2d(96)(form) - exact).abs().max() / exact.abs().max()).item()
            for form in forms
        ]
        apart = (one.mean((0, 2, 3)) - other.mean((0, 2, 3))).abs() / one.std((0, 2, 3))
        table.add_row(str(side_px), *(f'{each:.0e}' for each in errors), f'{apart.mean():.0e}')
    Console().print(table)


if __name__ == '__main__':
    main()
