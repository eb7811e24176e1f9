"""A digest of plain values and dataclasses, equal in every process and after every restart.

`hash`, `repr` and pickles are not.
"""

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.transform import Affine


def digest(value: Any) -> str:
    """Return 16 hexadecimal digits.

    Args:
        value: of plain types, arrays, dataclasses and objects made of such.

    Raises:
        TypeError: something in it has no state that can be read.
    """
    text = json.dumps(_state(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _state(value: Any) -> Any:
    """Return a value in the types that JSON has.

    Of a dataclass the fields that it is compared by.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path | datetime | enum.Enum | CRS):
        return str(value)
    if isinstance(value, np.ndarray | np.generic):
        return [value.dtype.str, list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
    if isinstance(value, Mapping):
        return {str(key): _state(item) for key, item in value.items()}
    if isinstance(value, list | tuple | Affine):
        return [_state(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return [
            type(value).__name__,
            {
                each.name: _state(getattr(value, each.name))
                for each in fields(value)
                if each.compare
            },
        ]
    if hasattr(value, '__dict__') and not callable(value):
        return [type(value).__name__, _state(vars(value))]
    raise TypeError(f'{type(value).__name__} has no state that can be read')
