"""The table from SatMAE's transformer over groups of bands to ours. Pure: no torch here.

Ours name a group by its bands, so that a checkpoint says which it looks at: `patch_embed.B11-B12.projection.weight`.
"""

from collections.abc import Iterable, Sequence

from mmlandslide.weights.keymap import KeyMap, Rule
from mmlandslide.weights.vit_keys import TIMM

#: Sentinel-2 bands of the published groups, in the order of their patch embeddings (Cong et al. 2022).
PUBLISHED_GROUPS: tuple[tuple[str, ...], ...] = (('B2', 'B3', 'B4', 'B8'), ('B5', 'B6', 'B7', 'B8A'), ('B11', 'B12'))


def prefix(group: Sequence[str]) -> str:
    """Return the beginning of our names for what a group of bands has of its own."""
    return f'patch_embed.{"-".join(group)}.'


def _rules() -> Iterable[Rule]:
    for index, group in enumerate(PUBLISHED_GROUPS):
        yield rf'patch_embed\.{index}\.proj\.', f'{prefix(group)}projection.'
    yield from TIMM


SATMAE = KeyMap(
    'SatMAE over groups of bands',
    (r'patch_embed\.(?:0\.proj|[^.]+\.projection)\.weight$', r'(?:patch_embed\.[^.]+\.)?channel_embed$'),
    tuple(_rules()),
    (r'decoder_', r'mask_token$', r'head\.'),
    spare=(r'patch_embed\.', r'ln[12]\.', r'cls_token$'),
    rows={'channel_embed': tuple(f'{prefix(group)}channel_embed' for group in PUBLISHED_GROUPS)},
)
