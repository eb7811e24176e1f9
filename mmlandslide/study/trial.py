"""A trial of a study: one detector, and the chain of `mim` commands that leads to its score."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mmlandslide.study.inputs.cfg_options import words

Factor = Literal['backbone', 'strategy', 'protocol', 'label_fraction']
#: What makes two conditions differ.
FACTORS: tuple[Factor, ...] = get_args(Factor)


@dataclass(frozen=True, eq=False)
class Stage:
    """One training or test.

    Attributes:
        name: its work dir below the study's, which ends with a digest of what the command depends
            on: another option is another stage.
        kind: `pretrain`, `detect` or `test`.
        host: what `mim` calls the host, such as `mmdet`.
        config: path of the config.
        options: `--cfg-options` key -> value.
        checkpoint: that a test scores.
        flags: options of the command that have no value, such as `--tta`.
        work_dir: of the command.
        leaves: files in the work dir, each written in one step, that stand when it has ended.
        steps: of the training, or tiles of a test.
        tile_ids: that the stage trains on, or scores.
    """

    name: str
    kind: str
    host: str
    config: str
    options: Mapping[str, Any]
    checkpoint: Path | None
    work_dir: Path
    leaves: tuple[str, ...]
    steps: int
    tile_ids: tuple[str, ...]
    flags: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether it has left all its files; each is written in one step, so it is whole."""
        return all((self.work_dir / name).is_file() for name in self.leaves)

    @property
    def command(self) -> tuple[str, ...]:
        """The command as a user types it."""
        return self._command()

    @property
    def resuming_command(self) -> tuple[str, ...]:
        """The command that continues a training from its last checkpoint."""
        return self._command('--resume')

    @property
    def shown(self) -> str:
        """The command in one line, for a shell."""
        return shlex.join(self.command)

    def _command(self, *more: str) -> tuple[str, ...]:
        verb = 'test' if self.kind == 'test' else 'train'
        weights = () if self.checkpoint is None else ('--checkpoint', str(self.checkpoint))
        place = ('--work-dir', str(self.work_dir), '--cfg-options', *words(self.options))
        return ('mim', verb, self.host, self.config, *weights, *self.flags, *more, *place)


@dataclass(frozen=True)
class Condition:
    """One level of each factor of the study; its trials differ by their seed alone."""

    backbone: str
    strategy: str
    protocol: str
    label_fraction: float

    def matches(self, levels: Mapping[Factor, Any]) -> bool:
        """Return whether some factors have certain levels."""
        return all(getattr(self, factor) == level for factor, level in levels.items())

    def changed(self, levels: Mapping[Factor, Any]) -> 'Condition':
        """Return the condition with other levels of some factors."""
        return Condition(**(asdict(self) | dict(levels)))


@dataclass(frozen=True, eq=False)
class Trial:
    """One detector: its condition, its seed and the stages that lead to its score.

    The last one is the test.
    """

    condition: Condition
    seed: int
    stages: tuple[Stage, ...]

    @property
    def training(self) -> Stage:
        """The training of the detector."""
        return self.stages[-2]

    @property
    def test(self) -> Stage:
        """The test that scores the detector."""
        return self.stages[-1]
