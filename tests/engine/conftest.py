import sys

import factories
import pytest
from mmengine.registry import DefaultScope
from small_runs import train


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    """Keep what a runner sets for the whole process."""
    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    counts = {'train': 6, 'validation': 2, 'test': 2}
    return factories.write_dataset(tmp_path_factory.mktemp('data') / 'l4s', counts, size_px=32)


@pytest.fixture(scope='module')
def trained(data_root, tmp_path_factory):
    """Return the work dir of a training of three epochs."""
    work_dir = tmp_path_factory.mktemp('trained')
    before = sys.excepthook
    train(data_root, work_dir)
    sys.excepthook = before
    return work_dir
