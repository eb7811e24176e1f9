"""Band-wise normalisation, the same for classifier, self-supervision and detector."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor

from mmlandslide import bands as band_table
from mmlandslide.errors import ConfigError
from mmlandslide.registry import MODELS


@MODELS.register_module()
class TilePreprocessor(BaseDataPreprocessor):
    """Stack tiles, normalise each band by its own statistics and pad to a multiple.

    mmengine's `ImgDataPreprocessor` takes one or three bands; this takes any number.

    Args:
        bands: names or groups, in the order of the input's channels.
        mean: per band, in stored units; the band table's where `None`; `'published'` for the widely
            copied values of Landslide4Sense's bands (`bands.PUBLISHED_MEAN`), to compare with work
            that used them.
        std: likewise.
        clip_std: limit normalised values to plus and minus this, in standard deviations; `None` for
            no limit. In real tiles B10 (cirrus) reaches 70, and a squared error would see nothing
            else.
        pad_size_divisor: height and width of the batch become multiples of this, zeros after
            normalisation below and right.
        non_blocking: copy to the device without waiting.

    Raises:
        BandError: a band whose statistics are neither known nor passed.
        ConfigError: `mean` or `std` of another length than `bands`, or another word than
            `published`.
    """

    def __init__(
        self,
        bands: str | Sequence[str],
        mean: str | Sequence[float] | None = None,
        std: str | Sequence[float] | None = None,
        clip_std: float | None = None,
        pad_size_divisor: int = 1,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        self.bands = band_table.names(bands)
        for part, (name, asked) in enumerate((('mean', mean), ('std', std))):
            values = torch.tensor(_statistic(self.bands, part, name, asked), dtype=torch.float32)
            self.register_buffer(name, values.view(-1, 1, 1), persistent=False)
        self.clip_std = clip_std
        self.pad_size_divisor = pad_size_divisor

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return the batch on the model's device, normalised.

        Args:
            data: `inputs`, a (B, C, H, W) tensor or a list of (C, H, W) tensors, in stored units,
                padded where sizes differ, and `data_samples`.
            training: not used; the statistics are fixed.

        Returns:
            `inputs` (B, C, H', W') float32, and `data_samples` with `batch_input_shape` and
            `pad_shape` set.

        Raises:
            ConfigError: the input has another number of bands, or a sample states others or another
                order.
        """
        cast = self.cast_data(data)
        inputs, samples = cast['inputs'], cast.get('data_samples')
        odd = [len(image) for image in inputs if len(image) != len(self.bands)]
        if odd:
            raise ConfigError.mismatch(
                'input',
                f'have {len(self.bands)} bands',
                odd[0],
                'data_preprocessor',
                'Name the same bands in dataset and model',
            )
        self._require_bands(samples or ())
        if isinstance(inputs, torch.Tensor):
            batch = self._normalise(inputs)  # (B, C, H, W)
        else:
            batch = _stack([self._normalise(image) for image in inputs])
        height, width = batch.shape[-2:]
        bottom, right = -height % self.pad_size_divisor, -width % self.pad_size_divisor
        if bottom or right:
            batch = F.pad(batch, (0, right, 0, bottom))
        for sample in samples or ():
            sample.set_metainfo(
                {'batch_input_shape': tuple(batch.shape[-2:]), 'pad_shape': tuple(batch.shape[-2:])}
            )
        return {'inputs': batch, 'data_samples': samples}

    def _require_bands(self, samples: Sequence[Any]) -> None:
        """Refuse tiles that state other bands, or these in another order.

        They would be normalised by others' statistics.
        """
        stated = {
            tuple(sample.metainfo['bands'])
            for sample in samples
            if sample.metainfo.get('bands') is not None
        }
        for bands in stated - {self.bands}:
            raise ConfigError.mismatch(
                'tiles',
                f'have the bands {self.bands} in this order',
                bands,
                'the data',
                'Name the same bands in dataset and model',
            )

    def _normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Return (..., C, H, W) float32, each band standardised and clipped at `clip_std`."""
        normal = (images.float() - self.mean) / self.std
        return normal if self.clip_std is None else normal.clamp(-self.clip_std, self.clip_std)

    def denormalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Return normalised tiles (B, C, H, W) in stored units."""
        return batch * self.std + self.mean


def require_same_bands(model: Any) -> None:
    """Refuse a model whose preprocessor and backbone name other bands, or another order.

    Args:
        model: with `data_preprocessor` and `backbone`; where one is not of ours it has no bands and
            nothing is compared.

    Raises:
        ConfigError: they differ.
    """
    ours, theirs = (
        getattr(getattr(model, part, None), 'bands', None)
        for part in ('data_preprocessor', 'backbone')
    )
    if ours is not None and theirs is not None and tuple(ours) != tuple(theirs):
        remedy = 'Name the same bands in model.data_preprocessor and model.backbone'
        raise ConfigError.mismatch(
            'data_preprocessor',
            f"have the backbone's bands {theirs} in this order",
            ours,
            'model',
            remedy,
        )


def _statistic(
    bands: tuple[str, ...], part: int, name: str, asked: str | Sequence[float] | None
) -> Sequence[float]:
    """Return the mean (`part` 0) or standard deviation (1) that was asked for, a value per band."""
    if asked is None:
        return band_table.statistics(bands)[part]
    if asked == 'published':
        return band_table.published_statistics(bands)[part]
    if isinstance(asked, str) or len(asked) != len(bands):
        got = repr(asked) if isinstance(asked, str) else len(asked)
        raise ConfigError.mismatch(
            name,
            f"have {len(bands)} values or be 'published'",
            got,
            'data_preprocessor',
            f'Give one for each of {bands}',
        )
    return asked


def _stack(inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return (C, H, W) tensors as one batch, zero-padded below and right where sizes differ."""
    height, width = (max(image.shape[axis] for image in inputs) for axis in (-2, -1))
    return torch.stack(
        [
            F.pad(image, (0, width - image.shape[-1], 0, height - image.shape[-2]))
            for image in inputs
        ]
    )
