"""Every check of one tile, without a child process."""

import factories
import numpy as np
import planted_faults
import pytest

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.checks.preflight import examine, size_hw
from mmlandslide.datasets.storage.index import TileRef
from mmlandslide.datasets.storage.packed_tile import pack

SIMULATED = planted_faults.simulate_tile(0, 'train/1', 64)[0].transpose(2, 0, 1)


def faults(tmp_path, image, mask=None, **options):
    """Return the codes of what is found in a tile."""
    factories.write_tile(tmp_path, 1, image, mask)
    found = examine(ref(tmp_path, mask is not None), **options)
    assert (found.tile is None) == any(finding.is_error for finding in found.findings)
    return [finding.fault for finding in found.findings]


def ref(root, labelled=True):
    return TileRef(
        'train/1', factories.image_path(root, 1), factories.mask_path(root, 1) if labelled else None
    )


def wild(value):
    return planted_faults._with(SIMULATED, value)


def test_a_sound_tile_is_packed_as_training_packs_it(tmp_path):
    assert faults(tmp_path, SIMULATED, factories.mask((1, 2, 5, 6), size_px=64)) == []
    divisors = tuple(factories.DIVISORS)
    assert examine(ref(tmp_path)).tile == pack(ref(tmp_path), LANDSLIDE4SENSE, divisors)


@pytest.mark.parametrize(
    ('value', 'found'),
    [
        (np.nan, ['nan']),
        (np.inf, ['inf']),
        (-0.1, ['out-of-units']),
        (30_000 / factories.DIVISORS[1], []),
        (30_001 / factories.DIVISORS[1], ['out-of-units']),
    ],
)
def test_one_wild_pixel_is_found(tmp_path, value, found):
    assert faults(tmp_path, wild(value)) == found


def test_one_tile_may_have_several_faults(tmp_path):
    image = wild(np.nan)
    image[2, 0, 0], image[3], image[4, 0, 0] = np.inf, 0, -5
    assert faults(tmp_path, image, factories.mask(size_px=32) + 2) == [
        'nan',
        'inf',
        'all-zero-band',
        'out-of-units',
        'mask-size',
        'mask-values',
    ]


def test_a_slope_beyond_upright_and_land_above_everest_are_out_of_units(tmp_path):
    image = SIMULATED.copy()
    image[12, 0, 0], image[13, 0, 0] = 91 / factories.DIVISORS[12], 9001 / factories.DIVISORS[13]
    assert faults(tmp_path, image) == ['out-of-units', 'out-of-units']


def test_raw_values_that_nobody_divided_are_out_of_units(tmp_path):
    assert 'out-of-units' in faults(tmp_path, SIMULATED * factories.DIVISORS[:, None, None])


def test_slope_and_dem_swapped_before_the_division_are_out_of_order_though_out_of_units_too(
    tmp_path,
):
    raw = SIMULATED * factories.DIVISORS[:, None, None]
    swapped = raw[[*range(12), 13, 12]] / factories.DIVISORS[:, None, None]
    assert set(faults(tmp_path, swapped)) >= {'wrong-band-order'}


def test_values_out_of_units_that_follow_from_the_order_are_not_named_twice(tmp_path):
    assert faults(tmp_path, SIMULATED[::-1]) == ['wrong-band-order']


def test_float32_tiles_and_masks_of_any_number_type_are_sound(tmp_path):
    assert (
        faults(
            tmp_path, SIMULATED.astype(np.float32), factories.mask(size_px=64).astype(np.float64)
        )
        == []
    )


def test_bands_of_another_sensor_have_no_order_or_unit_to_break(tmp_path):
    assert faults(tmp_path, -SIMULATED, bands=[f'own_{index}' for index in range(14)]) == []


def test_the_size_of_most_tiles_is_asked_for(tmp_path):
    assert faults(tmp_path, SIMULATED, tile_hw=(128, 128)) == ['wrong-shape']
    assert size_hw(ref(tmp_path)) == (64, 64)


def test_a_faulty_tile_that_can_be_read_has_a_digest_to_compare(tmp_path):
    factories.write_tile(tmp_path, 1, SIMULATED, factories.mask() + 7)
    found = examine(ref(tmp_path))
    assert found.tile is None
    assert found.digest == examine(ref(tmp_path, labelled=False)).digest


def test_a_message_names_the_file_and_what_to_do(tmp_path):
    factories.write_tile(tmp_path, 1, wild(np.nan))
    (finding,) = examine(ref(tmp_path, labelled=False)).findings
    path = factories.image_path(tmp_path, 1)
    assert finding.message == (
        f"dataset 'img' must hold finite values only, got 1 NaN of {14 * 64 * 64} in {path}. "
        'Download the file again.'
    )
