from datetime import datetime, timezone

import numpy as np
import pytest
import torch
import xarray as xr
from rasterio.crs import CRS
from rasterio.transform import from_origin

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inputs.formats.arrays import placed_array
from mmlandslide.scenes.inputs.formats.packages import local_path

VALUES = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
#: Middles of pixels of 10 m whose corner is (500000, 5000000).
X, Y = [500005.0, 500015.0, 500025.0], [4999995.0, 4999985.0]


def labelled(values=VALUES, y=Y, dims=('band', 'y', 'x'), **more):
    return xr.DataArray(values, dims=dims, coords={'x': X, 'y': y, **more})


def utm():
    return xr.Variable((), 0, {'crs_wkt': CRS.from_epsg(32633).to_wkt()})


def test_a_tensor_is_its_values():
    found = placed_array(torch.from_numpy(VALUES).requires_grad_())
    assert np.array_equal(found.values, VALUES)
    assert (found.names, found.frame) == (None, None)


def test_a_data_array_keeps_its_place_its_names_and_its_time():
    time = np.datetime64('2022-01-26T10:02:29', 'ns')
    found = placed_array(labelled(spatial_ref=utm(), band=['B04', 'B08'], time=time))
    assert found.names == ('B04', 'B08')
    assert found.frame.crs == CRS.from_epsg(32633)
    assert found.frame.transform == from_origin(500000, 5000000, 10, 10)
    assert found.acquired == datetime(2022, 1, 26, 10, 2, 29, tzinfo=timezone.utc)


def test_stackstac_s_epsg_and_a_single_time_are_read():
    array = labelled(VALUES[None], dims=('time', 'band', 'y', 'x'), epsg=32633)
    assert placed_array(array).frame.crs == CRS.from_epsg(32633)


def test_rows_that_run_north_are_turned():
    found = placed_array(labelled(y=Y[::-1], spatial_ref=utm()))
    assert np.array_equal(found.values, VALUES[:, ::-1])
    assert found.frame.transform == from_origin(500000, 5000000, 10, 10)


def test_bands_may_stand_last():
    array = labelled(VALUES.transpose(1, 2, 0), dims=('y', 'x', 'band'))
    assert np.array_equal(placed_array(array).values, VALUES)


def test_what_the_attributes_say_of_the_values_is_heeded():
    array = labelled(VALUES.astype(np.int16))
    array.attrs.update(_FillValue=7, scale_factor=0.5, add_offset=-1.0)
    values = placed_array(array).values
    assert values.mask.sum() == 1
    assert values[0, 0].tolist() == [-1.0, -0.5, 0.0]


def test_a_tensor_of_a_type_that_numpy_lacks_is_read_too():
    found = placed_array(torch.full((1, 2, 3), 1.5, dtype=torch.bfloat16)).values
    assert found.tolist() == np.full((1, 2, 3), 1.5).tolist()


def test_a_list_is_neither_path_nor_array():
    with pytest.raises(ConfigError, match='be a path or an array, got list'):
        local_path([[1.0]])


@pytest.mark.parametrize(
    ('array', 'got'),
    [
        (np.zeros((3, 4)), r'shape \(3, 4\)'),
        (np.zeros((2, 3, 4), bool), 'of bool'),
        (xr.DataArray(np.zeros((2, 2, 3, 4)), dims=('time', 'band', 'y', 'x')), 'time'),
        (xr.DataArray(VALUES), 'dim_0'),
        (xr.Dataset({'a': (('y', 'x'), np.zeros((3, 4)))}), r'a Dataset .*to_dataarray'),
    ],
)
def test_other_arrays_are_refused(array, got):
    with pytest.raises(ConfigError, match=rf'array must .*got .*{got}.*Pass \(C, H, W\)'):
        placed_array(array)


def test_uneven_coordinates_are_refused():
    array = labelled(spatial_ref=utm()).assign_coords(x=[0.0, 10.0, 30.0])
    with pytest.raises(ConfigError, match=r'even coordinates, got steps of 10\.0 to 20\.0 in x'):
        placed_array(array)


def test_columns_that_run_west_are_turned():
    array = labelled(VALUES[..., ::-1], spatial_ref=utm()).assign_coords(x=X[::-1])
    found = placed_array(array)
    assert np.array_equal(found.values, VALUES)
    assert found.frame.transform == from_origin(500000, 5000000, 10, 10)


def test_scales_may_differ_between_bands():
    array = labelled(VALUES.astype(np.int16))
    array.attrs.update(scale_factor=[0.5, 2.0], add_offset=(0.0, 1.0))
    values = placed_array(array).values
    assert (values[0, 0, 2], values[1, 1, 2]) == (2 * 0.5, 11 * 2.0 + 1)
    array.attrs['scale_factor'] = [1.0, 2.0, 3.0]
    with pytest.raises(ConfigError, match='state one value or 2, got 3 values'):
        placed_array(array)


@pytest.mark.parametrize('name', ['missing_value', 'nodatavals'])
def test_other_names_of_the_value_that_is_none_are_known(name):
    array = labelled()
    array.attrs[name] = 7.0 if name == 'missing_value' else (7.0, float('nan'))
    values = np.ma.asarray(placed_array(array).values)
    assert values.mask.sum() == (name == 'missing_value')  # 7 stands in the second band


def test_several_times_are_no_bands():
    with pytest.raises(ConfigError, match=r"one time, got \('time', 'y', 'x'\)"):
        placed_array(labelled(dims=('time', 'y', 'x')))
