"""Size and shape of pixels on the ground."""

from pathlib import Path

import numpy as np

from mmlandslide.errors import SceneError
from mmlandslide.scenes.frame import GeoBox

#: Ground sampling distances in metres that are near enough to the 10 m that detectors have learnt.
_GSD_M = (4.5, 20.5)
#: Longer over shorter side of a pixel on the ground.
_MOST_OBLONG = 1.5


def require_gsd(frame: GeoBox, where: Path, of_scale: bool = True) -> None:
    """Refuse pixels that show things in another size or shape than detectors have learnt.

    Args:
        frame: of the scene.
        where: the file to name.
        of_scale: whether the detector has learnt pixels of 10 m.

    Raises:
        SceneError: a ground sampling distance far from 10 m, or pixels far from square.
    """
    across, along = (float(sizes[0]) for sizes in frame.pixel_size_m(np.array([frame.height // 2])))
    if max(across, along) > _MOST_OBLONG * min(across, along):
        side = 10 if of_scale else f'{min(across, along):.3g}'
        remedy = (
            f'Warp it with `gdalwarp -t_srs {_utm(frame)} -tr {side} {side} -r bilinear`, or say '
            f'--no-check'
        )
        got = f'{across:.4g} x {along:.4g} m'
        raise SceneError.mismatch('pixels', 'be about square on the ground', got, where, remedy)
    if of_scale and not _GSD_M[0] <= frame.gsd_m <= _GSD_M[1]:
        remedy = (
            'Resample it with `gdalwarp -tr 10 10 -r bilinear` on a map in metres, or say '
            '--no-check'
        )
        raise SceneError.mismatch(
            'pixels', 'be about 10 m (5 to 20) on the ground', f'{frame.gsd_m:.4g} m', where, remedy
        )


def _utm(frame: GeoBox) -> str:
    """Return the UTM zone that the middle of a scene lies in."""
    lon, lat = (float(each) for each in frame.lonlat(frame.width / 2, frame.height / 2))
    zone = int((lon + 180) % 360 // 6) + 1
    return f'EPSG:{32600 + zone if lat >= 0 else 32700 + zone}'
