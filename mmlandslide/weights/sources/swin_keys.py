"""Tables from the Swin transformers of others to ours, which are MMPretrain's. Pure.

No torch here.
"""

from collections.abc import Iterable

from mmlandslide.weights.sources.keymap import KeyMap, Rule

#: Norms of taps: detectors have one a stage, classifiers the last alone, and a backbone those of
#: the stages it taps.
_TAPS = (r'norm[0-3]\.',)
_COMPUTED = (r'.*relative_position_index$', r'.*attn_mask$')


def _official_rules() -> Iterable[Rule]:
    here, ours = r'layers\.(\d+)\.blocks\.(\d+)\.', r'stages.\1.blocks.\2.'
    yield r'patch_embed\.proj\.', 'patch_embed.projection.'
    yield here + r'attn\.', ours + 'attn.w_msa.'
    yield here + r'mlp\.fc1\.', ours + 'ffn.layers.0.0.'
    yield here + r'mlp\.fc2\.', ours + 'ffn.layers.1.'
    yield here, ours
    yield r'layers\.(\d+)\.downsample\.', r'stages.\1.downsample.'
    yield r'norm\.', 'norm3.'


def _timm_rules() -> Iterable[Rule]:
    # timm merges patches before a stage, all others after the one before it.
    for stage in range(1, 4):
        yield rf'layers\.{stage}\.downsample\.', f'stages.{stage - 1}.downsample.'
    yield from _official_rules()


def _torchvision_rules() -> Iterable[Rule]:
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


def _huggingface_rules() -> Iterable[Rule]:
    here, ours = r'encoder\.layers\.(\d+)\.blocks\.(\d+)\.', r'stages.\1.blocks.\2.'
    yield r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.projection.'
    yield r'embeddings\.norm\.', 'patch_embed.norm.'
    yield r'embeddings\.position_embeddings$', 'absolute_pos_embed'
    yield here + r'layernorm_before\.', ours + 'norm1.'
    yield here + r'layernorm_after\.', ours + 'norm2.'
    yield here + r'attention\.self\.(q|k|v)(?:uery|ey|alue)\.', ours + r'attn.w_msa.\3.'
    yield here + r'attention\.self\.', ours + 'attn.w_msa.'
    yield here + r'attention\.output\.dense\.', ours + 'attn.w_msa.proj.'
    yield here + r'intermediate\.dense\.', ours + 'ffn.layers.0.0.'
    yield here + r'output\.dense\.', ours + 'ffn.layers.1.'
    yield r'encoder\.layers\.(\d+)\.downsample\.', r'stages.\1.downsample.'
    yield r'layernorm\.', 'norm3.'


_BLOCKS = r'layers\.0\.blocks\.0\.attn\.qkv\.'

#: In the order in which they are tried.
SWIN: tuple[KeyMap, ...] = (
    KeyMap(
        'torchvision Swin',
        (r'features\.1\.0\.attn\.relative_position_bias_table$',),
        tuple(_torchvision_rules()),
        (r'head\.', *_COMPUTED),
        _TAPS,
        merging=True,
    ),
    # MMDetection's own Swin has the same names.
    KeyMap(
        'MMPretrain Swin',
        (r'stages\.0\.blocks\.0\.attn\.w_msa\.',),
        ((r'norm\.', 'norm3.'),),
        (r'head\.', r'mask_token$', *_COMPUTED),
        _TAPS,
    ),
    # Its decoder goes its own way; the encoder has no norm after its last stage, as the decoder
    # comes next.
    KeyMap(
        'Swin-MAE',
        (_BLOCKS, r'layers\.0\.downsample\.', r'mask_token$'),
        tuple(_official_rules()),
        (r'mask_token$', r'(?:decoder|layers_up|norm_up|first_patch_expanding|head)', *_COMPUTED),
        _TAPS,
        new_by_design=('norm3.',),
        merging=True,
    ),
    KeyMap(
        'official Swin',
        (_BLOCKS, r'layers\.0\.downsample\.'),
        tuple(_official_rules()),
        (r'head\.', *_COMPUTED),
        _TAPS,
        merging=True,
    ),
    KeyMap(
        'timm Swin',
        (_BLOCKS, r'layers\.3\.downsample\.'),
        tuple(_timm_rules()),
        (r'head\.', *_COMPUTED),
        _TAPS,
        merging=True,
    ),
    KeyMap(
        'HuggingFace Swin',
        (r'encoder\.layers\.0\.blocks\.0\.attention\.self\.query\.',),
        tuple(_huggingface_rules()),
        (r'pooler\.', r'classifier\.', r'embeddings\.mask_token$', *_COMPUTED),
        _TAPS,
        merging=True,
    ),
)
