import pytest
import torch
from mmpretrain.structures import DataSample

from mmlandslide.bands import BANDS, LANDSLIDE4SENSE
from mmlandslide.errors import BandError, ConfigError
from mmlandslide.models.preprocessors import TilePreprocessor


def ramp(bands=14, height=4, width=4):
    return torch.arange(bands * height * width, dtype=torch.float32).view(bands, height, width) / 50


def test_each_band_is_normalised_by_its_own_statistics():
    out = TilePreprocessor('all')({'inputs': ramp()[None]})['inputs'][0]
    for index, name in enumerate(LANDSLIDE4SENSE):
        # The value at row 1, column 2 of band i is (16 i + 6) / 50.
        wanted = ((16 * index + 6) / 50 - BANDS[name].mean) / BANDS[name].std
        assert out[index, 1, 2] == pytest.approx(wanted, rel=1e-5)


def test_a_list_of_tiles_gives_the_same_as_a_batch():
    model = TilePreprocessor('all')
    batch = torch.stack([ramp(), ramp() + 1])
    torch.testing.assert_close(
        model({'inputs': list(batch)})['inputs'], model({'inputs': batch})['inputs']
    )


def test_five_bands_with_statistics_of_their_own():
    model = TilePreprocessor(tuple('abcde'), mean=[0, 1, 2, 3, 4], std=[1, 2, 4, 8, 16])
    out = model({'inputs': torch.full((1, 5, 2, 2), 9, dtype=torch.uint8)})['inputs']
    assert out[0, :, 0, 0].tolist() == [9, 4, 1.75, 0.75, 0.3125]  # (9 - m) / s


def test_padding_is_zero_after_normalisation_below_and_right():
    out = TilePreprocessor('B2', pad_size_divisor=4)({'inputs': torch.ones(1, 1, 5, 6)})['inputs'][
        0, 0
    ]
    assert out.shape == (8, 8)
    assert out[:5, :6].unique().tolist() == pytest.approx([(1 - 0.9227) / 0.2207], rel=1e-5)
    assert out[5:].abs().sum() == out[:, 6:].abs().sum() == 0


def test_tiles_of_unlike_sizes_are_padded_with_zeros_after_normalisation():
    out = TilePreprocessor('B2')({'inputs': [torch.ones(1, 2, 3), torch.ones(1, 4, 2)]})['inputs']
    assert out.shape == (2, 1, 4, 3)
    assert (out != 0).sum((1, 2, 3)).tolist() == [6, 8]


def test_samples_learn_the_shape_of_their_batch():
    data = {'inputs': torch.ones(2, 1, 40, 16), 'data_samples': [DataSample(), DataSample()]}
    samples = TilePreprocessor('B2', pad_size_divisor=32)(data)['data_samples']
    assert [sample.batch_input_shape for sample in samples] == [(64, 32)] * 2
    assert [sample.pad_shape for sample in samples] == [(64, 32)] * 2


def test_another_number_of_bands_is_refused():
    with pytest.raises(ConfigError, match='input must have 14 bands, got 3'):
        TilePreprocessor('all')({'inputs': torch.ones(1, 3, 4, 4)})
    with pytest.raises(ConfigError, match='input must have 3 bands, got 14'):
        TilePreprocessor('rgb')({'inputs': [ramp()]})


def test_statistics_of_another_length_are_refused():
    with pytest.raises(ConfigError, match=r'mean must have 3 values or be .published., got 2'):
        TilePreprocessor('rgb', mean=[1, 2], std=[1, 1, 1])


def test_unknown_bands_need_statistics():
    with pytest.raises(BandError, match='mmlandslide stats'):
        TilePreprocessor(('B2', 'moisture'))


def test_denormalise_undoes_normalisation():
    model, tile = TilePreprocessor('all'), ramp()[None]
    torch.testing.assert_close(
        model.denormalise(model({'inputs': tile})['inputs']), tile, rtol=1e-5, atol=1e-5
    )


def test_the_statistics_are_no_part_of_a_checkpoint():
    assert not TilePreprocessor('all').state_dict()


def test_the_published_statistics_are_taken_by_name_where_asked_for():
    out = TilePreprocessor(('slope', 'B1'), mean='published', std='published')(
        {'inputs': torch.ones(1, 2, 1, 1)}
    )['inputs']
    assert out.flatten().tolist() == pytest.approx(
        [(1 - 0.3338) / 0.9018, (1 + 0.4914) / 0.9325], rel=1e-5
    )


def test_one_published_statistic_leaves_the_other_as_measured():
    model = TilePreprocessor('B2', std='published')
    assert (model.mean.item(), model.std.item()) == pytest.approx(
        (BANDS['B2'].mean, 0.8775), rel=1e-5
    )


def test_only_landslide4sense_has_published_statistics():
    with pytest.raises(BandError, match=r"got \['R', 'G', 'B'\] in the published statistics"):
        TilePreprocessor('photograph', mean='published')
    with pytest.raises(ConfigError, match="std must have 1 values or be 'published', got 'real'"):
        TilePreprocessor('B2', std='real')


def test_normalised_values_are_limited_to_the_clip():
    preprocessor = TilePreprocessor(
        'B10', clip_std=5.0
    )  # B10: mean 1.1736, std .6836; 49 would be 70 standard deviations
    inputs = torch.tensor([49.0, 1.1736, 0.0]).view(1, 1, 1, 3)
    assert preprocessor({'inputs': inputs})['inputs'].flatten().tolist() == pytest.approx(
        [5.0, 0.0, -1.1736 / 0.6836], abs=1e-4
    )


def test_the_batch_that_came_is_not_written_into():
    inputs = torch.rand(1, 14, 8, 8)
    before = inputs.clone()
    TilePreprocessor('all', clip_std=5.0)({'inputs': inputs})
    assert torch.equal(inputs, before)


@pytest.mark.parametrize('bands', [('B2', 'B3', 'B4'), ('R', 'G', 'B')])
def test_tiles_that_state_other_bands_or_another_order_are_refused(bands):
    preprocessor, tile = TilePreprocessor(('B4', 'B3', 'B2')), torch.zeros(3, 4, 4)
    stating = [DataSample(metainfo={'bands': each}) for each in (('B4', 'B3', 'B2'), bands)]
    preprocessor({'inputs': [tile, tile], 'data_samples': [stating[0], DataSample()]})
    with pytest.raises(
        ConfigError,
        match=rf"tiles must have the bands \('B4', 'B3', 'B2'\) in this order, got \('{bands[0]}'",
    ):
        preprocessor({'inputs': [tile, tile], 'data_samples': stating})
