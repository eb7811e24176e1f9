"""What a study compares: `study.yaml`, read and checked before anything is started."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from mmlandslide.errors import SplitOverlapError
from mmlandslide.study.inputs.cfg_options import Options
from mmlandslide.study.inputs.tile_list import GroupingName, ListedTiles, require_groups
from mmlandslide.study.inputs.yaml_model import (
    FaultError,
    YamlModel,
    existing_file,
    read_yaml,
)
from mmlandslide.study.trial import Factor


def _configs(found: Any) -> Any:
    for path in found.values() if isinstance(found, dict) and found else [found]:
        existing_file(path)
    return found


def _distinct(numbers: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({*numbers}) != len(numbers):
        raise FaultError('', 'be different numbers', list(numbers), 'Write none twice')
    return numbers


#: A config for every protocol, or one for each.
Configs = Annotated[Any, BeforeValidator(_configs)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Number = TypeVar('Number')
Distinct = Annotated[
    tuple[Number, ...], Strict(False), Field(min_length=1), AfterValidator(_distinct)
]


class Protocol(YamlModel):
    """Which tiles train and which are scored.

    Attributes:
        train: tiles that train, and pre-train.
        score: tiles that `mim test` scores.
        grouping: what intervals resample: `l4s_blocks` for blocks of neighbouring Landslide4Sense
            training tiles, or a file `id,group`; `None` for single tiles.
        detect_options: of every detector.
        pretrain_options: of every pre-training.
        show_tiles: whether the report may show them; it may not where their licence does not let it
            be published.
    """

    train: ListedTiles = Field(alias='train_ids')
    score: ListedTiles = Field(alias='score_ids')
    grouping: GroupingName | None = None
    detect_options: Options = Field(default={})
    pretrain_options: Options = Field(default={})
    show_tiles: bool = True

    @model_validator(mode='after')
    def _apart(self) -> 'Protocol':
        both = sorted({*self.train.ids} & {*self.score.ids})
        if both:
            expected, remedy = 'train on other tiles than it scores', 'Split them'
            got = f'{len(both)} that do both, such as {both[:3]}'
            raise FaultError('', expected, got, remedy, SplitOverlapError)
        require_groups(self.score, self.grouping)
        return self


class Schedule(YamlModel):
    """How long a training is.

    Attributes:
        epochs: in all.
        batch_size: tiles per step.
        warmup: epochs among them, at least 1, as in every mmlandslide config.
        options: more `--cfg-options`.
    """

    epochs: int
    batch_size: int = Field(ge=1)
    warmup: int = 1
    options: Options = Field(default={})

    @model_validator(mode='after')
    def _warm(self) -> 'Schedule':
        if not 1 <= self.warmup < self.epochs:
            expected = f'be at least 1 and below the {self.epochs} epochs'
            raise FaultError('warmup', expected, self.warmup, 'Change one of the two')
        return self


class Pretraining(Schedule):
    """One pre-training; in its options `{previous}` is the work dir of the one before it.

    Attributes:
        config: of MMPretrain.
        each_seed: train it anew for each seed; otherwise all seeds share one.
        labelled: it learns from labels, and so sees those of the label fraction alone.
    """

    config: Configs
    each_seed: bool = False
    labelled: bool = False


class Strategy(YamlModel):
    """How a detector gets its weights, and how it is tested.

    Attributes:
        pretrain: trainings in their order, the detector starts from the last; none where the
            config's own start counts.
        detect: schedule of the detector; `None` for the study's.
        detector_of: strategy of the same backbone whose detector is tested once more, otherwise;
            nothing is trained.
        tta: the test merges the detections of a tile's eight symmetries, as `mim test --tta` does.
        options: of the detector, or of a further test alone.
        label_fractions: those of the study's at which it is run; `None` for all.
    """

    pretrain: list[Pretraining] = Field(default=[])
    detect: Schedule | None = None
    detector_of: str | None = None
    tta: bool = False
    options: Options = Field(default={})
    label_fractions: Distinct[Fraction] | None = None

    @model_validator(mode='after')
    def _trained_once(self) -> 'Strategy':
        if self.detector_of is not None and (self.pretrain or self.detect):
            expected, remedy = 'train nothing of its own', 'Leave out pretrain and detect'
            raise FaultError('detector_of', expected, self.detector_of, remedy)
        return self

    @model_validator(mode='after')
    def _first(self) -> 'Strategy':
        for key, value in self.pretrain[0].options.items() if self.pretrain else ():
            if '{previous}' in str(value):
                subject, got = 'pretrain.0.options', f'{key}: {value}'
                raise FaultError(subject, 'not name {previous}', got, 'Write what it names first')
        return self


class Backbone(YamlModel):
    """One backbone: its config of MMDetection, options and strategies."""

    config: Configs
    options: Options = Field(default={})
    strategies: dict[str, Strategy] = Field(min_length=1)

    @model_validator(mode='after')
    def _detectors(self) -> 'Backbone':
        trained = [name for name, each in self.strategies.items() if each.detector_of is None]
        for name, each in self.strategies.items():
            if each.detector_of not in (None, *trained):
                key, expected = f'strategies.{name}.detector_of', f'be one of {trained}'
                raise FaultError(key, expected, each.detector_of, 'Name a strategy that trains one')
        return self


class Comparison(YamlModel):
    """A claim of the study: conditions with `of` against the same with `over` in its place."""

    of: dict[Factor, Any]
    over: dict[Factor, Any] = Field(min_length=1)

    @model_validator(mode='after')
    def _one_change(self) -> 'Comparison':
        got = f'of {self.of}, over {self.over}'
        if not {*self.over} <= {*self.of}:
            raise FaultError('over', 'replace factors that `of` names', got, 'Name it in both')
        if any(
            isinstance(value, list | dict) for value in (*self.of.values(), *self.over.values())
        ):
            raise FaultError('of', 'give each factor one value', got, 'Write one claim per line')
        return self


class Specification(YamlModel):
    """All that `study.yaml` states; `root` is the folder of all its work dirs."""

    name: str
    root: Annotated[Path, Strict(False)] = Field(alias='work_dir')
    seeds: Distinct[Seed] = (0,)
    label_fractions: Distinct[Fraction] = (1.0,)
    detect: Schedule
    protocols: dict[str, Protocol] = Field(min_length=1)
    backbones: dict[str, Backbone] = Field(min_length=1)
    compare: list[Comparison] = Field(default=[])

    @model_validator(mode='after')
    def _shares_of_the_study(self) -> 'Specification':
        for name, backbone in self.backbones.items():
            for strategy, each in backbone.strategies.items():
                unknown = [*{*(each.label_fractions or ())} - {*self.label_fractions}]
                if unknown:
                    key = f'backbones.{name}.strategies.{strategy}.label_fractions'
                    expected = f'be among {list(self.label_fractions)}'
                    raise FaultError(key, expected, unknown, "Name some of the study's")
        return self

    @model_validator(mode='after')
    def _configs_of_protocols(self) -> 'Specification':
        for name, backbone in self.backbones.items():
            place = f'backbones.{name}'
            self._require_protocols(f'{place}.config', backbone.config)
            for strategy, each in backbone.strategies.items():
                for index, pretraining in enumerate(each.pretrain):
                    key = f'{place}.strategies.{strategy}.pretrain.{index}.config'
                    self._require_protocols(key, pretraining.config)
        return self

    def _require_protocols(self, key: str, configs: str | dict[str, str]) -> None:
        unknown = [] if isinstance(configs, str) else [*{*configs} - {*self.protocols}]
        if unknown:
            expected = f'be for protocols of {list(self.protocols)}'
            raise FaultError(key, expected, unknown, 'Name those')


def read(path: str | Path) -> Specification:
    """Read and check a study; paths in it count from the current folder.

    Args:
        path: of the YAML file.

    Raises:
        MissingPathError: no such file, or one that it names is missing.
        ConfigError: not YAML, or a key that is missing, unknown or of no meaning.
        SplitOverlapError: a tile of a protocol trains and is scored.
    """
    defaults = {'work_dir': f'work_dirs/studies/{Path(path).stem}'}
    return read_yaml(Path(path), Specification, 'study', defaults)
