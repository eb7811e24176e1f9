import pytest
import torch
from safetensors.torch import save_file

from mmlandslide.weights.lineage import inherited, record, stated, tiles_seen


def test_the_record_of_a_foreign_checkpoint_is_empty():
    for checkpoint in ({}, {'meta': None}, {'meta': {}}, {'meta': {'mmlandslide': 'text'}}):
        assert record(checkpoint) == {}
    assert record({'meta': {'mmlandslide': {'bands': ['B2']}}}) == {'bands': ['B2']}


def test_tiles_seen_are_those_of_training_and_pretraining():
    assert tiles_seen({'tile_ids': ['a', 'b'], 'lineage': {'tile_ids': ['b', 'c']}}) == {
        'a',
        'b',
        'c',
    }
    assert tiles_seen({}) == set()


@pytest.mark.parametrize('hostile', ['text', 5, None, {'a': 1}, [1, ['x']]])
def test_what_our_runner_would_not_write_counts_as_not_stated(hostile):
    own = record(
        {'meta': {'mmlandslide': {'tile_ids': hostile, 'lineage': hostile, 'config': 'a.py'}}}
    )
    nested = record({'meta': {'mmlandslide': {'lineage': {'tile_ids': hostile}}}})
    assert isinstance(own['lineage'], dict)
    assert tiles_seen(own) == tiles_seen(nested) == set()
    assert inherited(own) == {'tile_ids': [], 'config': 'a.py'}


def test_a_model_inherits_the_tiles_in_order_and_the_config():
    own = {
        'tile_ids': ['b'],
        'lineage': {'tile_ids': ['c', 'a']},
        'config': 'mae.py',
        'bands': ['B2'],
    }
    assert inherited(own) == {'tile_ids': ['a', 'b', 'c'], 'config': 'mae.py'}


@pytest.mark.parametrize(
    ('metadata', 'found'),
    [
        (
            {'mmlandslide': '{"bands": ["B2"], "source": "Swin-MAE"}'},
            {'bands': ['B2'], 'source': 'Swin-MAE'},
        ),
        ({'mmlandslide': 'no JSON'}, {}),
        ({'mmlandslide': '[' * 100_000}, {}),
        ({'mmlandslide': '[1]'}, {}),
        ({'format': 'pt'}, {}),
        (None, {}),
    ],
)
def test_a_safetensors_file_states_itself_in_its_metadata(tmp_path, metadata, found):
    save_file({'a': torch.ones(1)}, tmp_path / 'a.safetensors', metadata)
    assert stated({'meta': {'mmlandslide': {'bands': ['B8']}}}, tmp_path / 'a.safetensors') == found


def test_any_other_file_states_itself_in_its_meta(tmp_path):
    assert stated({'meta': {'mmlandslide': {'bands': ['B8']}}}, tmp_path / 'a.pth') == {
        'bands': ['B8']
    }
