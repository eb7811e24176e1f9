"""What names of products, folders and files say: date, processing baseline, level.

`S2A_MSIL1C_20150711T100006_N0204_R122_T33TWM_20150711T100008` (ESA), `S2B_52SFA_20220126_0_L2A`
(Earth Search), `HLS.S30.T33TWM.2022026T100229.v2.0` (NASA: year and day of the year).
"""

import re
from datetime import datetime, timezone
from pathlib import Path

from mmlandslide.scenes.inputs.formats.band_names import SENTINEL2

FIRST_WITH_OFFSET = (4, 0)
#: Baselines of products that a user processed by Sen2Cor; they say nothing of an offset.
_OF_A_USER = 99
_BASELINE = re.compile(r'_N(\d\d)(\d\d)(?=_|\.|$)')
_DATES = (
    (r'\d{8}T\d{6}', '%Y%m%dT%H%M%S'),
    (r'\d{7}T\d{6}', '%Y%jT%H%M%S'),
    (r'\d{4}-\d\d-\d\d', '%Y-%m-%d'),
    (r'\d{4}_\d\d_\d\d', '%Y_%m_%d'),
    (r'\d{8}', '%Y%m%d'),
)
#: Before the first Sentinel-2 and the first Landsat there is nothing to find.
_FIRST_YEAR, _LAST_YEAR = 1972, 2100


def has_offset(baseline: tuple[int, int]) -> bool | None:
    """Return whether products of a processing baseline lie 1000 higher; `None` where it is open."""
    return None if baseline[0] == _OF_A_USER else baseline >= FIRST_WITH_OFFSET


def offsets_by_name(path: Path) -> dict[str, float]:
    """Return band -> offset where a name states a baseline that has one; else nothing.

    Args:
        path: whose name is read, then those of the folders around it.
    """
    for name in (path.stem, *(folder.name for folder in path.absolute().parents)):
        match = _BASELINE.search(name)
        if match:
            stated = has_offset((int(match[1]), int(match[2])))
            return dict.fromkeys(SENTINEL2, -1000.0) if stated else {}
    return {}


def level_in(name: str) -> str | None:
    """Return the level that a name states, `1C` or `2A`; `None` where it states none."""
    match = re.search(r'(?:_(?:MSI|SAF)|(?<![A-Za-z0-9]))L(1C|2A)(?![A-Za-z0-9])', name)
    return match[1] if match else None


def date_in(name: str) -> datetime | None:
    """Return the time in a file's name, UTC; midnight where it holds a date alone.

    `None` where there is none.
    """
    for pattern, form in _DATES:
        for text in re.findall(rf'(?<!\d){pattern}(?!\d)', name):
            try:
                found = datetime.strptime(text, form).replace(tzinfo=timezone.utc)
            except ValueError:
                continue
            if _FIRST_YEAR <= found.year < _LAST_YEAR:
                return found
    return None
