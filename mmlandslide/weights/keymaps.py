"""Tables from foreign parameter names to ours, one per source. Pure: no torch here.

Ours are MMPretrain's names, so its own checkpoints need no table but a few old spellings.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

Rule = tuple[str, str]


@dataclass(frozen=True)
class KeyMap:
    """How one source's keys become ours.

    Attributes:
        name: of the source.
        signs: patterns that must each match some key for a checkpoint to be of this source.
        rules: (pattern, replacement) pairs; the first that matches from the start renames the key.
        dropped: patterns of keys that are no part of the backbone, such as the classifier.
        merging: whether patch merging concatenates (0,0) (1,0) (0,1) (1,1) and must be reordered to channel-major.
    """

    name: str
    signs: tuple[str, ...]
    rules: tuple[Rule, ...]
    dropped: tuple[str, ...] = ()
    merging: bool = False


def _torchvision_swin_rules() -> Iterable[Rule]:
    block = r'features\.{feature}\.(\d+)\.'
    yield r'features\.0\.0\.', r'patch_embed.projection.'
    yield r'features\.0\.2\.', r'patch_embed.norm.'
    for stage in range(4):
        here, ours = block.format(feature=2 * stage + 1), rf'stages.{stage}.blocks.\1.'
        yield here + r'attn\.', ours + 'attn.w_msa.'
        yield here + r'mlp\.0\.', ours + 'ffn.layers.0.0.'
        yield here + r'mlp\.3\.', ours + 'ffn.layers.1.'
        yield here + r'(norm[12])\.', ours + r'\2.'
        yield rf'features\.{2 * stage + 2}\.(norm|reduction)\.', rf'stages.{stage}.downsample.\1.'
    yield r'norm\.', 'norm3.'


def _torchvision_efficientnet_rules() -> Iterable[Rule]:
    # MMPretrain joins torchvision's stages 4 + 5 and 6 + 7 of B0 into one layer each: (ours, first block).
    yield r'features\.0\.0\.', 'layers.0.conv.'
    yield r'features\.0\.1\.', 'layers.0.bn.'
    yield r'features\.8\.0\.', 'layers.6.conv.'
    yield r'features\.8\.1\.', 'layers.6.bn.'
    blocks = {1: (1, 0, 1), 2: (2, 0, 2), 3: (3, 0, 2), 4: (4, 0, 3), 5: (4, 3, 3), 6: (5, 0, 4), 7: (5, 4, 1)}
    for feature, (layer, first, count) in blocks.items():
        parts = ['expand_conv', 'depthwise_conv', 'se', 'linear_conv'][1 if feature == 1 else 0 :]
        for block in range(count):
            for position, part in enumerate(parts):
                here, ours = rf'features\.{feature}\.{block}\.block\.{position}\.', f'layers.{layer}.{first + block}.{part}.'
                if part == 'se':
                    yield here + r'fc1\.', ours + 'conv1.conv.'
                    yield here + r'fc2\.', ours + 'conv2.conv.'
                else:
                    yield here + r'0\.', ours + 'conv.'
                    yield here + r'1\.', ours + 'bn.'


_TORCHVISION_VIT_RULES: tuple[Rule, ...] = (
    (r'class_token$', 'cls_token'),
    (r'conv_proj\.', 'patch_embed.projection.'),
    (r'encoder\.pos_embedding$', 'pos_embed'),
    (r'encoder\.ln\.', 'ln1.'),
    (r'encoder\.layers\.encoder_layer_(\d+)\.ln_([12])\.', r'layers.\1.ln\2.'),
    (r'encoder\.layers\.encoder_layer_(\d+)\.self_attention\.in_proj_', r'layers.\1.attn.qkv.'),
    (r'encoder\.layers\.encoder_layer_(\d+)\.self_attention\.out_proj\.', r'layers.\1.attn.proj.'),
    (r'encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:linear_1|0)\.', r'layers.\1.ffn.layers.0.0.'),
    (r'encoder\.layers\.encoder_layer_(\d+)\.mlp\.(?:linear_2|3)\.', r'layers.\1.ffn.layers.1.'),
)

#: In the order in which they are tried: the most particular signs first.
KEYMAPS: tuple[KeyMap, ...] = (
    KeyMap(
        'torchvision Swin',
        (r'features\.1\.0\.attn\.relative_position_bias_table$',),
        tuple(_torchvision_swin_rules()),
        (r'head\.', r'.*relative_position_index$'),
        merging=True,
    ),
    KeyMap(
        'torchvision EfficientNet-B0',
        (r'features\.1\.0\.block\.0\.0\.weight$', r'features\.8\.0\.weight$'),
        tuple(_torchvision_efficientnet_rules()),
        (r'classifier\.',),
    ),
    KeyMap('torchvision ViT', (r'encoder\.layers\.encoder_layer_0\.',), _TORCHVISION_VIT_RULES, (r'heads\.',)),
    KeyMap(
        'MMPretrain Swin',
        (r'stages\.0\.blocks\.0\.attn\.w_msa\.',),
        ((r'norm\.', 'norm3.'),),
        (r'.*attn_mask$', r'.*relative_position_index$'),
    ),
    KeyMap('MMPretrain ViT', (r'layers\.0\.attn\.qkv\.', r'patch_embed\.projection\.'), ()),
    KeyMap('MMPretrain EfficientNet', (r'layers\.0\.conv\.weight$', r'layers\.1\.0\.'), ()),
    KeyMap('ResNet of torchvision or MMPretrain', (r'conv1\.weight$', r'layer1\.0\.conv1\.weight$'), (), (r'fc\.',)),
)


def recognise(keys: Collection[str]) -> KeyMap | None:
    """Return the source whose signs all show among the keys, or `None`."""

    def shows(pattern: str) -> bool:
        return any(re.match(pattern, key) for key in keys)

    return next((keymap for keymap in KEYMAPS if all(map(shows, keymap.signs))), None)


def by_name(name: str) -> KeyMap | None:
    """Return the source of that name, or `None`."""
    return next((keymap for keymap in KEYMAPS if keymap.name == name), None)


def renamer(keymap: KeyMap) -> Callable[[str], str | None]:
    """Return a function from a foreign key to ours, or to `None` where the key is no part of a backbone."""
    rules = [(re.compile(pattern), replacement) for pattern, replacement in keymap.rules]
    dropped = [re.compile(pattern) for pattern in keymap.dropped]

    def rename(key: str) -> str | None:
        if any(pattern.match(key) for pattern in dropped):
            return None
        for pattern, replacement in rules:
            if pattern.match(key):
                return pattern.sub(replacement, key, count=1)
        return key

    return rename
