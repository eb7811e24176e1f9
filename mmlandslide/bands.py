"""The band table: every band that mmlandslide knows by name, and the groups of names.

A band is known by its name everywhere; its position in a file is a property of the file. The
statistics are of stored values: Landslide4Sense divides each raw band by a fixed number
(github.com/iarai/Landslide4Sense-2022, issues 2 and 4), and the means and standard deviations are
of those quotients over the training tiles, as two independent repositories measured them.
Wavelengths are ESA's for Sentinel-2A.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mmlandslide.errors import BandError


@dataclass(frozen=True)
class Band:
    """One band of a sensor.

    Attributes:
        name: unique over all sensors.
        sensor: `Sentinel-2 L1C`, `DEM`, `8-bit RGB` or `Mars`.
        unit: of the raw value, before the divisor.
        mean: of the stored values, `None` where nobody has measured it.
        std: of the stored values, likewise.
        divisor: stored value = raw value / divisor.
        wavelength_nm: centre of the band, `None` for what is not light.
        color: `R`, `G` or `B` where the band shows that colour.
    """

    name: str
    sensor: str
    unit: str
    mean: float | None
    std: float | None
    divisor: float = 1.0
    wavelength_nm: float | None = None
    color: str | None = None


_S2, _DN = 'Sentinel-2 L1C', '1e-4 top-of-atmosphere reflectance'
_LANDSLIDE4SENSE = (
    Band('B1', _S2, _DN, 0.9257, 0.1410, 1111.81236406, 442.7),
    Band('B2', _S2, _DN, 0.9227, 0.2207, 824.63171476, 492.4, 'B'),
    Band('B3', _S2, _DN, 0.9541, 0.3184, 663.41636217, 559.8, 'G'),
    Band('B4', _S2, _DN, 0.9596, 0.5724, 445.17289745, 664.6, 'R'),
    Band('B5', _S2, _DN, 1.0228, 0.4601, 645.8582926, 704.1),
    Band('B6', _S2, _DN, 1.0426, 0.4465, 1547.73508126, 740.5),
    Band('B7', _S2, _DN, 1.0358, 0.4651, 1960.44401001, 782.8),
    Band('B8', _S2, _DN, 1.0468, 0.4948, 1941.32229668, 832.8),
    Band('B9', _S2, _DN, 1.1699, 0.5133, 674.07572865, 945.1),
    Band('B10', _S2, _DN, 1.1736, 0.6836, 9.04787384, 1373.5),
    Band('B11', _S2, _DN, 1.0495, 0.5323, 1113.98338755, 1613.7),
    Band('B12', _S2, _DN, 1.0370, 0.6628, 519.90397929, 2202.4),
    Band('slope', 'DEM', 'degree', 1.2511, 0.6784, 20.29228266),
    Band('DEM', 'DEM', 'm', 1.6495, 1.0727, 772.83144788),
)
# The one band that Landslide4Sense leaves out, so there is neither a divisor nor a statistic in its
# units.
_LEFT_OUT = (Band('B8A', _S2, _DN, None, None, wavelength_nm=864.7),)
# ImageNet's statistics in 8-bit units: the start that 8-bit RGB tiles and published weights
# share.
_RGB8 = (
    Band('R', '8-bit RGB', '1/255', 123.675, 58.395, 1.0, 664.6, 'R'),
    Band('G', '8-bit RGB', '1/255', 116.28, 57.12, 1.0, 559.8, 'G'),
    Band('B', '8-bit RGB', '1/255', 103.53, 57.375, 1.0, 492.4, 'B'),
)
# Multimodal-Martian-Landslides (MAIN-Lab, WACV 2024), in the order of its files; measured over 180
# of its training tiles. Thermal inertia holds 0 where it has no data (0.2 % of the pixels, in 4
# tiles): left out here, its std would be 0.0443 with them.
_SCALED = 'scaled to [0, 1] by the authors'
_MARS = (
    Band('mars_R', 'Mars', _SCALED, 0.3433, 0.2348, color='R'),
    Band('mars_G', 'Mars', _SCALED, 0.3554, 0.2109, color='G'),
    Band('mars_B', 'Mars', _SCALED, 0.4615, 0.1759, color='B'),
    Band('mars_DEM', 'Mars', _SCALED, 0.5205, 0.2475),
    Band('mars_thermal', 'Mars', _SCALED, 0.8948, 0.0100),
    Band('mars_slope', 'Mars', _SCALED, 0.2093, 0.1652),
    Band('mars_grey', 'Mars', _SCALED, 0.5154, 0.1837),
)

BANDS: dict[str, Band] = {
    band.name: band for band in (*_LANDSLIDE4SENSE, *_LEFT_OUT, *_RGB8, *_MARS)
}

#: Bands of a Landslide4Sense tile, in the order of its file. B8A is left out there; B10 (cirrus) is
#: in.
LANDSLIDE4SENSE: tuple[str, ...] = tuple(band.name for band in _LANDSLIDE4SENSE)

GROUPS: dict[str, tuple[str, ...]] = {
    'all': LANDSLIDE4SENSE,
    's2': LANDSLIDE4SENSE[:12],
    's2_l1c': (*LANDSLIDE4SENSE[:8], 'B8A', *LANDSLIDE4SENSE[8:12]),
    'terrain': ('slope', 'DEM'),
    'rgb': ('B4', 'B3', 'B2'),
    'false_color': ('B8', 'B4', 'B3'),
    'rgb8': ('R', 'G', 'B'),
    'photograph': ('R', 'G', 'B'),  # the old name of rgb8, for one release
    'mars': tuple(band.name for band in _MARS),
}

#: Mean and standard deviation that are widely copied as Landslide4Sense's own. Files whose minimum
#: is 0 cannot have them (a negative mean): an option for comparing with work that used them
#: (`mean='published'`), never a default.
PUBLISHED_MEAN = (
    -0.4914, -0.3074, -0.1277, -0.0625, 0.0439, 0.0803, 0.0644,
    0.0802, 0.3000, 0.4082, 0.0823, 0.0516, 0.3338, 0.7819,
)  # fmt: skip
PUBLISHED_STD = (
    0.9325, 0.8775, 0.8860, 0.8869, 0.8857, 0.8418, 0.8354,
    0.8491, 0.9061, 1.6072, 0.8848, 0.9232, 0.9018, 1.2913,
)  # fmt: skip


def names(bands: str | Sequence[str]) -> tuple[str, ...]:
    """Return band names from a group's name, a band's name or a sequence of either.

    Args:
        bands: such as `'rgb'`, `'B8'` or `('B8', 'terrain')`. A name that is no group stands for
            itself, known or not, so that data sets with bands of their own need no entry here.

    Returns:
        The names in the order asked for.

    Raises:
        BandError: no band, or a band twice.
    """
    asked = (bands,) if isinstance(bands, str) else tuple(bands)
    found = tuple(name for item in asked for name in GROUPS.get(item, (item,)))
    if not found or len(set(found)) != len(found):
        raise BandError.mismatch(
            'bands',
            'name at least one band and none twice',
            found,
            f'bands={bands!r}',
            f'Name bands or groups {list(GROUPS)}',
        )
    return found


def positions(
    bands: str | Sequence[str], available: Sequence[str], where: object = 'the data'
) -> list[int]:
    """Return where each band asked for stands among those available.

    Args:
        bands: as in `names`.
        available: names in the order of the file.
        where: what holds the bands, for the error.

    Returns:
        One index a band, in the order asked for.

    Raises:
        BandError: a band is not available.
    """
    asked = names(bands)
    unknown = [name for name in asked if name not in available]
    if unknown:
        raise BandError.mismatch(
            'bands',
            f'be among {list(available)}',
            unknown,
            where,
            f'Name those bands or the groups {list(GROUPS)}',
        )
    return [list(available).index(name) for name in asked]


def statistics(bands: str | Sequence[str]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of the stored values, band by band.

    Raises:
        BandError: a band is not in the table, or nobody has measured it (B8A): its statistics are
            not known.
    """
    asked = names(bands)
    measured = {
        name: (band.mean, band.std)
        for name, band in BANDS.items()
        if band.mean is not None and band.std is not None
    }
    unknown = [name for name in asked if name not in measured]
    if unknown:
        raise BandError.mismatch(
            'bands',
            f'have known statistics ({list(measured)})',
            unknown,
            f'bands={bands!r}',
            'Pass mean=... and std=..., which `mmlandslide stats --masks FOLDER` measures',
        )
    return [measured[name][0] for name in asked], [measured[name][1] for name in asked]


def divisors(bands: Sequence[str]) -> tuple[float, ...]:
    """Return each band's divisor, 1 for a band that is not in the table.

    Stored value = whole number / divisor.
    """
    return tuple(BANDS[name].divisor if name in BANDS else 1.0 for name in bands)


def published_statistics(bands: str | Sequence[str]) -> tuple[list[float], list[float]]:
    """Return the published mean and standard deviation (see `PUBLISHED_MEAN`), band by band.

    Raises:
        BandError: a band is none of Landslide4Sense's.
    """
    found = positions(bands, LANDSLIDE4SENSE, 'the published statistics')
    return [PUBLISHED_MEAN[index] for index in found], [PUBLISHED_STD[index] for index in found]
