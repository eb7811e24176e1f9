import pytest
import torch

from mmlandslide.devices import device_named
from mmlandslide.errors import ConfigError


@pytest.mark.parametrize('name', ['cuda:99', 'gpu'])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(ConfigError, match=f"device must be there, got '{name}'"):
        device_named(name)


def test_auto_is_a_gpu_where_there_is_one():
    assert device_named('auto').type == ('cuda' if torch.cuda.is_available() else 'cpu')
