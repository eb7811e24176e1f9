import math

import pytest
import torch

from mmlandslide.errors import CheckpointError, CheckpointMismatchError, ConfigError
from mmlandslide.models.preprocessors import TilePreprocessor
from mmlandslide.weights import gate

BANDS = ('B4', 'B3', 'B2')


class Model(torch.nn.Module):
    def __init__(self, bands=BANDS, **options):
        super().__init__()
        self.backbone = torch.nn.Linear(1, 1)
        self.backbone.bands = bands
        self.data_preprocessor = TilePreprocessor(bands, **options)


def terms(bands=BANDS, zoom=2.0, classes=('landslide',), **options):
    return gate.terms_of(Model(bands, **options), zoom, classes)


def write(path, own, value=1.0):
    state = {'backbone.weight': torch.full((1, 1), value), 'backbone.bias': torch.ones(1)}
    torch.save({'state_dict': state, 'meta': {'mmlandslide': own}}, path)
    return path


OWN = {'version': '0.0.1', 'tile_ids': ['l:1'], **terms()}


def test_a_checkpoint_of_the_same_terms_passes_without_a_word(tmp_path):
    content, record, notes = gate.admit(write(tmp_path / 'a.pth', OWN), terms())
    assert (record['bands'], notes) == (list(BANDS), [])
    assert set(content) == {'state_dict', 'meta'}


OTHER = {
    'bands': {'bands': ['B2', 'B3', 'B4'], 'units': None},
    'units': {'units': ['1e-4 top-of-atmosphere reflectance / 1'] * 3},
    'statistics': {'statistics': {'mean': [0.0] * 3, 'std': [1.0] * 3, 'clip_std': None}},
    'input_zoom': {'input_zoom': 1.0},
    'classes': {'classes': ['crater']},
}


@pytest.mark.parametrize('name', OTHER)
@pytest.mark.parametrize('purpose', [gate.TEST, gate.RESUME, gate.START])
def test_other_terms_are_refused_or_told_and_taken_by_name(tmp_path, name, purpose):
    path = write(tmp_path / 'a.pth', {**OWN, **OTHER[name]})
    harmless = (
        name
        in {
            gate.TEST: (),
            gate.RESUME: ('input_zoom',),
            gate.START: ('statistics', 'input_zoom', 'classes'),
        }[purpose]
    )
    if harmless:
        assert gate.TERMS[name][4:] in gate.admit(path, terms(), purpose)[2][0]
    else:
        with pytest.raises(CheckpointMismatchError, match=rf"accept_checkpoint=\['{name}'\]"):
            gate.admit(path, terms(), purpose)
    notes = gate.admit(path, terms(), purpose, accept=[name])[2]
    assert any(note.startswith('checkpoint states other') for note in notes)


def test_without_the_comparison_other_terms_pass_in_silence(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, '_differing', lambda record, terms: ())
    for name, other in OTHER.items():
        path = write(tmp_path / f'{name}.pth', {**OWN, **other})
        assert not any('other' in note for note in gate.admit(path, terms())[2])


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('purpose', [gate.TEST, gate.RESUME, gate.START])
def test_values_that_are_not_finite_are_refused_for_every_purpose(tmp_path, value, purpose):
    path = write(tmp_path / 'a.pth', OWN, value)
    with pytest.raises(CheckpointError, match=r"weights must be finite.*\['backbone\.weight'\]"):
        gate.admit(path, terms(), purpose)


def test_without_the_check_values_that_are_not_finite_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, 'require_finite', lambda *_: None)
    gate.admit(write(tmp_path / 'a.pth', OWN, math.nan), terms())


@pytest.mark.parametrize('part', ['optimizer', 'ema_state_dict'])
def test_a_moment_or_average_that_is_not_finite_is_refused(tmp_path, part):
    path = write(tmp_path / 'a.pth', OWN)
    content = torch.load(path, weights_only=True)
    torch.save({**content, part: {'state': {0: {'exp_avg': torch.tensor([math.inf])}}}}, path)
    with pytest.raises(CheckpointError, match=rf"\['{part}\.state\.0\.exp_avg'\]"):
        gate.admit(path, terms(), gate.RESUME)


def test_a_logged_score_may_be_no_number(tmp_path):
    path = write(tmp_path / 'a.pth', OWN)
    content = torch.load(path, weights_only=True)
    torch.save({**content, 'message_hub': {'AP': torch.tensor([math.nan])}}, path)
    gate.admit(path, terms())


def test_an_older_record_says_what_it_cannot_tell(tmp_path):
    own = {'version': '0.0.1', 'bands': list(BANDS), 'tile_ids': []}
    notes = gate.admit(write(tmp_path / 'a.pth', own), terms())[2]
    assert len(notes) == 1
    assert 'does not state units, statistics, input_zoom, classes: not compared' in notes[0]


def test_a_foreign_file_says_that_its_tiles_are_not_known(tmp_path):
    torch.save({'backbone.weight': torch.ones(1)}, tmp_path / 'a.pth')
    [note] = gate.admit(tmp_path / 'a.pth', terms())[2]
    assert 'of other origin and does not state bands' in note
    assert 'tile_ids: not compared' in note


@pytest.mark.parametrize('version', ['99.0', 'newest'])
def test_a_later_version_is_told(tmp_path, version):
    notes = gate.admit(write(tmp_path / 'a.pth', {**OWN, 'version': version}), terms())[2]
    assert f'is of mmlandslide {version}' in notes[0]


def test_without_the_two_notes_an_older_or_later_record_passes_in_silence(tmp_path, monkeypatch):
    for name in ('_silent', '_newer'):
        monkeypatch.setattr(gate, name, lambda *_: [])
    for own in ({'bands': list(BANDS)}, {**OWN, 'version': '99.0'}):
        assert gate.admit(write(tmp_path / 'a.pth', own), terms())[2] == []


def test_a_record_writes_nothing_to_the_terminal(tmp_path):
    own = {**OWN, 'version': '\x1b]0;owned\x07', 'bands': ['\x1b[2J']}
    with pytest.raises(CheckpointMismatchError) as caught:
        gate.admit(write(tmp_path / 'a.pth', own), terms())
    notes = gate.admit(write(tmp_path / 'a.pth', own), terms(), accept=['bands'])[2]
    assert all(text.isprintable() for text in (*notes, str(caught.value)))
    assert any(r'mmlandslide \x1b]0;owned\x07' in note for note in notes)


def test_what_holds_itself_counts_as_not_stated(tmp_path):
    lineage, units = {'tile_ids': ['l:1']}, []
    lineage['lineage'], own = lineage, {**OWN, 'units': units, 'lineage': lineage, 'config': units}
    units.append(units)
    record = gate.admit(write(tmp_path / 'a.pth', own), terms())[1]
    assert not {'units', 'lineage', 'config'} & {*record}


def test_a_record_of_a_strange_form_counts_as_not_stated(tmp_path):
    strange = {'statistics': ['x'], 'units': 3, 'input_zoom': 'wide', 'classes': 7}
    notes = gate.admit(write(tmp_path / 'a.pth', {**OWN, **strange}), terms())[2]
    assert 'does not state units, statistics, input_zoom' in notes[0]


def test_a_wrong_name_of_a_term_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"accept_checkpoint must name some of \['bands', "):
        gate.admit(write(tmp_path / 'a.pth', OWN), terms(), accept=['colour'])
