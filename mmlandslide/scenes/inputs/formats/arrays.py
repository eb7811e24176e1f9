"""Arrays of other libraries: NumPy (masked too), PyTorch's tensors, xarray's with their map.

None of these libraries is imported: a tensor is what has `detach`, a `DataArray` what has `dims`
and `coords`. Read are the conventions of rioxarray, odc-stac and stackstac.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.transform import Affine

from mmlandslide.errors import ConfigError, LandslideError
from mmlandslide.scenes.frame import GeoBox

_ROWS = ('y', 'lat', 'latitude', 'northing')
_COLUMNS = ('x', 'lon', 'longitude', 'easting')
_TIMES = ('time', 't', 'date')
#: What xarray, rioxarray and xarray's former `open_rasterio` call the value that is none.
_FILLS = ('_FillValue', 'missing_value', 'nodata', 'nodatavals')
_PLACE = 'LandslideDetector'


@dataclass(frozen=True)
class PlacedArray:
    """An array and what its library says of it.

    Attributes:
        values: (C, H, W), rows running south; masked where a value means no data.
        names: of the bands, where they are said.
        frame: place on the map; `None` without one.
        acquired: UTC; `None` where nothing says so.
    """

    values: np.ndarray
    names: tuple[str, ...] | None = None
    frame: GeoBox | None = None
    acquired: datetime | None = None


def is_array(source: object) -> bool:
    """Return whether an object is an array of a library that is known here."""
    labelled = hasattr(source, 'dims') and hasattr(source, 'coords')
    return isinstance(source, np.ndarray) or hasattr(source, 'detach') or labelled


def placed_array(source: Any) -> PlacedArray:
    """Return an array of any known library.

    Args:
        source: see `is_array`; (C, H, W), or with named dimensions in any order.

    Raises:
        ConfigError: other dimensions, values that are no numbers, or coordinates that are uneven.
    """
    if hasattr(source, 'dims') and hasattr(source, 'coords'):
        return _labelled(source)
    return PlacedArray(_numbers(_of_tensor(source) if hasattr(source, 'detach') else source))


def _of_tensor(source: Any) -> np.ndarray:
    values = source.detach().cpu()
    try:
        return np.asarray(values.numpy())
    except TypeError:  # bfloat16, which NumPy lacks
        return np.asarray(values.float().numpy())


def _numbers(values: np.ndarray) -> np.ndarray:
    if values.ndim != 3 or values.dtype.kind not in 'iuf':
        raise _refusal('be (C, H, W) of numbers', f'shape {values.shape} of {values.dtype}')
    return values


def _labelled(source: Any) -> PlacedArray:
    """Return an xarray `DataArray`."""
    if not hasattr(source, 'attrs') or not hasattr(source, 'shape'):
        got = f'a {type(source).__name__} (take one variable, or `.to_dataarray("band")`)'
        raise _refusal('be a DataArray', got)
    dims = tuple(str(name) for name in source.dims)
    rows = next((name for name in dims if name.lower() in _ROWS), None)
    columns = next((name for name in dims if name.lower() in _COLUMNS), None)
    others = [name for name in dims if name not in (rows, columns)]
    sizes = dict(zip(dims, source.shape, strict=True))
    bands = [name for name in others if sizes[name] > 1] or others[-1:]
    if rows is None or columns is None or len(bands) != 1 or _are_times(bands[0], sizes):
        raise _refusal('have the dimensions band, y and x, one time', str(dims))
    single = {name: 0 for name in others if name != bands[0]}
    source = source.isel(single).transpose(bands[0], rows, columns)
    if columns in source.coords and (_step(np.asarray(source[columns], float), columns) or 1) < 0:
        source = source.isel({columns: slice(None, None, -1)})  # from west to east
    values = _masked(_numbers(np.asarray(source.values)), source.attrs)
    frame, upward = _frame(source, rows, columns)
    return PlacedArray(
        values[:, ::-1] if upward else values, _names(source, bands[0]), frame, _time(source)
    )


def _are_times(name: str, sizes: Mapping[str, int]) -> bool:
    """Return whether a dimension holds moments, which are no bands."""
    return name.lower() in _TIMES and sizes[name] > 1


def _masked(values: np.ndarray, attributes: Mapping[str, Any]) -> np.ndarray:
    """Return values in the scale that attributes state, masked where one means no data."""
    said = [attributes[name] for name in _FILLS if attributes.get(name) is not None]
    nodata = _per_band(said[0], len(values)) if said else np.array(np.nan)
    scale = _per_band(attributes.get('scale_factor', attributes.get('scales', 1.0)), len(values))
    offset = _per_band(attributes.get('add_offset', attributes.get('offsets', 0.0)), len(values))
    empty = values == nodata if np.isfinite(nodata).any() else None
    if (scale != 1).any() or offset.any():
        values = (values * scale + offset).astype(np.float32)
    return values if empty is None else np.ma.masked_array(values, empty)


def _per_band(said: Any, count: int) -> np.ndarray:
    """Return a number, or one for each band, as (1, 1, 1) or (C, 1, 1)."""
    numbers = np.ravel(np.asarray(said, float))
    if numbers.size not in (1, count):
        raise _refusal(f'state one value or {count}', f'{numbers.size} values {numbers[:9]}')
    return numbers.reshape(-1, 1, 1)


def _names(source: Any, dim: str) -> tuple[str, ...] | None:
    """Return the names of the bands: their coordinate, or what rioxarray keeps of descriptions."""
    said = source.attrs.get('long_name')
    coordinate = source.coords[dim].values if dim in source.coords else np.empty(0)
    if coordinate.dtype.kind in 'UO' and all(isinstance(each, str) for each in coordinate):
        return tuple(map(str, coordinate))
    if isinstance(said, list | tuple) and len(said) == source.shape[0]:
        return tuple(map(str, said))
    return None


def _frame(source: Any, rows: str, columns: str) -> tuple[GeoBox | None, bool]:
    """Return the place on the map, and whether rows run north."""
    crs = _crs(source)
    if rows not in source.coords or columns not in source.coords:
        return None, False
    x, y = (np.asarray(source.coords[name].values, float) for name in (columns, rows))
    across, down = _step(x, columns), _step(y, rows)
    if across is None or down is None or crs is None:
        return None, bool(down is not None and down > 0 and crs is not None)
    top, down = (y[-1], -down) if down > 0 else (y[0], down)
    transform = Affine(across, 0, x[0] - across / 2, 0, down, top - down / 2)
    return GeoBox(len(y), len(x), transform, crs), bool(y[-1] > y[0])


def _step(middles: np.ndarray, name: str) -> float | None:
    """Return the distance of the middles of pixels; `None` of a single one."""
    if len(middles) < 2:
        return None
    steps = np.diff(middles)
    step = float(steps.mean())
    if not np.isfinite(steps).all() or np.abs(steps - step).max() > 0.01 * abs(step):
        raise _refusal(
            'have even coordinates', f'steps of {steps.min()} to {steps.max()} in {name}'
        )
    return step


def _crs(source: Any) -> CRS | None:
    """Return the map as rioxarray, odc-stac (`spatial_ref`) or stackstac (`epsg`) state it."""
    said: list[Any] = []
    if 'spatial_ref' in source.coords:
        attributes = source.coords['spatial_ref'].attrs
        said += [attributes.get('crs_wkt'), attributes.get('spatial_ref')]
    said.append(source.attrs.get('crs'))
    if 'epsg' in source.coords and source.coords['epsg'].size == 1:
        said.append(f'EPSG:{int(source.coords["epsg"].values)}')
    for text in filter(None, said):
        try:
            return CRS.from_user_input(text)
        except CRSError as error:
            raise _refusal('state its coordinate reference system', repr(text)[:80]) from error
    return None


def _time(source: Any) -> datetime | None:
    """Return the one time of an array."""
    if 'time' not in source.coords or source.coords['time'].size != 1:
        return None
    moment = np.asarray(source.coords['time'].values).ravel()[0]
    if not isinstance(moment, np.datetime64) or np.isnat(moment):
        return None
    seconds = moment.astype('datetime64[s]').astype(int)
    return datetime.fromtimestamp(int(seconds), timezone.utc)


def _refusal(expected: str, got: str) -> LandslideError:
    remedy = 'Pass (C, H, W) with the bands of the detector'
    return ConfigError.mismatch('array', expected, got, _PLACE, remedy)
