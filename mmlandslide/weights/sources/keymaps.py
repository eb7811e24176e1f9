"""Every source of weights that is known, and how it is told by its keys. Pure: no torch here.

Ours are MMPretrain's names, so its own checkpoints need no table but a few old spellings.
"""

from collections.abc import Collection

from mmlandslide.weights.sources.convnet_keys import CONVNETS
from mmlandslide.weights.sources.keymap import KeyMap, renamer
from mmlandslide.weights.sources.swin_keys import SWIN
from mmlandslide.weights.sources.vit_keys import SATMAE, VIT

__all__ = ['KEYMAPS', 'KeyMap', 'by_name', 'recognise', 'renamer']

#: In the order in which they are tried.
KEYMAPS: tuple[KeyMap, ...] = (*SWIN, SATMAE, *VIT, *CONVNETS)


def recognise(keys: Collection[str]) -> KeyMap | None:
    """Return the source whose signs all show among the keys, or `None`.

    Args:
        keys: of the backbone, without the prefixes that `nesting.backbone_state` takes off.
    """
    return next((keymap for keymap in KEYMAPS if keymap.fits(keys)), None)


def by_name(name: str) -> KeyMap | None:
    """Return the source of that name, or `None`."""
    return next((keymap for keymap in KEYMAPS if keymap.name == name), None)
