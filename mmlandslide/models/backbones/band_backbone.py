"""MMPretrain's backbones with two more arguments.

The bands that they look at and the weights that they start from. One class serves classifier,
self-supervision and detector, so one checkpoint layout (`backbone.` prefix) serves all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from mmpretrain.models import backbones as host
from torch import nn

from mmlandslide import bands as band_table
from mmlandslide.registry import MODELS
from mmlandslide.weights import bridge
from mmlandslide.weights.options import refuse_host_weights, require_options


class BandBackbone:
    """What our backbones add to MMPretrain's. Comes first among the bases.

    Args:
        bands: names or groups, in the order of the input's channels.
        pretrained: where the weights come from, as `mmlandslide.weights.bridge.load_pretrained`
            takes it: `checkpoint` (file, work dir or URL), `source`, `stem`, `min_matched`. Read
            when weights are initialised for a fresh training, never before.
        kwargs: what MMPretrain's class takes.

    Raises:
        BandError: no band, or one twice.
        ConfigError: `pretrained` has other keys, or an `init_cfg` reads a checkpoint past the
            bridge.
    """

    bands: tuple[str, ...]
    #: Name of the weight whose second axis runs over the bands.
    stem_name: str
    #: Parameters that a source may lack because it has no such tap: new by design.
    new_by_design: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        bands: str | Sequence[str] = 'all',
        pretrained: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        names = band_table.names(bands)
        refuse_host_weights(kwargs.get('init_cfg'), 'model.backbone.init_cfg')
        if pretrained is not None:
            require_options(
                pretrained, bridge.load_pretrained, 'model.backbone.pretrained', given=('backbone',)
            )
        super().__init__(**self.host_arguments(len(names), kwargs))
        self.bands = names
        self.pretrained = pretrained
        #: What the weights have seen, filled by the bridge and carried by the checkpoints of
        #: whatever model holds this backbone.
        self.lineage: dict[str, Any] = {}

    def host_arguments(self, in_channels: int, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of MMPretrain's class."""
        return {'in_channels': in_channels, **kwargs}

    def init_weights(self) -> None:
        """Initialise as MMPretrain does, then carry over the pre-trained weights.

        Last, so that nothing overwrites them.

        Raises:
            CheckpointMismatchError: a parameter of the backbone would stay random.
        """
        cast('Any', super()).init_weights()
        if self.pretrained is not None:
            self.report = bridge.load_pretrained(self, **self.pretrained)
            self.lineage = self.report.lineage


@MODELS.register_module()
class ResNet(BandBackbone, host.ResNet):
    """ResNet (He et al. 2016) over named bands.

    `depth=18`, `out_indices=(0, 1, 2, 3)` for a pyramid.
    """

    stem_name = 'conv1.weight'


def init_linear(model: nn.Module) -> None:
    """Draw linear weights from Xavier's uniform distribution and set biases to zero.

    So MAE does (He et al. 2021, appendix A.1). Swin's authors draw them with a standard deviation
    of .02; the residual stream is then so small that the first steps, which learn the bands' means,
    drown what the tokens say, and the autoencoder keeps predicting the mean.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
