import pytest
import torch


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """Threads gain nothing on models this small and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
