"""Configs that normalise stored tiles with the published statistics, which cannot be theirs."""

from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from mmlandslide.bands import PUBLISHED_MEAN, PUBLISHED_STD
from mmlandslide.datasets.storage.faults import FAULTS, Finding
from mmlandslide.errors import ConfigError

_KNOWN = {'mean': PUBLISHED_MEAN, 'std': PUBLISHED_STD}
#: They are copied with two to four decimals.
_DIGITS = 2


def in_config(path: Path) -> list[Finding]:
    """Return a finding where a config names the published statistics or states their numbers.

    Args:
        path: of an mmengine config, which is run as `mim train` would run it.
    """
    from mmengine.config import Config  # loads torch: seconds

    places = list(_places(Config.fromfile(path).to_dict(), ''))
    if not places:
        return []
    remedy = FAULTS['published-statistics'].remedy
    error = ConfigError.mismatch(
        ', '.join(places), 'be those of stored values', 'the published ones', path, remedy
    )
    return [Finding('published-statistics', 'config', str(path), str(error))]


def _places(part: Any, where: str) -> Iterator[str]:
    """Yield where published statistics stand in an object, such as `data_preprocessor.mean`."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            here = f'{where}.{key}'.lstrip('.')
            if key in _KNOWN and (value == 'published' or _is_published(value, _KNOWN[key])):
                yield here
            else:
                yield from _places(value, here)
    elif isinstance(part, list | tuple):
        for index, value in enumerate(part):
            yield from _places(value, f'{where}[{index}]')


def _is_published(value: Any, known: Sequence[float]) -> bool:
    """Return whether a list holds published values only: all bands' or some bands' in any order."""
    if (
        not isinstance(value, list | tuple)
        or not value
        or not all(isinstance(number, Real) for number in value)
    ):
        return False
    rounded = {round(number, _DIGITS) for number in known}
    return all(round(float(number), _DIGITS) in rounded for number in value)
