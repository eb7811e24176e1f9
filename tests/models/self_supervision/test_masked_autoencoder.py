import pytest
import torch

from mmlandslide.errors import ConfigError
from mmlandslide.models.self_supervision.masked_autoencoder import patchify, unpatchify
from mmlandslide.models.self_supervision.swin_mae import SwinMAE


def test_patches_hold_rows_of_pixels_with_bands_last():
    image = torch.arange(2 * 2 * 4).view(
        1, 2, 2, 4
    )  # band 0: rows 0 1 2 3 | 4 5 6 7, band 1: 8 more each
    assert patchify(image, 2).tolist() == [
        [[0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]]
    ]


def test_unpatchify_is_the_inverse_of_patchify():
    images = torch.rand(2, 5, 8, 12)
    assert torch.equal(unpatchify(patchify(images, 4), 4, (8, 12)), images)


def test_a_preprocessor_of_other_bands_than_the_backbone_is_refused():
    swin = {'type': 'mmlandslide.SwinTransformer', 'arch': 'nano', 'bands': 'rgb'}
    with pytest.raises(
        ConfigError,
        match=r"the backbone's bands \('B4', 'B3', 'B2'\) in this order, got \('R', 'G', 'B'\)",
    ):
        SwinMAE(swin, {'type': 'mmlandslide.TilePreprocessor', 'bands': 'photograph'})
