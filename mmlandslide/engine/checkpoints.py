"""What our checkpoints hold beside weights, in tensors and plain types only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_LOG, _COUNT = 'log_history', 'count_history'


def plain(value: Any) -> Any:
    """Return a value in tensors, dicts, lists, tuples and Python scalars, so that `weights_only` reads it everywhere.

    A `HistoryBuffer` becomes a dict of two tensors, which `restore_history` turns back.

    Raises:
        TypeError: the value is of a type that has no plain form.
    """
    if isinstance(value, HistoryBuffer):
        log, count = value.data
        return {_LOG: torch.as_tensor(np.asarray(log, np.float64)), _COUNT: torch.as_tensor(np.asarray(count, np.int64))}
    if isinstance(value, torch.Tensor | str | int | float | bool | type(None)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        items = [plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    raise TypeError(f'{type(value).__name__} has no plain form for a checkpoint')


def restore_history(message_hub: dict[str, Any]) -> None:
    """Turn the plain histories of a loaded `message_hub` back into `HistoryBuffer`s, in place."""
    scalars = message_hub.get('log_scalars', {})
    for key, value in scalars.items():
        if isinstance(value, Mapping) and _LOG in value:
            scalars[key] = HistoryBuffer(value[_LOG].tolist(), value[_COUNT].tolist())
