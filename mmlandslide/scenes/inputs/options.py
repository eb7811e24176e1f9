"""What a user may say about a scene beyond its path."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from mmlandslide.errors import ConfigError, SceneError
from mmlandslide.scenes.inputs.formats.packages import local_path

#: Names of units, and how many Sentinel-2 digital numbers one of them is; `landslide4sense` has a
#: divisor for each band.
UNITS = {'dn': 1.0, 'reflectance': 10000.0}
LANDSLIDE4SENSE_UNITS = 'landslide4sense'
#: Stands for the mask that a product brings with it.
PRODUCT_MASK = 'product'
#: What a folder of elevation is searched for.
_DEM_SUFFIXES = ('.tif', '.tiff', '.jp2', '.vrt')


@dataclass(frozen=True)
class InputOptions:
    """How to read a scene; everything has a default that suits most scenes.

    Attributes:
        band_files: (band, file) pairs of single-band files, such as `('B2', 'T33TWM_B02.jp2')`,
            beside or instead of the scene.
        band_order: names of the bands of a multi-band file or tile, in its order; by default its
            descriptions say so.
        dem: raster of elevation in metres in any map projection, or several side by side on one
            map; wins over a DEM band and a slope band of the scene.
        dem_part: take elevation that covers a part of the scene; the rest counts as no data.
        cloud_mask: raster whose clouds count as no data, in any map projection, or `product`: the
            one that the scene brings with it.
        cloud_kind: of `masks.KINDS`: what the values of `cloud_mask` mean; by default its name
            says so (`SCL`, `QA60`, `MSK_CLASSI`, `MSK_CLDPRB`, ...), else it must hold 0 and 1.
        cloud_threshold: probability from which on a pixel is cloud, in percent; 50 by default.
        scale: `dn` (digital numbers), `reflectance` (0 to 1), `landslide4sense`, or how many
            digital numbers one unit is; by default recognised by type and range.
        dn_offset: added to Sentinel-2's digital numbers, -1000 for products of processing baseline
            04.00 or later; by default what the product's metadata or the baseline in a name
            (`_N0509_`) say, else 0.
        fill: band that the scene lacks -> its value in Landslide4Sense units, or `mean` for the
            band's mean.
        nodata: value that means no data; by default what the file says, else 0 in Sentinel-2's
            bands except B10.
        acquired: when the scene was taken, UTC; by default what its metadata or names say.
        check_values: refuse bands whose values contradict their names or units, and pixels that are
            far from 10 m.

    Raises:
        ConfigError: an offset that is no finite number, a threshold that is no percentage, or a
            kind or threshold of a cloud mask without a mask.
    """

    band_files: Sequence[tuple[str, str | Path]] = ()
    band_order: Sequence[str] | None = None
    dem: str | Path | Sequence[str | Path] | None = None
    dem_part: bool = False
    cloud_mask: str | Path | None = None
    cloud_kind: str | None = None
    cloud_threshold: float | None = None
    scale: str | float | None = None
    dn_offset: float | None = None
    fill: Mapping[str, float | str] = field(default_factory=dict)
    nodata: float | None = None
    acquired: datetime | None = None
    check_values: bool = True

    def __post_init__(self) -> None:
        """Refuse what can have no meaning."""
        if self.dn_offset is not None and not math.isfinite(self.dn_offset):
            remedy = 'Pass -1000 or 0'
            raise ConfigError.mismatch(
                'dn_offset', 'be a finite number', self.dn_offset, 'the options', remedy
            )
        stated = {'cloud kind': self.cloud_kind, 'cloud threshold': self.cloud_threshold}
        for subject, value in stated.items():
            if value is not None and self.cloud_mask is None:
                remedy = 'Name the mask with --mask, or leave --mask-kind and --mask-threshold out'
                raise ConfigError.mismatch(
                    subject, 'belong to a cloud mask', 'no mask', 'the options', remedy
                )
        if self.cloud_threshold is not None and not 0 < self.cloud_threshold <= 100:
            raise ConfigError.mismatch(
                'cloud threshold',
                'be a percentage above 0',
                self.cloud_threshold,
                'the options',
                'Pass 50, say',
            )

    @property
    def dem_paths(self) -> tuple[Path, ...]:
        """Files of elevation that the user names; of a folder, the rasters in it.

        Raises:
            SceneError: a path is not local, or a folder holds no raster.
        """
        if self.dem is None:
            return ()
        named = (self.dem,) if isinstance(self.dem, str | Path) else tuple(self.dem)
        return tuple(file for path in named for file in _rasters_of(local_path(path)))


def _rasters_of(path: Path) -> list[Path]:
    """Return a file itself, or the rasters of a folder of tiles."""
    if not path.is_dir():
        return [path]
    found = [each for each in sorted(path.iterdir()) if each.suffix.lower() in _DEM_SUFFIXES]
    found = [each for each in found if each.is_file() and not each.name.startswith('.')]
    if not found:
        raise SceneError.mismatch(
            'folder of elevation',
            f'hold files {list(_DEM_SUFFIXES)}',
            'none',
            path,
            'Name the folder that holds them, or each file with --dem FILE --dem FILE',
        )
    return found


def dn_per_unit(scale: str | float | None) -> float | None:
    """Return how many digital numbers a stated unit is.

    `None` where nothing is stated or it is Landslide4Sense's own.

    Raises:
        ConfigError: neither a name of a unit nor a positive number.
    """
    if scale is None or scale == LANDSLIDE4SENSE_UNITS:
        return None
    if scale in UNITS:
        return UNITS[str(scale)]
    try:
        number = float(scale)
    except ValueError:
        number = 0.0
    if not 0 < number < float('inf'):
        names = [*UNITS, LANDSLIDE4SENSE_UNITS]
        raise ConfigError.mismatch(
            'scale',
            f'be one of {names} or a positive number',
            repr(scale),
            'the options',
            'Correct it',
        )
    return number
