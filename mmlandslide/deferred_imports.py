"""What the hosts import for parts that no config here names, imported when such a part is used.

MMDetection imports scikit-learn for the interpolation of tracks in videos (Gaussian processes) and
for the PAA head (mixtures); torchvision's RoIAlign imports PyTorch's compiler for one question that
it asks on GPUs. With what these import, that is a third of the time of both hosts' models.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

#: Module of a host -> what stands in while it is imported: module -> names.
_DEFERRED: dict[str, dict[str, tuple[str, ...]]] = {
    'mmdet.models.task_modules.tracking.interpolation': {
        'sklearn.gaussian_process': ('GaussianProcessRegressor',),
        'sklearn.gaussian_process.kernels': ('RBF',),
    },
    'mmdet.models.dense_heads.paa_head': {
        'sklearn': (),
        'sklearn.mixture': ('GaussianMixture',),
    },
    'torchvision.ops.roi_align': {'torch._dynamo.utils': ('is_compile_supported',)},
}


class DeferringFinder(MetaPathFinder):
    """Finds the hosts' modules of `_DEFERRED`, and has them loaded by `DeferringLoader`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is to be imported, `None` for all others."""
        spec = PathFinder.find_spec(name, path) if name in _DEFERRED else None
        if spec is not None and spec.loader is not None:
            spec.loader = DeferringLoader(spec.loader, _DEFERRED[name])
        return spec


class DeferringLoader(Loader):
    """Loads a module while stand-ins take the place of some that it imports.

    Args:
        loader: of the module.
        deferred: module -> names in it that import it when they are called.
    """

    def __init__(self, loader: Loader, deferred: dict[str, tuple[str, ...]]) -> None:
        self._loader, self._deferred = loader, deferred

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the module before its code has run."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        absent = [name for name in self._deferred if name not in sys.modules]
        sys.modules.update({name: _stand_in(name, self._deferred[name]) for name in absent})
        try:
            self._loader.exec_module(module)
        finally:
            for name in absent:
                del sys.modules[name]


def defer() -> None:
    """Defer what is imported from now on, once."""
    if not any(isinstance(finder, DeferringFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, DeferringFinder())


def _stand_in(module_name: str, names: Sequence[str]) -> ModuleType:
    """Return a module whose functions make the objects of the true one."""
    module = ModuleType(module_name)
    for name in names:
        setattr(module, name, _calling(module_name, name))
    return module


def _calling(module_name: str, name: str) -> Any:
    def made(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module_name), name)(*args, **kwargs)

    return made
