import hashlib
import json

import pytest

from mmlandslide import zoo
from mmlandslide.errors import CheckpointError, ConfigError, MissingPathError
from mmlandslide.weights.references import resolve
from mmlandslide.zoo import hub, stac_item
from mmlandslide.zoo.card import page

SCORE = {'value': 0.243, 'interval': [0.212, 0.274]}
CARD = {
    'name': 'tiny',
    'title': 'A tiny detector.',
    'bands': ['R', 'G', 'B'],
    'input': '224 x 224 px',
    'window_px': 224,
    'protocol': {
        'name': 'study',
        'scored_on': 'valid',
        'leaking': True,
        'meaning': 'Its tiles touch.',
        'intervals': '95 %',
    },
    'scores': {'AP50': SCORE, 'AP': SCORE, 'tiles': 309, 'boxes': 1338},
    'training': {'tiles': '1440 tiles'},
    'data_licence': 'None stated.',
    'limits': ['It is tiny.'],
    'commands': ['mmlandslide study x.yaml --publish zoo'],
    'created': '2026-11-28',
}


def shelve(folder, **changes):
    folder.mkdir(parents=True)
    files = {'model.onnx': b'graph', 'model.safetensors': b'weights'}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    shas = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    card = {**CARD, 'files': shas, **changes}
    (folder / 'card.json').write_text(json.dumps(card))
    (folder / 'card.md').write_text(page(card))
    (folder / 'item.json').write_text(json.dumps(stac_item.item(card)))
    return folder


def test_a_model_is_found_by_its_name_and_by_its_folder(tmp_path):
    folder = shelve(tmp_path / 'tiny')
    assert zoo.find('tiny', tmp_path).onnx == folder / 'model.onnx'
    assert zoo.find('zoo://tiny', tmp_path).safetensors == folder / 'model.safetensors'
    assert zoo.find(str(folder)).name == 'tiny'


def test_another_name_is_refused_with_the_names_that_there_are(tmp_path):
    shelve(tmp_path / 'tiny')
    with pytest.raises(ConfigError, match=r"be one of \['tiny'\] or a folder.*got 'huge'"):
        zoo.find('huge', tmp_path)


def test_a_file_that_does_not_fit_its_card_is_refused(tmp_path):
    folder = shelve(tmp_path / 'tiny')
    (folder / 'model.onnx').write_bytes(b'another graph')
    with pytest.raises(CheckpointError, match=r'model\.onnx must have the SHA-256'):
        _ = zoo.find('tiny', tmp_path).onnx


@pytest.mark.parametrize('text', ['{', '[]', '{"name": "x"}', '"' * 3])
def test_a_card_that_is_none_is_refused(tmp_path, text):
    folder = shelve(tmp_path / 'tiny')
    (folder / 'card.json').write_text(text)
    with pytest.raises(CheckpointError, match=r'card must .* in .*card\.json'):
        zoo.open_folder(folder)


def test_a_folder_without_card_is_refused(tmp_path):
    with pytest.raises(MissingPathError, match=r'have a card\.json, got none'):
        zoo.open_folder(tmp_path)


def test_a_card_says_leaking_beside_its_score_and_gives_the_interval():
    text = page({**CARD, 'files': {}})
    assert 'Protocol: study, leaking.' in text
    assert '.243 [.212, .274]' in text


def test_a_model_goes_to_a_folder_and_back(tmp_path):
    model = zoo.open_folder(shelve(tmp_path / 'tiny'))
    (tmp_path / 'hub').mkdir()
    hub.push(model, str(tmp_path / 'hub'))
    back = hub.pull(str(tmp_path / 'hub'), tmp_path / 'back')
    assert back.card == model.card
    assert sorted(p.name for p in back.folder.iterdir()) == sorted(
        p.name for p in model.folder.iterdir()
    )


def test_what_does_not_fit_its_card_is_not_kept_after_fetching(tmp_path):
    folder = shelve(tmp_path / 'tiny')
    (folder / 'model.safetensors').write_bytes(b'other weights')
    with pytest.raises(CheckpointError, match='SHA-256'):
        hub.pull(str(folder), tmp_path / 'back')
    assert [path.name for path in tmp_path.iterdir()] == ['tiny']


def test_the_item_is_one_of_the_machine_learning_model_extension():
    mlm = pytest.importorskip('pystac.extensions.mlm')
    import pystac

    item = pystac.Item.from_dict(stac_item.item({**CARD, 'files': {}}))
    found = mlm.MLMExtension.ext(item)
    assert (found.mlm_name, [str(getattr(task, 'value', task)) for task in found.tasks]) == (
        'tiny',
        ['object-detection'],
    )
    assert found.input[0].input.shape == [-1, 3, 224, 224]
    assert item.datetime.year == 2026


@pytest.mark.parametrize('name', zoo.names())
def test_each_shipped_model_fits_its_card_and_is_small(name):
    model = zoo.find(name)
    assert model.name == name
    for path in (model.onnx, model.safetensors):
        assert path.stat().st_size < 15e6
    assert (model.folder / 'card.md').read_text() == page(model.card)
    assert resolve(f'zoo://{name}') == model.safetensors
