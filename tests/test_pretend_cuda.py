"""Every family of models on a CUDA device that is not there, see `pretend_cuda`."""

import os
import subprocess
import sys
from pathlib import Path

import one_step
import pytest

TESTS = Path(__file__).parent
#: A detector or a pre-training of each family.
FAMILIES = [
    'det/faster_rcnn_r18.py',
    'det/faster_rcnn_mobilenet_v2_small_rgb8.py',
    'det/faster_rcnn_efficientnet_b0.py',
    'det/faster_rcnn_swin_t.py',
    'det/faster_rcnn_vit_t.py',
    'det/faster_rcnn_satmae_b.py',
    'det/cascade_rcnn_mobilenet_v2_small_rgb8_augmented.py',
    'det/rtmdet_mobilenet_v2_rgb8_augmented.py',
    'pretrain/swin_mae_tiny.py',
    'pretrain/mae_vit_b.py',
    'pretrain/supervised_l4s_r18.py',
    'pretrain/kd_swin_b_to_r18.py',
]


def run(folder, *arguments):
    """Run the device that is not there in a process of its own; return what it has printed."""
    env = {**os.environ, 'CUDA_VISIBLE_DEVICES': '', 'OMP_NUM_THREADS': '1'}
    env['PYTHONPATH'] = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    command = [sys.executable, '-W', 'ignore', TESTS / 'pretend_cuda.py', *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder)
    return done.returncode, (done.stdout + done.stderr)[-3000:]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return one_step.write_data(tmp_path_factory.mktemp('data'))


@pytest.mark.slow
@pytest.mark.parametrize('config', FAMILIES)
def test_a_training_with_its_hooks_metrics_and_test_leaves_no_tensor_behind(folder, config):
    code, printed = run(folder, 'train', one_step.CONFIGS / config)
    assert code == 0, printed


@pytest.mark.slow
def test_detecting_leaves_no_tensor_behind(tmp_path):
    code, printed = run(tmp_path, 'detect', one_step.CONFIGS / 'det/faster_rcnn_r18.py')
    assert code == 0, printed


@pytest.mark.slow
def test_a_tensor_left_on_the_cpu_is_found(tmp_path):
    code, printed = run(tmp_path, 'plant', 'x')
    assert code == 1
    assert 'on the same device' in printed
