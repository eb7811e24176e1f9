import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, ValLoop
from tiny_training import killed, loader, state, train

from mmlandslide.engine.loops import ResumableEpochLoop, ResumableIterLoop, resumable
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import ConfigError

ROOT = Path(__file__).parents[2]
EPOCH = {'type': 'EpochBasedTrainLoop', 'max_epochs': 3}  # of four steps
ITER = {'type': 'IterBasedTrainLoop', 'max_iters': 12, 'val_interval': 3}
EACH_STEP = {'by_epoch': False, 'interval': 1}


@pytest.fixture(autouse=True, scope='module')
def quiet():
    """Keep what a runner sets for the whole process.

    Do not ask compilers and drivers for their versions.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LandslideRunner, '_log_env', lambda self, env_cfg: None)
        patch.setattr(sys, 'excepthook', sys.excepthook)
        yield


@pytest.fixture(scope='module')
def whole(tmp_path_factory, quiet):
    """Return work dirs and watches of two trainings with a checkpoint after each step."""
    folder = tmp_path_factory.mktemp('whole')
    loops = {'epoch': EPOCH, 'iter': ITER}
    return {
        name: (folder / name, train(folder / name, train_cfg=loops[name], checkpoint=EACH_STEP))
        for name in loops
    }


def resumed(whole, tmp_path, kind, step, **options):
    """Resume a training that was killed after a step.

    Return its work dir and what was seen of it.
    """
    folder = killed(whole[kind][0], tmp_path / 'killed', f'iter_{step}.pth')
    cfg = EPOCH if kind == 'epoch' else ITER
    return folder, train(
        folder, **{'train_cfg': cfg, 'checkpoint': EACH_STEP, 'resume': True, **options}
    )


@pytest.mark.parametrize('kind', ['epoch', 'iter'])
@pytest.mark.parametrize('step', [1, 3, 4, 6, 8, 11, 12])
def test_a_training_killed_after_any_step_ends_as_one_that_was_not(whole, tmp_path, kind, step):
    folder, seen = resumed(whole, tmp_path, kind, step)
    assert state(folder, 'iter_12.pth') == state(whole[kind][0], 'iter_12.pth')
    assert seen.steps == whole[kind][1].steps[step:]


@pytest.mark.parametrize('kind', ['epoch', 'iter'])
@pytest.mark.parametrize('persistent', [False, True])
def test_workers_go_on_at_the_same_batch(whole, tmp_path, kind, persistent):
    data = loader(num_workers=2, persistent_workers=persistent)
    folder, _ = resumed(whole, tmp_path, kind, 6, train_dataloader=data)
    assert state(folder, 'iter_12.pth') == state(whole[kind][0], 'iter_12.pth')


def scalars(folder):
    """Return the logged scalars by their step, without times."""
    lines = [
        json.loads(line)
        for path in folder.glob('*/vis_data/scalars.json')
        for line in path.read_text().splitlines()
    ]
    return {
        (line['step'], 'AP50' in line): {key: line[key] for key in line if not key.endswith('time')}
        for line in lines
    }


def test_what_is_logged_after_resuming_is_what_would_have_been(whole, tmp_path):
    logger = {
        'type': 'LoggerHook',
        'interval': 2,
    }  # smoothed over ten steps, so also over those before the kill
    hooks = {'checkpoint': {'type': 'mmlandslide.CheckpointHook', **EACH_STEP}, 'logger': logger}
    unbroken, (folder, _) = (
        tmp_path / 'unbroken',
        resumed(whole, tmp_path, 'epoch', 7, default_hooks=hooks),
    )
    train(unbroken, default_hooks=hooks)
    wanted = {
        key: line
        for key, line in scalars(unbroken).items()
        if key[0] > 7 or (key[1] and key[0] > 1)
    }
    assert scalars(folder) == wanted
    assert [key for key in wanted if not key[1]] == [(8, False), (10, False), (12, False)]


def test_batches_that_are_done_are_not_read_again(whole, tmp_path):
    read = resumed(whole, tmp_path, 'epoch', 10)[1].read
    assert [index.epoch for index in read] == [2] * 4  # two batches of two tiles


@pytest.mark.parametrize(('kind', 'step', 'first'), [('epoch', 8, (2, 8)), ('iter', 6, (0, 6))])
def test_a_validation_that_was_due_comes_first(whole, tmp_path, kind, step, first):
    assert resumed(whole, tmp_path, kind, step)[1].validations[0] == first


def test_a_validation_after_an_epochs_checkpoint_is_not_lost(tmp_path):
    train(tmp_path / 'whole')
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'epoch_2.pth')
    assert train(folder, resume=True).validations == [(2, 8), (3, 12)]
    assert state(folder, 'epoch_3.pth') == state(tmp_path / 'whole', 'epoch_3.pth')


@pytest.mark.parametrize('kind', ['epoch', 'iter'])
def test_a_sampler_that_is_not_ours_goes_on_at_the_same_batch(tmp_path, kind):
    train_cfg = EPOCH if kind == 'epoch' else ITER
    whole = tmp_path / 'whole'
    train(
        whole,
        train_cfg=train_cfg,
        checkpoint=EACH_STEP,
        train_dataloader=loader(sampler='DefaultSampler'),
    )
    folder = killed(whole, tmp_path / 'killed', 'iter_6.pth')
    train(
        folder,
        train_cfg=train_cfg,
        checkpoint=EACH_STEP,
        train_dataloader=loader(sampler='DefaultSampler'),
        resume=True,
    )
    assert state(folder, 'iter_12.pth') == state(whole, 'iter_12.pth')


def test_averaged_weights_survive(tmp_path):
    options = {'checkpoint': EACH_STEP, 'hooks': [{'type': 'EMAHook'}]}
    train(tmp_path / 'whole', **options)
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'iter_6.pth')
    train(folder, resume=True, **options)
    assert state(folder, 'iter_12.pth') == state(tmp_path / 'whole', 'iter_12.pth')
    assert state(folder, 'iter_12.pth')['ema_state_dict'] is not None


def test_gradients_that_are_being_accumulated_survive(tmp_path):
    optim = {'optimizer': {'type': 'AdamW', 'lr': 0.1}, 'accumulative_counts': 3}
    train(tmp_path / 'whole', checkpoint=EACH_STEP, optim_wrapper=optim)
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'iter_5.pth')
    train(folder, checkpoint=EACH_STEP, optim_wrapper=optim, resume=True)
    assert state(folder, 'iter_12.pth') == state(tmp_path / 'whole', 'iter_12.pth')
    assert [bool(state(folder, f'iter_{step}.pth')['accumulated']) for step in (7, 8, 9)] == [
        True,
        True,
        False,
    ]


@pytest.mark.slow
def test_two_processes_go_on_at_the_same_batch(tmp_path):
    environment = {
        **os.environ,
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(ROOT),
    }
    launcher = [
        'torch.distributed.launch',
        '--nproc_per_node=2',
        f'--master_port={20000 + os.getpid() % 10000}',
    ]
    command = [
        sys.executable,
        '-m',
        *launcher,
        str(ROOT / 'tests' / 'tiny_training.py'),
        str(tmp_path),
    ]
    subprocess.run(command, check=True, env=environment, timeout=600)
    assert (tmp_path / 'killed' / 'iter_4.pth').exists()
    assert state(tmp_path / 'killed', 'iter_6.pth') == state(tmp_path / 'whole', 'iter_6.pth')


def test_a_seed_that_was_drawn_is_drawn_once(tmp_path):
    train(tmp_path / 'whole', checkpoint=EACH_STEP, randomness={'seed': None})
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'iter_6.pth')
    train(folder, checkpoint=EACH_STEP, randomness={'seed': None}, resume=True)
    assert state(folder, 'iter_12.pth') == state(tmp_path / 'whole', 'iter_12.pth')


def test_patience_does_not_begin_anew(tmp_path):
    stop = {
        'type': 'mmlandslide.EarlyStoppingHook',
        'monitor': 'AP50',
        'rule': 'greater',
        'patience': 2,
    }
    train(tmp_path / 'whole', scores=[0.9, 0.1, 0.1], hooks=[stop])
    folder = killed(tmp_path / 'whole', tmp_path / 'killed', 'epoch_2.pth')
    longer = {'train_cfg': {**EPOCH, 'max_epochs': 9}, 'param_scheduler': [], 'hooks': [stop]}
    assert train(folder, scores=[0.1, 0.1], resume=True, **longer).validations == [(2, 8), (3, 12)]


def test_other_batches_within_an_epoch_are_refused_and_after_one_accepted(whole, tmp_path):
    data = loader(batch_size=4)
    with pytest.raises(
        ConfigError,
        match='must be 2, as 2 such batches of the epoch are done, got 4 in train_dataloader',
    ):
        resumed(whole, tmp_path, 'epoch', 6, train_dataloader=data)
    train(tmp_path / 'epochs')
    folder = killed(tmp_path / 'epochs', tmp_path / 'second', 'epoch_2.pth')
    assert train(folder, train_dataloader=data, resume=True).steps == [(2, 8, 0), (2, 9, 1)]


@pytest.mark.parametrize('stated', [None, 'far', {'batches_done': -1}, {'batches_done': 'x'}])
def test_where_nothing_sensible_is_stated_the_epoch_begins_anew(whole, tmp_path, stated):
    folder = killed(whole['epoch'][0], tmp_path / 'killed', 'iter_6.pth')
    checkpoint = torch.load(folder / 'iter_6.pth', weights_only=True)
    checkpoint['meta']['mmlandslide']['progress'] = stated
    torch.save(checkpoint, folder / 'iter_6.pth')
    assert train(folder, resume=True).steps[0] == (1, 6, 0)


@pytest.mark.parametrize(
    ('cfg', 'kind'),
    [
        ({'by_epoch': True}, ResumableEpochLoop),
        ({'by_epoch': False}, ResumableIterLoop),
        ({'type': 'EpochBasedTrainLoop'}, ResumableEpochLoop),
        ({'type': EpochBasedTrainLoop}, ResumableEpochLoop),
        ({'type': IterBasedTrainLoop}, ResumableIterLoop),
        ({'type': ValLoop}, ValLoop),
    ],
)
def test_mmengines_two_loops_are_replaced_and_no_other(cfg, kind):
    assert resumable({**cfg, 'max_epochs': 3}) == {'type': kind, 'max_epochs': 3}
