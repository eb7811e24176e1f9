import subprocess
import sys

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
