"""Which backbone a checkpoint's tensors are of, told from their names and shapes."""

import re
from collections.abc import Mapping
from typing import Any

import torch

from mmlandslide.errors import CheckpointMismatchError, ConfigError

Cfg = dict[str, Any]

#: Name -> config of an mmlandslide backbone, without its bands.
NAMED: dict[str, Cfg] = {
    **{f'resnet{depth}': {'type': 'ResNet', 'depth': depth} for depth in (18, 34, 50, 101, 152)},
    **{f'efficientnet_b{size}': {'type': 'EfficientNet', 'arch': f'b{size}'} for size in range(8)},
    **{
        f'efficientnet_lite{size}': {'type': 'EfficientNetLite', 'arch': f'lite{size}'}
        for size in range(3)
    },
    'mobilenet_v2': {'type': 'MobileNetV2'},
    **{
        f'swin_{size}': {'type': 'SwinTransformer', 'arch': size}
        for size in ('tiny', 'small', 'base', 'large')
    },
    **{
        f'vit_{size}': {'type': 'VisionTransformer', 'arch': f'deit-{size}'}
        for size in ('tiny', 'small')
    },
    **{f'vit_{size}': {'type': 'VisionTransformer', 'arch': size} for size in ('base', 'large')},
    **{f'satmae_{size}': {'type': 'SatMAEViT', 'arch': size} for size in ('base', 'large')},
    'clip_vit_base_32': {
        'type': 'VisionTransformer',
        'arch': 'base',
        'patch_size': 32,
        'pre_norm': True,
    },
    'clip_vit_large_14': {
        'type': 'VisionTransformer',
        'arch': 'large',
        'patch_size': 14,
        'pre_norm': True,
    },
}

#: Blocks of each stage, and whether they are bottlenecks -> depth.
_RESNETS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
#: What the name of an architecture leaves open.
_OPEN = ('window_size', 'img_size', 'out_indices', 'out_type')
#: Width of one head of a ViT, from Tiny to Large and in CLIP; the weights' shapes do not tell it.
_VIT_HEAD = 64


def named(name: str) -> Cfg:
    """Return the config of a backbone by its name.

    Raises:
        ConfigError: there is no such name.
    """
    if name not in NAMED:
        raise ConfigError.mismatch(
            'architecture', f'be one of {list(NAMED)}', repr(name), '--arch', 'Choose one of them'
        )
    return NAMED[name]


def of_name(name: str, found: Mapping[str, torch.Tensor], where: object) -> Cfg:
    """Return the config of a backbone by its name, for tensors that are to be of it.

    What an architecture's name leaves open (window, tile size, taps) is as the tensors have it, so
    that none is resized or left out. Whether they are of it the bridge tells.

    Args:
        name: of `NAMED`.
        found: tensors under our names.
        where: they come from.

    Raises:
        ConfigError: there is no such name.
    """
    cfg = named(name)
    try:
        told = deduce(found, where)
    except CheckpointMismatchError:
        return cfg
    open_keys = _OPEN if told['type'] == cfg['type'] else ()
    return {**cfg, **{key: told[key] for key in open_keys if key in told}}


def deduce(found: Mapping[str, torch.Tensor], where: object) -> Cfg:
    """Return the config of the mmlandslide backbone that tensors are of, without its bands.

    Args:
        found: tensors under our names, see `layout.translate`.
        where: they come from, for the error.

    Raises:
        CheckpointMismatchError: no mmlandslide backbone has such tensors.
    """
    for sign, build in _BUILDERS.items():
        if sign in found:
            try:
                return build(found)
            except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
                raise _unknown(found, where) from error
    raise _unknown(found, where)


def described(found: Mapping[str, torch.Tensor]) -> str:
    """Return in a few words which backbone tensors are of, for an error."""
    try:
        cfg = deduce(found, 'a checkpoint')
    except CheckpointMismatchError:
        return 'no whole backbone'
    stated = {
        key: cfg[key]
        for key in ('depth', 'arch', 'widen_factor', 'patch_size', 'pre_norm', 'groups')
        if key in cfg
    }
    return f'{cfg["type"]}({", ".join(f"{key}={value}" for key, value in stated.items())})'


def _unknown(found: Mapping[str, torch.Tensor], where: object) -> Exception:
    expected = 'hold a whole ResNet, EfficientNet, MobileNetV2, Swin or ViT'
    got = f'{len(found)} tensors such as {list(found)[:3]}'
    return CheckpointMismatchError.mismatch(
        'checkpoint', expected, got, where, 'Name the architecture with --arch'
    )


def _count(found: Mapping[str, torch.Tensor], pattern: str) -> int:
    """Return how many different first groups a pattern has among the names."""
    return len({match[1] for name in found if (match := re.match(pattern, name))})


def _resnet(found: Mapping[str, torch.Tensor]) -> Cfg:
    blocks = tuple(_count(found, rf'layer{stage}\.(\d+)\.') for stage in range(1, 5))
    return {
        'type': 'ResNet',
        'depth': _RESNETS[blocks, 'layer1.0.conv3.weight' in found],
        'stem_channels': found['conv1.weight'].shape[0],
        'base_channels': found['layer1.0.conv1.weight'].shape[0],
    }


def _swin(found: Mapping[str, torch.Tensor]) -> Cfg:
    stages = range(_count(found, r'stages\.(\d+)\.'))
    tables = [
        found[f'stages.{stage}.blocks.0.attn.w_msa.relative_position_bias_table']
        for stage in stages
    ]
    arch = {
        'embed_dims': found['patch_embed.projection.weight'].shape[0],
        'depths': [_count(found, rf'stages\.{stage}\.blocks\.(\d+)\.') for stage in stages],
        'num_heads': [table.shape[1] for table in tables],
    }
    taps = [stage for stage in stages if f'norm{stage}.weight' in found]
    # A table has (2 w - 1)^2 rows.
    window = (round(tables[0].shape[0] ** 0.5) + 1) // 2
    return {
        'type': 'SwinTransformer',
        'arch': arch,
        'window_size': window,
        'out_indices': taps or [stages[-1]],
    }


def _vit(found: Mapping[str, torch.Tensor]) -> Cfg:
    codes = {
        match[1]: found[name]
        for name in found
        if (match := re.fullmatch(r'patch_embed\.(.+)\.channel_embed', name))
    }
    stem = (
        f'patch_embed.{next(iter(codes))}.projection.weight'
        if codes
        else 'patch_embed.projection.weight'
    )
    width, _, patch_px, _ = found[stem].shape
    with_cls_token = 'cls_token' in found
    grid = round((found['pos_embed'].shape[1] - with_cls_token) ** 0.5)
    arch = {
        'embed_dims': width,
        'num_layers': _count(found, r'layers\.(\d+)\.'),
        'num_heads': max(width // _VIT_HEAD, 1),
        'feedforward_channels': found['layers.0.ffn.layers.0.0.weight'].shape[0],
    }
    return {
        'type': 'VisionTransformer',
        'arch': arch,
        'patch_size': patch_px,
        'img_size': grid * patch_px,
        'with_cls_token': with_cls_token,
        'pre_norm': 'pre_norm.weight' in found,
        'final_norm': 'ln1.weight' in found,
        'out_type': 'avg_featmap' if 'ln2.weight' in found else 'raw',
        **_groups(codes),
    }


def _groups(codes: Mapping[str, torch.Tensor]) -> Cfg:
    """Return what groups of bands add to the config of a ViT, none to that of a plain one."""
    if not codes:
        return {}
    groups = [group.split('-') for group in codes]
    return {
        'type': 'SatMAEViT',
        'groups': groups,
        'channel_dims': next(iter(codes.values())).shape[2],
    }


def _efficientnet(found: Mapping[str, torch.Tensor]) -> Cfg:
    if 'layers.1.0.se.conv1.conv.weight' in found:
        name = 'efficientnet_b0'
    elif 'layers.2.2.linear_conv.conv.weight' not in found:
        name = 'efficientnet_lite0'
    else:  # the same depths, Lite2 a tenth wider
        name = f'efficientnet_lite{1 + (len(found["layers.3.0.linear_conv.conv.weight"]) > 40)}'
    return {**NAMED[name], 'out_indices': (6 if 'layers.6.conv.weight' in found else 5,)}


def _mobilenet_v2(found: Mapping[str, torch.Tensor]) -> Cfg:
    width = found['layer7.0.conv.2.conv.weight'].shape[0]
    whole = 'conv2.conv.weight' in found
    return {
        **NAMED['mobilenet_v2'],
        'widen_factor': width / 320,
        'out_indices': (7 if whole else 6,),
    }


#: A parameter that only this backbone has -> how its config is told.
_BUILDERS = {
    'layer1.0.conv1.weight': _resnet,
    'stages.0.blocks.0.attn.w_msa.qkv.weight': _swin,
    'layers.0.attn.qkv.weight': _vit,
    'layers.0.conv.weight': _efficientnet,
    'conv1.conv.weight': _mobilenet_v2,
}
