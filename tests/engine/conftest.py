import sys

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Keep what a runner sets for the whole process."""
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield
