"""A runner takes a checkpoint through the gate, whatever it is for."""

import math

import pytest
import torch
from safetensors.torch import save_file
from small_runs import TRAIN, begun, config, dataset, evaluate, loader, train

from mmlandslide.engine import record as records
from mmlandslide.engine.record import changed_on_resume, settings_of
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import CheckpointError, CheckpointMismatchError, SplitOverlapError
from mmlandslide.recipes import adamw


def spoil(checkpoint):
    checkpoint['state_dict']['mask_token'][0, 0, 0] = math.nan


def reorder(checkpoint):
    checkpoint['meta']['mmlandslide']['bands'].reverse()


def normalise(checkpoint):
    checkpoint['meta']['mmlandslide']['statistics']['mean'][0] = 0.5


FAULTS = {
    'values that are not finite': (spoil, CheckpointError, 'weights must be finite'),
    'other order of bands': (reorder, CheckpointMismatchError, 'must have the bands'),
    'other normalisation': (normalise, CheckpointMismatchError, 'must have the normalisation'),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_training_is_not_resumed_from_a_wrong_checkpoint(trained, data_root, tmp_path, fault):
    change, error, message = FAULTS[fault]
    with pytest.raises(error, match=message):
        train(data_root, begun(trained, tmp_path, change), resume=True)


@pytest.mark.parametrize('fault', list(FAULTS)[:2])
def test_a_training_does_not_start_from_a_wrong_checkpoint(trained, data_root, tmp_path, fault):
    change, error, message = FAULTS[fault]
    (tmp_path / 'from').mkdir()
    start = begun(trained, tmp_path / 'from', change) / 'epoch_1.pth'
    with pytest.raises(error, match=message):
        train(data_root, tmp_path / 'run', epochs=1, load_from=str(start))


def test_a_training_with_a_moving_average_starts_from_a_safetensors_file(
    trained, data_root, tmp_path
):
    weights = torch.load(trained / 'epoch_1.pth', weights_only=True)['state_dict']
    save_file(weights, tmp_path / 'bare.safetensors')
    start, average = str(tmp_path / 'bare.safetensors'), [{'type': 'EMAHook'}]
    still = adamw(0.0, clip=1.0)
    runner = train(
        *(data_root, tmp_path / 'run', 1),
        load_from=start,
        custom_hooks=average,
        optim_wrapper=still,
    )
    [hook] = (hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    averaged = hook.ema_model.module.state_dict()
    assert all(torch.equal(averaged[name], value) for name, value in weights.items())


@pytest.mark.parametrize(
    ('own', 'message'),
    [({'bands': ['B3']}, 'bands'), ({'bands': ['B2'], 'classes': ['crater']}, 'classes')],
)
def test_a_test_of_a_wrong_checkpoint_is_refused_and_passes_by_option(
    data_root,
    tmp_path,
    own,
    message,
):
    data = dataset(data_root, 'test')
    with pytest.raises(CheckpointMismatchError, match=f'must have the {message}'):
        evaluate(data, tmp_path, own)
    assert evaluate(data, tmp_path, own, 'b.pth', accept_checkpoint=[message]) == {'tiles': 2}


def test_without_the_comparison_other_bands_are_tested(data_root, tmp_path, monkeypatch):
    monkeypatch.setattr('mmlandslide.weights.gate._differing', lambda record, terms: ())
    assert evaluate(dataset(data_root, 'test'), tmp_path, {'bands': ['B3']}) == {'tiles': 2}


def few(data_root, count):
    data = {**dataset(data_root), 'indices': count}
    return {**loader(data, batch_size=2), 'collate_fn': {'type': 'default_collate'}}


def seen_tiles_tested(data_root, folder, checkpoint):
    folder.mkdir()
    own = torch.load(checkpoint, weights_only=True)['meta']['mmlandslide']
    own = {key: own[key] for key in ('tile_ids', 'lineage')}
    return evaluate({**dataset(data_root), 'indices': [4, 5]}, folder, own)


def resumed_on_two_tiles(trained, data_root, work_dir):
    end = {'by_epoch': True, 'interval': 1, 'type': 'CheckpointHook'}
    options = {'train_dataloader': few(data_root, 2), 'default_hooks': {'checkpoint': end}}
    train(data_root, begun(trained, work_dir), resume=True, **options)
    return work_dir / 'epoch_3.pth'


def test_tiles_seen_before_a_resume_on_fewer_stay_seen(trained, data_root, tmp_path):
    last = resumed_on_two_tiles(trained, data_root, tmp_path)
    own = torch.load(last, weights_only=True)['meta']['mmlandslide']
    assert own['tile_ids'] == TRAIN
    with pytest.raises(SplitOverlapError, match='2 seen'):
        seen_tiles_tested(data_root, tmp_path / 'test', last)


def test_without_the_union_a_seen_tile_is_tested(trained, data_root, tmp_path, monkeypatch):
    taken = records.record_of
    forgetful = lambda runner: taken((vars(runner).pop('resumed_tiles', None) and runner) or runner)  # noqa: E731
    monkeypatch.setattr('mmlandslide.engine.runner.record_of', forgetful)
    last = resumed_on_two_tiles(trained, data_root, tmp_path)
    assert seen_tiles_tested(data_root, tmp_path / 'test', last) == {'tiles': 2}


def told_on_resume_with_another_rate(trained, data_root, work_dir):
    """Return the warnings and the rate in force."""
    cfg = config(data_root, begun(trained, work_dir), resume=True)
    cfg.optim_wrapper.optimizer.lr = 0.1
    told = []
    runner = LandslideRunner.from_cfg(cfg)
    runner.logger.warning = told.append
    runner.train()
    return told, runner.optim_wrapper.optimizer.param_groups[0]['initial_lr']


def test_without_the_comparison_another_learning_rate_is_ignored_in_silence(
    trained, data_root, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmlandslide.engine.loading.changed_on_resume', lambda before, now: [])
    assert told_on_resume_with_another_rate(trained, data_root, tmp_path) == ([], 0.001)


def test_a_learning_rate_changed_on_resume_is_told(trained, data_root, tmp_path):
    told, _ = told_on_resume_with_another_rate(trained, data_root, tmp_path)
    assert told == [
        'optim_wrapper.optimizer.lr = 0.1 has no effect on a resumed training: '
        'the 0.001 of its checkpoint stays'
    ]


def test_a_setting_that_stays_is_not_told_and_workers_do_not_matter():
    before = settings_of({'train_dataloader': {'batch_size': 2, 'num_workers': 0}})
    now = settings_of({'train_dataloader': {'batch_size': 4, 'num_workers': 8}})
    assert changed_on_resume(before, before) == []
    assert changed_on_resume(before, now) == [
        'train_dataloader.batch_size = 4 changes what follows: the checkpoint was trained with 2'
    ]


def test_a_setting_that_is_new_or_gone_is_told():
    lines = changed_on_resume({'model.a': 1}, {'param_scheduler.0.T_max': 9})
    assert lines[0].startswith('param_scheduler.0.T_max = 9 has no effect')
    assert lines[1].startswith('model.a = nothing changes what follows')
