"""Hooks of the training, validation and test loops."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine import hooks
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmlandslide import rng
from mmlandslide.registry import HOOKS


@HOOKS.register_module()
class DetectionPanelsHook(Hook):
    """Draws what a detector finds.

    A few validation tiles to the visual back ends, test tiles where `--show-dir` or `--show` asks.
    Takes the options that `mim test mmdet ... --show --show-dir DIR --wait-time S` sets on
    `default_hooks.visualization`. MMDetection's own hook reads each image file again as 8-bit RGB;
    this one has `TileVisualizer` draw the tile that the model was given.

    A validation tile keeps its name from epoch to epoch, so that TensorBoard shows how its boxes
    change. Test panels go to `<work_dir>/<timestamp>/<test_out_dir>/`, one PNG a tile, named by the
    tile id.

    Args:
        draw: draw at all.
        interval: validation batches from one panel to the next; the first tile of a batch is drawn.
        score_thr: predictions below it are not drawn.
        show: open a window for each test tile.
        wait_time: seconds until a window closes by itself; 0 waits for a key.
        test_out_dir: folder for test panels.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        draw: bool = True,
        interval: int = 50,
        score_thr: float = 0.3,
        show: bool = False,
        wait_time: float = 0.0,
        test_out_dir: str | None = None,
    ) -> None:
        self.draw = draw
        self.interval = interval
        self.score_thr = score_thr
        self.show = show
        self.wait_time = wait_time
        self.test_out_dir = test_out_dir

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Hand the panel of every `interval`-th batch's first tile to the back ends."""
        if not self.draw or not data_batch or not outputs or batch_idx % self.interval:
            return
        image, name = data_batch['inputs'][0].cpu().numpy(), f'val_{flat_name(outputs[0])}'
        runner.visualizer.add_datasample(
            name, image, outputs[0], pred_score_thr=self.score_thr, step=runner.iter
        )

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Write or show the panel of every tile of the batch, where that was asked for."""
        wanted = self.draw and (self.show or self.test_out_dir is not None)
        if not wanted or not data_batch or not outputs:
            return
        for inputs, data_sample in zip(data_batch['inputs'], outputs, strict=True):
            name, folder = flat_name(data_sample), Path(runner.work_dir) / runner.timestamp
            runner.visualizer.add_datasample(
                name,
                inputs.cpu().numpy(),
                data_sample,
                show=self.show,
                wait_time=self.wait_time,
                out_file=None
                if self.test_out_dir is None
                else folder / self.test_out_dir / f'{name}.png',
                pred_score_thr=self.score_thr,
            )


def flat_name(data_sample: BaseDataElement) -> str:
    """Return a tile's id as part of a file name: `validation/12` becomes `validation_12`."""
    return str(data_sample.metainfo['img_id']).replace('/', '_')


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds every step by (seed, iteration, rank): drop path needs no saved generator state."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed torch, on CPU and GPU."""
        torch.manual_seed(rng.key(runner.seed or 0, runner.iter, runner.rank))


@HOOKS.register_module()
class EarlyStoppingHook(hooks.EarlyStoppingHook):
    """mmengine's `EarlyStoppingHook` whose patience outlasts an interruption."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note the best score, and for how many validations none was better."""
        checkpoint['early_stopping'] = {
            'best_score': self.best_score,
            'wait_count': self.wait_count,
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take them up again where a training is resumed."""
        if runner._resume and 'early_stopping' in checkpoint:
            self.best_score = float(checkpoint['early_stopping']['best_score'])
            self.wait_count = int(checkpoint['early_stopping']['wait_count'])
