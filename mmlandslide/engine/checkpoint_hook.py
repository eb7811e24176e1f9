"""The hook that saves checkpoints so that at each moment a whole one stands."""

from collections import deque
from pathlib import Path
from typing import Any

from mmengine import hooks
from mmengine.dist import master_only
from mmengine.runner import Runner

from mmlandslide.engine.checkpoints import storing
from mmlandslide.errors import ConfigError
from mmlandslide.files import remove_leftovers, write_atomic
from mmlandslide.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(hooks.CheckpointHook):
    """mmengine's `CheckpointHook` in an order that no kill and no full disk can break.

    The new checkpoint is written whole, then `last_checkpoint` names it, then those go that
    `max_keep_ckpts` does not keep; likewise the best one of before goes only when the new best
    stands. mmengine deletes first and then writes.

    A checkpoint is never written again after the validation that follows it: a resumed run repeats
    that validation, and so finds the same best, see `loops`.
    """

    keep_ckpt_ids: deque[int]
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]
    last_ckpt: str | None

    def before_train(self, runner: Runner) -> None:
        """Find out what stands from before.

        Raises:
            ConfigError: checkpoints are asked for in a folder where `--resume` does not look.
        """
        if self.out_dir not in (None, runner.work_dir):
            raise ConfigError.mismatch(
                'out_dir',
                'be left out',
                repr(self.out_dir),
                'default_hooks.checkpoint',
                'Name the folder with --work-dir',
            )
        super().before_train(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save; name it as the last one; delete those that are no longer kept."""
        name, kept = self.filename_tmpl.format(step), self._with(step)
        self.last_ckpt = str(Path(self.out_dir, name))
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        # those that are about to go among them, so that a run killed before they went lets them go
        if kept:
            runner.message_hub.update_info('keep_ckpt_ids', kept)
        options = {
            'save_optimizer': self.save_optimizer,
            'save_param_scheduler': self.save_param_scheduler,
        }
        runner.save_checkpoint(
            self.out_dir, name, meta=meta, by_epoch=self.by_epoch, **options, **self.args
        )
        self._point(Path(runner.work_dir, 'last_checkpoint'))
        while len(kept) > self.max_keep_ckpts > 0:
            self._remove(self.filename_tmpl.format(kept.pop(0)))
        self.keep_ckpt_ids = deque(kept)

    def _with(self, step: int) -> list[int]:
        """Return the checkpoints that stand once that of a step is written.

        None where all are kept.
        """
        return (
            [each for each in self.keep_ckpt_ids if each != step] + [step]
            if self.max_keep_ckpts > 0
            else []
        )

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save a checkpoint that is the best so far; then delete the one that was."""
        if not self.save_best:
            return
        before, last = self._best, self.last_ckpt
        self._best, self.last_ckpt = (
            dict.fromkeys(before),
            None,
        )  # else mmengine deletes them first, and saves the last one again
        super()._save_best_checkpoint(runner, metrics)
        self._best, self.last_ckpt = (
            {key: self._best[key] or path for key, path in before.items()},
            last,
        )
        for path in {*before.values()} - {*self._best.values(), None}:
            self._remove(Path(str(path)).name)

    @property
    def _best(self) -> dict[str, str | None]:
        """The best checkpoint by each metric that is watched.

        By none where one is, whose name may yet be `auto`.
        """
        watched = self.key_indicators
        return (
            {'': self.best_ckpt_path}
            if len(watched) == 1
            else {key: self.best_ckpt_path_dict[key] for key in watched}
        )

    @_best.setter
    def _best(self, paths: dict[str, str | None]) -> None:
        if len(paths) == 1:
            self.best_ckpt_path = next(iter(paths.values()))
        else:
            self.best_ckpt_path_dict = dict(paths)

    @master_only
    def _point(self, pointer: Path) -> None:
        with storing('pointer to the last checkpoint', pointer):
            remove_leftovers(pointer.parent, pointer.name)
            write_atomic(pointer, str(self.last_ckpt))

    @master_only
    def _remove(self, name: str) -> None:
        """Delete a checkpoint, by its name, as the work dir may have been moved."""
        Path(self.out_dir, name).unlink(missing_ok=True)
