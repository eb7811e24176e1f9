import torch

from mmlandslide.weights.sources.keymap import KeyMap
from mmlandslide.weights.transfer.layout import translate

PLAIN = KeyMap('nobody', ())


def test_query_key_and_value_are_joined_in_that_order():
    state = {
        f'attn.{part}.weight': torch.full((2, 2), value)
        for part, value in (('v', 3.0), ('q', 1.0), ('k', 2.0))
    }
    found = translate(state, PLAIN).found
    assert list(found) == ['attn.qkv.weight']
    assert found['attn.qkv.weight'][:, 0].tolist() == [1, 1, 2, 2, 3, 3]


def test_a_query_without_its_value_stays_apart():
    state = {f'attn.{part}.bias': torch.ones(2) for part in 'qk'}
    assert list(translate(state, PLAIN).found) == ['attn.q.bias', 'attn.k.bias']


def test_merging_becomes_channel_major():
    # Two channels at (0,0) (1,0) (0,1) (1,1), as 10 * place + channel; ours has each channel's
    # (0,0) (0,1) (1,0) (1,1).
    value = torch.tensor([0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0])
    found = translate(
        {'stages.0.downsample.norm.weight': value}, KeyMap('nobody', (), merging=True)
    ).found
    assert found['stages.0.downsample.norm.weight'].tolist() == [0, 20, 10, 30, 1, 21, 11, 31]


def test_clips_tokens_get_the_axis_of_the_batch():
    found = translate({'cls_token': torch.ones(8), 'pos_embed': torch.ones(5, 8)}, PLAIN).found
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        'cls_token': (1, 1, 8),
        'pos_embed': (1, 5, 8),
    }


def test_every_foreign_key_is_accounted_for():
    keymap = KeyMap('nobody', (), ((r'a\.', 'c.'), (r'b\.', 'c.')), (r'head\.',))
    result = translate(
        {'a.x': torch.ones(1), 'b.x': torch.zeros(1), 'head.x': torch.ones(1), 'y': torch.ones(1)},
        keymap,
    )
    assert (list(result.found), result.clashing, result.dropped) == (
        ['c.x', 'y'],
        ['b.x'],
        ['head.x'],
    )
    assert result.found['c.x'] == 1


def test_a_table_comes_apart_into_the_rows_that_ours_holds_apart():
    keymap, table = (
        KeyMap('nobody', (), rows={'codes': ('a.code', 'b.code')}),
        torch.arange(6.0).view(1, 2, 3),
    )
    found = translate({'codes': table}, keymap).found
    assert {name: value.tolist() for name, value in found.items()} == {
        'a.code': [[[0, 1, 2]]],
        'b.code': [[[3, 4, 5]]],
    }
    assert list(translate({'codes': table[:, :1]}, keymap).found) == ['codes']


def test_a_tensor_of_another_kind_under_a_merging_norms_name_stays_as_it_is():
    kernel = torch.randn(8, 4, 1, 1)
    found = translate(
        {'layer2.0.downsample.0.weight': kernel}, KeyMap('nobody', (), merging=True)
    ).found
    assert torch.equal(found['layer2.0.downsample.0.weight'], kernel)
