import errno
import sys
from pathlib import Path

import pytest
import torch
from mmengine.fileio import LocalBackend
from tiny_training import killed, runner, state, train

from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import ConfigError, StorageError
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint

ONE = {'interval': 1, 'max_keep_ckpts': 1}
BEST = {**ONE, 'save_best': 'AP50', 'rule': 'greater'}


@pytest.fixture(autouse=True, scope='module')
def quiet():
    """Keep what a runner sets for the whole process.

    Do not ask compilers and drivers for their versions.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LandslideRunner, '_log_env', lambda self, env_cfg: None)
        patch.setattr(sys, 'excepthook', sys.excepthook)
        yield


def names(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


@pytest.fixture
def stands(monkeypatch):
    """Return the files and the pointer at each write of a checkpoint and each deletion."""
    seen, save, unlink = [], LandslideRunner.save_checkpoint, Path.unlink

    def look(event, folder):
        pointer = Path(folder, 'last_checkpoint')
        seen.append(
            (event, *names(Path(folder)), pointer.is_file() and Path(pointer.read_text()).name)
        )

    def saved(self, out_dir, filename, *args, **kwargs):
        save(self, out_dir, filename, *args, **kwargs)
        look('saved', out_dir)

    def unlinked(self, missing_ok=False):
        if self.suffix == '.pth':
            look(f'deletes {self.name}', self.parent)
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(LandslideRunner, 'save_checkpoint', saved)
    monkeypatch.setattr(Path, 'unlink', unlinked)
    return seen


def test_the_old_checkpoint_goes_when_the_new_one_stands_and_is_pointed_to(tmp_path, stands):
    train(tmp_path, checkpoint=ONE, val_cfg=None, val_dataloader=None, val_evaluator=None)
    assert stands[:3] == [
        ('saved', 'epoch_1.pth', False),
        ('saved', 'epoch_1.pth', 'epoch_2.pth', 'epoch_1.pth'),
        ('deletes epoch_1.pth', 'epoch_1.pth', 'epoch_2.pth', 'epoch_2.pth'),
    ]
    assert names(tmp_path) == ['epoch_3.pth']


def test_the_old_best_goes_when_the_new_best_stands(tmp_path, stands):
    train(tmp_path, checkpoint=BEST, scores=[0.1, 0.2, 0.15])
    deleted = [event for event in stands if event[0].startswith('deletes best')]
    standing = ('best_AP50_epoch_1.pth', 'best_AP50_epoch_2.pth', 'epoch_2.pth')
    assert deleted == [('deletes best_AP50_epoch_1.pth', *standing, 'epoch_2.pth')]
    assert names(tmp_path) == ['best_AP50_epoch_2.pth', 'epoch_3.pth']


def test_each_metrics_best_is_kept(tmp_path):
    both = {**ONE, 'save_best': ['AP50', 'loss'], 'rule': ['greater', 'less']}
    scores = [{'AP50': 0.1, 'loss': 1.0}, {'AP50': 0.2, 'loss': 2.0}, {'AP50': 0.1, 'loss': 3.0}]
    train(tmp_path, checkpoint=both, scores=scores)
    assert names(tmp_path) == ['best_AP50_epoch_2.pth', 'best_loss_epoch_1.pth', 'epoch_3.pth']


@pytest.mark.parametrize(
    ('old', 'again'),
    [('best_AP50_epoch_1.pth', [0.2, 0.15]), ('best_AP50_epoch_1.pth', [0.2, 0.3])],
)
def test_a_resumed_training_keeps_score_and_file_of_the_best(tmp_path, old, again):
    train(tmp_path / 'whole', checkpoint={**BEST, 'max_keep_ckpts': 9}, scores=[0.1, *again])
    first = tmp_path / 'first'
    train(
        first,
        checkpoint=BEST,
        scores=[0.1],
        train_cfg={'type': 'EpochBasedTrainLoop', 'max_epochs': 1},
    )
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'epoch_2.pth')
    (folder / old).write_bytes(
        (first / old).read_bytes()
    )  # as a kill within the second validation leaves it
    train(folder, checkpoint=BEST, scores=list(again), resume=True)
    best = f'best_AP50_epoch_{2 + (again[1] > again[0])}.pth'
    assert names(folder) == [best, 'epoch_3.pth']
    assert state(folder, best)['best']['best_score'] == max(again)


def test_what_was_about_to_be_deleted_goes_after_resuming(tmp_path):
    train(tmp_path / 'whole', checkpoint={**ONE, 'max_keep_ckpts': 2})
    keeping = {'checkpoint': {'interval': 1, 'max_keep_ckpts': 2}}
    train(tmp_path / 'all')
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'epoch_3.pth')
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        (folder / name).write_bytes((tmp_path / 'all' / name).read_bytes())
    train(folder, resume=True, **keeping)
    assert names(folder) == ['epoch_2.pth', 'epoch_3.pth']


def test_checkpoints_in_another_folder_are_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"out_dir must be left out, got '.*other' in default_hooks\.checkpoint"
    ):
        train(tmp_path / 'a', checkpoint={'interval': 1, 'out_dir': str(tmp_path / 'other')})


# A disk that is full, a folder that is closed, a process that was killed.


def full_after(count, monkeypatch):
    """Let so many checkpoints through, and of the next one the half."""
    put, written = LocalBackend.put, []

    def limited(self, content, path):
        written.append(path)
        put(self, content if len(written) <= count else content[: len(content) // 2], path)
        if len(written) > count:
            raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(LocalBackend, 'put', limited)


def test_a_full_disk_is_named_and_the_last_checkpoint_is_whole(tmp_path, monkeypatch):
    full_after(2, monkeypatch)
    wanted = (
        r"checkpoint must be written whole, got 'No space left on device' in .*epoch_3\.pth\. "
        r'.*--resume: epoch_2\.pth is whole\.'
    )
    with pytest.raises(StorageError, match=wanted):
        train(tmp_path, checkpoint=ONE)
    assert latest_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
    assert read_checkpoint(tmp_path / 'epoch_2.pth')['meta']['epoch'] == 2
    assert names(tmp_path) == ['epoch_2.pth']
    assert not list(tmp_path.glob('.*'))


def test_a_best_that_does_not_fit_leaves_the_old_best(tmp_path, monkeypatch):
    full_after(3, monkeypatch)
    with pytest.raises(StorageError, match=r'best_AP50_epoch_2\.pth'):
        train(tmp_path, checkpoint=BEST, scores=[0.1, 0.2, 0.3])
    assert names(tmp_path) == ['best_AP50_epoch_1.pth', 'epoch_2.pth']


def test_a_pointer_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    built = runner(tmp_path, checkpoint=ONE)
    (tmp_path / 'last_checkpoint').mkdir()
    with pytest.raises(
        StorageError, match='pointer to the last checkpoint must be written whole, got'
    ):
        built.train()
    assert names(tmp_path) == ['epoch_1.pth']


def test_a_log_that_cannot_be_written_ends_in_one_sentence_too(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    built = runner(tmp_path, default_hooks={'logger': {'type': 'LoggerHook', 'interval': 1}})
    monkeypatch.setattr(built.visualizer, 'add_scalars', full)
    with pytest.raises(
        StorageError, match="work dir must be written whole, got 'No space left on device'"
    ):
        built.train()


def test_a_work_dir_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').touch()
    cfg = runner(tmp_path / 'a').cfg
    cfg.update(model=torch.nn.Linear(1, 1), work_dir=str(tmp_path / 'file' / 'b'))
    with pytest.raises(
        StorageError,
        match=r"work dir must be written whole, got 'Not a directory' in .*file/b\. .*name another work dir",
    ):
        LandslideRunner.from_cfg(cfg)


def test_an_error_of_another_kind_is_not_called_one_of_storage(tmp_path, monkeypatch):
    def lost(*args, **kwargs):
        raise OSError(errno.EIO, 'Input/output error', 'data/tile.h5')

    built = runner(tmp_path)
    monkeypatch.setattr(built.model, 'train_step', lost)
    with pytest.raises(OSError, match='Input/output error') as caught:
        built.train()
    assert not isinstance(caught.value, StorageError)


def test_what_a_killed_process_left_half_written_goes_at_the_next_save(tmp_path):
    for name in (
        '.epoch_7.pth.0123456789ab.tmp',
        '.last_checkpoint.0123456789ab.tmp',
        '.metrics.json.0123456789ab.tmp',
        'epoch_9.pth.tmp',
    ):
        (tmp_path / name).write_text('half')
    train(tmp_path)
    assert sorted(path.name for path in tmp_path.glob('*.tmp')) == [
        '.metrics.json.0123456789ab.tmp',
        'epoch_9.pth.tmp',
    ]
