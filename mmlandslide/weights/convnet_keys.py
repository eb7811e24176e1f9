"""Tables from the convolutional networks of others to ours, which are MMPretrain's. Pure: no torch here."""

from collections.abc import Iterable

from mmlandslide.weights.keymap import KeyMap, Rule

# MMPretrain joins B0's stages 4 + 5 and 6 + 7 into one layer each: stage -> our layer, its first block there, its blocks.
_B0 = {1: (1, 0, 1), 2: (2, 0, 2), 3: (3, 0, 2), 4: (4, 0, 3), 5: (4, 3, 3), 6: (5, 0, 4), 7: (5, 4, 1)}


def _b0_blocks() -> Iterable[tuple[int, int, str]]:
    """Yield stage (1 to 7), block within it and the beginning of our names for every block of EfficientNet-B0."""
    for stage, (layer, first, count) in _B0.items():
        for block in range(count):
            yield stage, block, f'layers.{layer}.{first + block}.'


def _torchvision_efficientnet() -> Iterable[Rule]:
    yield r'features\.0\.0\.', 'layers.0.conv.'
    yield r'features\.0\.1\.', 'layers.0.bn.'
    yield r'features\.8\.0\.', 'layers.6.conv.'
    yield r'features\.8\.1\.', 'layers.6.bn.'
    for stage, block, ours in _b0_blocks():
        parts = ['expand_conv', 'depthwise_conv', 'se', 'linear_conv'][1 if stage == 1 else 0 :]
        for position, part in enumerate(parts):
            here = rf'features\.{stage}\.{block}\.block\.{position}\.'
            if part == 'se':
                yield here + r'fc([12])\.', ours + r'se.conv\1.conv.'
            else:
                yield here + r'0\.', f'{ours}{part}.conv.'
                yield here + r'1\.', f'{ours}{part}.bn.'


def _timm_efficientnet() -> Iterable[Rule]:
    yield r'conv_stem\.', 'layers.0.conv.'
    yield r'bn1\.', 'layers.0.bn.'
    yield r'conv_head\.', 'layers.6.conv.'
    yield r'bn2\.', 'layers.6.bn.'
    expanding = {'expand_conv': 'conv_pw', 'depthwise_conv': 'conv_dw', 'linear_conv': 'conv_pwl'}
    first = {'depthwise_conv': 'conv_dw', 'linear_conv': 'conv_pw'}
    for stage, block, ours in _b0_blocks():
        here = rf'blocks\.{stage - 1}\.{block}\.'
        yield here + r'se\.conv_reduce\.', ours + 'se.conv1.conv.'
        yield here + r'se\.conv_expand\.', ours + 'se.conv2.conv.'
        for position, (part, conv) in enumerate((first if stage == 1 else expanding).items(), 1):
            yield rf'{here}{conv}\.', f'{ours}{part}.conv.'
            yield rf'{here}bn{position}\.', f'{ours}{part}.bn.'


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


#: In the order in which they are tried.
CONVNETS: tuple[KeyMap, ...] = (
    KeyMap(
        'torchvision EfficientNet-B0',
        (r'features\.1\.0\.block\.0\.0\.weight$', r'features\.8\.0\.weight$'),
        tuple(_torchvision_efficientnet()),
        (r'classifier\.',),
    ),
    KeyMap(
        'timm EfficientNet-B0',
        (r'conv_stem\.weight$', r'conv_head\.weight$', r'blocks\.0\.0\.se\.conv_reduce\.', r'blocks\.6\.0\.conv_pwl\.'),
        tuple(_timm_efficientnet()),
        (r'classifier\.',),
    ),
    KeyMap('MMPretrain EfficientNet', (r'layers\.0\.conv\.weight$', r'layers\.1\.0\.'), (), (r'head\.',)),
    # timm's and MMDetection's have the same names.
    KeyMap(
        'ResNet of torchvision or MMPretrain',
        (r'conv1\.weight$', r'layer1\.0\.conv1\.weight$'),
        (),
        (r'fc\.', r'head\.'),
    ),
    KeyMap(
        'HuggingFace ResNet',
        (r'embedder\.embedder\.convolution\.', r'encoder\.stages\.0\.layers\.0\.layer\.0\.convolution\.'),
        tuple(_huggingface_resnet()),
        (r'classifier\.',),
    ),
)
