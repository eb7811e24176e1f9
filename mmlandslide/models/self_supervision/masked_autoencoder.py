"""What every masked autoencoder of tiles shares.

Masks drawn by tile, target, loss over the masked patches, and pictures.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.models.selfsup.base import BaseSelfSupervisor

from mmlandslide.errors import ConfigError
from mmlandslide.models.preprocessors import require_same_bands
from mmlandslide.models.self_supervision.masking import masked_units

HW = tuple[int, int]


class MaskedAutoencoder(BaseSelfSupervisor):
    """Reconstruct a tile's masked patches to pre-train a backbone (He et al. 2021, 2111.06377).

    Args:
        backbone: config of an mmlandslide backbone; its `bands` are reconstructed.
        data_preprocessor: a `TilePreprocessor` config with the same bands.
        masked_ratio: share of a tile that is masked, in (0, 1).
        norm_target: whether each patch's target is brought to mean 0 and variance 1 over its pixels
            and bands (section 4.1).
        init_cfg: mmengine's.

    Raises:
        ConfigError: a ratio outside (0, 1), or preprocessor and backbone name other bands.
    """

    #: Side of a patch of the target, in pixels of the tile.
    patch_px: int

    def __init__(
        self,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any],
        masked_ratio: float = 0.75,
        norm_target: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if not 0 < masked_ratio < 1:
            raise ConfigError.mismatch(
                'masked_ratio',
                'lie between 0 and 1',
                masked_ratio,
                'model.masked_ratio',
                'Take .75',
            )
        super().__init__(backbone=backbone, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        require_same_bands(self)
        self.masked_ratio, self.norm_target = masked_ratio, norm_target

    @abstractmethod
    def reconstruct(
        self, inputs: torch.Tensor, keys: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask, encode and decode.

        Args:
            inputs: (B, C, H, W), normalised by band.
            keys: (B,) int64, one per tile, on the CPU: there the masks are drawn, so that a GPU is
                never waited for.

        Returns:
            Predicted patches (B, L, values) and the masked patches (B, L) bool, True = masked.
        """

    def choose(self, keys: torch.Tensor, num_units: int) -> torch.Tensor:
        """Choose the masked units of each tile by its key.

        Args:
            keys: (B,) int64, one per tile.
            num_units: in a tile.

        Returns:
            (B, num_units) bool, True = masked, where the keys are.

        Raises:
            ConfigError: the ratio masks none or all of the units.
        """
        if not 0 < round(self.masked_ratio * num_units) < num_units:
            raise ConfigError.mismatch(
                'masked_ratio',
                f'mask some and not all of the {num_units} units of a tile',
                self.masked_ratio,
                'model',
                'Take .75',
            )
        return masked_units(keys, num_units, self.masked_ratio)

    def target(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what each patch is compared with, (B, L, values), from normalised tiles."""
        patches = patchify(inputs, self.patch_px)
        if self.norm_target:
            mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
            patches = (patches - mean) / (variance + 1e-6).sqrt()
        return patches

    def loss(
        self, inputs: torch.Tensor, data_samples: Sequence[Any], **_: Any
    ) -> dict[str, torch.Tensor]:
        """Return the mean squared error over masked patches, and the target's variance there.

        `target_variance` is what a model would score that predicts each band's mean: a loss that
        stays there has learnt nothing (`VarianceHook` warns).
        """
        predicted, masked = self.reconstruct(inputs, _keys(data_samples))
        wanted = self.target(inputs)[masked]  # (masked, values)
        error = (predicted[masked] - wanted).square().mean()
        by_band = wanted.view(len(wanted), -1, inputs.shape[1]).detach()
        return {'loss': error, 'target_variance': by_band.var((0, 1), correction=0).mean()}

    @torch.no_grad()
    def panels(self, inputs: torch.Tensor, data_samples: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Return pictures of what is learnt, each (B, C, H, W) in stored units.

        Returns:
            `original`; `masked`, NaN where the encoder did not look; `reconstruction`, the
            prediction in masked patches and the original elsewhere. With `norm_target` a prediction
            is given its true patch's mean and variance back, which the model does not predict.
        """
        predicted, masked = self.reconstruct(inputs, _keys(data_samples))
        patches = patchify(inputs, self.patch_px)
        if self.norm_target:
            predicted = predicted * (patches.var(-1, keepdim=True) + 1e-6).sqrt() + patches.mean(
                -1, keepdim=True
            )
        hidden = patches.masked_fill(masked[..., None], float('nan'))
        mixed = torch.where(masked[..., None], predicted, patches)
        size = (inputs.shape[2], inputs.shape[3])
        restore = self.data_preprocessor.denormalise
        return {
            'original': restore(inputs),
            'masked': restore(unpatchify(hidden, self.patch_px, size)),
            'reconstruction': restore(unpatchify(mixed, self.patch_px, size)),
        }


def _keys(data_samples: Sequence[Any]) -> torch.Tensor:
    """Return the key of each tile, (B,) int64, on the CPU."""
    return torch.tensor([sample.sample_key for sample in data_samples])


def patchify(images: torch.Tensor, patch_px: int) -> torch.Tensor:
    """Cut images into patches.

    Args:
        images: (B, C, H, W), H and W multiples of the patch.
        patch_px: side of a patch.

    Returns:
        (B, H / p * W / p, p * p * C), values row by row, bands last.
    """
    batch, bands, height, width = images.shape
    grid = images.view(batch, bands, height // patch_px, patch_px, width // patch_px, patch_px)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, patch_px**2 * bands)


def unpatchify(patches: torch.Tensor, patch_px: int, size_hw: HW) -> torch.Tensor:
    """Put patches back: the inverse of `patchify`.

    Args:
        patches: (B, L, p * p * C).
        patch_px: side of a patch.
        size_hw: height and width of the images.

    Returns:
        (B, C, H, W).
    """
    rows, columns = size_hw[0] // patch_px, size_hw[1] // patch_px
    grid = patches.view(len(patches), rows, columns, patch_px, patch_px, -1)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(len(patches), -1, *size_hw)
