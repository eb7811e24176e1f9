"""Backbones of inverted residuals (Sandler et al. 2018).

EfficientNet, and two small ones whose ImageNet weights pip can install. `recipes.imagenet_from_pip`
names those weights. MMPretrain's classes take three channels only and compute every layer, tapped
or not; ours have a stem over their bands and end at the last of `out_indices`: parameters after it
would get no gradient, and so stop a training in several processes.
"""

from itertools import groupby
from math import ceil
from typing import Any, cast

from mmpretrain.models import backbones as host
from mmpretrain.models.utils import make_divisible

from mmlandslide.errors import ConfigError
from mmlandslide.models.backbones.band_backbone import BandBackbone
from mmlandslide.registry import MODELS


class InvertedResiduals(BandBackbone):
    """What the backbones of this module add to `BandBackbone`.

    The stem, which MMPretrain's classes hard-code.
    """

    layers: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        stem = cast('Any', self).get_submodule(
            self.stem_name.removesuffix('.conv.weight')
        )  # a `ConvModule`
        old = stem.conv
        with_bias = old.bias is not None
        stem.conv = type(old)(
            len(self.bands),
            old.out_channels,
            old.kernel_size,
            old.stride,
            old.padding,
            bias=with_bias,
        )

    def host_arguments(self, in_channels: int, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of MMPretrain's class, which has none for the channels."""
        return kwargs


@MODELS.register_module()
class EfficientNet(InvertedResiduals, host.EfficientNet):
    """EfficientNet (Tan and Le 2019) over named bands.

    `out_indices=(2, 3, 4, 5)` for a pyramid of strides 4 to 32.
    """

    stem_name = 'layers.0.conv.weight'

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layers = self.layers[: max(self.out_indices) + 1]


#: Size of EfficientNet-Lite -> factors of its width and depth, and the px of its ImageNet training.
_LITE = {'lite0': (1.0, 1.0, 224), 'lite1': (1.0, 1.1, 240), 'lite2': (1.1, 1.2, 260)}


def lite_layers(arch: str) -> list[list[list[int]]]:
    """Return the blocks of an EfficientNet-Lite, layer by layer, as MMPretrain's tables hold them.

    Stem and head keep their width, the first and the last stage their depth, which MMPretrain's
    own scaling does not know; the third number of a block, its ratio of squeeze-and-excitation, is
    zero.

    Args:
        arch: `lite0`, `lite1` or `lite2`.
    """
    width, depth, _ = _LITE[arch]
    stem, *layers, head = host.EfficientNet.layer_settings['b']
    stages = [[list(run) for _, run in groupby(layer, lambda block: block[1])] for layer in layers]
    first, last = stages[0][0], stages[-1][-1]
    scaled = []
    for layer in stages:
        blocks = []
        for run in layer:
            count = len(run) if run in (first, last) else ceil(depth * len(run))
            blocks += [*run, *[run[-1]] * (count - len(run))]
        scaled.append(
            [[size, make_divisible(wide * width, 8), 0, *rest] for size, wide, _, *rest in blocks]
        )
    return [stem, *scaled, head]


@MODELS.register_module()
class EfficientNetLite(EfficientNet):
    """EfficientNet-Lite0, -Lite1 or -Lite2 over named bands.

    EfficientNet without squeeze-and-excitation and with ReLU6. As its authors publish it in
    tensorflow/tpu, `models/official/efficientnet/lite`.

    Args:
        arch: `lite0`, `lite1` or `lite2`.
        act_cfg: of stem, blocks and head; ReLU6 where `None`.
        kwargs: what `EfficientNet` takes.

    Raises:
        ConfigError: no such size.
    """

    # The blocks are scaled already: MMPretrain is to leave width and depth alone.
    arch_settings = {arch: (1.0, 1.0, px) for arch, (_, _, px) in _LITE.items()}  # noqa: RUF012

    def __init__(
        self, *, arch: str = 'lite0', act_cfg: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        if arch not in _LITE:
            raise ConfigError.mismatch(
                'arch',
                f'be one of {list(_LITE)}',
                repr(arch),
                'EfficientNetLite',
                'Name one of those',
            )
        self.layer_settings = {'l': lite_layers(arch)}
        super().__init__(arch=arch, act_cfg=act_cfg or {'type': 'ReLU6'}, **kwargs)


@MODELS.register_module()
class MobileNetV2(InvertedResiduals, host.MobileNetV2):
    """MobileNetV2 (Sandler et al. 2018) over named bands.

    `out_indices=(1, 2, 4, 6)` for a pyramid of strides 4 to 32.
    """

    stem_name = 'conv1.conv.weight'

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        count = max(self.out_indices) + 1
        for name in self.layers[count:]:
            delattr(self, name)
        self.layers = self.layers[:count]
