import re

import pytest

from mmlandslide.errors import ConfigError, MissingPathError, SplitOverlapError
from mmlandslide.study.inputs import yaml_model
from mmlandslide.study.specification import read


def test_a_study_is_read_with_its_tiles_and_defaults(place):
    study = read('study.yaml')
    assert study.protocols['study'].train.ids == tuple(
        f'train/{number}' for number in range(100, 110)
    )
    assert (study.root.as_posix(), study.label_fractions, study.detect.warmup) == (
        'work_dirs/studies/study',
        (1.0,),
        1,
    )
    assert list(study.backbones['Swin-Tiny'].strategies) == ['scratch', 'MAE']
    assert study.compare[0].over == {'strategy': 'scratch'}
    assert study.protocols['study'].show_tiles


def test_a_protocol_may_keep_its_tiles_out_of_the_report(edited):
    assert (
        not read(edited(('study: {', 'study: {show_tiles: false, '))).protocols['study'].show_tiles
    )
    with pytest.raises(
        ConfigError,
        match=r"protocols.study.show_tiles must be a valid boolean, got 'no' in study.yaml",
    ):
        read(edited(('study: {', "study: {show_tiles: 'no', ")))


@pytest.mark.parametrize(
    ('replaced', 'message'),
    [
        (
            ('seeds', 'seed'),
            r"seed must be one of \['name', 'work_dir', .*got an unknown key in study.yaml",
        ),
        (
            ('seeds: [0, 1]', 'seeds: [1, 1]'),
            r'seeds must be different numbers, got \[1, 1\] in study.yaml',
        ),
        (('name: Two backbones', 'name: 2'), r'name must be a valid string, got 2 in study.yaml'),
        (
            ('epochs: 3', 'epochs: true'),
            r'detect.epochs must be a valid integer, got True in study.yaml',
        ),
        (('epochs: 3, ', ''), r'detect.epochs must be given, got nothing in study.yaml'),
        (
            ('epochs: 2', 'epochs: 1'),
            r'strategies.MAE.pretrain.0.warmup must be at least 1 and below the 1 epochs, got 1 in',
        ),
        (
            ('batch_size: 4', 'batch_size: 0'),
            r'pretrain.0.batch_size must be greater than or equal to 1, got 0 in study.yaml',
        ),
        (
            ('over: {strategy: scratch}', 'over: {seed: 1}'),
            r"compare.0.over.seed must be 'backbone', 'strategy', .*, got 'seed' in study.yaml",
        ),
        (
            ('seeds: [0, 1]', 'label_fractions: [0, 1]'),
            r'label_fractions.0 must be greater than 0, got 0 in study.yaml',
        ),
        (
            ('config: det.py', 'config: {other: det.py}'),
            r"config must be for protocols of \['study'\], got \['other'\] in",
        ),
        (
            ('config: det.py', 'config: {}'),
            r'backbones.Swin-Tiny.config must be the path of a file, got \{\} in study.yaml',
        ),
        (
            ('seeds: [0, 1]', 'seeds: [-1]'),
            r'seeds.0 must be greater than or equal to 0, got -1 in study.yaml',
        ),
        (
            ('seeds: [0, 1]', 'seeds: [0]\nseeds: [1]'),
            r'study must be YAML, got .*key .*seeds.* stands twice.* in study.yaml',
        ),
        (
            ('model.backbone.pretrained: null', 'randomness.seed: 3'),
            r'options must leave randomness.seed to the study, got 3 in',
        ),
        (
            ('model.backbone.pretrained: null', 'a.split_file: null'),
            r'options.a.split_file must be a path, got None in',
        ),
        (
            ('model.backbone.pretrained: null', 'model.x: {y: 1}'),
            r"options.model.x must be a plain value, got \{'y': 1\} in",
        ),
        (
            ('model.backbone.pretrained: null', "model.x: 'a,b'"),
            r"options.model.x must be a plain value, got 'a,b' in",
        ),
        (
            ('batch_size: 4', "batch_size: 4, options: {a: '{previous}'}"),
            r'pretrain.0.options must not name \{previous\}, got a:',
        ),
        (
            ('of: {strategy: MAE}', 'of: {strategy: [MAE]}'),
            r'compare.0.of must give each factor one value, got of ',
        ),
        (('name:', f'name: {"[" * 20000}'), r'plain YAML, got lists within lists without end in'),
        (('name:', 'name: ['), r'study must be YAML, got .*line .* in study.yaml'),
    ],
)
def test_a_fault_names_file_and_key(edited, replaced, message):
    with pytest.raises(ConfigError, match=message):
        read(edited(replaced))


def test_a_file_that_is_not_there_is_named(edited):
    with pytest.raises(
        MissingPathError,
        match=re.escape('config must name the file none.py, got nothing in study.yaml'),
    ):
        read(edited(('mae.py', 'none.py')))
    with pytest.raises(MissingPathError, match=r'study must be a file, got nothing in none.yaml'):
        read('none.yaml')


def test_a_tile_that_trains_and_is_scored_is_refused(place):
    (place / 'score.txt').write_text('train/3\ntrain/105\n')
    with pytest.raises(
        SplitOverlapError, match=r"got 1 that do both, such as \['train/105'\] in study.yaml"
    ):
        read('study.yaml')


@pytest.mark.parametrize(
    ('text', 'got'),
    [
        (b'# none\n', 'got no tile in train.txt'),
        (b'train/1\ntrain/1\n', 'got a tile twice: .* in train.txt'),
        (b'\xff', r'be UTF-8 text, got .*decode.* in train.txt'),
    ],
)
def test_a_split_file_that_is_no_list_of_tiles_is_refused(place, text, got):
    (place / 'train.txt').write_bytes(text)
    with pytest.raises(
        ConfigError,
        match=rf'protocols.study.train_ids must be a list of tile ids, got .*{got}.* in study.yaml',
    ):
        read('study.yaml')


@pytest.mark.parametrize(
    'text', ['[' * 20000, 'name: &a [*a]\n', 'name: A\nseeds: &a [*a]\n', 'name: {' * 3000]
)
def test_brackets_without_end_are_one_error(place, text):
    (place / 'study.yaml').write_text(text)
    with pytest.raises(ConfigError, match=r'in study.yaml') as caught:
        read('study.yaml')
    assert '\n' not in str(caught.value)


def aliases(merged):
    """Return YAML whose last value holds the first 9 to the 11th times."""
    pattern = '{{<<: [{}]}}' if merged else '[{}]'
    lines = [f'a{n}: &a{n} ' + pattern.format(', '.join([f'*a{n - 1}'] * 9)) for n in range(1, 12)]
    return '\n'.join(['a0: &a0 {x: 1}', *lines, 'name: *a11', ''])


@pytest.mark.parametrize('merged', [False, True])
def test_aliases_of_aliases_are_refused_before_they_are_written_out(place, merged):
    (place / 'study.yaml').write_text(aliases(merged))
    with pytest.raises(ConfigError, match=r'YAML, got .more than 100000 values .* in study.yaml'):
        read('study.yaml')


@pytest.mark.parametrize('text', [r'\uD800', r'\0', r'\e[2J', r'\u202Egpj.exe'])
def test_characters_that_are_no_text_are_refused_before_anything_runs(edited, text):
    with pytest.raises(ConfigError, match=r'YAML, got .character .* in a text .* in study.yaml'):
        read(edited(('name: Two backbones', f'name: "{text}"')))


def test_a_study_of_a_megabyte_is_refused(place):
    (place / 'study.yaml').write_text('a: 1\n' * 200_000)
    with pytest.raises(ConfigError, match=r'YAML, got .more than 524288 characters. in study.yaml'):
        read('study.yaml')


def test_without_the_catch_brackets_without_end_are_a_traceback(place, monkeypatch):
    monkeypatch.setattr(yaml_model, 'RecursionError', KeyError, raising=False)
    (place / 'study.yaml').write_text('[' * 20000)
    with pytest.raises(RecursionError):
        read('study.yaml')


def test_an_option_that_holds_itself_is_refused(edited):
    with pytest.raises(
        ConfigError, match=r'be plain YAML, got lists within lists .* in study.yaml'
    ):
        read(edited(('model.backbone.pretrained: null', 'model.x: &a [*a]')))
