import importlib.util
import os
import subprocess
import sys
import types
from unittest import mock

import pytest

from mmlandslide.deferred_imports import DeferringLoader, StandIn

CODE = """
import sys
from mmlandslide import deferred_imports
deferred_imports.defer()
deferred_imports.defer()
import mmdet.models.task_modules.tracking.interpolation as tracking
assert not [name for name in sys.modules if name.startswith('sklearn.gaussian_process')]
model = tracking.GPR(tracking.RBF(2.0), random_state=0)
print(tracking.HAS_SKIKIT_LEARN, type(model).__name__, model.kernel, len(sys.meta_path))
import sklearn.gaussian_process
assert isinstance(model, sklearn.gaussian_process.GaussianProcessRegressor)
"""


def test_gaussian_processes_are_imported_when_tracks_are_interpolated():
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', CODE], capture_output=True)
    assert done.stdout.decode().split()[:3] == [
        'True',
        'GaussianProcessRegressor',
        'RBF(length_scale=2)',
    ], done.stderr.decode()[-500:]


MIXTURE = """
import sys
from mmlandslide import deferred_imports
deferred_imports.defer()
import mmdet.models.dense_heads.paa_head as paa
assert 'sklearn.mixture' not in sys.modules
model = paa.skm.GaussianMixture(2, random_state=0)
import sklearn.mixture
assert isinstance(model, sklearn.mixture.GaussianMixture)
print(type(model).__name__)
"""


def test_mixtures_are_imported_when_a_paa_head_fits_them():
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', MIXTURE], capture_output=True)
    assert done.stdout.decode().split() == ['GaussianMixture'], done.stderr.decode()[-500:]


COMPILER = """
import sys
from mmlandslide import deferred_imports
deferred_imports.defer()
import torch
from torchvision.ops.roi_align import is_compile_supported, roi_align
assert 'torch._dynamo' not in sys.modules
pooled = roi_align(torch.arange(16.0).view(1, 1, 4, 4), [torch.tensor([[0.0, 0, 4, 4]])], 1)
import torch._dynamo.utils
assert is_compile_supported('cpu') == torch._dynamo.utils.is_compile_supported('cpu')
print(pooled.item())
"""


def test_pytorch_s_compiler_is_imported_when_torchvision_asks_for_it():
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', COMPILER], capture_output=True)
    assert done.stdout.decode().split() == ['9.375'], done.stderr.decode()[-500:]


SCIPY = """
import sys
sys.modules['transformers'] = None  # it imports SciPy itself
from mmlandslide import deferred_imports
deferred_imports.defer()
import numpy as np
import torch
from mmdet.models.task_modules.assigners import hungarian_assigner, topk_hungarian_assigner
from mmdet.models.task_modules.tracking import aflink, kalman_filter
from mmdet.evaluation.metrics import crowdhuman_metric
from mmdet.utils import mot_error_visualize
absent = [each for each in ('scipy', 'matplotlib', 'seaborn') if each in sys.modules]
assert not absent, absent

cost = np.array([[4.0, 1.0], [2.0, 9.0]])
for module in (hungarian_assigner, topk_hungarian_assigner, aflink):
    assert [list(each) for each in module.linear_sum_assignment(cost)] == [[0, 1], [1, 0]]
means, _ = kalman_filter.KalmanFilter().update(
    np.zeros(8), np.eye(8), np.array([1.0, 0.0, 0.0, 0.0])
)
assert 0 < means[0] <= 1, means
graph = crowdhuman_metric.csr_matrix(np.array([[1, 1], [1, 0]]))
assert list(crowdhuman_metric.maximum_bipartite_matching(graph, perm_type='column')) == [1, 0]
patch = mot_error_visualize.Rectangle((0, 0), 1, 2)
figure = mot_error_visualize.plt.figure()
figure.gca().add_patch(patch)
print(type(figure).__module__, patch.get_height())
import matplotlib.pyplot
import scipy.linalg
assert mot_error_visualize.plt.gcf() is matplotlib.pyplot.gcf() is figure
assert kalman_filter.scipy.linalg.cho_factor is scipy.linalg.cho_factor
"""


def test_scipy_and_matplotlib_are_imported_when_tracks_and_crowds_need_them():
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', SCIPY],
        capture_output=True,
        env=os.environ | {'MPLBACKEND': 'agg'},
    )
    assert done.stdout.decode().split() == ['matplotlib.figure', '2'], done.stderr.decode()[-500:]


STEPS = """
import sys
import torch
from mmlandslide.deferred_imports import CompilerStandIn, leave_compiler_out

def stepped(kind):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(5))
    optimizer = kind([{'params': [weight]}], lr=0.1)
    optimizer.add_param_group({'params': [torch.nn.Parameter(torch.ones(1))]})
    for _ in range(3):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    return weight.detach(), optimizer

leave_compiler_out()
assert sys.modules['torch._dynamo'].disable(abs)(-2) == 2
kinds = (torch.optim.SGD, torch.optim.AdamW)
before = [stepped(kind)[0] for kind in kinds]
assert isinstance(sys.modules['torch._dynamo'], CompilerStandIn)
assert 'torch._dynamo.utils' not in sys.modules
import torch._dynamo.utils
leave_compiler_out()
assert not isinstance(sys.modules['torch._dynamo'], CompilerStandIn)
assert torch._dynamo is sys.modules['torch._dynamo']
for kind, weight in zip(kinds, before):
    assert torch.equal(stepped(kind)[0], weight)
weight, optimizer = stepped(torch.optim.SGD)
assert CompilerStandIn().disable(recursive=False)(lambda x: -x)(-2) == 2
twice = torch.compile(lambda x: 2 * x, backend='eager', fullgraph=True)
assert twice(torch.ones(1)).item() == 2
torch.compile(optimizer.step, backend='eager')()
assert torch.allclose(weight, stepped(torch.optim.SGD)[0] * 0.75, atol=1e-6)
print('as before')
"""


def test_optimizers_step_alike_without_the_compiler_and_once_it_is_there():
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', STEPS], capture_output=True)
    assert done.stdout.decode().split() == ['as', 'before'], done.stderr.decode()[-800:]


def test_a_stand_in_gives_way_to_another_importer(tmp_path):
    (tmp_path / 'host.py').write_text(
        'import colorsys\nfrom colorsys import rgb_to_hsv\nimport other\nimport gone\n'
    )
    (tmp_path / 'other.py').write_text('from colorsys import ONE_THIRD\n')
    sys.modules.pop('colorsys', None)
    deferred = {'colorsys': ('rgb_to_hsv',), 'gone': ()}
    spec = importlib.util.spec_from_file_location('host', tmp_path / 'host.py')
    loader = DeferringLoader(spec.loader, deferred)
    module = types.ModuleType('host')
    with (
        mock.patch.object(sys, 'path', [str(tmp_path), *sys.path]),
        pytest.raises(ModuleNotFoundError, match='gone'),  # not installed: no stand-in
    ):
        loader.exec_module(module)
    true = sys.modules['colorsys']
    assert not isinstance(true, StandIn)
    assert sys.modules.pop('other').ONE_THIRD == true.ONE_THIRD
    assert isinstance(module.colorsys, StandIn)
    assert module.rgb_to_hsv is not true.rgb_to_hsv
    assert module.colorsys.hsv_to_rgb is true.hsv_to_rgb
    assert module.colorsys.rgb_to_hsv(0.5, 0.5, 0.5) == (0.0, 0.0, 0.5)
