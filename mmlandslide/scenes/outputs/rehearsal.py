"""A rehearsal of what `detect` does at its end, for `doctor`: place, warp, lock and write.

It runs in a process of its own, in the folder where the user is; what it writes it takes away.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmlandslide.installation import Finding
from mmlandslide.library_probes import run_probe
from mmlandslide.proj import forgotten

if TYPE_CHECKING:
    import numpy as np

_CODE = f'from {__name__} import main; main()'
_SIDE_PX = 8
#: Step -> what a user does where it fails.
_REMEDIES = {
    'map projection': 'Unset PROJ_DATA and PROJ_LIB, which lead to the files of another program '
    '(QGIS, conda), or run `pip install --force-reinstall rasterio pyproj`',
    'warp': 'Run `pip install --force-reinstall rasterio`',
    'GeoPackage': 'Free space, allow writing here, or change to a folder where you may write; '
    'where there is room, run `pip install --force-reinstall pyogrio geopandas`',
}


def findings() -> list[Finding]:
    """Report what came of each step; a fault where scenes cannot be mapped."""
    probe = run_probe(_CODE)
    if probe.output is None:
        remedy = f'Repair what is named above first: {probe.error}'
        return [Finding('rehearsal', 'did not run', remedy, fault=True)]
    found = [
        Finding(str(name), str(value), str(remedy), bool(fault))
        for name, value, remedy, fault in _rows(probe.output)
    ]
    note = 'Nothing: it leads to the database of another program, and is not used'
    return [*found, *(Finding(name, value, note) for name, value in forgotten.items())]


def _rows(output: Sequence[object]) -> list[list[Any]]:
    return [row for row in output if isinstance(row, list)]


def main() -> None:
    """Go through the steps and print a row for each, as JSON."""
    import warnings

    warnings.simplefilter('ignore')
    rows = [_row(name, step) for name, step in _STEPS.items()]
    print(json.dumps([*rows, _lock(), _home()]))  # noqa: T201


def _row(name: str, step: Callable[[], str]) -> list[object]:
    try:
        return [name, step(), '', False]
    # Whatever fails here fails for the user, in any class that a C library raises.
    except Exception as error:
        reason = ' '.join(str(error).split())[:300] or type(error).__name__
        return [name, 'fails', f'{_REMEDIES[name]}: {reason}', True]


def _projected() -> str:
    """Place a position of UTM zone 33 on the globe by both libraries that do so."""
    import pyproj
    from rasterio.warp import transform

    [lon], [lat] = transform('EPSG:32633', 'EPSG:4326', [500000], [5000000])
    x, y = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform(500000, 5000000)
    if max(abs(lon - 15), abs(lat - y), abs(lon - x)) > 1e-6:
        raise ValueError(f'EPSG:32633 500000, 5000000 lies at {lon}, {lat} and at {x}, {y}')
    return 'rasterio and pyproj agree'


def _warped() -> str:
    """Warp a raster to another zone, as elevation is warped to its scene."""
    from rasterio.io import MemoryFile
    from rasterio.vrt import WarpedVRT

    array = _array()
    shape = {'height': _SIDE_PX, 'width': _SIDE_PX, 'count': 1, 'dtype': 'float32'}
    with MemoryFile() as memory:
        with memory.open(driver='GTiff', crs='EPSG:32633', transform=_transform(), **shape) as file:
            file.write(array[None])
        with memory.open() as file, WarpedVRT(file, crs='EPSG:32632') as warped:
            highest = float(warped.read(1).max())
    if not 0.5 <= highest <= 1.5:
        raise ValueError(f'ones become {highest}')
    return 'from one map to another'


def _written() -> str:
    """Write a layer where the user is, and read it back."""
    import geopandas as gpd
    import pyogrio
    from shapely.geometry import box

    from mmlandslide.scenes.outputs import vector

    layer = gpd.GeoDataFrame({'score': [0.5]}, geometry=[box(0, 0, 1, 1)], crs=32633)
    with tempfile.TemporaryDirectory(prefix='.mmlandslide-', dir=Path.cwd()) as folder:
        path = Path(folder) / 'rehearsal.gpkg'
        vector.write(layer, path)
        read = pyogrio.read_dataframe(path)
        if len(read) != 1 or read.crs != layer.crs:
            raise ValueError(f'{len(read)} features in {read.crs} are read back')
    return f'written and read in {Path.cwd()}'


def _lock() -> list[object]:
    """Report whether two runs on one output are told apart."""
    from mmlandslide.files import lock_now

    note = 'Take care that no two runs write the same output'
    try:
        with tempfile.TemporaryFile(dir=Path.cwd()) as file:
            held = lock_now(file)
        return ['locks', 'work' if held else 'are held by others', '' if held else note, False]
    except OSError as error:
        return ['locks', f'none here ({error.strerror or error})', note, False]


def _home() -> list[object]:
    """Report where stores of a read-only data folder go."""
    with suppress(RuntimeError):
        return ['home', str(Path.home()), '', False]
    note = 'Data folders that are read-only need MMLANDSLIDE_CACHE, a folder where you may write'
    return ['home', 'none', note, False]


def _array() -> 'np.ndarray':
    import numpy as np

    return np.ones((_SIDE_PX, _SIDE_PX), np.float32)


def _transform() -> Any:
    from rasterio.transform import from_origin

    return from_origin(500000, 5000000, 10, 10)


_STEPS = {'map projection': _projected, 'warp': _warped, 'GeoPackage': _written}
