"""SatMAE over groups of bands.

A small model under the published keys, written from the paper's words.
"""

import torch
import torch.nn.functional as F

from foreign.case import VIT, Foreign
from foreign.published import Mae, block, forward
from mmlandslide.models.backbones.satmae import SatMAEViT

GROUPS = [['B2', 'B3', 'B4', 'B8'], ['B5', 'B6', 'B7', 'B8A'], ['B11', 'B12']]
BANDS = tuple(name for group in GROUPS for name in group)


class SatMae(Mae):
    """Its encoder, with the decoder of a pre-training's file beside it.

    To a token, position and group are added side by side.
    """

    def __init__(
        self, width=16, depth=2, heads=2, hidden=32, patch=8, grid=4, channel=4, decoder=8
    ):
        super().__init__(width, depth, heads, hidden, patch, grid, decoder=False)
        self.patch_embed = torch.nn.ModuleList(
            torch.nn.ModuleDict({'proj': torch.nn.Conv2d(len(group), width, patch, patch)})
            for group in GROUPS
        )
        self.pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + grid**2, width - channel))
        self.channel_embed = torch.nn.Parameter(torch.zeros(1, 3, channel))
        self.mask_token = torch.nn.Parameter(torch.zeros(1, 1, decoder))
        self.decoder_pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + grid**2, decoder // 2))
        self.decoder_channel_embed = torch.nn.Parameter(torch.zeros(1, 4, decoder // 2))
        self.decoder_embed, self.decoder_norm = (
            torch.nn.Linear(width, decoder),
            torch.nn.LayerNorm(decoder),
        )
        self.decoder_blocks = torch.nn.ModuleList([block(decoder, 2 * decoder)])
        self.decoder_pred = torch.nn.ModuleList(
            torch.nn.Linear(decoder, len(group) * patch**2) for group in GROUPS
        )

    def forward(self, x):
        position, z = self.pos_embed[0], []
        z.append(
            self.cls_token[0]
            + torch.cat([position[:1], torch.zeros(1, self.channel_embed.shape[2])], 1)
        )
        z[0] = z[0].expand(len(x), 1, -1)
        for index, bands in enumerate(x.split([len(group) for group in GROUPS], 1)):
            code = self.channel_embed[0, index].repeat(len(position) - 1, 1)
            z.append(
                self.patch_embed[index]['proj'](bands).flatten(2).mT
                + torch.cat([position[1:], code], 1)
            )
        z = torch.cat(z, 1)
        for layer in self.blocks:
            z = z + self.attend(layer['attn'], layer['norm1'](z))
            z = z + layer['mlp']['fc2'](F.gelu(layer['mlp']['fc1'](layer['norm2'](z))))
        return self.norm(z)


def ours_satmae(**options):
    small = {'arch': VIT, 'img_size': 32, 'channel_dims': 4, 'bands': BANDS, 'out_type': 'raw'}
    return SatMAEViT(**{**small, **options})


SATMAE = 'SatMAE over groups of bands'
GROUPED = [
    Foreign(
        SATMAE, 'ViT, 2 blocks, with decoder', SatMae, ours_satmae, forward, side_px=32, channels=10
    ),
    Foreign(
        SATMAE,
        'ours, slope and DEM a group beside',
        lambda: ours_satmae(groups=[*GROUPS, 'terrain'], bands=(*BANDS, 'terrain')),
        lambda: ours_satmae(groups=['terrain', *GROUPS], bands=('terrain', *BANDS)),
        lambda theirs, x: theirs(x[:, [*range(2, 12), 0, 1]])[0][
            :, [0, *range(49, 65), *range(1, 49)]
        ],
        side_px=32,
        channels=12,
    ),
]
