"""open_clip's models, and SkyScript's, which it trained in parallel."""

import open_clip

from foreign.case import QUICK, Foreign, ours_vit


def clip(**options):
    vision = {
        'image_size': 32,
        'patch_size': 8,
        'width': 16,
        'head_width': 8,
        'layers': 2,
        'mlp_ratio': 2,
    }
    text = {'context_length': 4, 'vocab_size': 8, 'width': 16, 'heads': 2, 'layers': 1}
    return open_clip.CLIP(4, vision, text, **options)


def class_token(model, x):
    """Return the tower's class token before it is mapped to the space of the texts, which a backbone leaves out."""
    model.visual.proj = None
    return model.visual(x)


def ours_clip(**options):
    return ours_vit(eps=1e-5, out_type='cls_token', pre_norm=True, **options)


CLIP = 'OpenAI CLIP, open_clip or SkyScript'
OPEN_CLIP = [
    Foreign(CLIP, 'open_clip ViT, GELU as B/32', clip, ours_clip, class_token, side_px=32),
    Foreign(
        CLIP,
        'SkyScript ViT, QuickGELU as L/14',
        lambda: clip(quick_gelu=True),
        lambda: ours_clip(**QUICK),
        class_token,
        rename=lambda key: f'module.{key}',
        side_px=32,
    ),
]
