"""mmengine's training loops, resumed at exactly the batch or validation after a checkpoint.

mmengine's own epoch loop begins the checkpoint's epoch anew and leaves its validation out; its
iteration loop reads all data since the first iteration again. And its test loop, with views of each
tile that are fused.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

import torch
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop
from mmengine.runner.amp import autocast
from torch.utils.data import BatchSampler, DataLoader

from mmlandslide.engine.sampler import TileSampler
from mmlandslide.errors import ConfigError
from mmlandslide.models.test_time_augmentation import predict_views
from mmlandslide.registry import LOOPS
from mmlandslide.symmetry import views_named


class ResumableLoop(BaseLoop):
    """Knows how far it is in the current pass over the data, and resumes there.

    A checkpoint is the state before the validation that follows it, so a resumed loop begins with
    that validation where it is due: a training killed while it validates loses nothing.
    """

    _iter: int
    _epoch: int
    _pass = 0
    _pass_began = 0  # the iteration

    def progress(self, meta: Mapping[str, Any]) -> dict[str, int]:
        """Return what a checkpoint must state so that `resume` finds its way.

        Args:
            meta: the checkpoint's, with `epoch` and `iter`.
        """
        ended = (
            meta['epoch'] > self._epoch
        )  # a checkpoint after an epoch is written before the loop counts it
        return {
            'pass': self._pass + int(ended),
            'batches_done': 0 if ended else meta['iter'] - self._pass_began,
            'global_batch_size': self._global_batch_size,
        }

    def resume(self, progress: Mapping[str, int]) -> None:
        """Resume after a checkpoint whose `epoch` and `iter` mmengine has restored.

        Args:
            progress: what `progress` returned; empty for a foreign checkpoint, whose epoch begins
                anew.

        Raises:
            ConfigError: the checkpoint lies within a pass over the data, and batches now are of
                another size.
        """
        stated = {
            key: value for key, value in progress.items() if isinstance(value, int) and value >= 0
        }
        done, size = stated.get('batches_done', 0), stated.get('global_batch_size')
        if done and size != self._global_batch_size:
            raise ConfigError.mismatch(
                'batch size times processes',
                f'be {size}, as {done} such batches of the epoch are done',
                self._global_batch_size,
                'train_dataloader',
                'Resume with the batch size and processes of before, '
                'or from a checkpoint at the end of an epoch',
            )
        self._pass = stated.get('pass', self._epoch)
        self._pass_began = self._iter - done

    @property
    def _global_batch_size(self) -> int:
        return int(self.dataloader.batch_sampler.batch_size) * int(self.runner.world_size)

    def _rest_of_pass(self) -> Iterable[Any]:
        """Return the batches of the current pass that are not done."""
        sampler, done = self.dataloader.batch_sampler.sampler, self._iter - self._pass_began
        if hasattr(sampler, 'set_epoch'):
            sampler.set_epoch(self._pass)
        return batches_after(self.dataloader, done)

    def _next_pass(self) -> None:
        self._pass, self._pass_began = self._pass + 1, self._iter

    def _validate(self, step: int, last: int) -> None:
        """Validate after so many epochs or iterations, where that is due."""
        self._decide_current_val_interval()
        due = step >= self.val_begin and (step % self.val_interval == 0 or step == last)
        if due and self.runner.val_loop is not None:
            self.runner.val_loop.run()


class ResumableEpochLoop(ResumableLoop, EpochBasedTrainLoop):
    """Trains epoch by epoch."""

    def run(self) -> Any:
        """Train; return the model."""
        self.runner.call_hook('before_train')
        if self._epoch and self._iter == self._pass_began:
            self._validate(self._epoch, self._max_epochs)
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate(self._epoch, self._max_epochs)
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on what is left of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, batch in enumerate(self._rest_of_pass(), start=self._iter - self._pass_began):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        self._next_pass()


class ResumableIterLoop(ResumableLoop, IterBasedTrainLoop):
    """Trains iteration by iteration, over the data as often as it takes."""

    def run(self) -> Any:
        """Train; return the model."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.dataloader_iterator = self._batches()
        if self._iter:
            self._validate(self._iter, self._max_iters)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._validate(self._iter, self._max_iters)
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def _batches(self) -> Iterator[Any]:
        while True:
            yield from self._rest_of_pass()
            self._next_pass()


_OURS = {EpochBasedTrainLoop: ResumableEpochLoop, IterBasedTrainLoop: ResumableIterLoop}


def resumable(loop_cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `train_cfg` whose loop, where it is one of mmengine's two, is the resumable one.

    Args:
        loop_cfg: with a `type`, or with `by_epoch`.
    """
    cfg = dict(loop_cfg)
    if 'type' not in cfg:
        cfg['type'] = EpochBasedTrainLoop if cfg.pop('by_epoch') else IterBasedTrainLoop
    kind = LOOPS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    return {**cfg, 'type': _OURS.get(kind, kind)}


def batches_after(dataloader: DataLoader[Any], done: int) -> Iterable[Any]:
    """Return a data loader's next pass without its first batches.

    With `TileSampler` the data of those batches are not read; with a sampler of another kind they
    are read and dropped.

    Args:
        dataloader: whose sampler knows its epoch.
        done: number of batches to leave out.
    """
    batches = dataloader.batch_sampler
    if type(batches) is BatchSampler and isinstance(batches.sampler, TileSampler):
        batches.sampler.skip_once(done * batches.batch_size)
        return dataloader
    return itertools.islice(dataloader, done, None)


@LOOPS.register_module()
class TTATestLoop(TestLoop):
    """mmengine's test loop; the model may see each tile in several symmetries, which are fused.

    Args:
        runner: a `LandslideRunner`.
        tta: views of each tile: `none`, `flips` (4) or `all` (8), as in `mmlandslide detect --tta`.
        kwargs: what mmengine's class takes.

    Raises:
        ConfigError: no such views.
    """

    def __init__(self, runner: Any, *, tta: str = 'none', **kwargs: Any) -> None:
        remedy = 'Name one of those, as in --cfg-options test_cfg.tta=all'
        self.views = views_named(tta, 'test_cfg.tta', remedy)
        super().__init__(runner, **kwargs)

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Test one batch."""
        if len(self.views) == 1:
            super().run_iter(idx, data_batch)
            return
        self.runner.call_hook('before_test_iter', batch_idx=idx, data_batch=data_batch)
        with autocast(enabled=self.fp16):
            found = predict_views(self.runner.model, data_batch, self.views)
        self.evaluator.process(data_samples=found, data_batch=data_batch)
        self.runner.call_hook(
            'after_test_iter', batch_idx=idx, data_batch=data_batch, outputs=found
        )


def settle_tta(cfg: MutableMapping[str, Any]) -> None:
    """Have `mim test --tta` test in all views, in the place of MMDetection's own augmentation.

    MMDetection's script wraps the model and appends a flip of its own, which cannot read tiles of
    many bands.

    Args:
        cfg: of the script, changed in place.
    """
    model = cfg.get('model')
    if not isinstance(model, Mapping) or model.get('type') != 'DetTTAModel':
        return
    data = cfg['test_dataloader']['dataset']
    if data['pipeline'][-1]['type'] == 'TestTimeAug':
        data['pipeline'] = [*data['pipeline'][:-1], {'type': 'mmlandslide.PackDetection'}]
        cfg['model'] = model['module']
        cfg['test_cfg'] = {'type': 'mmlandslide.TTATestLoop', 'tta': 'all'}
