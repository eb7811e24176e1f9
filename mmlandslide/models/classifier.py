"""The image classifier that pre-trains a backbone on labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmpretrain.models import classifiers as host
from mmpretrain.structures import DataSample

from mmlandslide.models.batch_augments import BatchMixing, one_hot
from mmlandslide.models.preprocessors import require_same_bands
from mmlandslide.registry import MODELS


@MODELS.register_module()
class ImageClassifier(host.ImageClassifier):
    """MMPretrain's classifier over an mmlandslide backbone and preprocessor, for any bands.

    MMPretrain's hands batch augmentations to its own preprocessor; here `mixing` takes their place.

    Args:
        backbone: config of an mmlandslide backbone.
        head: config of a head with `num_classes`, such as `LinearClsHead`.
        data_preprocessor: config of a `TilePreprocessor` with the backbone's bands.
        neck: config of what pools the last map; `None` for a backbone that pools.
        mixing: what `BatchMixing` takes; `None` for images as they are.
        init_cfg: mmengine's.

    Raises:
        ConfigError: preprocessor and backbone name other bands.
    """

    def __init__(
        self,
        backbone: Mapping[str, Any],
        head: Mapping[str, Any],
        data_preprocessor: Mapping[str, Any],
        neck: Mapping[str, Any] | None = None,
        mixing: Mapping[str, float] | None = None,
        init_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            data_preprocessor=MODELS.build(data_preprocessor),
            init_cfg=init_cfg,
        )
        require_same_bands(self)
        self.mixing = BatchMixing(**mixing) if mixing else None

    def loss(
        self, inputs: torch.Tensor, data_samples: Sequence[DataSample]
    ) -> dict[str, torch.Tensor]:
        """Return the losses of a batch, mixed where that was asked for.

        Args:
            inputs: (B, C, H, W), normalised.
            data_samples: B of them, with `gt_label`.

        Returns:
            Name -> scalar; those whose name holds `loss` are summed and trained on.
        """
        if self.mixing is not None:
            targets = one_hot(
                torch.cat([sample.gt_label for sample in data_samples]), self.head.num_classes
            )
            inputs, targets = self.mixing(inputs, targets)
            data_samples = [DataSample().set_gt_score(target) for target in targets]
        return self.losses(inputs, data_samples)

    def losses(
        self, inputs: torch.Tensor, data_samples: Sequence[DataSample]
    ) -> dict[str, torch.Tensor]:
        """Return the losses of a batch as it is; arguments and result as of `loss`."""
        return self.head.loss(self.extract_feat(inputs), data_samples)
