from pathlib import Path

import pytest
import torch

from mmlandslide.errors import CheckpointError, CheckpointMismatchError, ConfigError
from mmlandslide.weights.strict_load import fill, fill_but

HERE = Path('a.pth')


def state():
    return {'weight': torch.full((1, 2), 3.0), 'bias': torch.full((1,), 4.0)}


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_a_state_that_fits_fills_the_model(prefix):
    model = torch.nn.Linear(2, 1)
    fill(model, {prefix + key: value for key, value in state().items()}, HERE)
    assert model.weight.tolist() == [[3, 3]]
    assert model.bias.tolist() == [4]


@pytest.mark.parametrize(
    ('change', 'found'),
    [
        (lambda each: each.pop('bias'), r"1 keys missing \['bias'\], 0 unexpected"),
        (
            lambda each: each.update(scale=torch.ones(1)),
            r"0 keys missing \[\], 1 unexpected \['scale'\]",
        ),
        (lambda each: each.update(bias=torch.ones(2)), r"1 of another shape \['bias'\]"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_filled(change, found):
    model, other = torch.nn.Linear(2, 1), state()
    before = model.weight.tolist()
    change(other)
    with pytest.raises(
        CheckpointMismatchError,
        match=rf'the file must fill the model exactly, got .*{found}.* in a\.pth\. Do\.',
    ):
        fill(model, other, HERE, 'the file', 'Do')
    assert model.weight.tolist() == before


@pytest.mark.parametrize('held', ['heavy', {'weight': 'heavy'}])
def test_what_holds_no_tensors_is_refused(held):
    with pytest.raises(CheckpointError, match='hold the tensors of a model'):
        fill(torch.nn.Linear(2, 1), held, HERE)


def model_of(classes):
    """Return a model of a trunk and a head of so many classes."""
    parts = {'trunk': torch.nn.Linear(2, 2), 'head': torch.nn.Linear(2, classes)}
    return torch.nn.ModuleDict(parts)


def test_other_classes_take_what_fits_and_say_what_stays_random():
    trained, model = model_of(1), model_of(3)
    head = model['head'].weight.tolist()
    assert fill_but(model, trained.state_dict(), HERE, ['head']) == ['head.weight', 'head.bias']
    assert model['trunk'].weight.tolist() == trained['trunk'].weight.tolist()
    assert model['head'].weight.tolist() == head


def test_an_allowed_part_that_fits_is_taken():
    trained, model = model_of(3), model_of(3)
    assert fill_but(model, trained.state_dict(), HERE, 'head') == []
    assert model['head'].weight.tolist() == trained['head'].weight.tolist()


def test_what_does_not_fit_is_refused_where_it_is_not_named_and_the_remedy_leads_out():
    trained, model = model_of(1), model_of(3)
    with pytest.raises(CheckpointMismatchError, match=r'start_random=\[head\]') as caught:
        fill(model, trained.state_dict(), HERE)
    assert '2 of another shape' in str(caught.value)
    with pytest.raises(CheckpointMismatchError, match=r"fill the model but for \['trunk'\]"):
        fill_but(model, trained.state_dict(), HERE, ['trunk'])


def test_a_part_that_the_model_lacks_is_refused():
    with pytest.raises(
        ConfigError, match="start_random must name modules of the model, got 'haed'"
    ):
        fill_but(model_of(3), model_of(1).state_dict(), HERE, ['haed'])
