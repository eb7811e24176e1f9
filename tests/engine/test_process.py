import os
import subprocess
import sys
import threading

import pytest
import torch
from small_runs import config
from torch.nn import init

from mmlandslide.engine import process
from mmlandslide.engine.runner import LandslideRunner
from mmlandslide.errors import ConfigError


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


@pytest.mark.parametrize('fast', [True, False])
def test_a_runner_trains_in_the_layout_of_the_machine_or_in_pytorch_s_own(
    data_root, tmp_path, fast
):
    cfg = config(data_root, tmp_path)
    cfg.env_cfg = {**cfg.get('env_cfg', {}), 'channels_last': fast}
    runner = LandslideRunner.from_cfg(cfg)
    with process.own_layout(runner.model):
        pass
    layouts = [weight.is_contiguous() for weight in runner.model.parameters() if weight.dim() == 4]
    assert layouts
    assert all(layouts) is not fast


def test_a_hook_of_before_gets_every_error_but_ours(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, 'excepthook', lambda *error: seen.append(error[0]))
    process.install({'keep_freed_memory': False})
    process.install({'keep_freed_memory': False})
    sys.excepthook(KeyError, KeyError('theirs'), None)
    sys.excepthook(ConfigError, ConfigError('ours'), None)
    assert seen == [KeyError]


@pytest.mark.parametrize(('error', 'said'), [(OSError(28, 'full'), 1), (KeyError('x'), 0)])
def test_a_thread_that_lacks_something_says_it_in_one_line(monkeypatch, capsys, error, said):
    seen = []
    monkeypatch.setattr(sys, 'excepthook', print)
    monkeypatch.setattr(threading, 'excepthook', seen.append)
    process.install({'keep_freed_memory': False})

    def fail():
        raise error

    thread = threading.Thread(target=fail, name='writer')
    thread.start()
    thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), len(seen)) == (said, 1 - said)
    assert all(line.startswith('warning: writer: path must be written whole') for line in lines)


#: Trains on batches that find no shared memory.
STUCK = """
import torch
from multiprocessing.reduction import ForkingPickler
from torch.utils.data import DataLoader
from mmlandslide.engine import process
def full(*_):
    raise RuntimeError('unable to allocate shared memory(shm) for file </torch_1_2_0>')
ForkingPickler.register(torch.Tensor, full)
if {installed}:
    process.install({{'keep_freed_memory': False}})
for batch in DataLoader([torch.zeros(1)] * 2, num_workers=1):
    print('read')
"""


def stuck(installed):
    code = STUCK.format(installed=installed)
    command = [sys.executable, '-W', 'ignore', '-c', code]
    with subprocess.Popen(command, stderr=-1, text=True, start_new_session=True) as child:
        try:
            return child.communicate(timeout=60 if installed else 20)[1].splitlines()
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            return 'hangs'


def test_a_batch_that_cannot_be_sent_ends_the_training_in_one_line():
    [line] = [line for line in stuck(installed=True) if line.startswith('error: ')]
    assert line.startswith('error: shared memory must hold what workers share')


@pytest.mark.slow
def test_without_that_the_training_hangs():
    assert stuck(installed=False) == 'hangs'


#: Prints whether mmengine reads a sparse tensor, and whether the import has changed the excepthook.
OTHERS = """
import sys, torch, mmengine.runner.checkpoint as host
torch.save({'a': torch.eye(2).to_sparse()}, 'sparse.pth')
hook = sys.excepthook
if len(sys.argv) > 1:
    import mmlandslide.registry
try:
    print('read', len(host.CheckpointLoader.load_checkpoint('sparse.pth', map_location='cpu')))
except ValueError as error:
    print('refused', str(error)[:40])
print('hook kept', hook is sys.excepthook)
"""


@pytest.mark.parametrize(('option', 'found'), [([], 'read 1'), (['import'], 'refused checkpoint')])
def test_what_the_import_changes_for_other_code_is_what_docs_say(tmp_path, option, found):
    command = [sys.executable, '-W', 'ignore', '-c', OTHERS, *option]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-2].startswith(found)
    assert lines[-1] == 'hook kept True'


@pytest.mark.parametrize(('channels', 'laid'), [(8, False), (16, True)])
def test_a_layer_that_crashes_in_that_layout_keeps_its_model_from_it(channels, laid):
    model = torch.nn.Sequential(convolution(), torch.nn.Conv2d(channels, 16, 1, stride=2))
    weight = process.laid_out(model)[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) == laid
