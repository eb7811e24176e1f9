"""What files and users call the bands, in the names of the band table.

Read are the forms of ESA (`B04`, `B04_10m`), of GDAL's Sentinel-2 driver (`B4, central wavelength
665 nm`), of Earth Engine (`2_B4`, `B4_median`), of EO Browser (`B04_(Raw)`), of NASA's HLS
(`HLS.S30.T33TWM.2022026T100229.v2.0.B04`), of STAC (`red`, `nir`, `swir16`) and of ESA's guide in
words (`Vegetation Red Edge 1`).
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.errors import BandError

#: Sentinel-2's bands by the number that its metadata give them.
SENTINEL2 = ('B1', 'B2', 'B3', 'B4', 'B5', 'B6', 'B7', 'B8', 'B8A', 'B9', 'B10', 'B11', 'B12')
#: Landslide4Sense left B8A out, so no model asks for it.
UNUSED = 'B8A'
#: Cirrus: the only optical band in which 0 is a common value.
CIRRUS = 'B10'
#: Stands for a band that is not to be read.
SKIPPED = '-'
#: Bands by the number that sensors of other names give other wavelengths.
OTHER_SENSORS = re.compile(r'HLS\.L30|L[COTEM]0[4-9]_|sur_refl|(?:^|_)SR_B\d', re.IGNORECASE)

_ELEVATION = ('dem', 'srtm', 'elevation', 'height', 'altitude')
#: What files hold beside bands.
_NO_BAND = ('alpha', 'mask', 'datamask', 'skip', SKIPPED)
#: Names of STAC's EO extension (`nir08` is the narrow band beside `nir`) and of ESA's guide,
#: without blanks and other signs.
COMMON_NAMES = {
    'coastal': 'B1',
    'blue': 'B2',
    'green': 'B3',
    'red': 'B4',
    'rededge1': 'B5',
    'rededge071': 'B5',
    'rededge2': 'B6',
    'rededge074': 'B6',
    'rededge3': 'B7',
    'rededge078': 'B7',
    'nir': 'B8',
    'nir08': 'B8A',
    'nir09': 'B9',
    'cirrus': 'B10',
    'swir16': 'B11',
    'swir22': 'B12',
    'coastalaerosol': 'B1',
    'vegetationrededge1': 'B5',
    'vegetationrededge2': 'B6',
    'vegetationrededge3': 'B7',
    'narrownir': 'B8A',
    'watervapour': 'B9',
    'watervapor': 'B9',
    'swircirrus': 'B10',
    'swir1': 'B11',
    'swir2': 'B12',
}
_TOKEN = re.compile(r'(?<![A-Za-z0-9])B(?:0*([1-9]\d?)|0*(8A))(?![A-Za-z0-9])', re.IGNORECASE)
#: What may follow a band's name: its pixel size, a reducer, what a tool says of it.
_TAIL = re.compile(
    r'[\s_.,;:(\[-]*'
    r'(?:(?:10|20|60) ?m|\(?raw\)?|mean|median|min|max|first|mosaic|reflectance|boa|toa'
    r'|central wavelength.*|\d+ ?nm)?[)\]]?',
    re.IGNORECASE,
)


def canonical(name: str) -> str:
    """Return the table's name of a band.

    `B1` for `B01`, `b1` or `B01_60m`, `B8` for `nir`, `DEM` for `SRTM_m`, `slope` for `slope_deg`;
    else the name.
    """
    name = name.strip()
    plain = re.sub(
        r'[\s_(\[]+(m|metres|meters|deg|degrees)[)\]]?$', '', name, flags=re.IGNORECASE
    ).lower()
    if plain in _ELEVATION:
        return 'DEM'
    if plain == 'slope':
        return 'slope'
    if plain in _NO_BAND:
        return SKIPPED
    return band_in(name) or COMMON_NAMES.get(re.sub(r'[\W_]', '', plain), name)


def band_in(name: str) -> str | None:
    """Return the Sentinel-2 band that stands last in a name.

    Between whatever is no letter or digit. `None` where there is none, where more than a pixel size
    or a reducer follows, or where the name is of another sensor, whose numbers mean other
    wavelengths.
    """
    if OTHER_SENSORS.search(name):
        return None
    *_, last = (*_TOKEN.finditer(name),) or (None,)
    if last is None or _TAIL.fullmatch(name[last.end() :]) is None:
        return None
    band = f'B{last[1] or last[2].upper()}'
    return band if band in SENTINEL2 else None


def common_band_in(stem: str) -> str | None:
    """Return the band that a file's name ends with in STAC's words, such as `T33TWM_red`."""
    word = re.split(r'[^A-Za-z0-9]+', stem.strip())[-1].lower()
    return COMMON_NAMES.get(word)


def in_colors(names: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return names with `red`, `green` and `blue` as a model of 8-bit RGB tiles calls them.

    Args:
        names: canonical names.
        asked: bands that the model asks for.
    """
    colors = {BANDS[band].color: band for band in asked if band in BANDS and band not in SENTINEL2}
    return [
        colors.get(BANDS[name].color, name) if name in BANDS and BANDS[name].color else name
        for name in names
    ]


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
    known = [*BANDS, UNUSED, *asked, SKIPPED]
    unknown = [name for name in names if name not in known]
    if unknown:
        names_known = list(dict.fromkeys([*SENTINEL2, 'slope', 'DEM', *asked]))
        remedy = f'Name bands out of {names_known}'
        if where == '--band-order':
            remedy = f'{remedy}, and a band that is none of them {SKIPPED}'
        raise BandError.mismatch('band name', 'be known', unknown, where, remedy)
