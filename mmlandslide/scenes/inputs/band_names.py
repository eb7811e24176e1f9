"""What files and users call the bands, in the names of the band table."""

import re
from collections.abc import Iterable
from pathlib import Path

from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.errors import BandError

#: Sentinel-2's bands by the number that its metadata give them.
SENTINEL2 = ('B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B8A', 'B9', 'B10', 'B11', 'B12')
#: Landslide4Sense left B8A out, so no model asks for it.
UNUSED = 'B8A'
#: Cirrus: the only band of light in which 0 is a common value.
CIRRUS = 'B10'

_ELEVATION = ('dem', 'srtm', 'elevation', 'height', 'altitude')


def canonical(name: str) -> str:
    """Return the table's name of a band.

    `B1` for `B01` or `b1`, `DEM` for `SRTM_m`, `slope` for `slope_deg`; else the name.
    """
    name = name.strip()
    plain = re.sub(
        r'[\s_(\[]+(m|metres|meters|deg|degrees)[)\]]?$', '', name, flags=re.IGNORECASE
    ).lower()
    if plain in _ELEVATION:
        return 'DEM'
    if plain == 'slope':
        return 'slope'
    match = re.fullmatch(r'B0*(\d+)(A?)', name, re.IGNORECASE)
    return f'B{match[1]}{match[2].upper()}' if match else name


def is_reflectance(name: str) -> bool:
    """Return whether a band is one of Sentinel-2's that Landslide4Sense holds."""
    return name in LANDSLIDE4SENSE and name in SENTINEL2


def require_known(names: Iterable[str], asked: Iterable[str], where: str | Path) -> None:
    """Refuse names that no table and no model knows.

    Args:
        names: canonical names that a user gave.
        asked: names of the bands that the model asks for.
        where: the option that holds the names.

    Raises:
        BandError: a name is neither in the table, nor `B8A`, nor asked for.
    """
    known = [*BANDS, UNUSED, *asked]
    unknown = [name for name in names if name not in known]
    if unknown:
        remedy = f'Name bands out of {list(dict.fromkeys([*SENTINEL2, "slope", "DEM", *asked]))}'
        raise BandError.mismatch('band name', 'be known', unknown, where, remedy)
