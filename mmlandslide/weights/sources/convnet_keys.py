"""Tables from the convolutional networks of others to ours, which are MMPretrain's. Pure.

No torch here.
"""

from collections.abc import Iterable, Sequence

from mmlandslide.weights.sources.keymap import KeyMap, Rule

#: Blocks of stages 1 to 7.
_B0 = (1, 2, 2, 3, 3, 4, 1)
_LITE1 = (1, 3, 3, 4, 4, 5, 1)
#: MMPretrain joins stages 4 + 5 and 6 + 7 in one layer each: stage -> our layer.
_LAYERS = (1, 2, 3, 4, 4, 5, 5)


def _blocks(counts: Sequence[int]) -> Iterable[tuple[int, int, str]]:
    """Yield stage (1-7), block and our name prefix of every block of an EfficientNet.

    Args:
        counts: blocks of stages 1 to 7.
    """
    placed = dict.fromkeys(_LAYERS, 0)
    for stage, (layer, count) in enumerate(zip(_LAYERS, counts, strict=True), 1):
        for block in range(count):
            yield stage, block, f'layers.{layer}.{placed[layer] + block}.'
        placed[layer] += count


def _torchvision_efficientnet() -> Iterable[Rule]:
    yield r'features\.0\.0\.', 'layers.0.conv.'
    yield r'features\.0\.1\.', 'layers.0.bn.'
    yield r'features\.8\.0\.', 'layers.6.conv.'
    yield r'features\.8\.1\.', 'layers.6.bn.'
    for stage, block, ours in _blocks(_B0):
        parts = ['expand_conv', 'depthwise_conv', 'se', 'linear_conv'][1 if stage == 1 else 0 :]
        for position, part in enumerate(parts):
            here = rf'features\.{stage}\.{block}\.block\.{position}\.'
            if part == 'se':
                yield here + r'fc([12])\.', ours + r'se.conv\1.conv.'
            else:
                yield here + r'0\.', f'{ours}{part}.conv.'
                yield here + r'1\.', f'{ours}{part}.bn.'


def _timm_efficientnet(counts: Sequence[int] = _B0) -> Iterable[Rule]:
    yield r'conv_stem\.', 'layers.0.conv.'
    yield r'bn1\.', 'layers.0.bn.'
    yield r'conv_head\.', 'layers.6.conv.'
    yield r'bn2\.', 'layers.6.bn.'
    expanding = {'expand_conv': 'conv_pw', 'depthwise_conv': 'conv_dw', 'linear_conv': 'conv_pwl'}
    first = {'depthwise_conv': 'conv_dw', 'linear_conv': 'conv_pw'}
    for stage, block, ours in _blocks(counts):
        here = rf'blocks\.{stage - 1}\.{block}\.'
        yield here + r'se\.conv_reduce\.', ours + 'se.conv1.conv.'
        yield here + r'se\.conv_expand\.', ours + 'se.conv2.conv.'
        for position, (part, conv) in enumerate((first if stage == 1 else expanding).items(), 1):
            yield rf'{here}{conv}\.', f'{ours}{part}.conv.'
            yield rf'{here}bn{position}\.', f'{ours}{part}.bn.'


def _tensorflow_efficientnet(counts: Sequence[int] = _B0) -> Iterable[Rule]:
    """Yield the rules of TensorFlow's ported weights (Luke Melas's EfficientNet-PyTorch)."""
    yield r'_conv_stem\.', 'layers.0.conv.'
    yield r'_bn0\.', 'layers.0.bn.'
    yield r'_conv_head\.', 'layers.6.conv.'
    yield r'_bn1\.', 'layers.6.bn.'
    for position, (_, _, ours) in enumerate(_blocks(counts)):
        here = rf'_blocks\.{position}\.'
        yield here + r'_se_reduce\.', ours + 'se.conv1.conv.'
        yield here + r'_se_expand\.', ours + 'se.conv2.conv.'
        for norm, (theirs, part) in enumerate(_TENSORFLOW_PARTS.items()):
            yield rf'{here}{theirs}\.', f'{ours}{part}.conv.'
            yield rf'{here}_bn{norm}\.', f'{ours}{part}.bn.'


_TENSORFLOW_PARTS = {
    '_expand_conv': 'expand_conv',
    '_depthwise_conv': 'depthwise_conv',
    '_project_conv': 'linear_conv',
}

#: Blocks of MobileNetV2's stages 1 to 7, which are MMPretrain's layers.
_MOBILENET_V2 = (1, 2, 3, 4, 3, 3, 1)


def _mobilenet_v2_blocks() -> Iterable[tuple[int, int, str, int]]:
    """Yield stage (1-7), block, our name prefix and convolutions of every block of MobileNetV2."""
    for stage, count in enumerate(_MOBILENET_V2, 1):
        for block in range(count):
            yield stage, block, f'layer{stage}.{block}.conv.', 2 if stage == 1 else 3


def _mobilenet_v2_ends(last: str) -> Iterable[Rule]:
    for theirs, ours in (('0', 'conv1'), (last, 'conv2')):
        yield rf'features\.{theirs}\.0\.', f'{ours}.conv.'
        yield rf'features\.{theirs}\.1\.', f'{ours}.bn.'


def _torchvision_mobilenet_v2() -> Iterable[Rule]:
    yield from _mobilenet_v2_ends('18')
    for position, (_, _, ours, convs) in enumerate(_mobilenet_v2_blocks(), 1):
        here = rf'features\.{position}\.conv\.'
        for index in range(convs - 1):
            yield rf'{here}{index}\.0\.', f'{ours}{index}.conv.'
            yield rf'{here}{index}\.1\.', f'{ours}{index}.bn.'
        yield rf'{here}{convs - 1}\.', f'{ours}{convs - 1}.conv.'
        yield rf'{here}{convs}\.', f'{ours}{convs - 1}.bn.'


def _first_mobilenet_v2() -> Iterable[Rule]:
    """Yield the rules of the first PyTorch port, which numbers convolution, norm, activation."""
    yield from _mobilenet_v2_ends('18')
    for position, (_, _, ours, convs) in enumerate(_mobilenet_v2_blocks(), 1):
        for index in range(convs):
            yield rf'features\.{position}\.conv\.{3 * index}\.', f'{ours}{index}.conv.'
            yield rf'features\.{position}\.conv\.{3 * index + 1}\.', f'{ours}{index}.bn.'


def _timm_mobilenet_v2() -> Iterable[Rule]:
    yield r'conv_stem\.', 'conv1.conv.'
    yield r'bn1\.', 'conv1.bn.'
    yield r'conv_head\.', 'conv2.conv.'
    yield r'bn2\.', 'conv2.bn.'
    for stage, block, ours, convs in _mobilenet_v2_blocks():
        here = rf'blocks\.{stage - 1}\.{block}\.'
        for index, theirs in enumerate(
            ('conv_dw', 'conv_pw') if convs == 2 else ('conv_pw', 'conv_dw', 'conv_pwl')
        ):
            yield rf'{here}{theirs}\.', f'{ours}{index}.conv.'
            yield rf'{here}bn{index + 1}\.', f'{ours}{index}.bn.'


def _huggingface_resnet() -> Iterable[Rule]:
    yield r'embedder\.embedder\.convolution\.', 'conv1.'
    yield r'embedder\.embedder\.normalization\.', 'bn1.'
    for stage in range(4):
        here, ours = rf'encoder\.stages\.{stage}\.layers\.(\d+)\.', rf'layer{stage + 1}.\1.'
        yield here + r'shortcut\.convolution\.', ours + 'downsample.0.'
        yield here + r'shortcut\.normalization\.', ours + 'downsample.1.'
        for position in range(3):
            yield here + rf'layer\.{position}\.convolution\.', ours + f'conv{position + 1}.'
            yield here + rf'layer\.{position}\.normalization\.', ours + f'bn{position + 1}.'


#: Our names of what follows a detector's last tap, and the names of classifiers.
_B0_HEAD, _MOBILENET_V2_HEAD = (r'layers\.6\.',), (r'conv2\.',)
_CLASSIFIER = (r'classifier\.',)

#: In the order in which they are tried.
CONVNETS: tuple[KeyMap, ...] = (
    KeyMap(
        'torchvision EfficientNet-B0',
        (r'features\.1\.0\.block\.0\.0\.weight$', r'features\.8\.0\.weight$'),
        tuple(_torchvision_efficientnet()),
        _CLASSIFIER,
        _B0_HEAD,
    ),
    KeyMap(
        'timm EfficientNet-B0',
        (
            r'conv_stem\.weight$',
            r'conv_head\.weight$',
            r'blocks\.0\.0\.se\.conv_reduce\.',
            r'blocks\.6\.0\.conv_pwl\.',
        ),
        tuple(_timm_efficientnet()),
        _CLASSIFIER,
        _B0_HEAD,
    ),
    KeyMap(
        'timm EfficientNet-Lite1 or -Lite2',
        (r'conv_stem\.weight$', r'blocks\.0\.0\.conv_dw\.', r'blocks\.5\.4\.conv_pwl\.'),
        tuple(_timm_efficientnet(_LITE1)),
        _CLASSIFIER,
        _B0_HEAD,
    ),
    # Its stage 6 has four blocks, MobileNetV2's three, and MobileNetV2's stage 4 has four blocks
    # where this one has three.
    KeyMap(
        'timm EfficientNet-Lite0',
        (r'conv_stem\.weight$', r'blocks\.0\.0\.conv_dw\.', r'blocks\.5\.3\.conv_pwl\.'),
        tuple(_timm_efficientnet()),
        _CLASSIFIER,
        _B0_HEAD,
    ),
    KeyMap(
        'timm MobileNetV2',
        (r'conv_stem\.weight$', r'blocks\.0\.0\.conv_dw\.', r'blocks\.3\.3\.conv_pwl\.'),
        tuple(_timm_mobilenet_v2()),
        _CLASSIFIER,
        _MOBILENET_V2_HEAD,
    ),
    KeyMap(
        'EfficientNet-Lite1 or -Lite2 ported from TensorFlow',
        (r'_conv_stem\.weight$', r'_blocks\.20\._project_conv\.'),
        tuple(_tensorflow_efficientnet(_LITE1)),
        (r'_fc\.',),
        _B0_HEAD,
    ),
    KeyMap(
        'EfficientNet ported from TensorFlow',
        (r'_conv_stem\.weight$', r'_blocks\.15\._project_conv\.'),
        tuple(_tensorflow_efficientnet()),
        (r'_fc\.',),
        _B0_HEAD,
    ),
    KeyMap(
        'torchvision MobileNetV2',
        (r'features\.0\.0\.weight$', r'features\.1\.conv\.0\.0\.weight$'),
        tuple(_torchvision_mobilenet_v2()),
        _CLASSIFIER,
        _MOBILENET_V2_HEAD,
    ),
    KeyMap(
        'MobileNetV2 of the first port',
        (r'features\.0\.0\.weight$', r'features\.1\.conv\.0\.weight$'),
        tuple(_first_mobilenet_v2()),
        _CLASSIFIER,
        _MOBILENET_V2_HEAD,
    ),
    KeyMap(
        'MMPretrain EfficientNet',
        (r'layers\.0\.conv\.weight$', r'layers\.1\.0\.'),
        (),
        (r'head\.',),
        _B0_HEAD,
    ),
    KeyMap(
        'MMPretrain MobileNetV2',
        (r'conv1\.conv\.weight$', r'layer1\.0\.conv\.0\.conv\.weight$'),
        (),
        (r'head\.',),
        _MOBILENET_V2_HEAD,
    ),
    # timm's and MMDetection's have the same names.
    KeyMap(
        'ResNet of torchvision or MMPretrain',
        (r'conv1\.weight$', r'layer1\.0\.conv1\.weight$'),
        (),
        (r'fc\.', r'head\.'),
    ),
    KeyMap(
        'HuggingFace ResNet',
        (
            r'embedder\.embedder\.convolution\.',
            r'encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.',
        ),
        tuple(_huggingface_resnet()),
        (r'classifier\.',),
    ),
)
