import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmlandslide.engine.checkpoints import plain, restore_history


@pytest.mark.parametrize(
    ('value', 'wanted'),
    [
        (np.float64(1.5), 1.5),
        (np.int32(4), 4),
        (np.bool_(True), True),
        (('a', [np.float32(0.5)], None), ('a', [0.5], None)),
        ({3: {'x': {1}}}, {3: {'x': [1]}}),
        (True, True),
        ('text', 'text'),
    ],
)
def test_values_become_plain(value, wanted):
    found = plain(value)
    assert found == wanted
    assert type(found) is type(wanted)


def test_arrays_become_tensors_and_tensors_stay():
    tensor = torch.ones(2)
    assert plain({'t': tensor})['t'] is tensor
    assert torch.equal(plain(np.array([[1, 2]])), torch.tensor([[1, 2]]))


def test_what_has_no_plain_form_is_refused():
    with pytest.raises(TypeError, match='function has no plain form'):
        plain({'hook': plain})


def test_a_logged_history_survives_as_tensors():
    history = HistoryBuffer([1.5, 2.5, 4.5], [1, 1, 2])
    hub = {'log_scalars': {'loss': plain(history)}, 'runtime_info': {}}
    assert all(isinstance(value, torch.Tensor) for value in hub['log_scalars']['loss'].values())
    restore_history(hub)
    restored = hub['log_scalars']['loss']
    assert isinstance(restored, HistoryBuffer)
    assert [part.tolist() for part in restored.data] == [[1.5, 2.5, 4.5], [1, 1, 2]]
    assert restored.mean() == pytest.approx(
        (1.5 + 2.5 + 4.5) / 4
    )  # mmengine divides the values' sum by the counts' sum


def test_a_hub_that_mmengine_wrote_is_left_alone():
    history = HistoryBuffer([1.0], [1])
    hub = {'log_scalars': {'loss': history}}
    restore_history(hub)
    restore_history({})
    assert hub['log_scalars']['loss'] is history
