"""Backbones of inverted residuals (Sandler et al. 2018).

EfficientNet, and two small ones whose ImageNet weights pip can install. `recipes.imagenet_from_pip`
names those weights. MMPretrain's classes take three channels only and compute every layer, tapped
or not; ours have a stem over their bands and end at the last of `out_indices`: parameters after it
would get no gradient, and so stop a training in several processes.
"""

from typing import Any, cast

from mmpretrain.models import backbones as host

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


@MODELS.register_module()
class EfficientNetLite(EfficientNet):
    """EfficientNet-Lite0 over named bands.

    EfficientNet-B0 without squeeze-and-excitation and with ReLU6. As its authors publish it in
    tensorflow/tpu, `models/official/efficientnet/lite`. Lite1 and larger keep the depth of the
    first and the last stage, which MMPretrain's `model_scaling` does not, so there are none here.

    Args:
        arch: `lite0`.
        act_cfg: of stem, blocks and head; ReLU6 where `None`.
        kwargs: what `EfficientNet` takes.
    """

    # MMPretrain's `b` with the third number of each block, the ratio of squeeze-and-excitation,
    # zero.
    layer_settings = {  # noqa: RUF012 (the host's own spelling)
        'l': [
            [[*block[:2], 0, *block[3:]] for block in layer]
            for layer in host.EfficientNet.layer_settings['b']
        ]
    }
    arch_settings = {'lite0': (1.0, 1.0, 224)}  # noqa: RUF012

    def __init__(
        self, *, arch: str = 'lite0', act_cfg: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
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
