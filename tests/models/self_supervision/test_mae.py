import pytest
import torch
from mmpretrain.structures import DataSample

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.vision_transformer import VisionTransformer, sine_cosine
from mmlandslide.models.self_supervision.mae import MAE, MAEDecoder, visible_of
from mmlandslide.models.self_supervision.masked_autoencoder import patchify, unpatchify
from mmlandslide.models.self_supervision.masking import hashed_noise
from mmlandslide.weights.bridge import load_pretrained

FIVE = tuple('abcde')
STATISTICS = {'mean': [1, 2, 3, 4, 5], 'std': [1, 2, 1, 2, 1]}
TINY = {'embed_dims': 16, 'num_layers': 2, 'num_heads': 2, 'feedforward_channels': 32}
VIT = {
    'type': 'mmlandslide.VisionTransformer',
    'arch': TINY,
    'img_size': 64,
    'fixed_positions': True,
    'out_type': 'featmap',
}


def model(bands=FIVE, backbone=None, **options):
    """Return a MAE over five bands outside the table, with 8 px patches seen at 16 px."""
    torch.manual_seed(0)
    mae = MAE(
        backbone={**VIT, 'bands': bands, 'stride': 8, **(backbone or {})},
        data_preprocessor={
            'type': 'mmlandslide.TilePreprocessor',
            'bands': bands,
            **(STATISTICS if bands == FIVE else {}),
        },
        **{'decoder_width': 16, 'decoder_depth': 1, 'decoder_heads': 2, **options},
    )
    mae.init_weights()
    return mae


def samples(*keys):
    return [DataSample(metainfo={'sample_key': key}) for key in keys]


def tiles(batch=2, bands=5, size_px=32, seed=3):
    return torch.randn(
        batch, bands, size_px, size_px, generator=torch.Generator().manual_seed(seed)
    )


def test_three_quarters_of_the_patches_are_masked():
    masked, map_hw = model().masked_patches(tiles(), torch.tensor([1, 2]))
    assert map_hw == (4, 4)
    assert masked.sum(1).tolist() == [12, 12]
    assert not torch.equal(masked[0], masked[1])


def test_the_first_patches_in_the_order_of_the_noise_are_masked():
    masked, _ = model(masked_ratio=0.5).masked_patches(tiles(1), torch.tensor([7]))
    order = hashed_noise(torch.tensor([7]), 16)[0].argsort()
    assert masked[0, order].tolist() == [True] * 8 + [False] * 8


def test_visible_patches_are_those_that_are_not_masked_in_order():
    masked = torch.tensor([[True, False, True, False], [False, False, True, True]])
    assert visible_of(masked).tolist() == [[1, 3], [0, 1]]


@torch.no_grad()
@pytest.mark.parametrize('norm_target', [False, True])
def test_the_target_of_visible_patches_does_not_count(norm_target, monkeypatch):
    mae, images, keys = model(norm_target=norm_target), tiles(), samples(1, 2)
    plain, target = mae.loss(images, keys), mae.target(images)
    visible = ~mae.masked_patches(images, torch.tensor([1, 2]))[0]
    monkeypatch.setattr(mae, 'target', lambda _: target + 1000 * visible[..., None])
    assert mae.loss(images, keys) == plain
    monkeypatch.setattr(mae, 'target', lambda _: target + ~visible[..., None])
    assert mae.loss(images, keys)['loss'] != plain['loss']


@torch.no_grad()
def test_masked_pixels_do_not_influence_the_prediction_and_visible_ones_do():
    mae, images, keys = model(), tiles(), torch.tensor([1, 2])
    predicted, masked = mae.reconstruct(images, keys)
    patches = patchify(images, 8)
    hidden = unpatchify(patches + 1e4 * masked[..., None], 8, (32, 32))
    shown = unpatchify(patches + ~masked[..., None], 8, (32, 32))
    assert torch.equal(mae.reconstruct(hidden, keys)[0], predicted)
    assert not torch.allclose(mae.reconstruct(shown, keys)[0], predicted)


def test_no_gradient_of_the_prediction_reaches_a_masked_pixel():
    mae, images = model(), tiles().requires_grad_()
    predicted, masked = mae.reconstruct(images, torch.tensor([1, 2]))
    predicted.square().sum().backward()
    reached = patchify(images.grad, 8).abs().sum(-1) > 0
    assert torch.equal(reached, ~masked)


@torch.no_grad()
def test_the_decoder_puts_each_token_in_its_place():
    decoder = MAEDecoder(4, 4, width=4, depth=0, num_heads=1)
    for layer in (decoder.embed, decoder.to_pixels):
        layer.weight.copy_(torch.eye(4))
        layer.bias.zero_()
    decoder.norm, decoder.mask_token[:] = torch.nn.Identity(), 7
    out = decoder(torch.tensor([[[9.0] * 4, [1] * 4, [2] * 4]]), torch.tensor([[3, 1]]), (2, 2))
    places = out - sine_cosine((2, 2), 4)  # the class token, 9, has none
    torch.testing.assert_close(places[0, :, 0], torch.tensor([7.0, 2, 7, 1]))


@torch.no_grad()
def test_the_loss_is_the_mean_squared_error_of_the_masked_patches():
    mae, images = model(), tiles()
    predicted, masked = mae.reconstruct(images, torch.tensor([1, 2]))
    wanted = [
        (predicted[b, t] - patchify(images, 8)[b, t]).square().mean()
        for b, t in masked.nonzero().tolist()
    ]
    assert mae.loss(images, samples(1, 2))['loss'] == pytest.approx(
        sum(wanted).item() / len(wanted), rel=1e-5
    )


@torch.no_grad()
def test_the_variance_of_the_target_is_beside_the_loss():
    mae, images = model(), tiles() * torch.tensor([1.0, 2, 3, 4, 5]).view(-1, 1, 1) + 7
    masked, _ = mae.masked_patches(images, torch.tensor([1, 2]))
    by_band = patchify(images, 8)[masked].view(-1, 5)
    expected = by_band.var(0, correction=0).mean().item()
    assert mae.loss(images, samples(1, 2))['target_variance'] == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('norm_target', [False, True])
def test_panels_hide_the_masked_patches_and_keep_the_others(norm_target):
    mae, images = model(norm_target=norm_target), tiles()
    panels = mae.panels(images, samples(1, 2))
    masked, _ = mae.masked_patches(images, torch.tensor([1, 2]))
    hidden = unpatchify(masked[..., None].expand(-1, -1, 320), 8, (32, 32))
    stored = images * torch.tensor([1.0, 2, 1, 2, 1]).view(-1, 1, 1) + torch.arange(1.0, 6).view(
        -1, 1, 1
    )
    torch.testing.assert_close(panels['original'], stored)
    assert torch.equal(panels['masked'].isnan(), hidden)
    torch.testing.assert_close(panels['reconstruction'][~hidden], stored[~hidden])
    assert not torch.isclose(panels['reconstruction'][hidden], stored[hidden]).all()


@pytest.mark.parametrize('size_px', [36, 12])
def test_a_tile_must_be_a_multiple_of_the_patch(size_px):
    where = r'in the training pipeline\. Resize or crop'
    with pytest.raises(
        ConfigError,
        match=rf'must be a multiple of the patch \(8 px\), got \({size_px}, {size_px}\) {where}',
    ):
        model().loss(tiles(1, size_px=size_px), samples(1))


@pytest.mark.parametrize('ratio', [0, 1, 75])
def test_a_ratio_outside_0_to_1_is_refused(ratio):
    with pytest.raises(ConfigError, match=f'masked_ratio must lie between 0 and 1, got {ratio}'):
        model(masked_ratio=ratio)


def test_a_ratio_that_masks_every_patch_is_refused():
    with pytest.raises(
        ConfigError, match='some and not all of the 16 units'
    ):  # .98 * 16 rounds to 16
        model(masked_ratio=0.98).loss(tiles(), samples(1, 2))


def test_a_backbone_without_a_class_token_is_refused():
    with pytest.raises(
        ConfigError,
        match=r'backbone must have a class token, got none in model\.backbone\.with_cls_token',
    ):
        model(backbone={'with_cls_token': False})


def test_the_gradient_reaches_every_parameter_but_the_fixed_positions():
    mae = model()
    mae.loss(tiles(), samples(1, 2))['loss'].backward()
    dead = [
        name
        for name, value in mae.named_parameters()
        if value.grad is None or not value.grad.abs().sum()
    ]
    assert dead == ['backbone.pos_embed']


def test_a_step_of_the_optimiser_lowers_the_loss():
    mae, images, keys = model(), tiles(), samples(1, 2)
    optimiser = torch.optim.AdamW(mae.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = mae.loss(images, keys)['loss']
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@torch.no_grad()
def test_the_order_of_the_batch_does_not_matter():
    mae, images = model().eval(), tiles()
    loss, swapped = mae.loss(images, samples(1, 2)), mae.loss(images.flip(0), samples(2, 1))
    assert loss['loss'] == pytest.approx(swapped['loss'].item(), rel=1e-5)


@torch.no_grad()
def test_tiles_of_another_size_and_shape_are_reconstructed():
    predicted, masked = model().reconstruct(torch.rand(2, 5, 64, 24), torch.tensor([1, 2]))
    assert predicted.shape == (2, 24, 320)  # 8 x 3 patches of 8 x 8 pixels and 5 bands
    assert masked.sum(1).tolist() == [18, 18]


def test_the_encoder_goes_into_a_detector_whole(tmp_path):
    mae = model()
    mae.backbone.layers[1].attn.proj.bias.data.fill_(0.5)
    torch.save({'state_dict': mae.state_dict()}, tmp_path / 'mae.pth')
    backbone = VisionTransformer(arch=TINY, img_size=64, bands=FIVE, out_type='featmap')
    report = load_pretrained(backbone, str(tmp_path / 'mae.pth'), source_bands=FIVE)
    assert (report.source, report.carried, report.share('matched')) == ('MMPretrain ViT', 1, 1)
    assert report.names('missing') == report.names('new by design') == report.unexpected == []
    assert all(
        torch.equal(value, mae.backbone.state_dict()[name])
        for name, value in backbone.state_dict().items()
    )
    assert backbone.pos_embed.requires_grad


@torch.no_grad()
def test_a_tile_seen_twice_as_large_gives_the_detector_the_same_features():
    mae = model().eval()
    detector = VisionTransformer(arch=TINY, img_size=64, bands=FIVE, out_type='featmap')
    detector.load_state_dict(mae.backbone.state_dict())
    flat = (
        torch.rand(2, 5, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    )  # one colour a patch
    large = flat.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(mae.extract_feat(flat)[0], detector(large)[0])


@pytest.mark.parametrize(('arch', 'dims', 'depth'), [('base', 768, 12), ('large', 1024, 24)])
def test_vit_b_and_vit_l_have_their_published_sizes(arch, dims, depth):
    with torch.device('meta'):
        backbone = VisionTransformer(arch=arch, img_size=256, bands='all')
    assert backbone.patch_embed.projection.weight.shape == (dims, 14, 16, 16)
    assert (len(backbone.layers), backbone.pos_embed.shape[1]) == (depth, 257)


@pytest.mark.parametrize(
    ('backbone', 'got'),
    [
        ({**VIT, 'out_type': 'avg_featmap'}, "VisionTransformer with out_type='avg_featmap'"),
        (
            {'type': 'mmlandslide.SatMAEViT', 'arch': TINY, 'channel_dims': 4},
            "SatMAEViT with out_type='featmap'",
        ),
        (
            {'type': 'mmlandslide.SwinTransformer', 'arch': 'nano'},
            'SwinTransformer with out_type=None',
        ),
    ],
)
def test_a_backbone_that_it_cannot_train_is_refused(backbone, got):
    with pytest.raises(
        ConfigError,
        match=f'be an mmlandslide VisionTransformer without a norm after pooling, got {got}',
    ):
        MAE({**backbone, 'bands': 'all'}, {'type': 'mmlandslide.TilePreprocessor', 'bands': 'all'})
