"""The end of a training that has diverged, and of a test whose outputs are no numbers.

Named, and never saved over a checkpoint that is whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from mmlandslide.engine.record import bare
from mmlandslide.errors import TrainingDivergedError
from mmlandslide.models.finite_outputs import require_finite_outputs
from mmlandslide.weights.checkpoint_file import latest_checkpoint
from mmlandslide.weights.finite import described, not_finite, trained_tensors

_MOST_TILES = 8


class DivergenceHook(Hook):
    """Ends a training at the first loss that is not finite, and a test at the first such output.

    In mixed precision a step whose gradients overflow is skipped, and training continues as long as
    all weights are finite.
    """

    priority = 'VERY_HIGH'

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Look at the losses of a step.

        Raises:
            TrainingDivergedError: one is NaN or infinite.
        """
        losses = {name: value for name, value in (outputs or {}).items() if 'loss' in name}
        broken = {name: _value(value) for name, value in losses.items() if not _finite(value)}
        if not broken or _skipped(runner):
            return
        tiles = _tiles_of(data_batch)
        named = f', tiles {tiles}' if tiles else ''
        raise TrainingDivergedError.mismatch(
            f'the training loss {next(iter(broken))!r}',
            'be finite',
            f'{next(iter(broken.values()))} in iteration {runner.iter + 1} '
            f'(epoch {runner.epoch + 1}){named}',
            runner.work_dir,
            _remedy(runner),
        )

    def before_test(self, runner: Runner) -> None:
        """Look at what a detector's heads compute, as long as the test lasts."""
        where = runner._load_from or 'a model without a checkpoint'
        self._looking = require_finite_outputs(bare(runner.model), where)

    def after_test(self, runner: Runner) -> None:
        """Look no longer."""
        for handle in self._looking:
            handle.remove()


def require_finite_training(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    """Refuse to save what has diverged.

    Args:
        runner: of the training.
        checkpoint: what is about to be written.

    Raises:
        TrainingDivergedError: a weight, its moving average or an optimiser's state is not finite.
    """
    tensors = trained_tensors(checkpoint)
    broken = not_finite(tensors)
    if broken:
        raise TrainingDivergedError.mismatch(
            'the training',
            'keep finite weights, to be saved',
            f'{described(broken, len(tensors))} after iteration {runner.iter} '
            f'(epoch {runner.epoch + 1})',
            runner.work_dir,
            _remedy(runner),
        )


def _finite(value: Any) -> bool:
    return bool(torch.isfinite(torch.as_tensor(value)).all())


def _value(value: Any) -> float:
    """Return the first value that is not finite."""
    flat = torch.as_tensor(value).detach().flatten()
    return float(flat[~torch.isfinite(flat)][0])


def _skipped(runner: Runner) -> bool:
    """Return whether a gradient scaler has left the weights as they were."""
    return isinstance(runner.optim_wrapper, AmpOptimWrapper) and not not_finite(
        bare(runner.model).state_dict()
    )


def _tiles_of(batch: Any) -> list[str]:
    """Return the ids of the first tiles of a batch, none where its samples have none."""
    samples = batch.get('data_samples') if isinstance(batch, Mapping) else None
    ids = [getattr(sample, 'metainfo', {}).get('img_id') for sample in samples or ()]
    return [str(each) for each in ids if each is not None][:_MOST_TILES]


def _remedy(runner: Runner) -> str:
    latest = latest_checkpoint(Path(runner.work_dir))
    start = f' with load_from={latest}, the last finite checkpoint,' if latest else ''
    return (
        f'Check those tiles; train anew{start} and a lower learning rate or '
        'optim_wrapper.clip_grad (a resumed training keeps its learning rate)'
    )
