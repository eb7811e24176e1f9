"""What a study is to compare: `study.yaml`, read and checked before anything is started."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mmlandslide.errors import ConfigError, MissingPathError, SplitOverlapError
from mmlandslide.study.section import Section

Options = dict[str, Any]


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML's loaders keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping.

        Raises:
            yaml.YAMLError: a key stands in it twice.
        """
        keys = [
            self.construct_object(key, deep=True)
            for key, _ in node.value
            if key.tag != 'tag:yaml.org,2002:merge'
        ]
        twice = [key for index, key in enumerate(keys) if key in keys[:index]]
        if twice:
            raise yaml.MarkedYAMLError(
                problem=f'key {twice[0]!r} stands twice', problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


#: A config for every protocol, or one for each.
Configs = str | dict[str, str]

#: What a study sets itself in each training: an option that said otherwise would break how it
#: counts, resumes or scores.
_OWN = (
    'train_cfg.max_epochs',
    'param_scheduler',
    'train_dataloader.batch_size',
    'randomness.seed',
    'work_dir',
    'resume',
)
#: What makes two cells differ besides their seed.
AXES = ('backbone', 'strategy', 'protocol', 'label_fraction')


@dataclass(frozen=True)
class Protocol:
    """Which tiles train and which are scored.

    Attributes:
        name: of the protocol.
        train_file: split file of the tiles that train, and pre-train.
        score_file: split file of the tiles that `mim test` scores.
        train_ids: ids in the first.
        score_ids: ids in the second.
        detect_options: of every detector, `--cfg-options` key -> value.
        pretrain_options: of every pre-training.
        show_tiles: whether the report may show them; it may not where their licence does not let it
            be published.
    """

    name: str
    train_file: str
    score_file: str
    train_ids: tuple[str, ...]
    score_ids: tuple[str, ...]
    detect_options: Options
    pretrain_options: Options
    show_tiles: bool = True


@dataclass(frozen=True)
class Schedule:
    """How long a training is.

    Attributes:
        epochs: in all.
        batch_size: tiles a step.
        warmup: epochs among them, at least 1, as in every config of ours.
        options: more `--cfg-options`.
    """

    epochs: int
    batch_size: int
    warmup: int
    options: Options


@dataclass(frozen=True)
class Pretraining:
    """One pre-training; in its options `{previous}` stands for the work dir of the one before it.

    Attributes:
        configs: of MMPretrain.
        schedule: of the training.
        each_seed: train it anew for each seed; otherwise all seeds share one.
        labelled: it learns from labels, and so sees those of the cell's label fraction alone.
    """

    configs: Configs
    schedule: Schedule
    each_seed: bool
    labelled: bool = False


@dataclass(frozen=True)
class Strategy:
    """How a backbone gets its weights before the detector is trained.

    Attributes:
        pretrain: trainings in their order, the detector starts from the last; none where the
            config's own start counts.
        options: of the detector.
    """

    pretrain: tuple[Pretraining, ...]
    options: Options


@dataclass(frozen=True)
class Backbone:
    """One backbone, its detection configs and its strategies.

    Attributes:
        configs: of MMDetection.
        options: of its detectors.
        strategies: name -> strategy.
    """

    configs: Configs
    options: Options
    strategies: dict[str, Strategy]


@dataclass(frozen=True)
class Comparison:
    """A claim of the study: cells with `of` against the same cells with `over` in its place.

    Axis -> value.
    """

    of: dict[str, Any]
    over: dict[str, Any]


@dataclass(frozen=True)
class Specification:
    """All that `study.yaml` says.

    Attributes:
        name: of the study.
        root: folder of all its work dirs.
        seeds: of the detectors.
        label_fractions: shares of the training tiles, in (0, 1].
        detect: schedule of every detector.
        protocols: name -> protocol.
        backbones: name -> backbone.
        compare: what is claimed.
    """

    name: str
    root: Path
    seeds: tuple[int, ...]
    label_fractions: tuple[float, ...]
    detect: Schedule
    protocols: dict[str, Protocol]
    backbones: dict[str, Backbone]
    compare: tuple[Comparison, ...]


def read(path: str | Path) -> Specification:
    """Read and check a study.

    The files that it names are looked for from the current folder, as `mim` does.

    Args:
        path: of the YAML file.

    Raises:
        MissingPathError: no such file, or one that it names is missing.
        ConfigError: not YAML, or a key that is missing, unknown or of no meaning.
        SplitOverlapError: a tile of a protocol trains and is scored.
    """
    path = Path(path)
    _require_file(path, 'study', path)
    try:
        content = yaml.load(path.read_text(encoding='utf-8'), _UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        got = repr(' '.join(str(error).split()))
        raise ConfigError.mismatch('study', 'be YAML', got, path, 'Correct that line') from error
    top = Section(path, '', {}).section('study', content)
    top.key = ''
    protocols = {
        name: _protocol(name, section) for name, section in top.sections('protocols').items()
    }
    specification = Specification(
        name=top.take('name', str, required=True),
        root=Path(top.take('work_dir', str, f'work_dirs/studies/{path.stem}')),
        seeds=_numbers(top, 'seeds', int, [0]),
        label_fractions=_numbers(top, 'label_fractions', (int, float), [1.0]),
        detect=_schedule(
            top.section('detect', top.take('detect', dict, required=True)), closed=True
        ),
        protocols=protocols,
        backbones={
            name: _backbone(section, protocols)
            for name, section in top.sections('backbones').items()
        },
        compare=tuple(
            _comparison(top, index, each)
            for index, each in enumerate(top.take('compare', list, []))
        ),
    )
    top.closed()
    if not all(0 < fraction <= 1 for fraction in specification.label_fractions):
        raise top.fault(
            'label_fractions',
            'lie in (0, 1]',
            list(specification.label_fractions),
            'Write shares, such as 0.1',
        )
    if not all(0 <= seed < 2**32 for seed in specification.seeds):
        raise top.fault(
            'seeds', 'lie in [0, 2^32)', list(specification.seeds), 'Write small whole numbers'
        )
    return specification


def _protocol(name: str, section: Section) -> Protocol:
    files = [section.take(key, str, required=True) for key in ('train_ids', 'score_ids')]
    train_ids, score_ids = (_ids(section, file) for file in files)
    options = [_options(section, key) for key in ('detect_options', 'pretrain_options')]
    show_tiles = section.take('show_tiles', bool, True)
    section.closed()
    both = sorted({*train_ids} & {*score_ids})
    if both:
        got = f'{len(both)} that do both, such as {both[:3]}'
        raise SplitOverlapError.mismatch(
            section.key, 'train on other tiles than it scores', got, section.path, 'Split them'
        )
    return Protocol(
        name, files[0], files[1], train_ids, score_ids, options[0], options[1], show_tiles
    )


def _ids(section: Section, file: str) -> tuple[str, ...]:
    _require_file(Path(file), section.key, section.path)
    try:
        lines = [
            line.split('#')[0].strip()
            for line in Path(file).read_text(encoding='utf-8').splitlines()
        ]
    except UnicodeDecodeError as error:
        raise section.fault(
            'train_ids or score_ids', 'be text in UTF-8', f'{file}: {error}', 'Correct it'
        ) from error
    ids = [line for line in lines if line]
    if not ids or len({*ids}) != len(ids):
        got = f'{file} with ' + ('a tile twice' if ids else 'no tile')
        raise section.fault(
            'train_ids or score_ids',
            'name at least one tile and none twice',
            got,
            'Correct its lines',
        )
    return tuple(ids)


def _schedule(section: Section, closed: bool = False) -> Schedule:
    epochs, batch_size = (section.take(key, int, required=True) for key in ('epochs', 'batch_size'))
    warmup = section.take('warmup', int, 1)
    options = _options(section, 'options')
    if closed:
        section.closed()
    if batch_size < 1:
        raise section.fault('batch_size', 'be at least 1', batch_size, 'Correct it')
    if not 1 <= warmup < epochs:
        raise section.fault(
            'warmup',
            f'be at least 1 and below the {epochs} epochs',
            warmup,
            'Change one of the two',
        )
    return Schedule(epochs, batch_size, warmup, options)


def _backbone(section: Section, protocols: Mapping[str, Protocol]) -> Backbone:
    backbone = Backbone(
        configs=_configs(section, protocols),
        options=_options(section, 'options'),
        strategies={
            name: _strategy(each, protocols)
            for name, each in section.sections('strategies').items()
        },
    )
    section.closed()
    return backbone


def _strategy(section: Section, protocols: Mapping[str, Protocol]) -> Strategy:
    entries = enumerate(section.take('pretrain', list, []))
    pretrain = tuple(
        _pretraining(section.section(f'pretrain.{index}', entry), protocols)
        for index, entry in entries
    )
    for key, value in pretrain[0].schedule.options.items() if pretrain else ():
        if '{previous}' in str(value):
            raise section.fault(
                'pretrain.0.options',
                'not name {previous}',
                f'{key}: {value}',
                'Write the training before it first',
            )
    options = _options(section, 'options')
    section.closed()
    return Strategy(pretrain, options)


def _pretraining(section: Section, protocols: Mapping[str, Protocol]) -> Pretraining:
    flags = [section.take(key, bool, False) for key in ('each_seed', 'labelled')]
    found = Pretraining(_configs(section, protocols), _schedule(section), *flags)
    section.closed()
    return found


def _configs(section: Section, protocols: Mapping[str, Protocol]) -> Configs:
    found: Configs = section.take('config', (str, dict), required=True)
    unknown = [] if isinstance(found, str) else [name for name in found if name not in protocols]
    if unknown or not found:
        raise section.fault(
            'config', f'be for protocols of {list(protocols)}', unknown or 'nothing', 'Name those'
        )
    for file in [found] if isinstance(found, str) else found.values():
        _require_file(Path(str(file)), section.named('config'), section.path)
    return found


def _comparison(top: Section, index: int, content: Any) -> Comparison:
    section = top.section(f'compare.{index}', content)
    of, over = (section.take(key, dict, required=True) for key in ('of', 'over'))
    section.closed()
    strange = [axis for axis in (*of, *over) if axis not in AXES]
    if strange or not over or not {*over} <= {*of}:
        got = f'of {of}, over {over}'
        raise section.fault(
            'over',
            f'replace axes of {AXES} that `of` names',
            got,
            'Write the axis that differs in both',
        )
    if any(isinstance(value, list | dict) for value in (*of.values(), *over.values())):
        raise section.fault(
            'of', 'give each axis one value', f'of {of}, over {over}', 'Write one claim a line'
        )
    if 'protocol' in over:
        remedy = 'Compare within one protocol: only there the tiles are the same'
        raise section.fault('over', 'leave the protocol as it is', over, remedy)
    return Comparison(of, over)


def _options(section: Section, key: str) -> Options:
    options = {str(name): value for name, value in section.take(key, dict, {}).items()}
    for name, value in options.items():
        if any(name == own or name.startswith(f'{own}.') for own in _OWN):
            raise section.fault(
                key, f'leave {name} to the study', value, 'Use epochs, batch_size, warmup and seeds'
            )
        if name.endswith('split_file') and not isinstance(value, str):
            raise section.fault(
                f'{key}.{name}', 'be a path', repr(value), 'Name a file of tile ids'
            )
        if isinstance(value, dict) or (isinstance(value, str) and set(value) & set(',()[]\'"')):
            remedy = 'Write dotted keys and plain values: --cfg-options reads anything else as a list or text'
            raise section.fault(f'{key}.{name}', 'be a plain value', repr(value), remedy)
    return options


def _numbers(
    top: Section, key: str, kinds: type | tuple[type, ...], default: list[Any]
) -> tuple[Any, ...]:
    values = top.take(key, list, default)
    sound = all(isinstance(value, kinds) and not isinstance(value, bool) for value in values)
    if not values or not sound or len({*values}) != len(values):
        raise top.fault(
            key, 'be a list of different numbers', values, 'Write at least one, none twice'
        )
    return tuple(values)


def _require_file(path: Path, subject: str, where: Path) -> None:
    if not path.is_file():
        expected = 'be a file' if path == where else f'name the file {path}'
        remedy = 'Check the path, which counts from the folder where you run this'
        raise MissingPathError.mismatch(subject, expected, 'nothing', where, remedy)
