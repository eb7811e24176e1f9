"""The stages of one trial: pre-trainings in their order, the detector, its test."""

import hashlib
import re
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np

from mmlandslide.errors import ConfigError
from mmlandslide.hosts import stack_in_use
from mmlandslide.study.inputs.cfg_options import Options, word
from mmlandslide.study.inputs.tile_list import TileList, read_tile_list
from mmlandslide.study.specification import (
    Backbone,
    Pretraining,
    Protocol,
    Schedule,
    Specification,
    Strategy,
)
from mmlandslide.study.trial import Condition, Stage

#: What `mim` calls MMDetection, by the installed stack.
_MMDET = {'openmmlab': 'mmdet', 'onedl': 'mmdetection'}
#: Options that only a training reads.
_TRAINING_ALONE = (
    'train_',
    'val_',
    'optim_wrapper',
    'param_scheduler',
    'default_hooks',
    'custom_hooks',
    'randomness',
)
_TRAIN_SPLIT = 'train_dataloader.dataset.split_file'


@dataclass(frozen=True)
class Chain:
    """Makes the stages of one trial.

    Attributes:
        specification: of the study.
        condition: of the trial.
        seed: of the detector.
        split_files: path -> text of the split files for parts of the labels; what the trial needs
            is added.
    """

    specification: Specification
    condition: Condition
    seed: int
    split_files: dict[Path, str]

    @property
    def _protocol(self) -> Protocol:
        return self.specification.protocols[self.condition.protocol]

    @property
    def _backbone(self) -> Backbone:
        return self.specification.backbones[self.condition.backbone]

    @property
    def _strategy(self) -> Strategy:
        return self._backbone.strategies[self.condition.strategy]

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages in their order.

        Raises:
            ConfigError: a pre-training has no config for the protocol.
            LandslideError: an option names a split file that lists no tiles.
        """
        own = self._strategy
        if own.detector_of is not None:
            other = replace(self, condition=self.condition.changed({'strategy': own.detector_of}))
            trained = other.stages()[:-1]
            return (*trained, other._test(trained[-1], own))
        stages: list[Stage] = []
        for pretraining in own.pretrain:
            stages.append(self._pretrain(pretraining, stages[-1] if stages else None))
        stages.append(self._detect(stages[-1] if stages else None))
        return (*stages, self._test(stages[-1], own))

    def _pretrain(self, pretraining: Pretraining, previous: Stage | None) -> Stage:
        config = config_of(pretraining.config, self.condition.protocol)
        if config is None:
            where, got = self.specification.name, list(pretraining.config)
            subject = f'pre-training of {self.condition.strategy}'
            expected = f'have a config for protocol {self.condition.protocol!r}'
            raise ConfigError.mismatch(subject, expected, got, where, 'Write one')
        # Without labels there is nothing to save: it sees all training tiles.
        trained = self._labelled() if pretraining.labelled else self._protocol.train
        options = {
            _TRAIN_SPLIT: trained.file,
            **({'randomness.seed': self.seed} if pretraining.each_seed else {}),
            **self._protocol.pretrain_options,
            **_with_previous(pretraining.options, previous),
        }
        start = _Start('pretrain', 'mmpretrain', config)
        return self._training(start, Path(config).stem, pretraining, options, trained)

    def _detect(self, previous: Stage | None) -> Stage:
        schedule, trained = self._schedule, self._labelled()
        options = {
            _TRAIN_SPLIT: trained.file,
            'val_dataloader.dataset.split_file': self._protocol.score.file,
            'train_cfg.val_interval': schedule.epochs,
            # the last checkpoint is scored: to choose one is to tune
            'default_hooks.checkpoint.save_best': None,
            'randomness.seed': self.seed,
            **self._detector_options(self._strategy),
        }
        if previous is not None:
            options['model.backbone.pretrained.checkpoint'] = str(previous.work_dir)
        config = config_of(self._backbone.config, self.condition.protocol)
        start = _Start('detect', _MMDET[stack_in_use()], str(config))
        levels = (self.condition.backbone, self.condition.strategy, self.condition.protocol)
        percent = f'{100 * self.condition.label_fraction:g}pct'
        name = '_'.join((*levels, percent, f'seed{self.seed}'))
        return self._training(start, name, schedule, options, trained)

    @property
    def _schedule(self) -> Schedule:
        return self._strategy.detect or self.specification.detect

    def _detector_options(self, tested: Strategy) -> Options:
        return {
            **self._protocol.detect_options,
            **self._schedule.options,
            **self._backbone.options,
            **self._strategy.options,
            **tested.options,
        }

    def _test(self, detector: Stage, tested: Strategy) -> Stage:
        """Return the test of the detector that this chain trains.

        Args:
            detector: the last training.
            tested: strategy that says how; another one's where it trains none of its own.
        """
        scored = self._protocol.score
        options = {
            'test_dataloader.dataset.split_file': scored.file,
            'test_evaluator.save_predictions': True,
            **{
                key: value
                for key, value in self._detector_options(tested).items()
                if not key.startswith((*_TRAINING_ALONE, 'model.backbone.pretrained'))
            },
        }
        checkpoint = detector.work_dir / detector.leaves[0]
        flags = ('--tta',) if tested.tta else ()
        start = _Start('test', detector.host, detector.config, checkpoint, flags)
        name = f'{detector.name}/test_{start.digest(options, scored.ids)}'
        leaves = ('metrics.json', 'predictions.json')
        return self._stage(start, name, options, leaves, len(scored.ids), scored.ids)

    def _training(
        self,
        start: '_Start',
        name: str,
        schedule: Schedule,
        options: Options,
        trained: TileList,
    ) -> Stage:
        # What stands later wins: a user's option may say otherwise.
        options = {**_schedule_options(schedule), **options}
        if options[_TRAIN_SPLIT] != trained.file:
            trained = read_tile_list(options[_TRAIN_SPLIT])
        text = self.split_files.get(Path(trained.file))
        name = f'{_slug(name)}_{start.digest(options, text or trained.ids)}'
        steps = schedule.epochs * ceil(len(trained.ids) / schedule.batch_size)
        leaves = (f'epoch_{schedule.epochs}.pth',)
        return self._stage(start, name, options, leaves, steps, trained.ids)

    def _stage(
        self,
        start: '_Start',
        name: str,
        options: Options,
        leaves: tuple[str, ...],
        steps: int,
        tile_ids: tuple[str, ...],
    ) -> Stage:
        return Stage(
            name=name,
            kind=start.kind,
            host=start.host,
            config=start.config,
            options=options,
            checkpoint=start.checkpoint,
            flags=start.flags,
            work_dir=self.specification.root / name,
            leaves=leaves,
            steps=steps,
            tile_ids=tile_ids,
        )

    def _labelled(self) -> TileList:
        """Return the tiles whose labels are seen; parts are nested, and drawn by seed."""
        whole, fraction = self._protocol.train, self.condition.label_fraction
        if fraction == 1:
            return whole
        count = max(1, round(fraction * len(whole.ids)))
        drawn = sorted(np.random.default_rng(self.seed).permutation(len(whole.ids))[:count])
        name = f'{_slug(self.condition.protocol)}_{100 * fraction:g}pct_seed{self.seed}.txt'
        path = self.specification.root / 'splits' / name
        part = TileList(str(path), tuple(whole.ids[index] for index in drawn))
        self.split_files[path] = ''.join(f'{tile_id}\n' for tile_id in part.ids)
        return part


def config_of(configs: str | dict[str, str], protocol: str) -> str | None:
    """Return the config for a protocol; `None` where there is none."""
    return configs if isinstance(configs, str) else configs.get(protocol)


@dataclass(frozen=True)
class _Start:
    """What a command begins with."""

    kind: str
    host: str
    config: str
    checkpoint: Path | None = None
    flags: tuple[str, ...] = ()

    def digest(self, options: Options, ids: object) -> str:
        """Return what tells stages apart.

        The work dirs of earlier stages, with their own digests, are among the options.
        """
        words = ['mim', 'test' if self.kind == 'test' else 'train', self.host, self.config]
        words += [] if self.checkpoint is None else ['--checkpoint', str(self.checkpoint)]
        words += self.flags
        stated = sorted((key, word(value)) for key, value in options.items())
        return hashlib.sha256(repr((words, stated, ids)).encode()).hexdigest()[:8]


def _schedule_options(schedule: Schedule) -> Options:
    """Return the options that change the length of a config with linear warm-up and cosine."""
    return {
        'train_cfg.max_epochs': schedule.epochs,
        'param_scheduler.0.end': schedule.warmup,
        'param_scheduler.1.begin': schedule.warmup,
        'param_scheduler.1.end': schedule.epochs,
        'param_scheduler.1.T_max': schedule.epochs - schedule.warmup,
        'train_dataloader.batch_size': schedule.batch_size,
    }


def _with_previous(options: Options, previous: Stage | None) -> Options:
    """Return options with the work dir of the stage before in the place of `{previous}`."""
    work_dir = str(previous.work_dir) if previous else '{previous}'
    return {
        key: value.replace('{previous}', work_dir) if isinstance(value, str) else value
        for key, value in options.items()
    }


def _slug(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9._-]+', '-', text).strip('-.')
