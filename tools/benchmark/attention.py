"""Time attention with a bias that needs gradients.

Torch's scaled dot-product attention against three plain operations, in turn. The shapes are those
of Swin-T's stages at 128 px, batch 24, and of 256 visible tokens in one piece. Example: python
tools/benchmark/attention.py --rounds 7
"""

import statistics
import time
from collections.abc import Callable

import click
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

#: Windows, heads, tokens, channels of a head.
SHAPES = [(384, 3, 64, 32), (96, 6, 64, 32), (24, 12, 64, 32), (24, 3, 256, 32)]
Attention = Callable[..., torch.Tensor]


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Attend by two products and a softmax."""
    return ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias).softmax(-1) @ v


def fused(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Attend by torch's own function."""
    return F.scaled_dot_product_attention(q, k, v, bias)


def seconds(attend: Attention, shape: tuple[int, int, int, int], biases: int) -> float:
    """Return the wall seconds of one forward and backward pass."""
    _, heads, tokens, _ = shape
    inputs = [torch.randn(shape, requires_grad=True) for _ in range(3)]
    bias = torch.randn(biases, heads, tokens, tokens, requires_grad=True)
    start = time.perf_counter()
    attend(*inputs, bias).sum().backward()
    return time.perf_counter() - start


@click.command(epilog='Example: python tools/benchmark/attention.py')
@click.option('--rounds', default=7, show_default=True)
def main(rounds: int) -> None:
    """Print the median milliseconds of both, and their ratio round by round."""
    table = Table(
        'windows, heads, tokens, channels', 'biases', 'plain ms', 'fused ms', 'fused / plain'
    )
    for shape in SHAPES:
        for biases in (1, shape[0]):
            pairs = [
                (seconds(plain, shape, biases), seconds(fused, shape, biases))
                for _ in range(rounds + 1)
            ][1:]
            ours, theirs = (
                f'{1e3 * statistics.median(each):.1f}' for each in zip(*pairs, strict=True)
            )
            table.add_row(
                str(shape),
                str(biases),
                ours,
                theirs,
                f'{statistics.median(slow / fast for fast, slow in pairs):.2f}',
            )
    Console().print(table)


if __name__ == '__main__':
    main()
