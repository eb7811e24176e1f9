import pytest
import torch
import torch.nn.functional as F

from mmlandslide.errors import ConfigError
from mmlandslide.models.simple_fpn import SimpleFPN


def neck(**options):
    torch.manual_seed(0)
    pyramid = SimpleFPN(**{'in_channels': 16, 'out_channels': 8, **options})
    pyramid.init_weights()
    return pyramid


def normed(x):
    """Return a map whose every position has mean 0 and variance 1 over its channels."""
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, correction=0)
    return (x - mean) / (variance + 1e-5).sqrt()


@torch.no_grad()
@pytest.mark.parametrize('in_stride', [4, 8, 16, 32, 64])
def test_one_map_of_any_stride_gives_the_same_levels(in_stride):
    outs = neck(in_stride=in_stride)([torch.rand(2, 16, 256 // in_stride, 128 // in_stride)])
    assert [tuple(out.shape) for out in outs] == [
        (2, 8, 256 // stride, 128 // stride) for stride in (4, 8, 16, 32, 64)
    ]


@torch.no_grad()
def test_each_level_is_what_the_paper_says():
    pyramid, x = neck(), torch.rand(1, 16, 4, 4)
    doubled = [
        F.conv_transpose2d(x, pyramid.levels[index][0].weight, stride=2) for index in (0, 1)
    ]  # biases start at zero
    finest = F.conv_transpose2d(F.gelu(normed(doubled[0])), pyramid.levels[0][3].weight, stride=2)
    for level, out, scaled in zip(
        pyramid.levels, pyramid([x]), [finest, doubled[1], x, F.max_pool2d(x, 2)], strict=False
    ):
        narrow, wide = level[-4].weight, level[-2].weight
        torch.testing.assert_close(
            out, normed(F.conv2d(normed(F.conv2d(scaled, narrow)), wide, padding=1))
        )


def test_channels_halve_with_each_doubling():
    deconvolutions = [
        layer
        for layer in neck(in_stride=32).levels[0]
        if isinstance(layer, torch.nn.ConvTranspose2d)
    ]
    assert [(layer.in_channels, layer.out_channels) for layer in deconvolutions] == [
        (16, 8),
        (8, 4),
        (4, 2),
    ]


@torch.no_grad()
def test_levels_beyond_take_every_second_value():
    outs = neck(num_outs=6)([torch.rand(1, 16, 8, 8)])
    assert torch.equal(outs[4], outs[3][:, :, ::2, ::2])
    assert torch.equal(outs[5], outs[4][:, :, ::2, ::2])


def test_the_gradient_reaches_every_parameter():
    pyramid = neck()
    outs = pyramid([torch.rand(1, 16, 4, 4)])
    sum((out * torch.rand_like(out)).sum() for out in outs).backward()
    assert not [name for name, value in pyramid.named_parameters() if not value.grad.abs().sum()]


@pytest.mark.parametrize('options', [{'in_stride': 14}, {'strides': (4, 8, 14)}, {'in_stride': 0}])
def test_a_stride_that_is_no_power_of_two_is_refused(options):
    odd = next(
        each
        for value in options.values()
        for each in (value if isinstance(value, tuple) else (value,))
        if each in (14, 0)
    )
    with pytest.raises(
        ConfigError, match=rf'strides must be powers of two, got \[{odd}\] in model.neck'
    ):
        neck(**options)


def test_fewer_outputs_than_strides_are_refused():
    with pytest.raises(ConfigError, match='num_outs must be at least 4, got 3'):
        neck(num_outs=3)


def test_several_maps_are_refused():
    with pytest.raises(
        ConfigError, match=r'backbone must give one map, got 2 in model\.backbone\.out_indices'
    ):
        neck()([torch.rand(1, 16, 4, 4)] * 2)
