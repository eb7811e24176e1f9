import pytest
import torch

from mmlandslide.bands import BANDS, GROUPS, LANDSLIDE4SENSE
from mmlandslide.errors import BandError, ConfigError
from mmlandslide.weights.transfer.stem import RULES, adapt, counterparts, source_bands

PHOTOGRAPH = ('R', 'G', 'B')


def weight(*values):
    """Return (1, B, 1, 1) with one value a band."""
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)


def columns(adapted):
    return adapted.flatten().tolist()


def test_counterparts_are_found_by_name_then_by_colour():
    assert counterparts(('B2', 'B3', 'B4'), ('B4', 'B8', 'B2', 'R', 'slope')) == [
        2,
        None,
        0,
        2,
        None,
    ]
    assert counterparts(PHOTOGRAPH, ('mars_B', 'mars_DEM', 'mars_R', 'B')) == [2, None, 0, 2]


def test_a_band_that_no_table_knows_is_its_own_counterpart_only():
    assert counterparts(('x', 'y'), ('y', 'z')) == [1, None]


@pytest.mark.parametrize('rule', RULES)
def test_the_same_bands_keep_their_weights(rule):
    given = weight(1, 2, 3)
    assert adapt(given, PHOTOGRAPH, PHOTOGRAPH, rule) is given


@pytest.mark.parametrize('rule', ['rgb', 'zero', 'nearest'])
def test_the_same_bands_in_another_order_move_their_columns(rule):
    assert columns(adapt(weight(1, 2, 3), ('B2', 'B3', 'B4'), ('B4', 'B2', 'B3'), rule)) == [
        3,
        1,
        2,
    ]


def test_zero_leaves_nothing_but_the_counterparts():
    assert columns(
        adapt(weight(6, 9, 12), PHOTOGRAPH, ('B1', 'B2', 'B3', 'B4', 'DEM'), 'zero')
    ) == [0, 12, 9, 6, 0]


def test_rgb_shares_the_mean_among_the_bands_without_a_counterpart():
    # The mean of 6, 9 and 12 is 9, over the three bands B1, B8 and DEM: 3 each.
    assert columns(
        adapt(weight(6, 9, 12), PHOTOGRAPH, ('B1', 'B2', 'B3', 'B4', 'B8', 'DEM'), 'rgb')
    ) == [3, 12, 9, 6, 3, 3]


def test_nearest_shares_a_source_band_among_its_takers_and_gives_terrain_nothing():
    # 442.7 nm is nearest to blue at 492.4; 704.1 and 832.8 to red at 664.6, which they share: 6 /
    # 2.
    assert columns(
        adapt(weight(6, 9, 12), PHOTOGRAPH, ('B1', 'B4', 'B5', 'B8', 'slope'), 'nearest')
    ) == [12, 6, 3, 3, 0]


def test_mean_keeps_the_response_to_a_grey_tile():
    # 9 * 3 / 6 = 4.5 in each of six bands; a tile of ones gives 27 before and after.
    assert (
        columns(adapt(weight(6, 9, 12), PHOTOGRAPH, ('B1', 'B2', 'B3', 'B4', 'B8', 'DEM'), 'mean'))
        == [4.5] * 6
    )


@pytest.mark.parametrize('rule', ['rgb', 'zero', 'nearest'])
def test_fourteen_bands_narrow_to_those_asked_for_by_name(rule):
    given = weight(*range(14))
    assert columns(adapt(given, LANDSLIDE4SENSE, ('B8', 'B4', 'DEM'), rule)) == [7, 3, 13]
    assert columns(adapt(given, LANDSLIDE4SENSE, PHOTOGRAPH, rule)) == [3, 2, 1]


@pytest.mark.parametrize('rule', RULES)
def test_kernels_move_whole_and_keep_their_type(rule):
    given = torch.randn(4, 3, 2, 2, dtype=torch.float16)
    adapted = adapt(given, PHOTOGRAPH, LANDSLIDE4SENSE, rule)
    assert adapted.shape == (4, 14, 2, 2)
    assert adapted.dtype == torch.float16
    if rule != 'mean':
        assert torch.equal(adapted[:, [3, 2, 1]], given)


def test_an_unknown_rule_lists_the_known_ones():
    with pytest.raises(
        ConfigError,
        match=r"stem rule must be one of \['rgb', 'mean', 'zero', 'nearest'\], got 'copy'",
    ):
        adapt(weight(1, 2, 3), PHOTOGRAPH, LANDSLIDE4SENSE, 'copy')


def test_a_stem_whose_bands_have_no_names_is_refused():
    with pytest.raises(BandError, match=r'name the 5 channels of the stem, got \(\).*source_bands'):
        adapt(weight(1, 2, 3, 4, 5), (), LANDSLIDE4SENSE, 'rgb')


def test_the_table_has_each_colour_once_a_sensor():
    found = [(band.sensor, band.color) for band in BANDS.values() if band.color]
    assert len(found) == len(set(found)) == 9


def test_three_channels_are_colours_thirteen_sentinel_2s_and_fourteen_landslide4senses():
    assert source_bands(3) == PHOTOGRAPH
    assert source_bands(13) == GROUPS['s2_l1c']
    assert source_bands(14) == LANDSLIDE4SENSE
    assert source_bands(4, ('rgb', 'B8')) == ('B4', 'B3', 'B2', 'B8')
    with pytest.raises(
        BandError, match=r'name the 4 channels of the stem, got \(.B4., .B3., .B2.\)'
    ):
        source_bands(4, 'rgb')
