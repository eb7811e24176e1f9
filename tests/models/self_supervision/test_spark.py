import pytest
import torch
from mmpretrain.structures import DataSample
from torch import nn

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.band_backbone import ResNet
from mmlandslide.models.self_supervision.spark import SparK, SparseNorm, make_sparse, spread

FIVE = ('B2', 'B3', 'B4', 'B8', 'slope')
RESNET = {'type': 'mmlandslide.ResNet', 'depth': 18, 'bands': FIVE, 'out_indices': (0, 1, 2, 3)}
SMALL = {**RESNET, 'stem_channels': 8, 'base_channels': 8}
LITE = {**RESNET, 'type': 'mmlandslide.EfficientNetLite', 'out_indices': (2, 3, 4, 5)}
del LITE['depth']
SIZE = 128  # 4 x 4 squares, round(.6 x 16) = 10 of them masked
MASKED = 10


def model(backbone=SMALL, **changes):
    torch.manual_seed(0)
    preprocessor = {'type': 'mmlandslide.TilePreprocessor', 'bands': FIVE}
    built = SparK(backbone, preprocessor, decoder_width=64, **changes)
    built.init_weights()
    return built


def tiles(seed=0):
    return torch.randn(2, 5, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


KEYS = torch.tensor([7, 8])
SAMPLES = [DataSample(metainfo={'sample_key': int(key)}) for key in KEYS]


@pytest.mark.parametrize('backbone', [SMALL, LITE], ids=['resnet', 'lite'])
def test_of_a_tile_ten_squares_of_sixteen_are_masked_and_all_are_predicted(backbone):
    predicted, masked = model(backbone).reconstruct(tiles(), KEYS)
    assert masked.sum(1).tolist() == [MASKED, MASKED]
    assert predicted.shape == (2, 16, 32 * 32 * 5)


@torch.no_grad()
@pytest.mark.parametrize('backbone', [SMALL, LITE], ids=['resnet', 'lite'])
def test_what_is_masked_is_seen_by_no_layer(backbone):
    spark = model(backbone).train()
    first, masked = spark.reconstruct(tiles(), KEYS)
    noise = tiles(seed=1) * spread(masked.view(2, 1, 4, 4), tiles())
    torch.testing.assert_close(spark.reconstruct(tiles() + noise, KEYS)[0], first)


@torch.no_grad()
@pytest.mark.parametrize('backbone', [SMALL, LITE], ids=['resnet', 'lite'])
def test_masked_positions_of_every_stage_stay_zero(backbone):
    spark = model(backbone).train()
    visible = ~spark.choose(KEYS, 16).view(2, 1, 4, 4)
    for each in spark._encode(tiles(), visible):
        assert (each * ~spread(visible, each)).abs().max() == 0
        assert (each * spread(visible, each)).abs().max() > 0


def test_a_batch_norm_counts_visible_positions_alone():
    x = torch.tensor([[[[1.0, 100], [3, 100]]]])  # the right column is masked
    norm = SparseNorm(1, momentum=1.0)
    norm.visible = torch.tensor([[[[True, False], [True, False]]]])
    out = norm(x)[0, 0]
    # Mean 2, variance 1; the running variance is that of a sample, 2.
    assert out[:, 0].tolist() == pytest.approx([-1, 1], abs=1e-4)
    assert out[:, 1].tolist() == [0, 0]
    assert (norm.running_mean.item(), norm.running_var.item()) == pytest.approx((2, 2))


@torch.no_grad()
def test_with_nothing_masked_the_layers_compute_as_before():
    plain = ResNet(depth=18, bands=FIVE, out_indices=(0, 1, 2, 3))
    plain.eval()
    before, names = plain(tiles()), list(plain.state_dict())
    sparse = make_sparse(plain)
    assert len(sparse) == sum(
        isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.MaxPool2d) for module in plain.modules()
    )
    assert list(plain.state_dict()) == names
    torch.testing.assert_close(plain(tiles()), before)


def test_every_parameter_learns_and_a_detector_s_backbone_takes_the_weights():
    spark = model().train()
    spark.loss(tiles(), SAMPLES)['loss'].backward()
    assert [name for name, each in spark.named_parameters() if each.grad is None] == []
    options = {key: value for key, value in SMALL.items() if key != 'type'}
    detectors = ResNet(**options).state_dict()
    assert {name: each.shape for name, each in spark.backbone.state_dict().items()} == {
        name: each.shape for name, each in detectors.items()
    }


def test_a_few_steps_lower_the_loss_on_two_tiles():
    spark, losses = model().train(), []
    optimiser = torch.optim.AdamW(spark.parameters(), 3e-3)
    smooth = nn.functional.interpolate(tiles()[..., :8, :8], 64, mode='bilinear')
    for _ in range(40):
        losses.append(spark.loss(smooth, SAMPLES)['loss'])
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    'backbone',
    [{**SMALL, 'out_indices': (3,)}, {**LITE, 'type': 'mmlandslide.EfficientNet', 'arch': 'b0'}],
)
def test_other_backbones_and_taps_are_refused(backbone):
    with pytest.raises(ConfigError, match=r'backbone must be one of .* with taps of strides 4, 8'):
        model(backbone)


def test_a_tile_that_is_no_multiple_of_a_square_is_refused():
    with pytest.raises(ConfigError, match=r'must be a multiple of 32 px, got \(100, 128\)'):
        model().reconstruct(torch.zeros(1, 5, 100, 128), KEYS[:1])
