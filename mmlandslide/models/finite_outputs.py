"""Values that are none are named before suppression drops them without a word.

Weights may be finite and what is computed from them may not be: a map of nothing would follow.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from mmlandslide.errors import CheckpointError

_REMEDY = (
    'Test with another checkpoint, on values in the units that it was trained on, and without --amp'
)


def require_finite_outputs(model: nn.Module, where: object) -> Sequence[RemovableHandle]:
    """Refuse, from now on, what a detector's heads compute where it is NaN or infinite.

    Trainings are not looked at here: their losses are, see `engine.divergence`.

    Args:
        model: a detector of MMDetection.
        where: the checkpoint, for the error, a `CheckpointError` of the model's next pass.

    Returns:
        What ends it: `handle.remove()` of each.
    """

    def look(name: str) -> Any:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if module.training:
                return
            for values in _floats(output):
                wrong = ~torch.isfinite(values)
                if bool(wrong.any()):
                    got = f'{float(values[wrong][0])} in {name}'
                    raise CheckpointError.mismatch(
                        'what the detector computes', 'be finite', got, where, _REMEDY
                    )

        return hook

    return [
        module.register_forward_hook(look(name))
        for name, module in model.named_modules()
        if hasattr(module, 'predict_by_feat')
    ]


def _floats(output: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of real numbers in nested tuples, lists and dicts."""
    if isinstance(output, torch.Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, dict):
        yield from _floats(list(output.values()))
    elif isinstance(output, tuple | list):
        for each in output:
            yield from _floats(each)
