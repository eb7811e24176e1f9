import copy
import sys
from contextlib import nullcontext

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from payload import touching
from small_runs import TRAIN, Count, Stub, begun, config, dataset, evaluate, loader, train
from yapf.yapflib.yapf_api import FormatCode

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import (
    BandError,
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    MissingPathError,
    SplitOverlapError,
)
from mmlandslide.locks import exclusive
from mmlandslide.recipes import adamw

# What a checkpoint holds.


@pytest.fixture
def no_allow_list():
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.add_safe_globals(allowed)


def test_a_checkpoint_needs_no_allow_list_and_states_what_it_is(trained, no_allow_list):
    checkpoint = torch.load(trained / 'epoch_3.pth', weights_only=True)
    own = checkpoint['meta']['mmlandslide']
    assert (own['bands'], own['tile_ids'], own['lineage']) == (list(LANDSLIDE4SENSE), TRAIN, {})
    assert (checkpoint['meta']['epoch'], checkpoint['meta']['iter']) == (3, 6)
    assert {'state_dict', 'optimizer', 'param_schedulers', 'message_hub'} <= set(checkpoint)


def test_a_checkpoint_holds_the_weights_of_the_model_and_no_temporary_file_stays(
    trained, data_root, tmp_path
):
    runner = LandslideRunner.from_cfg(config(data_root, tmp_path))
    runner.load_checkpoint(str(trained))
    saved = torch.load(trained / 'epoch_3.pth', weights_only=True)['state_dict']
    assert all(torch.equal(value, saved[name]) for name, value in runner.model.state_dict().items())
    assert sorted(path.name for path in trained.glob('*.pth*')) == [
        'epoch_1.pth',
        'epoch_2.pth',
        'epoch_3.pth',
    ]
    assert not list(trained.glob('.*'))


def test_the_text_of_the_config_is_formatted_anew_only_where_its_content_changed(
    data_root, tmp_path, monkeypatch
):
    cfg, formatted = config(data_root, tmp_path), []
    monkeypatch.setattr(
        'mmengine.config.config.FormatCode',
        lambda text, **style: formatted.append(text) or FormatCode(text, **style),
    )
    runner = LandslideRunner.from_cfg(cfg)
    runner.train()
    assert len(formatted) == 1
    saved = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)['meta']['cfg']
    assert saved == runner.cfg.pretty_text == Config(runner.cfg.to_dict()).pretty_text
    before = len(formatted)
    runner.cfg.randomness.seed = 7
    assert 'seed=7' in runner.cfg.pretty_text
    assert len(formatted) == before + 1


# Resuming.


def test_resuming_gives_the_weights_of_a_training_that_was_never_killed(
    trained, data_root, tmp_path
):
    runner = train(data_root, begun(trained, tmp_path), resume=True)
    assert (runner.epoch, runner.iter) == (3, 6)
    whole, resumed = (
        torch.load(folder / 'epoch_3.pth', weights_only=True) for folder in (trained, tmp_path)
    )
    assert all(
        torch.equal(value, resumed['state_dict'][name])
        for name, value in whole['state_dict'].items()
    )
    for name, history in whole['message_hub']['log_scalars'].items():
        if name.endswith(('lr', 'loss')):
            assert torch.equal(
                history['log_history'], resumed['message_hub']['log_scalars'][name]['log_history']
            )


def test_resuming_neither_initialises_nor_looks_for_pretrained_weights(
    trained, data_root, tmp_path, monkeypatch
):
    cfg = config(data_root, begun(trained, tmp_path), resume=True)
    cfg.model.backbone.pretrained = {'checkpoint': 'absent.pth'}
    runner = LandslideRunner.from_cfg(cfg)
    monkeypatch.setattr(
        runner.model, 'init_weights', lambda: pytest.fail('weights were initialised')
    )
    assert runner.train() is runner.model
    assert runner.epoch == 3


@pytest.mark.parametrize('pointer', ['', 'gone/epoch_7.pth', None])
def test_a_torn_stale_or_missing_pointer_does_not_keep_a_training_from_being_resumed(
    trained, data_root, tmp_path, pointer
):
    folder = begun(trained, tmp_path)
    (folder / 'last_checkpoint').unlink()
    if pointer is not None:
        (folder / 'last_checkpoint').write_text(pointer)
    runner = LandslideRunner.from_cfg(config(data_root, folder, resume=True))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.load_or_resume()
    assert (runner.epoch, runner.iter) == (1, 2)


def test_a_pointer_to_nothing_where_no_checkpoint_is_starts_afresh(data_root, tmp_path):
    (tmp_path / 'last_checkpoint').write_text('gone/epoch_7.pth')
    assert train(data_root, tmp_path, epochs=1, resume=True).iter == 2


def test_resuming_where_nothing_is_yet_starts_afresh(data_root, tmp_path):
    cfg = config(data_root, tmp_path, resume=True)
    cfg.model.backbone.pretrained = {
        'checkpoint': 'work_dirs/absent',
        'made_by': 'configs/pretrain/absent.py',
    }
    with pytest.raises(MissingPathError, match=r'mim train mmpretrain configs/pretrain/absent\.py'):
        LandslideRunner.from_cfg(cfg).train()


def test_config_text_in_a_checkpoint_is_not_executed(trained, data_root, tmp_path):
    canary = tmp_path / 'canary'

    def plant(checkpoint):
        checkpoint['meta']['config'] = checkpoint['meta']['cfg'] = (
            f'made = open({str(canary)!r}, "w").close()\n'
        )

    assert train(data_root, begun(trained, tmp_path, plant), resume=True).epoch == 3
    assert not canary.exists()


@pytest.mark.parametrize('key', ['epoch', 'iter'])
def test_a_checkpoint_that_does_not_say_where_it_stood_is_not_resumed(
    trained, data_root, tmp_path, key
):
    folder = begun(trained, tmp_path, lambda checkpoint: checkpoint['meta'].pop(key))
    with pytest.raises(CheckpointError, match='say where its training stood'):
        train(data_root, folder, resume=True)


def test_a_checkpoint_whose_weights_are_no_tensors_is_refused(trained, data_root, tmp_path):
    folder = begun(
        trained, tmp_path, lambda checkpoint: checkpoint.update(state_dict={'weight': 'heavy'})
    )
    with pytest.raises(CheckpointError, match='hold the tensors of a model'):
        train(data_root, folder, resume=True)


def test_a_pickled_payload_is_refused_and_not_executed(trained, data_root, tmp_path):
    canary = tmp_path / 'canary'
    folder = begun(
        trained, tmp_path, lambda checkpoint: checkpoint.update(payload=touching(canary))
    )
    with pytest.raises(
        CheckpointError, match=r'must hold tensors and plain types only.*epoch_1\.pth'
    ):
        train(data_root, folder, resume=True)
    assert not canary.exists()


# Saving.


def test_a_save_that_fails_leaves_the_old_checkpoint_and_nothing_else(
    trained, data_root, tmp_path, monkeypatch
):
    runner = train(data_root, tmp_path, epochs=1)
    before = (tmp_path / 'epoch_1.pth').read_bytes()

    def half(self, content, path):
        with open(path, 'wb') as file:  # noqa: PTH123 (as mmengine writes)
            file.write(content[: len(content) // 2])
        raise OSError('no space left')

    monkeypatch.setattr(LocalBackend, 'put', half)
    with pytest.raises(OSError, match='no space left'):
        runner.save_checkpoint(str(tmp_path), 'epoch_1.pth')
    assert (tmp_path / 'epoch_1.pth').read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if 'epoch_1' in path.name] == ['epoch_1.pth']


def test_a_checkpoint_takes_its_name_only_when_it_is_whole(data_root, tmp_path, monkeypatch):
    runner, seen, put = train(data_root, tmp_path, epochs=1), [], LocalBackend.put

    def watched(self, content, path):
        put(self, content, path)
        seen.append((tmp_path / 'new.pth').exists())

    monkeypatch.setattr(LocalBackend, 'put', watched)
    runner.save_checkpoint(str(tmp_path), 'new.pth')
    assert seen == [False]
    assert (
        torch.load(tmp_path / 'new.pth', weights_only=True)['meta']['mmlandslide']['tile_ids']
        == TRAIN
    )


# Two trainings in one work dir.


def test_a_second_training_in_a_work_dir_is_refused_and_touches_nothing(data_root, tmp_path):
    with exclusive(tmp_path / 'training.lock', 'training', tmp_path):
        (tmp_path / '.epoch_1.pth.0123.tmp').write_text('half of it, by the other')
        with pytest.raises(ConfigError, match=r'got training by process \d+ on .*--work-dir'):
            train(data_root, tmp_path, epochs=1)
        assert (tmp_path / '.epoch_1.pth.0123.tmp').exists()
        assert not list(tmp_path.glob('*.pth'))


def test_without_the_lock_a_second_training_deletes_what_the_first_one_writes(
    data_root, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmlandslide.engine.process.training_lock', lambda _: nullcontext())
    with exclusive(tmp_path / 'training.lock', 'training', tmp_path):
        (tmp_path / '.epoch_1.pth.0123.tmp').write_text('half of it, by the other')
        train(data_root, tmp_path, epochs=1)
    assert not (tmp_path / '.epoch_1.pth.0123.tmp').exists()


# Loading.


def spoilt(trained, tmp_path, change):
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
    change(checkpoint['state_dict'])
    torch.save(checkpoint, tmp_path / 'a.pth')
    return str(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    ('change', 'found'),
    [
        (lambda state: state.pop('mask_token'), r"1 keys missing \['mask_token'\], 0 unexpected"),
        (
            lambda state: state.update(other=torch.ones(1)),
            r"0 keys missing \[\], 1 unexpected \['other'\]",
        ),
        (
            lambda state: state.update(mask_token=torch.ones(1, 1, 13)),
            r"1 of another shape \['mask_token'\]",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fill_the_model_is_refused(
    trained, data_root, tmp_path, change, found
):
    runner = LandslideRunner.from_cfg(config(data_root, tmp_path / 'run'))
    before = copy.deepcopy(runner.model.state_dict())
    with pytest.raises(CheckpointMismatchError, match=found):
        runner.load_checkpoint(spoilt(trained, tmp_path, change))
    assert all(
        torch.equal(value, before[name]) for name, value in runner.model.state_dict().items()
    )


def test_a_checkpoint_of_a_wrapped_model_fills_the_bare_one(trained, data_root, tmp_path):
    def wrap(state):
        for key in list(state):
            state[f'module.{key}'] = state.pop(key)

    runner = LandslideRunner.from_cfg(config(data_root, tmp_path / 'run'))
    runner.load_checkpoint(spoilt(trained, tmp_path, wrap))
    saved = torch.load(trained / 'epoch_1.pth', weights_only=True)['state_dict']
    assert torch.equal(runner.model.mask_token, saved['mask_token'])


# What a model has seen.


def lineage_of(work_dir):
    return torch.load(work_dir / 'epoch_1.pth', weights_only=True)['meta']['mmlandslide']['lineage']


def test_a_model_inherits_the_tiles_of_its_pretraining(trained, data_root, tmp_path):
    cfg = config(
        data_root,
        tmp_path,
        epochs=1,
        train_dataloader=loader(dataset(data_root, 'test'), batch_size=2),
    )
    cfg.model.backbone.pretrained = {'checkpoint': str(trained)}
    LandslideRunner.from_cfg(cfg).train()
    assert lineage_of(tmp_path)['tile_ids'] == TRAIN


def test_a_model_inherits_the_tiles_of_the_checkpoint_that_it_starts_from(
    trained, data_root, tmp_path
):
    other = loader(dataset(data_root, 'test'), batch_size=2)
    train(
        data_root,
        tmp_path,
        epochs=1,
        train_dataloader=other,
        load_from=str(trained / 'epoch_3.pth'),
    )
    assert lineage_of(tmp_path)['tile_ids'] == TRAIN


def test_resuming_leaves_the_lineage_as_it_was(trained, data_root, tmp_path):
    def give(checkpoint):
        checkpoint['meta']['mmlandslide']['lineage'] = {'tile_ids': ['landslide4sense:test/1']}

    train(data_root, begun(trained, tmp_path, give), resume=True)
    final = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)['meta']['mmlandslide']
    assert final['lineage'] == {'tile_ids': ['landslide4sense:test/1']}


SEEN = 'landslide4sense:test/2'


@pytest.mark.parametrize(
    'own', [{'tile_ids': [SEEN]}, {'tile_ids': [], 'lineage': {'tile_ids': [SEEN]}}]
)
@pytest.mark.parametrize('wrapped', [False, True])
def test_a_test_on_a_tile_that_was_seen_is_refused(data_root, tmp_path, own, wrapped):
    data = dataset(data_root, 'test')
    data = (
        {'type': 'ConcatDataset', 'datasets': [dataset(data_root, 'validation'), data]}
        if wrapped
        else data
    )
    with pytest.raises(
        SplitOverlapError, match=rf"1 seen, such as \['{SEEN}'\].*allow_overlap=True"
    ):
        evaluate(data, tmp_path, own)


def test_a_metric_is_handed_the_tested_data_and_what_the_checkpoint_states(data_root, tmp_path):
    calibration = {'method': 'temperature', 'temperature': 0.5, 'shift': -1.0}
    evaluate(dataset(data_root, 'test'), tmp_path, {'calibration': calibration})
    tested, record = Count.prepared
    assert SEEN in tested.tile_ids
    assert record['calibration'] == calibration


@pytest.mark.parametrize(
    'own', [{'tile_ids': [SEEN]}, {'tile_ids': [], 'lineage': {'tile_ids': [SEEN]}}]
)
def test_published_weights_are_not_tested_on_a_tile_that_they_have_seen_either(
    data_root, tmp_path, own
):
    data = dataset(data_root, 'test')
    with pytest.raises(
        SplitOverlapError, match=rf"1 seen, such as \['{SEEN}'\] in .*a.safetensors"
    ):
        evaluate(data, tmp_path, own, 'a.safetensors')
    assert evaluate(data, tmp_path, {'tile_ids': TRAIN}, 'b.safetensors') == {'tiles': 2}


def test_a_test_after_a_training_in_one_process_is_checked_too(data_root, tmp_path):
    sampler = {'type': 'DefaultSampler', 'shuffle': False}
    loop = {'test_dataloader': {**loader(dataset(data_root)), 'sampler': sampler}, 'test_cfg': {}}
    runner = train(data_root, tmp_path, epochs=1, **loop, test_evaluator={'type': 'Accuracy'})
    with pytest.raises(SplitOverlapError, match=r"6 seen, such as \['landslide4sense:train/1'"):
        runner.test()


def test_an_overlap_that_is_allowed_passes(data_root, tmp_path):
    assert evaluate(
        dataset(data_root, 'test'), tmp_path, {'tile_ids': [SEEN]}, allow_overlap=True
    ) == {'tiles': 2}


def test_a_test_on_unseen_tiles_passes(data_root, tmp_path):
    assert evaluate(dataset(data_root, 'test'), tmp_path, {'tile_ids': TRAIN}) == {'tiles': 2}


def test_tiles_of_one_id_in_other_data_are_other_tiles(data_root, tmp_path):
    assert evaluate(
        {**dataset(data_root, 'test'), 'name': 'nepal'}, tmp_path, {'tile_ids': [SEEN]}
    ) == {'tiles': 2}


# What a user sees.


def test_mixed_precision_without_a_gpu_is_refused(data_root, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ConfigError, match='--amp must run on a GPU, got a machine without CUDA'):
        train(data_root, tmp_path, optim_wrapper={**adamw(1e-3), 'type': 'AmpOptimWrapper'})


def test_an_error_of_ours_is_one_line_without_a_traceback(data_root, tmp_path, capsys):
    LandslideRunner.from_cfg(config(data_root, tmp_path))
    for error in (
        ConfigError('a must be b, got c in d. Do e.'),
        BandError('a must be b, got c in d. Do e.'),
    ):
        sys.excepthook(type(error), error, None)
        assert capsys.readouterr().err == 'error: a must be b, got c in d. Do e.\n'


def test_an_error_out_of_a_worker_is_one_line_too(data_root, tmp_path, capsys):
    LandslideRunner.from_cfg(config(data_root, tmp_path))
    text = (
        'Caught ConfigError in worker 0.\nTraceback:\n  File "x.py"\n'
        'mmlandslide.errors.ConfigError: a must be b.\n'
    )
    sys.excepthook(ConfigError, ConfigError(text), None)
    assert capsys.readouterr().err == 'error: a must be b.\n'


def test_any_other_error_keeps_its_traceback(data_root, tmp_path, capsys):
    LandslideRunner.from_cfg(config(data_root, tmp_path))
    sys.excepthook(ValueError, ValueError('not ours'), None)
    assert 'ValueError: not ours' in capsys.readouterr().err


def test_a_hook_of_before_still_gets_what_is_not_ours(data_root, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, 'excepthook', lambda *args: seen.append(args))
    for name in ('a', 'b'):  # twice, and yet it is called once
        LandslideRunner.from_cfg(config(data_root, tmp_path / name))
    sys.excepthook(ValueError, ValueError('not ours'), None)
    assert [str(error) for _, error, _ in seen] == ['not ours']


def test_a_part_that_would_load_what_happens_to_fit_is_refused_before_a_training(
    data_root, tmp_path
):
    cfg = config(data_root, tmp_path, epochs=1)
    cfg.model.init_cfg = {'type': 'Pretrained', 'checkpoint': 'absent.pth'}
    with pytest.raises(ConfigError, match=r'model\.init_cfg must not read a checkpoint.*load_from'):
        LandslideRunner.from_cfg(cfg).train()


def test_a_model_of_the_hosts_whose_parts_name_other_bands_is_refused(data_root, tmp_path):
    stub = Stub()
    stub.data_preprocessor.bands = ('B3',)
    with pytest.raises(
        ConfigError, match=r"have the backbone's bands \('B2',\) in this order, got \('B3',\)"
    ):
        LandslideRunner(model=stub, work_dir=str(tmp_path), experiment_name=str(tmp_path))
