"""Files whose published keys are known, around models that stand for theirs."""

import re

import torch
import torch.nn.functional as F

from foreign.case import ELSEWHERE, Foreign, channels_first, ours_swin, ours_vit
from foreign.hosts import torchvision_swin
from foreign.timm_models import TIMM_VIT


def official_swin(key):
    """Return the official name of a parameter of torchvision's Swin."""
    key = key.replace('features.0.0.', 'patch_embed.proj.').replace(
        'features.0.2.', 'patch_embed.norm.'
    )
    key = re.sub(r'mlp\.([03])', lambda found: {'0': 'mlp.fc1', '3': 'mlp.fc2'}[found[1]], key)
    key = re.sub(r'features\.([1357])\.', lambda found: f'layers.{int(found[1]) // 2}.blocks.', key)
    return re.sub(
        r'features\.([246])\.', lambda found: f'layers.{int(found[1]) // 2 - 1}.downsample.', key
    )


def swin_mae(key):
    """Return Swin-MAE's name of a parameter of torchvision's Swin.

    Its encoder has neither last norm nor head.
    """
    return None if key.startswith(('norm.', 'head.')) else official_swin(key)


def swin_detector(key):
    """Return the name in the detectors of Swin's authors, which tap each stage through a norm."""
    key = official_swin(key)
    return (
        None
        if key.startswith('head.')
        else f'backbone.{key.replace("norm.", "norm3.") if key.startswith("norm.") else key}'
    )


def gelu_mlp(width, hidden):
    return torch.nn.ModuleDict(
        {'fc1': torch.nn.Linear(width, hidden), 'fc2': torch.nn.Linear(hidden, width)}
    )


def block(width, hidden):
    attention = {'qkv': torch.nn.Linear(width, 3 * width), 'proj': torch.nn.Linear(width, width)}
    norms = {name: torch.nn.LayerNorm(width, eps=1e-6) for name in ('norm1', 'norm2')}
    return torch.nn.ModuleDict(
        {**norms, 'attn': torch.nn.ModuleDict(attention), 'mlp': gelu_mlp(width, hidden)}
    )


class Mae(torch.nn.Module):
    """The encoder of MAE (He et al. 2021), written from the ViT paper's equations 1 to 4, under the published names."""

    def __init__(self, width=16, depth=2, heads=2, hidden=32, patch=8, grid=4, decoder=True):
        super().__init__()
        self.heads = heads
        self.patch_embed = torch.nn.ModuleDict({'proj': torch.nn.Conv2d(3, width, patch, patch)})
        self.cls_token = torch.nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + grid**2, width))
        self.blocks = torch.nn.ModuleList(block(width, hidden) for _ in range(depth))
        self.norm = torch.nn.LayerNorm(width, eps=1e-6)
        if decoder:
            self.mask_token = torch.nn.Parameter(torch.zeros(1, 1, 8))
            self.decoder_pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + grid**2, 8))
            self.decoder_embed, self.decoder_norm = torch.nn.Linear(width, 8), torch.nn.LayerNorm(8)
            self.decoder_blocks = torch.nn.ModuleList([block(8, 16)])
            self.decoder_pred = torch.nn.Linear(8, 3 * patch**2)

    def forward(self, x):
        patches = self.patch_embed['proj'](x).flatten(2).transpose(1, 2)
        z = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1) + self.pos_embed
        for layer in self.blocks:
            z = z + self.attend(layer['attn'], layer['norm1'](z))
            z = z + layer['mlp']['fc2'](F.gelu(layer['mlp']['fc1'](layer['norm2'](z))))
        return self.norm(z)

    def attend(self, attention, z):
        heads = attention['qkv'](z).unflatten(2, (3, self.heads, -1))  # (B, L, 3, heads, C / heads)
        q, k, v = (heads[:, :, part].transpose(1, 2) for part in range(3))
        weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(-1)
        return attention['proj']((weights @ v).transpose(1, 2).flatten(2))


def forward(model, x):
    return model(x)


def averaged(key):
    """Return the name in a MAE classifier: its norm follows the average."""
    return f'fc_{key}' if key.startswith('norm.') else key


def normed(theirs, x):
    maps = channels_first(theirs.features(x))
    return F.layer_norm(maps.permute(0, 2, 3, 1), maps.shape[1:2]).permute(0, 3, 1, 2)


def first_block(mae):
    """Leave the first block and no norm of a MAE."""
    mae.blocks, mae.norm = mae.blocks[:1], torch.nn.Identity()
    return mae


BUFFERS = {'layers.0.blocks.1.attn_mask': torch.zeros(4, 4, 4)}
SWIN_DECODER = {
    'mask_token': torch.zeros(1, 1, 48),
    'first_patch_expanding.expand.weight': torch.zeros(768, 384),
    'layers_up.0.blocks.0.attn.qkv.weight': torch.zeros(576, 192),
    'norm_up.weight': torch.zeros(48),
    'decoder_pred.weight': torch.zeros(48, 48),
}
HEAD = {'head.weight': torch.zeros(2, 16), 'head.bias': torch.zeros(2)}
PUBLISHED = [
    Foreign(
        'official Swin',
        'Swin nano, classifier',
        torchvision_swin,
        ours_swin,
        lambda theirs, x: channels_first(theirs.norm(theirs.features(x))),
        rename=official_swin,
        beside=BUFFERS,
    ),
    Foreign(
        'official Swin',
        "Swin nano, its authors' detector",
        torchvision_swin,
        lambda: ours_swin(out_indices=(0, 1, 2, 3)),
        lambda theirs, x: channels_first(theirs.norm(theirs.features(x))),
        rename=swin_detector,
        beside={
            **ELSEWHERE,
            'backbone.norm0.weight': torch.ones(48),
            'backbone.norm0.bias': torch.zeros(48),
        },
        new=('norm1.weight', 'norm1.bias', 'norm2.weight', 'norm2.bias'),
    ),
    Foreign(
        'Swin-MAE',
        'Swin nano',
        torchvision_swin,
        ours_swin,
        normed,
        rename=swin_mae,
        beside=SWIN_DECODER,
        new=('norm3.weight', 'norm3.bias'),
    ),
    Foreign(
        'MAE or SatMAE pre-training',
        'ViT, 2 blocks, with decoder',
        Mae,
        ours_vit,
        forward,
        side_px=32,
    ),
    Foreign(
        TIMM_VIT, 'MAE, encoder alone', lambda: Mae(decoder=False), ours_vit, forward, side_px=32
    ),
    Foreign(
        'ViT of timm or MAE that averages its tokens',
        'MAE, fine-tuned',
        lambda: Mae(decoder=False),
        lambda: ours_vit(
            out_indices=[0]
        ),  # before the last block, where the norm of the average does not matter
        lambda theirs, x: Mae.forward(first_block(theirs), x),
        rename=averaged,
        beside=HEAD,
        new=('ln1.weight', 'ln1.bias'),
        side_px=32,
    ),
]
