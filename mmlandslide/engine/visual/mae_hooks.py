"""Hooks that show whether a masked autoencoder learns."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmlandslide.datasets.display import beside, composite, to_rgb, with_header, zoom_to
from mmlandslide.engine.visual.visualizer import save_picture
from mmlandslide.registry import HOOKS
from mmlandslide.rng import SampleIndex

_WHITE = (255, 255, 255)


@HOOKS.register_module()
class ReconstructionPanelsHook(Hook):
    """Draws original | masked | reconstruction of a few tiles while a masked autoencoder trains.

    The first tiles of the training set, as seed 0 and epoch 0 draw them: the same tiles with the
    same masks each time, also after an interruption, so that the pictures can be compared. Panels
    go to `<work_dir>/reconstructions/epoch_N.png` and to the visual back ends, from the first
    process only.

    Args:
        interval: epochs from one picture to the next; the last epoch is always drawn.
        num_tiles: in a picture.
    """

    priority = 'LOW'

    def __init__(self, interval: int = 10, num_tiles: int = 4) -> None:
        self.interval, self.num_tiles = interval, num_tiles
        self.batch: dict[str, Any] | None = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw, every `interval` epochs and after the last."""
        epoch = runner.epoch + 1
        if runner.rank != 0 or (epoch % self.interval and epoch != runner.max_epochs):
            return
        if self.batch is None:
            self.batch = first_tiles(runner.train_dataloader, self.num_tiles)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.eval()
        data = model.data_preprocessor(self.batch, False)
        panels = model.panels(data['inputs'], data['data_samples'])
        model.train()
        bands = data['data_samples'][0].bands
        picture = reconstruction_picture(
            {name: images.cpu().numpy() for name, images in panels.items()}, bands
        )
        save_picture(picture, Path(runner.work_dir) / 'reconstructions' / f'epoch_{epoch}.png')
        runner.visualizer.add_image('reconstruction', picture, step=epoch)


def first_tiles(dataloader: DataLoader[Any], count: int) -> dict[str, Any]:
    """Return a data loader's first tiles as a batch.

    They are drawn as in epoch 0 of seed 0, so always the same.
    """
    dataset: Any = dataloader.dataset
    positions = range(min(count, len(dataset)))
    return dataloader.collate_fn([dataset[SampleIndex(0, 0, position)] for position in positions])


def reconstruction_picture(panels: dict[str, np.ndarray], bands: Sequence[str]) -> np.ndarray:
    """Return tiles as rows of original | masked | reconstruction, one per possible composite.

    Args:
        panels: (B, C, H, W) each, NaN where nothing was looked at; all of a row share one stretch.
        bands: C names.

    Returns:
        (H', W', 3) uint8.
    """
    kinds = ['rgb'] + (['false_color'] if composite(bands, 'false_color') else [])
    rows = []
    for images in zip(*panels.values(), strict=True):
        strip = np.concatenate(images, axis=-1)  # (C, H, 3 W), so that one stretch serves all three
        zoom = zoom_to(images[0].shape[-2:], 192)
        drawn = [to_rgb(strip, bands, kind).repeat(zoom, 0).repeat(zoom, 1) for kind in kinds]
        rows.append(beside(drawn))
    header = [(' | '.join(panels) + f'  ({", ".join(kinds)})', _WHITE)]
    return with_header(np.concatenate(rows), header)


@HOOKS.register_module()
class VarianceHook(Hook):
    """Warns where a masked autoencoder's loss sits at the variance of its target.

    Such a model predicts the mean.

    Args:
        window: iterations that are averaged; it does not speak before it has seen so many.
        share: of the variance at or above which the loss counts as not learnt.
        patience: epochs to wait before the first warning.
    """

    def __init__(self, window: int = 100, share: float = 0.95, patience: int = 5) -> None:
        self.share, self.patience = share, patience
        # Tensors, as a number of every step would make the CPU wait for the GPU.
        self.losses: deque[torch.Tensor] = deque(maxlen=window)
        self.variances: deque[torch.Tensor] = deque(maxlen=window)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, torch.Tensor] | None = None,
    ) -> None:
        """Note the loss and the variance of its target."""
        if outputs and 'target_variance' in outputs:
            self.losses.append(outputs['loss'].detach())
            self.variances.append(outputs['target_variance'].detach())

    def after_train_epoch(self, runner: Runner) -> None:
        """Warn where the one is no lower than the other."""
        if runner.epoch + 1 < self.patience or len(self.losses) < (self.losses.maxlen or 0):
            return
        loss, variance = (
            float(torch.stack(list(values)).mean()) for values in (self.losses, self.variances)
        )
        if loss >= self.share * variance:
            runner.logger.warning(
                f'The reconstruction loss ({loss:.4f}) is no lower than {self.share:.0%} '
                f'of the variance of its target '
                f'({variance:.4f}): the model predicts the mean. '
                'Train longer, warm up longer or with a lower learning rate, or '
                'check the statistics of the bands with `mmlandslide stats`.'
            )
