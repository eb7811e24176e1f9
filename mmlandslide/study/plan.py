"""What a study runs: its trials, each a chain of `mim` commands; nothing is run or written."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, product
from pathlib import Path

from mmlandslide.errors import ConfigError
from mmlandslide.study.chain import Chain, config_of
from mmlandslide.study.specification import Specification
from mmlandslide.study.trial import Condition, Stage, Trial


@dataclass(frozen=True)
class Plan:
    """All that a study runs.

    Attributes:
        specification: that it follows.
        trials: in the order in which they run.
        split_files: path -> text of the split files for parts of the labels, to be written before a
            stage starts.
    """

    specification: Specification
    trials: tuple[Trial, ...]
    split_files: dict[Path, str]

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Name -> stage, each once, however many trials share it."""
        return {stage.name: stage for trial in self.trials for stage in trial.stages}

    @property
    def left(self) -> dict[str, Stage]:
        """Name -> stage that is to be run, each once; a trial with a score needs none."""
        chains = (trial.stages for trial in self.trials if not trial.test.finished)
        return {stage.name: stage for stages in chains for stage in stages if not stage.finished}

    def trains(self, trial: Trial) -> bool:
        """Return whether a trial's strategy has a detector of its own, not another's."""
        backbone = self.specification.backbones[trial.condition.backbone]
        return backbone.strategies[trial.condition.strategy].detector_of is None

    @cached_property
    def conditions(self) -> dict[Condition, tuple[Trial, ...]]:
        """Condition -> its trials, one per seed."""
        grouped = groupby(self.trials, key=lambda trial: trial.condition)
        return {condition: tuple(trials) for condition, trials in grouped}


def plan(specification: Specification) -> Plan:
    """Return the trials of a study.

    Backbone x strategy x protocol x label fraction x seed, where a backbone has a config.

    Args:
        specification: of the study.

    Raises:
        ConfigError: a claim of the study compares no two of its conditions, or a pre-training has
            no config for its protocol.
        LandslideError: an option names a split file that lists no tiles.
    """
    split_files: dict[Path, str] = {}
    conditions = list(_conditions(specification))
    _require_claims(specification, conditions)
    trials = [
        Trial(condition, seed, Chain(specification, condition, seed, split_files).stages())
        for condition, seed in product(conditions, specification.seeds)
    ]
    return Plan(specification, tuple(trials), split_files)


def _require_claims(specification: Specification, known: Collection[Condition]) -> None:
    for index, claim in enumerate(specification.compare):
        pairs = [(each, each.changed(claim.over)) for each in known if each.matches(claim.of)]
        if not any(one != other and other in known for one, other in pairs):
            got = f'of {claim.of}, over {claim.over}'
            expected = 'compare conditions of the study'
            remedy = 'Write names as they stand under backbones, protocols and label_fractions'
            where = specification.name
            raise ConfigError.mismatch(f'compare.{index}', expected, got, where, remedy)


def _conditions(specification: Specification) -> Iterator[Condition]:
    for protocol, fraction in product(specification.protocols, specification.label_fractions):
        for name, backbone in specification.backbones.items():
            if config_of(backbone.config, protocol) is not None:
                for strategy, each in backbone.strategies.items():
                    if fraction not in (each.label_fractions or (fraction,)):
                        continue
                    yield Condition(name, strategy, protocol, fraction)
