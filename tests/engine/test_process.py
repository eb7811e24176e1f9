import pytest
import torch
from small_runs import config
from torch.nn import init

from mmlandslide.engine import process
from mmlandslide.engine.runner import LandslideRunner


def convolution():
    return torch.nn.Conv2d(4, 8, 3)


def test_on_a_cpu_weights_lie_as_they_are_computed():
    assert process.laid_out(convolution()).weight.is_contiguous(memory_format=torch.channels_last)


def test_on_a_gpu_weights_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    assert process.laid_out(convolution()).weight.is_contiguous()


def test_weights_are_drawn_as_in_a_model_of_the_usual_layout():
    usual, ours = convolution(), process.laid_out(convolution())
    with process.own_layout(ours):
        for layer in (usual, ours):
            torch.manual_seed(0)
            init.normal_(layer.weight)
    assert torch.equal(usual.weight, ours.weight)
    assert ours.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(('env_cfg', 'kept'), [({}, 1), ({'keep_freed_memory': False}, 0)])
def test_a_config_may_give_freed_memory_back(env_cfg, kept, monkeypatch):
    calls = []
    monkeypatch.setattr(process, 'keep_freed_memory', lambda: calls.append(1))
    process.install(env_cfg)
    assert len(calls) == kept


def test_a_runner_s_checkpoint_does_not_show_the_layout(trained):
    weights = torch.load(trained / 'epoch_3.pth', weights_only=True)['state_dict'].values()
    assert any(weight.dim() == 4 for weight in weights)
    assert all(weight.is_contiguous() for weight in weights)


def test_a_runner_trains_in_the_layout_of_the_machine(data_root, tmp_path):
    model = LandslideRunner.from_cfg(config(data_root, tmp_path)).model
    layouts = [
        w.is_contiguous(memory_format=torch.channels_last)
        for w in model.parameters()
        if w.dim() == 4
    ]
    assert layouts
    assert all(layouts)
