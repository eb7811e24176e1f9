import pytest
import torch
from hypothesis import settings

# The same examples in every run, and no deadline on a busy machine; `--hypothesis-profile=default`
# looks for new ones.
settings.register_profile('steady', derandomize=True, deadline=None)
settings.load_profile('steady')


@pytest.fixture(autouse=True, scope='session')
def one_thread():
    """Threads gain nothing on models this small and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
