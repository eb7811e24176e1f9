import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import factories
import pytest
import torch
import two_processes as two
from mmengine.dataset import sampler as host_sampler

from mmlandslide.engine import distributed
from mmlandslide.engine.sampler import TileSampler
from mmlandslide.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def launched(tmp_path_factory):
    """Start two gloo processes by mim's own launcher.

    Return what each found and how the launcher ended.
    """
    out = tmp_path_factory.mktemp('two')
    factories.write_dataset(out / 'l4s', {'train': 5})
    launcher = [
        '-m',
        'torch.distributed.launch',
        '--nproc_per_node=2',
        f'--master_port={20000 + os.getpid() % 10000}',
    ]
    environment = {
        **os.environ,
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PYTHONPATH': str(ROOT),
    }
    command = [sys.executable, *launcher, str(ROOT / 'tests' / 'two_processes.py'), str(out)]
    run = subprocess.run(
        command, cwd=out, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    files = [out / f'{rank}.json' for rank in range(two.WORLD)]
    assert all(file.is_file() for file in files), run.stderr
    return [json.loads(file.read_text()) for file in files], run


@pytest.fixture
def found(launched):
    return launched[0]


# Two processes at work.


def test_processes_without_a_gpu_are_joined_with_gloo(found):
    assert [each['backend'] for each in found] == ['gloo', 'gloo']


def test_means_are_taken_over_all_processes(found):
    assert (
        found[0]['mean'] == found[1]['mean'] == [2.0, [0.5, 1.0]]
    )  # of 0 and 4; of (0, 1) and (1, 1)


def test_two_processes_log_and_learn_what_one_with_twice_the_batch_does(found):
    model = two.Linear()
    losses = two.fitted(model)
    for each in found:
        assert each['losses'] == pytest.approx(losses, rel=1e-6)
        assert each['weight'] == pytest.approx(model.weight.tolist(), rel=1e-5)


def test_running_statistics_are_the_mean_of_all_processes(found):
    means = two.points()[-1][:, :3].mean(0)  # momentum 1: of the last step alone
    for each in found:
        assert each['normed'] == pytest.approx(means.tolist(), abs=1e-6)


@pytest.mark.parametrize(('name', 'numbers'), [('metrics', range(7)), ('one_tile', [1])])
def test_each_tile_counts_once_however_unevenly_the_processes_share_them(found, name, numbers):
    alone = two.metrics(list(numbers), len(numbers))
    for each in found:
        assert each[name] == pytest.approx(alone, rel=0, abs=0, nan_ok=True)


def test_gathering_leaves_no_files_behind(launched):
    assert not (Path(launched[1].args[-1]) / '.dist_test').exists()


def test_of_two_that_want_the_same_store_one_builds_it(found):
    held, builds = zip(*(each['store'] for each in found), strict=True)
    assert held == (5, 5)
    assert sum(builds) == 1


def test_an_error_in_both_is_reported_once_and_ends_the_launcher(launched):
    lines = [line for line in launched[1].stderr.splitlines() if 'a test must fail, got' in line]
    assert len(lines) == 1
    assert lines[0].startswith('error: ')
    assert launched[1].returncode != 0


# Which tiles each process has.


def orders(monkeypatch, num_tiles, world, epoch=3, **options):
    """Return, for each process, the positions that its sampler yields."""
    found = []
    for rank in range(world):
        monkeypatch.setattr(host_sampler, 'get_dist_info', lambda rank=rank: (rank, world))
        sampler = TileSampler(range(num_tiles), seed=7, **options)
        sampler.set_epoch(epoch)
        found.append([index.position for index in sampler])
    return found


def test_in_each_step_two_processes_have_the_tiles_of_one_with_twice_the_batch(monkeypatch):
    (alone,), (first, second) = orders(monkeypatch, 12, 1), orders(monkeypatch, 12, 2)
    for step in range(3):
        shared = first[2 * step : 2 * step + 2] + second[2 * step : 2 * step + 2]
        assert sorted(shared) == sorted(alone[4 * step : 4 * step + 4])


def test_where_tiles_do_not_divide_the_first_of_the_epoch_are_trained_on_once_more(monkeypatch):
    (alone,), shares = orders(monkeypatch, 7, 1), orders(monkeypatch, 7, 3)
    assert [len(share) for share in shares] == [3, 3, 3]
    assert [share[-1] for share in shares] == [alone[6], alone[0], alone[1]]


def test_in_validation_no_tile_is_seen_twice(monkeypatch):
    shares = orders(monkeypatch, 7, 3, shuffle=False, round_up=False)
    assert shares == [[0, 3, 6], [1, 4], [2, 5]]


# Joining.


@pytest.fixture
def joined(monkeypatch):
    """Return the calls that join this process to others; nothing is joined."""
    calls = []
    monkeypatch.setattr(
        torch.distributed,
        'init_process_group',
        lambda *args, **options: calls.append((args, options)),
    )
    monkeypatch.setattr(distributed.atexit, 'register', lambda function: None)
    monkeypatch.setattr(os, 'environ', {})
    return calls


def test_a_process_that_no_launcher_started_is_told_how_to(joined):
    with pytest.raises(
        ConfigError,
        match=r'--launcher pytorch must find .*RANK.*mim train \.\.\. --launcher pytorch --gpus N',
    ):
        distributed.init_process_group('pytorch', {})
    assert joined == []


def test_slurm_tells_a_cpu_process_its_place(joined, monkeypatch):
    os.environ.update(
        SLURM_PROCID='3',
        SLURM_NTASKS='4',
        SLURM_LOCALID='1',
        SLURM_NODELIST='node[6-7]',
        LOCAL_RANK='0',
    )
    monkeypatch.setattr(distributed, '_first_host', {'node[6-7]': 'node6'}.get)
    distributed.init_process_group('slurm', {'timeout': 90})
    place = {
        key: os.environ[key]
        for key in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
    }
    assert place == {
        'RANK': '3',
        'WORLD_SIZE': '4',
        'LOCAL_RANK': '1',
        'MASTER_ADDR': 'node6',
        'MASTER_PORT': '29500',
    }
    assert joined == [(('gloo',), {'timeout': timedelta(seconds=90)})]


def test_more_processes_than_gpus_are_refused(joined, monkeypatch):
    os.environ.update(RANK='1', WORLD_SIZE='2', LOCAL_RANK='1')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    with pytest.raises(
        ConfigError,
        match=r'--gpus must be at most the 1 GPUs, got at least 2.*CUDA_VISIBLE_DEVICES=',
    ):
        distributed.init_process_group('pytorch', {})


def test_on_gpus_joining_is_left_to_mmengine(joined, monkeypatch):
    os.environ.update(RANK='1', WORLD_SIZE='2', LOCAL_RANK='1')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    distributed.init_process_group('pytorch', {})
    assert joined == []


def test_a_config_may_change_how_its_model_is_wrapped():
    cfg = distributed.wrapper_cfg(
        {'type': 'MMFullyShardedDataParallel', 'broadcast_buffers': True},
        find_unused_parameters=True,
    )
    assert cfg['type'] == 'MMFullyShardedDataParallel'
    assert (cfg['broadcast_buffers'], cfg['find_unused_parameters']) == (True, True)


def test_a_process_alone_reports_its_own_failure():
    assert not distributed.failed_before()


@pytest.mark.slow
@pytest.mark.parametrize(
    ('config', 'options'),
    [
        ('pretrain/swin_mae_demo.py', ['--batch', '2']),
        (
            'det/faster_rcnn_demo.py',
            ['--batch', '1', '--option', 'train_dataloader.dataset.pipeline.2.size_px=64'],
        ),
    ],
)
def test_the_two_commands_lose_alike(config, options):
    script = ROOT / 'tools' / 'benchmark' / 'two_processes.py'
    command = [
        sys.executable,
        str(script),
        str(ROOT / 'configs' / config),
        '--steps',
        '3',
        '--tiles',
        '8',
        *options,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
