"""What the hosts import for parts that no config here names, imported when such a part is used.

MMDetection imports scikit-learn, SciPy and matplotlib for tracks in videos, for the PAA head, for
heads of the DETR family and for a metric of crowds; torchvision's RoIAlign imports PyTorch's
compiler for one question that it asks on GPUs, and PyTorch's optimizers to say where it shall not
look. With what these import, that is half of the time of both hosts' models.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_ASSIGNMENT: dict[str, tuple[str, ...]] = {'scipy.optimize': ('linear_sum_assignment',)}
_COMPILER = 'torch._dynamo'
_TASKS = 'mmdet.models.task_modules'

#: Module of a host -> what stands in while it is imported: module -> its functions and classes.
_DEFERRED: dict[str, dict[str, tuple[str, ...]]] = {
    f'{_TASKS}.assigners.hungarian_assigner': _ASSIGNMENT,
    f'{_TASKS}.assigners.topk_hungarian_assigner': _ASSIGNMENT,
    f'{_TASKS}.tracking.aflink': _ASSIGNMENT,
    f'{_TASKS}.tracking.kalman_filter': {'scipy': (), 'scipy.linalg': ()},
    f'{_TASKS}.tracking.interpolation': {
        'sklearn.gaussian_process': ('GaussianProcessRegressor',),
        'sklearn.gaussian_process.kernels': ('RBF',),
    },
    'mmdet.evaluation.metrics.crowdhuman_metric': {
        'scipy.sparse': ('csr_matrix',),
        'scipy.sparse.csgraph': ('maximum_bipartite_matching',),
    },
    'mmdet.models.dense_heads.paa_head': {'sklearn': (), 'sklearn.mixture': ('GaussianMixture',)},
    'mmdet.utils.mot_error_visualize': {
        'matplotlib': (),
        'matplotlib.pyplot': (),
        'matplotlib.patches': ('Rectangle',),
        'seaborn': (),
    },
    'torchvision.ops.roi_align': {'torch._dynamo.utils': ('is_compile_supported',)},
}


class StandIn(ModuleType):
    """A module in whose place the true one comes once something is asked of it.

    Args:
        name: of the module.
        callables: names in it that are there already, and import it when they are called.
    """

    def __init__(self, name: str, callables: Sequence[str] = ()) -> None:
        super().__init__(name)
        for each in callables:
            setattr(self, each, _calling(name, each))

    def __getattr__(self, name: str) -> Any:
        """Return what the true module has by a name; what the import system asks it has not."""
        if name.startswith('__'):
            raise AttributeError(name)
        self.give_way()
        return getattr(importlib.import_module(self.__name__), name)

    def give_way(self) -> None:
        """Let the next import of the name find the true module."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


class CompilerStandIn(StandIn):
    """Stands for PyTorch's compiler, which its optimizers import to say where it shall not look.

    Nothing is compiled before the compiler is imported, so until then they are called as they are.
    """

    def __init__(self) -> None:
        super().__init__(_COMPILER)

    def __getattr__(self, name: str) -> Any:
        """Return what the compiler has by a name; its folder too, for modules within."""
        self.give_way()
        return getattr(importlib.import_module(_COMPILER), name)

    def graph_break(self) -> None:
        """Break no graph: there is none."""

    def disable(self, fn: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Any:
        """Return a function as it is until the compiler is there, from then on as that wants it."""
        if fn is None:  # what will decorate a function
            return self.__getattr__('disable')(fn, *args, **kwargs)
        wanted: list[Callable[..., Any]] = []

        @wraps(fn)
        def undisturbed(*call_args: Any, **call_kwargs: Any) -> Any:
            there = sys.modules.get(_COMPILER, self)
            if there is not self and not wanted:
                wanted.append(there.disable(fn, *args, **kwargs))
            return (wanted[0] if wanted else fn)(*call_args, **call_kwargs)

        return undisturbed


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

    A module that is imported already, or not installed, has no stand-in.

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
        absent = {
            name: StandIn(name, callables)
            for name, callables in self._deferred.items()
            if name not in sys.modules and _is_installed(name.partition('.')[0])
        }
        sys.modules.update(absent)
        for name, stand_in in absent.items():
            parent, _, child = name.rpartition('.')
            if parent in absent:
                setattr(absent[parent], child, stand_in)
        try:
            self._loader.exec_module(module)
        finally:
            for stand_in in absent.values():
                stand_in.give_way()


def defer() -> None:
    """Defer what is imported from now on, once."""
    if not any(isinstance(finder, DeferringFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, DeferringFinder())


def leave_compiler_out() -> None:
    """Let optimizers step without PyTorch's compiler where nothing has imported it."""
    if _COMPILER not in sys.modules:
        package, _, name = _COMPILER.rpartition('.')
        sys.modules[_COMPILER] = stand_in = CompilerStandIn()
        setattr(importlib.import_module(package), name, stand_in)


def _is_installed(package: str) -> bool:
    return package in sys.modules or importlib.util.find_spec(package) is not None


def _calling(module_name: str, name: str) -> Any:
    def made(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module_name), name)(*args, **kwargs)

    return made
