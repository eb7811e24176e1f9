"""From what a study compares to the commands that compare it: cells, each a chain of `mim` stages.

Nothing is run or written.
"""

import hashlib
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide.errors import ConfigError
from mmlandslide.hosts import stack_in_use
from mmlandslide.study.specification import (
    Backbone,
    Configs,
    Options,
    Pretraining,
    Protocol,
    Schedule,
    Specification,
    Strategy,
)

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


@dataclass(frozen=True)
class Stage:
    """One command.

    Attributes:
        name: its work dir below the study's, which ends with a digest of what the command depends
            on: another option is another stage.
        kind: `pretrain`, `detect` or `test`.
        command: as a user types it.
        work_dir: of the command.
        leaves: files in the work dir, each written in one step, that stand when it has ended.
        steps: of the training, or tiles of a test.
    """

    name: str
    kind: str
    command: tuple[str, ...]
    work_dir: Path
    leaves: tuple[str, ...]
    steps: int

    @property
    def shown(self) -> str:
        """The command in one line, for a shell."""
        return shlex.join(self.command)


@dataclass(frozen=True)
class Axes:
    """Where a cell stands in the study, without its seed."""

    backbone: str
    strategy: str
    protocol: str
    label_fraction: float

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        """Return whether the axes have the wanted values."""
        return all(getattr(self, axis) == value for axis, value in wanted.items())

    def moved(self, changed: Mapping[str, Any]) -> 'Axes':
        """Return the axes with other values in some places."""
        return Axes(**{**asdict(self), **changed})


@dataclass(frozen=True)
class Cell:
    """One detector: its place in the study, its seed and the stages that lead to its score.

    The last one is the test.
    """

    axes: Axes
    seed: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Plan:
    """All that a study runs.

    Attributes:
        specification: that it follows.
        cells: in the order in which they run.
        split_files: path -> text of the split files for parts of the labels, to be written before a
            stage starts.
    """

    specification: Specification
    cells: tuple[Cell, ...]
    split_files: dict[Path, str]

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Name -> stage, each once, however many cells share it."""
        return {stage.name: stage for cell in self.cells for stage in cell.stages}


def plan(specification: Specification) -> Plan:
    """Return the cells of a study.

    Backbone x strategy x protocol x label fraction x seed, where a backbone has a config.

    Args:
        specification: of the study.

    Raises:
        ConfigError: a claim of the study compares no two of its cells, or a pre-training has no
            config for its protocol.
    """
    split_files: dict[Path, str] = {}
    cells = [
        _Chain(specification, axes, seed, split_files).cell()
        for axes, seed in product(_all_axes(specification), specification.seeds)
    ]
    _require_claims(specification, {cell.axes for cell in cells})
    return Plan(specification, tuple(cells), split_files)


def _require_claims(specification: Specification, known: Collection[Axes]) -> None:
    for index, claim in enumerate(specification.compare):
        pairs = [(axes, axes.moved(claim.over)) for axes in known if axes.matches(claim.of)]
        if not any(one != other and other in known for one, other in pairs):
            got = f'of {claim.of}, over {claim.over}'
            remedy = 'Write names as they stand under backbones, protocols and label_fractions'
            raise ConfigError.mismatch(
                f'compare.{index}', 'compare cells of the study', got, specification.name, remedy
            )


def _all_axes(specification: Specification) -> Iterator[Axes]:
    for protocol, fraction in product(specification.protocols, specification.label_fractions):
        for name, backbone in specification.backbones.items():
            if _config(backbone.configs, protocol) is not None:
                yield from (
                    Axes(name, strategy, protocol, fraction) for strategy in backbone.strategies
                )


def _config(configs: Configs, protocol: str) -> str | None:
    return configs if isinstance(configs, str) else configs.get(protocol)


class _Chain:
    """Makes the stages of one cell."""

    def __init__(
        self, specification: Specification, axes: Axes, seed: int, split_files: dict[Path, str]
    ) -> None:
        self.specification, self.axes, self.seed, self.split_files = (
            specification,
            axes,
            seed,
            split_files,
        )
        self.protocol: Protocol = specification.protocols[axes.protocol]
        self.backbone: Backbone = specification.backbones[axes.backbone]
        self.strategy: Strategy = self.backbone.strategies[axes.strategy]

    def cell(self) -> Cell:
        """Return the cell."""
        stages: list[Stage] = []
        for pretraining in self.strategy.pretrain:
            stages.append(self._pretrain(pretraining, stages[-1] if stages else None))
        stages.append(self._detect(stages[-1] if stages else None))
        stages.append(self._test(stages[-1]))
        return Cell(self.axes, self.seed, tuple(stages))

    def _pretrain(self, pretraining: Pretraining, previous: Stage | None) -> Stage:
        config = _config(pretraining.configs, self.protocol.name)
        if config is None:
            where, got = self.specification.name, list(pretraining.configs)
            expected = f'have a config for protocol {self.protocol.name!r}'
            raise ConfigError.mismatch(
                f'pre-training of {self.axes.strategy}', expected, got, where, 'Write one'
            )
        # Without labels there is nothing to save: it sees all training tiles.
        whole = self.protocol.train_file, len(self.protocol.train_ids)
        split_file, num_tiles = self._train_split() if pretraining.labelled else whole
        options = {
            'train_dataloader.dataset.split_file': split_file,
            **({'randomness.seed': self.seed} if pretraining.each_seed else {}),
            **self.protocol.pretrain_options,
            **_with_previous(pretraining.schedule.options, previous),
        }
        words = ('mim', 'train', 'mmpretrain', config)
        return self._training(
            'pretrain', Path(config).stem, words, pretraining.schedule, options, num_tiles
        )

    def _detect(self, previous: Stage | None) -> Stage:
        schedule = self.specification.detect
        split_file, num_tiles = self._train_split()
        start = (
            {}
            if previous is None
            else {'model.backbone.pretrained.checkpoint': str(previous.work_dir)}
        )
        options = {
            'train_dataloader.dataset.split_file': split_file,
            'val_dataloader.dataset.split_file': self.protocol.score_file,
            'train_cfg.val_interval': schedule.epochs,
            # the last checkpoint is scored: to choose one is to tune
            'default_hooks.checkpoint.save_best': None,
            'randomness.seed': self.seed,
            **self._detector_options(),
            **start,
        }
        words = (
            'mim',
            'train',
            _MMDET[stack_in_use()],
            str(_config(self.backbone.configs, self.protocol.name)),
        )
        percent = f'{100 * self.axes.label_fraction:g}pct'
        name = '_'.join(
            (
                self.axes.backbone,
                self.axes.strategy,
                self.axes.protocol,
                percent,
                f'seed{self.seed}',
            )
        )
        return self._training('detect', name, words, schedule, options, num_tiles)

    def _detector_options(self) -> Options:
        return {
            **self.protocol.detect_options,
            **self.specification.detect.options,
            **self.backbone.options,
            **self.strategy.options,
        }

    def _test(self, detector: Stage) -> Stage:
        kept = {
            key: value
            for key, value in self._detector_options().items()
            if not key.startswith(_TRAINING_ALONE)
        }
        options = {
            'test_dataloader.dataset.split_file': self.protocol.score_file,
            'test_evaluator.save_predictions': True,
            **{
                key: value
                for key, value in kept.items()
                if not key.startswith('model.backbone.pretrained')
            },
        }
        words = (
            'mim',
            'test',
            detector.command[2],
            detector.command[3],
            '--checkpoint',
            str(detector.work_dir / detector.leaves[0]),
        )
        name = f'{detector.name}/test_{_digest(words, options, self.protocol.score_ids)}'
        num_tiles, leaves = len(self.protocol.score_ids), ('metrics.json', 'predictions.json')
        return self._stage('test', name, words, options, leaves, num_tiles)

    def _training(
        self,
        kind: str,
        name: str,
        words: Sequence[str],
        schedule: Schedule,
        options: Options,
        num_tiles: int,
    ) -> Stage:
        # What stands later wins: a user's option may say otherwise.
        options = {**_schedule_options(schedule), **options}
        train_ids = (
            self.split_files.get(Path(options['train_dataloader.dataset.split_file']))
            or self.protocol.train_ids
        )
        name = f'{_slug(name)}_{_digest(words, options, train_ids)}'
        steps = schedule.epochs * ceil(num_tiles / schedule.batch_size)
        return self._stage(kind, name, words, options, (f'epoch_{schedule.epochs}.pth',), steps)

    def _stage(
        self,
        kind: str,
        name: str,
        words: Sequence[str],
        options: Options,
        leaves: tuple[str, ...],
        steps: int,
    ) -> Stage:
        work_dir = self.specification.root / name
        overridden = (f'{key}={_word(value)}' for key, value in options.items())
        command = (*words, '--work-dir', str(work_dir), '--cfg-options', *overridden)
        return Stage(name, kind, command, work_dir, leaves, steps)

    def _train_split(self) -> tuple[str, int]:
        """Return the split file of the label fraction and how many tiles it names.

        Parts are nested, and drawn by seed.
        """
        ids, fraction = self.protocol.train_ids, self.axes.label_fraction
        if fraction == 1:
            return self.protocol.train_file, len(ids)
        drawn = np.random.default_rng(self.seed).permutation(len(ids))[
            : max(1, round(fraction * len(ids)))
        ]
        path = (
            self.specification.root
            / 'splits'
            / f'{_slug(self.protocol.name)}_{100 * fraction:g}pct_seed{self.seed}.txt'
        )
        self.split_files[path] = ''.join(f'{ids[index]}\n' for index in sorted(drawn))
        return str(path), len(drawn)


def _schedule_options(schedule: Schedule) -> Options:
    """Return the options that give a config of ours, a linear warm-up and a cosine, another length."""
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


def _digest(words: Sequence[str], options: Options, ids: object) -> str:
    """Return what tells stages apart.

    The work dirs of earlier stages, with their own digests, are among the options.
    """
    said = repr((list(words), sorted((key, _word(value)) for key, value in options.items()), ids))
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def _word(value: object) -> str:
    """Return a value as `--cfg-options` reads it."""
    if isinstance(value, list | tuple):
        return '[' + ','.join(_word(each) for each in value) + ']'
    return str(value)


def _slug(text: str) -> str:
    return re.sub(r'[^A-Za-z0-9._-]+', '-', text).strip('-.')
