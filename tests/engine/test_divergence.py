import math
from types import SimpleNamespace

import pytest
import tiny_training
import torch
from mmengine.hooks import Hook
from mmengine.structures import BaseDataElement

from mmlandslide.engine import checkpoints, divergence
from mmlandslide.engine.divergence import DivergenceHook
from mmlandslide.errors import CheckpointError, TrainingDivergedError
from mmlandslide.weights.checkpoint_file import latest_checkpoint, read_checkpoint

BEST = {'interval': 1, 'save_best': 'AP50', 'rule': 'greater'}


class Diverge(Hook):
    """Spoils the weights before a step (as a huge one before would), or after it."""

    priority = 'HIGHEST'

    def __init__(self, iteration, after=False):
        self.iteration, self.after = iteration, after

    def _spoil(self, runner):
        if runner.iter == self.iteration:
            runner.model.layer.weight.data.fill_(math.nan)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if not self.after:
            self._spoil(runner)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.after:
            self._spoil(runner)


def diverged(work_dir, **options):
    with pytest.raises(TrainingDivergedError) as caught:
        tiny_training.train(work_dir, **options)
    return str(caught.value)


def test_a_loss_that_is_not_finite_ends_the_training_and_says_where(tmp_path):
    message = diverged(tmp_path, hooks=[Diverge(5)], checkpoint=BEST)  # of epochs of four steps
    assert "training loss 'loss' must be finite, got nan in iteration 6 (epoch 2)" in message
    assert f'load_from={tmp_path / "epoch_1.pth"}, the last finite checkpoint' in message
    assert latest_checkpoint(tmp_path).name == 'epoch_1.pth'


def test_weights_that_are_not_finite_never_become_a_checkpoint(tmp_path):
    message = diverged(tmp_path, hooks=[Diverge(7, after=True)], checkpoint=BEST)
    assert "NaN or infinite values in 1 of 8 parameters such as ['layer.weight']" in message
    assert not (tmp_path / 'epoch_2.pth').exists()
    assert {path.name for path in tmp_path.glob('*.pth')} == {
        'epoch_1.pth',
        'best_AP50_epoch_1.pth',
    }
    assert read_checkpoint(latest_checkpoint(tmp_path))['meta']['epoch'] == 1


def test_without_the_two_checks_a_diverged_checkpoint_is_pointed_to(tmp_path, monkeypatch):
    monkeypatch.setattr(DivergenceHook, 'after_train_iter', lambda *_, **__: None)
    monkeypatch.setattr(checkpoints, 'require_finite_training', lambda *_: None)
    tiny_training.train(tmp_path, hooks=[Diverge(5)], checkpoint=BEST, scores=[0.1, 0.2, 0.3])
    state = torch.load(tmp_path / 'epoch_3.pth', weights_only=True)['state_dict']
    assert state['layer.weight'].isnan().all()
    assert latest_checkpoint(tmp_path).name == 'epoch_3.pth'


def test_the_tiles_of_the_batch_are_named():
    samples = [BaseDataElement(metainfo={'img_id': f'train/{number}'}) for number in range(10)]
    assert divergence._tiles_of({'data_samples': samples})[:2] == ['train/0', 'train/1']
    assert len(divergence._tiles_of({'data_samples': samples})) == 8


class Head(torch.nn.Identity):
    """Computes what it is given, as the heads of detectors do."""

    predict_by_feat = None


def test_a_test_ends_where_a_head_computes_no_numbers_and_validation_and_training_go_on():
    hook, values = DivergenceHook(), [(torch.tensor([1.0, math.inf]),), {'a': torch.ones(2)}]
    model = torch.nn.Sequential(torch.nn.Identity(), Head())
    runner = SimpleNamespace(model=model.eval(), _load_from='a.pth')
    model(values)
    hook.before_test(runner)
    with pytest.raises(CheckpointError, match=r'must be finite, got inf in 1 in a\.pth'):
        model(values)
    model([torch.tensor([1, 2]), torch.ones(2)])
    model.train()(values)
    hook.after_test(runner)
    model.eval()(values)
