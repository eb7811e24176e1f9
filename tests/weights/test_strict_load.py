from pathlib import Path

import pytest
import torch

from mmlandslide.errors import CheckpointError, CheckpointMismatchError
from mmlandslide.weights.strict_load import fill

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
