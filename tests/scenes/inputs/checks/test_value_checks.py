from functools import lru_cache

import numpy as np
import pytest
import scene_files

from mmlandslide.bands import LANDSLIDE4SENSE, divisors
from mmlandslide.datasets.simulation.synthetic import simulate
from mmlandslide.errors import SceneError
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene


@lru_cache
def simulated(size_px=128):
    """Return digital numbers, degrees and metres of a simulated tile, (14, H, W) uint16."""
    return simulate(np.random.default_rng(3), (size_px, size_px))[0]


def write(tmp_path, array, names=LANDSLIDE4SENSE, **options):
    return scene_files.write_raster(tmp_path / 'scene.tif', array, names=names, **options)


def units_of(tmp_path, array, bands=LANDSLIDE4SENSE, **options):
    """Return the mean of each band in the units that were found."""
    return (
        open_scene(write(tmp_path, array), bands, InputOptions(**options))
        .read((0, 0, 128, 128))[0]
        .mean(axis=(1, 2))
    )


IN_UNITS = np.asarray(divisors(LANDSLIDE4SENSE))[:, None, None]


@pytest.mark.parametrize(
    ('store', 'scale'),
    [
        (lambda dn: dn, None),
        (lambda dn: dn.astype(np.float32), None),
        (
            lambda dn: np.concatenate([dn[:12] / np.float32(10000), dn[12:]]).astype(np.float32),
            None,
        ),
        (lambda dn: (dn / IN_UNITS).astype(np.float32), 'landslide4sense'),
        (lambda dn: np.concatenate([dn[:12] / np.float32(50), dn[12:]]).astype(np.float32), 50),
    ],
    ids=['whole numbers', 'floats', 'reflectance', 'landslide4sense', 'a scale of its own'],
)
def test_the_same_ground_has_the_same_values_whatever_the_unit(tmp_path, store, scale):
    expected = (simulated() / IN_UNITS).mean(axis=(1, 2))
    assert np.allclose(units_of(tmp_path, store(simulated()), scale=scale), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ('array', 'shown'),
    [
        (simulated() / IN_UNITS * 2, 'float32 with median'),
        ((simulated()[:3] // 32).astype(np.uint8), 'uint8 with median'),
    ],
    ids=['neither range', 'eight bits'],
)
def test_a_unit_that_cannot_be_recognised_is_asked_for(tmp_path, array, shown):
    array = array if array.dtype == np.uint8 else array.astype(np.float32)
    path = write(tmp_path, array, names=LANDSLIDE4SENSE[: len(array)])
    with pytest.raises(
        SceneError,
        match=rf'values must be digital numbers .*, got {shown}.* in .*scene\.tif\. State their '
        rf'unit: --scale',
    ):
        open_scene(path, 'B2')


def test_an_offset_that_nobody_undid_is_noticed(tmp_path):
    raised = simulated() + np.where(np.arange(14) < 12, 1000, 0).astype(np.uint16)[:, None, None]
    with pytest.raises(
        SceneError,
        match=r'got 10\d\d and a median of 10\d\d in B10 in .*need --dn-offset -1000; if not, say',
    ):
        open_scene(write(tmp_path, raised))
    assert np.allclose(
        units_of(tmp_path, raised, dn_offset=-1000), units_of(tmp_path, simulated()), rtol=1e-4
    )


def test_bright_ground_is_let_through_when_the_user_says_so(tmp_path):
    path, bands = write(tmp_path, simulated() + np.uint16(1000)), ('B4', 'B8', 'B11', 'B12')
    with pytest.raises(SceneError, match='--dn-offset -1000; if not, say --dn-offset 0'):
        open_scene(path, bands)
    values, _ = open_scene(path, bands, InputOptions(dn_offset=0)).read((0, 0, 128, 128))
    assert values[2].min() >= 1000 / 1113.98338755


RAISED = np.where(np.arange(14) < 12, 1000, 0).astype(np.uint16)[:, None, None]


def test_a_few_pixels_darker_than_the_offset_hide_it_neither_with_b10_nor_without(tmp_path):
    raised = simulated() + RAISED
    raised[:12, 60, 60] = 950
    for name, dropped in (('a', []), ('b', [9, 10, 11])):
        path = scene_files.write_raster(
            tmp_path / f'{name}.tif',
            np.delete(raised, dropped, 0),
            names=np.delete(LANDSLIDE4SENSE, dropped),
        )
        with pytest.raises(SceneError, match='need --dn-offset -1000'):
            open_scene(path, 'rgb')


@pytest.mark.parametrize('dropped', [[], [9]], ids=['with B10', 'without'])
def test_an_offset_that_was_undone_before_is_noticed(tmp_path, dropped):
    path = write(
        tmp_path, np.delete(simulated(), dropped, 0), names=np.delete(LANDSLIDE4SENSE, dropped)
    )
    with pytest.raises(
        SceneError,
        match=r"not turn negative by the offset -1000, got down to .*'B4': -673.*--dn-offset 0",
    ):
        open_scene(path, 'rgb', InputOptions(dn_offset=-1000))


def test_a_baseline_in_the_name_undoes_the_offset(tmp_path):
    path = scene_files.write_raster(
        tmp_path / 'S2A_MSIL1C_N0509_R122.tif', simulated() + RAISED, names=LANDSLIDE4SENSE
    )
    plain = open_scene(write(tmp_path, simulated())).read((0, 0, 128, 128))[0]
    assert np.allclose(open_scene(path).read((0, 0, 128, 128))[0], plain, rtol=1e-4)


@pytest.mark.parametrize(
    ('pixel_m', 'fits'), [(4.0, False), (5.0, True), (20.0, True), (60.0, False)]
)
def test_pixels_far_from_10_m_are_refused(tmp_path, pixel_m, fits):
    path = write(tmp_path, simulated(), pixel=pixel_m)
    if not fits:
        with pytest.raises(
            SceneError,
            match=rf'be about 10 m .*, got {pixel_m:.0f}.*m in .*scene\.tif\. Resample .*gdalwarp',
        ):
            open_scene(path)
    options = InputOptions(check_values=fits)
    assert open_scene(path, LANDSLIDE4SENSE[:12], options).height == 128


def test_bands_in_the_place_of_others_are_noticed(tmp_path):
    path = write(tmp_path, simulated(), names=LANDSLIDE4SENSE[::-1])
    with pytest.raises(
        SceneError,
        match=r'bands must have values that fit their names, got .* in .*scene\.tif\. Correct '
        r'--band-order',
    ):
        open_scene(path)
    assert open_scene(path, options=InputOptions(check_values=False)).bands == LANDSLIDE4SENSE


def test_a_scene_without_any_data_is_refused(tmp_path):
    path = write(tmp_path, np.zeros((1, 700, 600), np.uint16), names=('B2',))
    with pytest.raises(
        SceneError,
        match=r'at least one pixel with data, got no data everywhere in .*scene\.tif\. Check '
        r'--nodata',
    ):
        open_scene(path, 'B2')


def test_one_pixel_with_data_is_enough(tmp_path):
    array = np.zeros((1, 700, 600), np.uint16)
    array[0, 300, 555] = 900
    assert (
        open_scene(write(tmp_path, array, names=('B2',)), 'B2').read((0, 0, 700, 600))[1].sum() == 1
    )


def test_a_scene_under_clouds_is_refused(tmp_path):
    mask = scene_files.write_raster(tmp_path / 'clouds.tif', np.ones((128, 128), np.uint8))
    with pytest.raises(SceneError, match='got no data or under clouds everywhere'):
        open_scene(write(tmp_path, simulated()), options=InputOptions(cloud_mask=mask))
