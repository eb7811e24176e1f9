"""Tables from the vision transformers of others to ours, which are MMPretrain's. Pure.

No torch here.
"""

from collections.abc import Iterable, Sequence

from mmlandslide.weights.sources.keymap import KeyMap, Rule

#: What a backbone may go without: the norms after the last block, and the class token where it
#: takes none.
_SPARE = (r'ln[12]\.', r'cls_token$')


def _blocks(here: str, parts: dict[str, str]) -> tuple[Rule, ...]:
    """Return the rules of a block's parts: foreign pattern -> our name."""
    return tuple((here + part, rf'layers.\1.{ours}') for part, ours in parts.items())


TIMM: tuple[Rule, ...] = (
    (r'patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'norm_pre\.', 'pre_norm.'),
    *_blocks(
        r'blocks\.(\d+)\.',
        {
            r'norm1\.': 'ln1.',
            r'norm2\.': 'ln2.',
            r'attn\.': 'attn.',
            r'mlp\.fc1\.': 'ffn.layers.0.0.',
            r'mlp\.fc2\.': 'ffn.layers.1.',
        },
    ),
    (r'norm\.', 'ln1.'),
    (r'fc_norm\.', 'ln2.'),
)

_TORCHVISION: tuple[Rule, ...] = (
    (r'class_token$', 'cls_token'),
    (r'conv_proj\.', 'patch_embed.projection.'),
    (r'encoder\.pos_embedding$', 'pos_embed'),
    (r'encoder\.ln\.', 'ln1.'),
    *_blocks(
        r'encoder\.layers\.encoder_layer_(\d+)\.',
        {
            r'ln_1\.': 'ln1.',
            r'ln_2\.': 'ln2.',
            r'self_attention\.in_proj_': 'attn.qkv.',
            r'self_attention\.out_proj\.': 'attn.proj.',
            r'mlp\.(?:linear_1|0)\.': 'ffn.layers.0.0.',
            r'mlp\.(?:linear_2|3)\.': 'ffn.layers.1.',
        },
    ),
)

_OPEN_CLIP: tuple[Rule, ...] = (
    (r'class_embedding$', 'cls_token'),
    (r'positional_embedding$', 'pos_embed'),
    (r'conv1\.', 'patch_embed.projection.'),
    (r'ln_pre\.', 'pre_norm.'),
    *_blocks(
        r'transformer\.resblocks\.(\d+)\.',
        {
            r'ln_1\.': 'ln1.',
            r'ln_2\.': 'ln2.',
            r'attn\.in_proj_': 'attn.qkv.',
            r'attn\.out_proj\.': 'attn.proj.',
            r'mlp\.c_fc\.': 'ffn.layers.0.0.',
            r'mlp\.c_proj\.': 'ffn.layers.1.',
        },
    ),
    (r'ln_post\.', 'ln1.'),
)

_HUGGINGFACE: tuple[Rule, ...] = (
    (r'embeddings\.cls_token$', 'cls_token'),
    (r'embeddings\.position_embeddings$', 'pos_embed'),
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.projection.'),
    *_blocks(
        r'encoder\.layer\.(\d+)\.',
        {
            r'layernorm_before\.': 'ln1.',
            r'layernorm_after\.': 'ln2.',
            r'attention\.attention\.(q|k|v)(?:uery|ey|alue)\.': r'attn.\2.',
            r'attention\.output\.dense\.': 'attn.proj.',
            r'intermediate\.dense\.': 'ffn.layers.0.0.',
            r'output\.dense\.': 'ffn.layers.1.',
        },
    ),
    (r'layernorm\.', 'ln1.'),
)

_HUGGINGFACE_CLIP: tuple[Rule, ...] = (
    (r'embeddings\.class_embedding$', 'cls_token'),
    (r'embeddings\.position_embedding\.weight$', 'pos_embed'),
    (r'embeddings\.patch_embedding\.', 'patch_embed.projection.'),
    (r'pre_layrnorm\.', 'pre_norm.'),
    *_blocks(
        r'encoder\.layers\.(\d+)\.',
        {
            r'layer_norm1\.': 'ln1.',
            r'layer_norm2\.': 'ln2.',
            r'self_attn\.(q|k|v)_proj\.': r'attn.\2.',
            r'self_attn\.out_proj\.': 'attn.proj.',
            r'mlp\.fc1\.': 'ffn.layers.0.0.',
            r'mlp\.fc2\.': 'ffn.layers.1.',
        },
    ),
    (r'post_layernorm\.', 'ln1.'),
)

_TIMM_SIGNS = (r'patch_embed\.proj\.weight$', r'blocks\.0\.attn\.qkv\.')

#: In the order in which they are tried: the most particular signs first.
VIT: tuple[KeyMap, ...] = (
    KeyMap(
        'torchvision ViT',
        (r'encoder\.layers\.encoder_layer_0\.',),
        _TORCHVISION,
        (r'heads\.',),
        _SPARE,
    ),
    KeyMap(
        'MMPretrain ViT',
        (r'layers\.0\.attn\.qkv\.', r'patch_embed\.projection\.'),
        (),
        (r'head\.', r'mask_token$'),
        _SPARE,
    ),
    KeyMap(
        'MAE or SatMAE pre-training',
        (*_TIMM_SIGNS, r'decoder_blocks\.0\.'),
        TIMM,
        (r'decoder_', r'mask_token$'),
        _SPARE,
    ),
    # Classifiers that average the tokens first and norm the average, which is not the norm of every
    # token.
    KeyMap(
        'ViT of timm or MAE that averages its tokens',
        (*_TIMM_SIGNS, r'fc_norm\.weight$'),
        TIMM,
        (r'head\.',),
        _SPARE,
        new_by_design=('ln1.',),
    ),
    KeyMap('ViT of timm, MAE or SatMAE', _TIMM_SIGNS, TIMM, (r'head\.',), _SPARE),
    KeyMap(
        'OpenAI CLIP, open_clip or SkyScript',
        (r'class_embedding$', r'transformer\.resblocks\.0\.attn\.in_proj_weight$'),
        _OPEN_CLIP,
        (r'proj$',),
        _SPARE,
    ),
    KeyMap(
        'HuggingFace ViT or ViTMAE',
        (r'encoder\.layer\.0\.attention\.attention\.query\.',),
        _HUGGINGFACE,
        (r'pooler\.', r'classifier\.', r'embeddings\.mask_token$', r'decoder\.'),
        _SPARE,
    ),
    KeyMap(
        'HuggingFace CLIP',
        (r'embeddings\.class_embedding$', r'encoder\.layers\.0\.self_attn\.q_proj\.'),
        _HUGGINGFACE_CLIP,
        (r'embeddings\.position_ids$',),
        _SPARE,
    ),
)


#: Sentinel-2 bands of the published groups, in the order of their patch embeddings (Cong et al.
#: 2022).
PUBLISHED_GROUPS: tuple[tuple[str, ...], ...] = (
    ('B2', 'B3', 'B4', 'B8'),
    ('B5', 'B6', 'B7', 'B8A'),
    ('B11', 'B12'),
)


def prefix(group: Sequence[str]) -> str:
    """Return the beginning of our names for what a group of bands has of its own."""
    return f'patch_embed.{"-".join(group)}.'


def _rules() -> Iterable[Rule]:
    for index, group in enumerate(PUBLISHED_GROUPS):
        yield rf'patch_embed\.{index}\.proj\.', f'{prefix(group)}projection.'
    yield from TIMM


SATMAE = KeyMap(
    'SatMAE over groups of bands',
    (
        r'patch_embed\.(?:0\.proj|[^.]+\.projection)\.weight$',
        r'(?:patch_embed\.[^.]+\.)?channel_embed$',
    ),
    tuple(_rules()),
    (r'decoder_', r'mask_token$', r'head\.'),
    spare=(r'patch_embed\.', r'ln[12]\.', r'cls_token$'),
    rows={'channel_embed': tuple(f'{prefix(group)}channel_embed' for group in PUBLISHED_GROUPS)},
)
