"""Files that a config starts from and that must be downloaded.

Random weights in their full size, under their published keys.
"""

import open_clip

from foreign.satmae import SatMae

#: File name -> its state dict.
FILES = {
    'vit_b_32-laion2b_e16-af8dbd0c.pth': lambda: open_clip.create_model(
        'ViT-B-32', pretrained=None
    ).state_dict(),
    'SkyCLIP_ViT_L14_top30pct_filtered_by_CLIP_laion_RS.pt': lambda: {
        f'module.{key}': value
        for key, value in open_clip.create_model('ViT-L-14', pretrained=None, force_quick_gelu=True)
        .state_dict()
        .items()
    },
    'pretrain-vit-base-e199.pth': lambda: {
        'model': SatMae(768, 12, 12, 3072, 8, 12, 256, 512).state_dict()
    },
    'pretrain-vit-large-e199.pth': lambda: {
        'model': SatMae(1024, 24, 16, 4096, 8, 12, 256, 512).state_dict()
    },
}


def state_dict(name):
    return FILES[name]()
