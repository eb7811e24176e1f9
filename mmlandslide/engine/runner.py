"""The runner of both hosts' train and test scripts: loading, saving and resuming."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mmlandslide import signals
from mmlandslide.datasets.l4s.protocols import apply_protocol
from mmlandslide.engine import agreement, checkpoints, distributed, process, record
from mmlandslide.engine.checkpoints import CheckpointContentHook
from mmlandslide.engine.divergence import DivergenceHook
from mmlandslide.engine.loading import admitted, fill_model
from mmlandslide.engine.loops import ResumableLoop, resumable, settle_tta
from mmlandslide.engine.record import WrittenConfig, backbones_of, bare, record_of, tile_ids_of
from mmlandslide.errors import ConfigError
from mmlandslide.files import remove_leftovers, replacing
from mmlandslide.models.preprocessors import require_same_bands
from mmlandslide.registry import RUNNERS
from mmlandslide.weights.checkpoint_file import latest_checkpoint
from mmlandslide.weights.lineage import tiles_seen
from mmlandslide.weights.options import refuse_host_weights
from mmlandslide.weights.references import resolve


@RUNNERS.register_module()
class LandslideRunner(Runner):
    """mmengine's runner, with what its loading, saving and resuming lack.

    - A checkpoint is read with `weights_only` and nothing that it carries is executed, its config
      text included; it is written beside and renamed, in tensors and plain types.
    - A checkpoint that does not fill the model exactly is refused.
    - A fresh training initialises weights (and so resolves `pretrained`); resuming does not.
    - A checkpoint states the tiles that its training and pre-training saw; testing on one of them
      is refused unless the config says `allow_overlap = True`.
    - mmengine's training loops are replaced by those that resume at the very batch, see `loops`.
    - A `LandslideError` that nobody catches is one line on stderr, without a traceback.
    """

    _resume: bool
    resumed_tiles: Sequence[str] = ()
    _load_from: str | None

    @classmethod
    def from_cfg(cls, cfg: Any) -> 'LandslideRunner':
        """Build the runner from a config; from here on, our errors are shown in one line.

        Raises:
            ConfigError: the config's `protocol` is unknown, or not for its data.
        """
        process.install(cfg.get('env_cfg', {}))
        apply_protocol(cfg)
        settle_tta(cfg)
        work_dir = Path(cfg['work_dir'])
        with checkpoints.storing('work dir', work_dir, checkpoints.concerns_folder(work_dir)):
            return super().from_cfg(WrittenConfig.of(cfg))

    def train(self) -> Any:
        """Train; return the model.

        Raises:
            StorageError: the work dir cannot be written to, or the disk is full; the last
                checkpoint is then whole.
            ConfigError: another training runs in the work dir.
            LandslideError: what else a user can cause.
        """
        work_dir = Path(self.work_dir)
        with (
            checkpoints.storing('work dir', work_dir, checkpoints.concerns_folder(work_dir)),
            nullcontext() if self.rank else process.training_lock(work_dir),
            signals.ending(process.tell),
        ):
            return super().train()

    def build_logger(self, *args: Any, **kwargs: Any) -> Any:
        """Build the logger; a log file that cannot be written ends the training."""
        return process.let_logs_fail(super().build_logger(*args, **kwargs))

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Set the process up; several are joined with nccl on GPUs and with gloo on CPUs.

        Args:
            env_cfg: the config's.

        Raises:
            ConfigError: the launcher did not start this process, or there are more processes than
                GPUs.
        """
        if self.distributed:
            distributed.init_process_group(self.launcher, env_cfg.get('dist_cfg', {}))
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: Any) -> Any:
        """Move the model to its device, laid out as that computes it.

        `env_cfg.channels_last=False` leaves it in PyTorch's own layout, in which batch norm is
        exact to 1e-7 on CPUs, too. Of several processes, wrap it so that gradients, logged losses
        and statistics agree.
        """
        if self.distributed and not is_model_wrapper(model):
            model_wrapper_cfg = distributed.wrapper_cfg(
                model_wrapper_cfg, self.cfg.get('find_unused_parameters', False)
            )
        if self.cfg.get('env_cfg', {}).get('channels_last', True):
            model = process.laid_out(model)
        return super().wrap_model(model_wrapper_cfg, model)

    def register_hooks(self, default_hooks: Any = None, custom_hooks: Any = None) -> None:
        """Register the config's hooks, one that ends divergence, one for checkpoints' content."""
        super().register_hooks(default_hooks, custom_hooks)
        self.register_hook(DivergenceHook())
        self.register_hook(CheckpointContentHook())

    @staticmethod
    def build_dataloader(
        dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader[Any]:
        """Build a data loader, which says so where tiles to be stacked differ in size.

        Raises:
            ConfigError: it drops all tiles as the rest of a batch.
        """
        cfg = agreement.settled_dataloader(dataloader)
        built = agreement.of_one_size(Runner.build_dataloader(cfg, seed, diff_rank_seed))
        agreement.require_batches(built)
        return built

    def build_model(self, model: Any) -> Any:
        """Build the model.

        Raises:
            ConfigError: its preprocessor and its backbone name other bands; a detector of the
                host's does not look.
        """
        built = super().build_model(model)
        require_same_bands(built)
        return built

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimiser.

        Raises:
            ConfigError: mixed precision is asked for without a GPU.
        """
        kind = optim_wrapper.get('type') if isinstance(optim_wrapper, dict) else None
        if kind == 'AmpOptimWrapper' and not torch.cuda.is_available():
            raise ConfigError.mismatch(
                '--amp',
                'run on a GPU',
                'a machine without CUDA',
                'optim_wrapper.type',
                'Leave --amp out',
            )
        return super().build_optim_wrapper(optim_wrapper)

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """Build the training loop, one that resumes within an epoch in the place of mmengine's."""
        return super().build_train_loop(resumable(loop) if isinstance(loop, dict) else loop)

    def build_test_loop(self, loop: Any) -> BaseLoop:
        """Build the test loop; its metrics write their files into the work dir."""
        built = super().build_test_loop(loop)
        for metric in built.evaluator.metrics:
            if hasattr(metric, 'work_dir'):
                metric.work_dir = Path(self.work_dir)
        return built

    def _init_model_weights(self) -> None:
        """Initialise weights for a fresh training; a resumed one has all in its checkpoint.

        Raises:
            ConfigError: a part of the model would read a checkpoint past the bridge.
        """
        self._settle_resume()
        if self._resume:
            return
        for name, module in bare(self.model).named_modules():
            refuse_host_weights(
                getattr(module, 'init_cfg', None),
                '.'.join(('model', *filter(None, [name]), 'init_cfg')),
            )
        with process.own_layout(self.model):
            super()._init_model_weights()
        for note in record.pretraining_notes(self):
            self.logger.warning(note)
        overlap = record.seen_by_pretraining(self.model) & set(tile_ids_of(self._val_loop))
        if overlap:
            self.logger.warning(
                f'{len(overlap)} validation tiles were seen by the pre-training: '
                'validation will flatter the model'
            )

    def _settle_resume(self) -> None:
        """Name the checkpoint that a resumed run continues.

        Where there is none yet, it starts afresh.
        """
        if self._resume and self._load_from is None:
            latest = latest_checkpoint(self.work_dir)
            self._load_from, self._resume = (None, False) if latest is None else (str(latest), True)

    def load_or_resume(self) -> None:
        """Load or resume; before, compare what must agree.

        Then hand metrics what the checkpoint states, and refuse a test on tiles that the model has
        seen, in this process or before.

        Raises:
            ConfigError: settings that contradict each other, see `agreement`.
            SplitOverlapError: a test on tiles that the model has seen.
        """
        agreement.require_agreement(self)
        self._settle_resume()
        super().load_or_resume()
        if isinstance(self._test_loop, BaseLoop):
            for metric in self._test_loop.evaluator.metrics:
                if hasattr(metric, 'prepare_test'):
                    dataset = self._test_loop.dataloader.dataset
                    metric.prepare_test(dataset, getattr(self, '_loaded_record', {}))
        if isinstance(self._test_loop, BaseLoop) and not self.cfg.get('allow_overlap', False):
            own = getattr(self, '_loaded_record', {})
            known = tiles_seen(own) | tiles_seen(record_of(self))
            agreement.require_unseen(self, known, tile_ids_of(self._test_loop))

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Resume from a checkpoint, at the batch or the validation that came after it.

        Args:
            filename: a file, a work dir or a URL.
            args: what mmengine takes.
            kwargs: what mmengine takes.

        Raises:
            ConfigError: the checkpoint lies within an epoch, and batches now are of another size.
            LandslideError: see `load_checkpoint`.
        """
        drawn, sampler = self.seed, self.train_dataloader.batch_sampler.sampler
        super().resume(filename, *args, **kwargs)
        # Samplers are built before the checkpoint tells the seed.
        if getattr(sampler, 'seed', None) == drawn:
            sampler.seed = self.seed
        if isinstance(self.train_loop, ResumableLoop):
            progress = self._loaded_record.get('progress')
            self.train_loop.resume(progress if isinstance(progress, dict) else {})

    def load_checkpoint(
        self, filename: str, map_location: Any = 'cpu', strict: bool = True, revise_keys: Any = ()
    ) -> Any:
        """Load a checkpoint into the model, all of it.

        Args:
            filename: a file, a work dir or a URL.
            map_location: not used: the file is read onto the CPU and its tensors are copied to
                where the model is.
            strict: not used: a checkpoint that does not fill the model exactly is refused, but
                for what a fresh training's `start_random` names in the config.
            revise_keys: not used: a `module.` prefix is stripped. Returns the checkpoint.

        Raises:
            MissingPathError: there is no such file.
            CheckpointError: the file cannot be read safely, or a value is not finite.
            CheckpointMismatchError: keys, shapes, or what its record states differ from the model.
        """
        path = resolve(str(filename))
        checkpoint, self._loaded_record = admitted(self, path)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        fill_model(self, checkpoint.get('state_dict', checkpoint), path)
        lineage = dict(self._loaded_record.get('lineage', {}))
        if not self._resume:  # another training, whose tiles this one inherits
            lineage['tile_ids'] = sorted(tiles_seen(self._loaded_record))
        for backbone in backbones_of(bare(self.model)):
            backbone.lineage = dict(lineage)
        self._has_loaded = True
        self.logger.info(f'Loaded parameters from {path}')
        return checkpoint

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        *args: Any,
        meta: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Save a checkpoint beside, flush it, rename it: no kill leaves half of one.

        Args:
            out_dir: folder.
            filename: name in it.
            args: what mmengine takes.
            meta: more of what the checkpoint states of itself.
            kwargs: what mmengine takes.

        Raises:
            StorageError: the disk is full or the folder cannot be written to; an older file is then
                still as it was.
            CheckpointError: a weight is not finite; an older file is then still as it was.
        """
        meta, path = {**(meta or {}), 'mmlandslide': record_of(self)}, Path(out_dir) / filename
        remove_leftovers(path.parent, '*.pth')
        with checkpoints.storing('checkpoint', path), replacing(path) as temporary:
            super().save_checkpoint(out_dir, temporary.name, *args, meta=meta, **kwargs)
