import pytest

from mmlandslide.weights.sources import keymaps

#: source, its key, ours
CASES = [
    ('torchvision Swin', 'features.0.0.weight', 'patch_embed.projection.weight'),
    ('torchvision Swin', 'features.0.2.bias', 'patch_embed.norm.bias'),
    (
        'torchvision Swin',
        'features.5.17.attn.qkv.weight',
        'stages.2.blocks.17.attn.w_msa.qkv.weight',
    ),
    ('torchvision Swin', 'features.1.0.mlp.0.bias', 'stages.0.blocks.0.ffn.layers.0.0.bias'),
    ('torchvision Swin', 'features.7.1.mlp.3.bias', 'stages.3.blocks.1.ffn.layers.1.bias'),
    ('torchvision Swin', 'features.4.reduction.weight', 'stages.1.downsample.reduction.weight'),
    ('torchvision Swin', 'norm.weight', 'norm3.weight'),
    ('torchvision Swin', 'head.weight', None),
    ('torchvision Swin', 'features.1.0.attn.relative_position_index', None),
    ('torchvision EfficientNet-B0', 'features.0.1.running_var', 'layers.0.bn.running_var'),
    (
        'torchvision EfficientNet-B0',
        'features.1.0.block.0.0.weight',
        'layers.1.0.depthwise_conv.conv.weight',
    ),
    (
        'torchvision EfficientNet-B0',
        'features.1.0.block.1.fc2.bias',
        'layers.1.0.se.conv2.conv.bias',
    ),
    (
        'torchvision EfficientNet-B0',
        'features.5.2.block.3.1.weight',
        'layers.4.5.linear_conv.bn.weight',
    ),
    (
        'torchvision EfficientNet-B0',
        'features.7.0.block.0.0.weight',
        'layers.5.4.expand_conv.conv.weight',
    ),
    ('torchvision EfficientNet-B0', 'classifier.1.weight', None),
    ('torchvision ViT', 'class_token', 'cls_token'),
    (
        'torchvision ViT',
        'encoder.layers.encoder_layer_11.self_attention.in_proj_bias',
        'layers.11.attn.qkv.bias',
    ),
    (
        'torchvision ViT',
        'encoder.layers.encoder_layer_0.mlp.linear_2.weight',
        'layers.0.ffn.layers.1.weight',
    ),
    (
        'torchvision ViT',
        'encoder.layers.encoder_layer_0.mlp.3.weight',
        'layers.0.ffn.layers.1.weight',
    ),
    ('torchvision ViT', 'heads.head.weight', None),
    ('MMPretrain Swin', 'norm.weight', 'norm3.weight'),
    ('MMPretrain Swin', 'norm3.weight', 'norm3.weight'),
    ('MMPretrain Swin', 'stages.0.blocks.1.norm1.weight', 'stages.0.blocks.1.norm1.weight'),
    ('MMPretrain Swin', 'stages.0.blocks.1.attn.attn_mask', None),
    ('official Swin', 'patch_embed.proj.weight', 'patch_embed.projection.weight'),
    ('official Swin', 'layers.0.downsample.norm.bias', 'stages.0.downsample.norm.bias'),
    ('official Swin', 'layers.2.blocks.17.mlp.fc2.bias', 'stages.2.blocks.17.ffn.layers.1.bias'),
    ('official Swin', 'norm2.bias', 'norm2.bias'),
    ('official Swin', 'layers.1.blocks.1.attn_mask', None),
    ('timm Swin', 'layers.1.downsample.norm.bias', 'stages.0.downsample.norm.bias'),
    ('timm Swin', 'layers.3.blocks.1.norm2.bias', 'stages.3.blocks.1.norm2.bias'),
    ('timm Swin', 'head.fc.weight', None),
    ('Swin-MAE', 'layers_up.1.blocks.0.norm1.weight', None),
    ('Swin-MAE', 'mask_token', None),
    (
        'HuggingFace Swin',
        'embeddings.patch_embeddings.projection.bias',
        'patch_embed.projection.bias',
    ),
    (
        'HuggingFace Swin',
        'encoder.layers.2.blocks.5.attention.self.key.bias',
        'stages.2.blocks.5.attn.w_msa.k.bias',
    ),
    (
        'HuggingFace Swin',
        'encoder.layers.2.blocks.5.attention.output.dense.bias',
        'stages.2.blocks.5.attn.w_msa.proj.bias',
    ),
    (
        'HuggingFace Swin',
        'encoder.layers.2.blocks.5.output.dense.bias',
        'stages.2.blocks.5.ffn.layers.1.bias',
    ),
    ('ViT of timm, MAE or SatMAE', 'blocks.23.norm2.weight', 'layers.23.ln2.weight'),
    ('ViT of timm, MAE or SatMAE', 'norm.weight', 'ln1.weight'),
    ('ViT of timm, MAE or SatMAE', 'norm_pre.weight', 'pre_norm.weight'),
    ('ViT of timm, MAE or SatMAE', 'blocks.0.ls1.gamma', 'blocks.0.ls1.gamma'),
    ('ViT of timm or MAE that averages its tokens', 'fc_norm.weight', 'ln2.weight'),
    ('MAE or SatMAE pre-training', 'decoder_blocks.7.attn.qkv.weight', None),
    ('MAE or SatMAE pre-training', 'mask_token', None),
    (
        'SatMAE over groups of bands',
        'patch_embed.1.proj.bias',
        'patch_embed.B5-B6-B7-B8A.projection.bias',
    ),
    (
        'SatMAE over groups of bands',
        'patch_embed.slope-DEM.projection.bias',
        'patch_embed.slope-DEM.projection.bias',
    ),
    ('SatMAE over groups of bands', 'blocks.11.mlp.fc1.bias', 'layers.11.ffn.layers.0.0.bias'),
    ('SatMAE over groups of bands', 'decoder_channel_embed', None),
    (
        'OpenAI CLIP, open_clip or SkyScript',
        'transformer.resblocks.0.attn.in_proj_bias',
        'layers.0.attn.qkv.bias',
    ),
    ('OpenAI CLIP, open_clip or SkyScript', 'ln_post.weight', 'ln1.weight'),
    ('OpenAI CLIP, open_clip or SkyScript', 'proj', None),
    (
        'HuggingFace ViT or ViTMAE',
        'encoder.layer.3.attention.attention.value.weight',
        'layers.3.attn.v.weight',
    ),
    (
        'HuggingFace ViT or ViTMAE',
        'encoder.layer.3.attention.output.dense.weight',
        'layers.3.attn.proj.weight',
    ),
    ('HuggingFace CLIP', 'pre_layrnorm.bias', 'pre_norm.bias'),
    ('timm EfficientNet-B0', 'bn2.weight', 'layers.6.bn.weight'),
    ('timm EfficientNet-B0', 'blocks.0.0.conv_pw.weight', 'layers.1.0.linear_conv.conv.weight'),
    ('timm EfficientNet-B0', 'blocks.6.0.bn1.weight', 'layers.5.4.expand_conv.bn.weight'),
    ('timm EfficientNet-Lite0', 'blocks.5.3.conv_pwl.weight', 'layers.5.3.linear_conv.conv.weight'),
    ('timm MobileNetV2', 'blocks.3.3.bn3.bias', 'layer4.3.conv.2.bn.bias'),
    ('timm MobileNetV2', 'blocks.0.0.conv_dw.weight', 'layer1.0.conv.0.conv.weight'),
    (
        'EfficientNet ported from TensorFlow',
        '_blocks.0._bn2.weight',
        'layers.1.0.linear_conv.bn.weight',
    ),
    (
        'EfficientNet ported from TensorFlow',
        '_blocks.15._expand_conv.weight',
        'layers.5.4.expand_conv.conv.weight',
    ),
    ('EfficientNet ported from TensorFlow', '_fc.bias', None),
    ('torchvision MobileNetV2', 'features.1.conv.2.running_var', 'layer1.0.conv.1.bn.running_var'),
    ('torchvision MobileNetV2', 'features.17.conv.1.0.weight', 'layer7.0.conv.1.conv.weight'),
    ('MobileNetV2 of the first port', 'features.1.conv.4.bias', 'layer1.0.conv.1.bn.bias'),
    ('MobileNetV2 of the first port', 'features.11.conv.6.weight', 'layer5.0.conv.2.conv.weight'),
    ('MobileNetV2 of the first port', 'features.18.1.weight', 'conv2.bn.weight'),
    (
        'HuggingFace ResNet',
        'encoder.stages.3.layers.2.layer.2.normalization.running_var',
        'layer4.2.bn3.running_var',
    ),
    (
        'HuggingFace ResNet',
        'encoder.stages.1.layers.0.shortcut.convolution.weight',
        'layer2.0.downsample.0.weight',
    ),
    (
        'ResNet of torchvision or MMPretrain',
        'layer4.1.bn2.running_mean',
        'layer4.1.bn2.running_mean',
    ),
    ('ResNet of torchvision or MMPretrain', 'fc.bias', None),
]


@pytest.mark.parametrize(('source', 'key', 'ours'), CASES)
def test_a_foreign_key_becomes_ours(source, key, ours):
    assert keymaps.renamer(keymaps.by_name(source))(key) == ours


def test_a_source_is_recognised_by_all_of_its_signs():
    assert (
        keymaps.recognise(['conv1.weight', 'layer1.0.conv1.weight']).name
        == 'ResNet of torchvision or MMPretrain'
    )
    assert keymaps.recognise(['conv1.weight']) is None
    assert keymaps.recognise([]) is None


def test_signs_match_from_the_start_of_a_key():
    assert keymaps.recognise(['teacher.conv1.weight', 'teacher.layer1.0.conv1.weight']) is None


def test_no_two_sources_have_one_name():
    found = [keymap.name for keymap in keymaps.KEYMAPS]
    assert len(set(found)) == len(found)
    assert keymaps.by_name('nobody') is None
