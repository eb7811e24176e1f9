from mmlandslide.weights.transfer.report import TransferReport

# 1000 values: 600 matched, 200 resized, 100 widened, 100 missing; 24 more are new by design and
# count nowhere.
NUMEL = {'a': 400, 'b': 200, 'c': 200, 'd': 100, 'e': 100, 'norm0.weight': 24}
FATE = {
    'a': 'matched',
    'b': 'matched',
    'c': 'resized',
    'd': 'widened',
    'e': 'missing',
    'norm0.weight': 'new by design',
}


def report(**changes):
    return TransferReport('torchvision Swin', 'swin.pth', NUMEL, {**FATE, **changes})


def test_shares_are_of_values_without_those_new_by_design():
    found = report()
    assert found.total == 1000
    assert [found.share(status) for status in ('matched', 'resized', 'widened', 'missing')] == [
        0.6,
        0.2,
        0.1,
        0.1,
    ]
    assert found.carried == 0.9


def test_names_come_in_the_order_of_the_backbone():
    assert report(c='matched').names('matched') == ['a', 'b', 'c']


def test_a_parameter_without_a_status_is_carried_by_nobody():
    assert TransferReport('x', 'y', {'a': 3}).carried == 0


def test_the_text_states_every_count_and_share():
    lines = report().render().splitlines()
    assert (
        lines[0]
        == 'Weights from swin.pth (torchvision Swin): 90.00% of 1,000 backbone values carried over'
    )
    assert [line.split()[:4] for line in lines[1:5]] == [
        ['matched', '2', 'parameters', '60.00%'],
        ['resized', '1', 'parameters', '20.00%'],
        ['widened', '1', 'parameters', '10.00%'],
        ['missing', '1', 'parameters', '10.00%'],
    ]
    assert '(e)' in lines[4]
    assert '(norm0.weight)' in lines[5]


def test_long_lists_are_cut_and_counted():
    found = report()
    found.unexpected = [f'head.{index}' for index in range(9)]
    found.dropped, found.spare = ['mask_token'], ['norm0.weight']
    found.wrong_shape = {'e': 'checkpoint (3,), backbone (4,)'}
    text = found.render()
    assert 'dropped          1 keys of the checkpoint  (mask_token)' in text
    assert 'spare            1 keys of the checkpoint  (norm0.weight)' in text
    assert (
        '9 keys of the checkpoint  (head.0, head.1, head.2, head.3, head.4, head.5 and 3 more)'
        in text
    )
    assert 'wrong shape   e: checkpoint (3,), backbone (4,)' in text
