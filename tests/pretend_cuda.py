"""A CUDA device that is not there: values live on the CPU, the rules are CUDA's.

An operation on tensors of both devices is refused as CUDA refuses it, so that a tensor left on the
CPU is found on a machine without a GPU. It changes PyTorch for good: a process of its own,
`python pretend_cuda.py train|detect|plant CONFIG`, in a folder with data (see `one_step.write_data`).

What it does not cover: autocast (which sees the CPU), and indexing in the backward pass, where C++
makes zeros of another's options, which count as the CPU's.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
CUDA, CPU = torch.device('cuda:0'), torch.device('cpu')
_INDEXING = ('aten.index', 'aten._index', 'aten._unsafe_index')
_COPIES = ('aten.copy_', 'aten._to_copy', 'aten._copy_from')


class OnGpu(torch.Tensor):
    """A tensor that says that it lies on the GPU."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device='cpu',
        )
        made.inner = inner
        return made

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def get_device(self):
        return 0

    def cpu(self, *_args, **_options):
        return aten._to_copy.default(self, device=CPU)

    def cuda(self, *_args, **_options):
        return self

    def new_tensor(self, data, dtype=None, device=None, requires_grad=False):
        return OnGpu(torch.tensor(_inner(data), dtype=dtype or self.dtype))

    def new(self, *size):
        return OnGpu(self.inner.new(*size))

    def tolist(self):
        return self.inner.tolist()

    def item(self):
        return self.inner.item()

    def numpy(self, *_args, **_options):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def __repr__(self):
        return f'OnGpu({self.inner!r})'

    def __deepcopy__(self, memo):
        copy = OnGpu(self.inner.detach().clone())
        if isinstance(self, torch.nn.Parameter):
            copy = torch.nn.Parameter(copy, self.requires_grad)
        return memo.setdefault(id(self), copy)

    def __reduce_ex__(self, protocol):
        return self.inner.__reduce_ex__(protocol)  # whoever reads it maps it to the CPU

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class PretendCuda(TorchDispatchMode):
    """While it lasts, `device='cuda'` makes tensors of the device that is not there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, OnGpu) else value


def _is_cuda(device: Any) -> bool:
    return device is not None and torch.device(device).type == 'cuda'


def _run(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operation on the values, and put what it gives where CUDA would put it."""
    name, device = str(func), kwargs.get('device')
    flat, _ = tree_flatten((args, kwargs))
    on_gpu = [each for each in flat if isinstance(each, OnGpu)]
    if on_gpu and not name.startswith(_COPIES):
        _require_one_device(func, name, args, flat)
    options = {**kwargs, **({'device': CPU} if _is_cuda(device) else {})}
    if options.get('pin_memory'):
        options['pin_memory'] = False
    with _disable_current_modes():
        out = func(*tree_map(_inner, args), **tree_map(_inner, options))
    leaves = device is not None and not _is_cuda(device)
    if leaves and torch._C._current_autograd_node() is None:
        return out
    if name.startswith('aten.copy_'):
        return args[0]
    if not (on_gpu or _is_cuda(device)):
        return out
    known = {id(each.inner): each for each in on_gpu}

    def placed(each: Any) -> Any:
        plain = isinstance(each, torch.Tensor) and not isinstance(each, OnGpu)
        return known.get(id(each), OnGpu(each) if plain else each)

    return tree_map(placed, out)


def _require_one_device(
    func: Callable[..., Any], name: str, args: tuple[Any, ...], flat: list[Any]
) -> None:
    """Refuse tensors of both devices, but for what CUDA allows: scalars, and indices of the CPU."""
    others = [
        each
        for each in flat
        if isinstance(each, torch.Tensor) and not isinstance(each, OnGpu) and each.dim()
    ]
    if name.startswith(_INDEXING) and isinstance(args[0], OnGpu):
        values = args[2] if len(args) > 2 and isinstance(args[2], torch.Tensor) else None
        others = [each for each in others if each is values]
    elif name.startswith(_INDEXING):
        others = [args[0]]
    in_backward = torch._C._current_autograd_node() is not None
    if in_backward and name.startswith((*_INDEXING, 'aten.stack')):
        others = []  # zeros that the backward pass makes in C++ count as the CPU's
    if others:
        shapes = [tuple(each.shape) for each in others]
        raise RuntimeError(
            'Expected all tensors to be on the same device, but found at least two devices, '
            f'cuda:0 and cpu! in {name}, on the CPU: {shapes}'
        )


_tensor, _as_tensor, _to = torch.tensor, torch.as_tensor, torch.Tensor.to
_module_to, _one_hot = torch.nn.Module.to, torch.nn.functional.one_hot
_pad_sequence = torch.nn.utils.rnn.pad_sequence


def _made(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(data, *args, device=None, **options):
        if isinstance(data, OnGpu) and device is None and make is _as_tensor:
            return data
        value = make(tree_map(_inner, data), *args, **options)
        return OnGpu(value) if _is_cuda(device) else value

    return made


def _moved(self: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
    """Do as `Tensor.to` does, which looks at the device that C++ knows."""
    device, dtype = options.pop('device', None), options.pop('dtype', None)
    for each in args:
        if isinstance(each, torch.Tensor):
            device, dtype = each.device, each.dtype
        elif isinstance(each, torch.dtype):
            dtype = each
        elif isinstance(each, str | torch.device | int) and not isinstance(each, bool):
            device = torch.device(each)
    here = isinstance(self, OnGpu)
    target = here if device is None else _is_cuda(device)
    if target == here and dtype in (None, self.dtype):
        return self
    wanted = {'device': CUDA if target else CPU, 'dtype': dtype or self.dtype}
    return aten._to_copy.default(self, **wanted) if here or target else _to(self, **wanted)


def _module_moved(self: torch.nn.Module, *args: Any, **options: Any) -> torch.nn.Module:
    named = [each for each in args if isinstance(each, str | torch.device)]
    if any(map(_is_cuda, [*named, options.get('device')])):
        return move(self)
    return _module_to(self, *args, **options)


def _made_of_one(tensor: torch.Tensor, num_classes: int = -1) -> torch.Tensor:
    found = _one_hot(_inner(tensor), num_classes)
    return OnGpu(found) if isinstance(tensor, OnGpu) else found


def _padded(sequences: list[torch.Tensor], **options: Any) -> torch.Tensor:
    on_gpu = [isinstance(each, OnGpu) for each in sequences]
    if any(on_gpu) and not all(on_gpu):
        raise RuntimeError('Expected all tensors to be on the same device in pad_sequence')
    found = _pad_sequence([_inner(each) for each in sequences], **options)
    return OnGpu(found) if any(on_gpu) else found


def install() -> None:
    """Make PyTorch believe in the device."""
    torch.cuda._lazy_init = lambda: None
    torch.cuda._initialized = True
    torch._C._ensureCUDADeviceGuardSet()
    torch.tensor, torch.as_tensor = _made(_tensor), _made(_as_tensor)
    torch.Tensor.to = _moved
    torch.nn.utils.rnn.pad_sequence = _padded
    torch.Tensor.type_as = lambda self, other: _moved(self, other)
    torch.nn.Module.to = _module_moved
    torch.nn.functional.one_hot = _made_of_one
    torch.Tensor.cuda = lambda self, *_args, **_options: _moved(self, CUDA)


def move(model: torch.nn.Module) -> torch.nn.Module:
    """Put every parameter and buffer of a model on the device."""
    for module in model.modules():
        for name, value in module._parameters.items():
            if value is not None and not isinstance(value, OnGpu):
                moved = torch.nn.Parameter(OnGpu(value.detach()), value.requires_grad)
                module._parameters[name] = moved
        for name, value in module._buffers.items():
            if value is not None and not isinstance(value, OnGpu):
                module._buffers[name] = OnGpu(value)
        if hasattr(module, '_device'):  # mmengine's preprocessors
            module._device = CUDA
    return model


def train(config: Path) -> None:
    """Train a step, save, validate, load what was saved and test, with all hooks and metrics."""
    import one_step

    from mmlandslide.engine.runner import LandslideRunner

    cfg = one_step.small(config)
    cfg.default_hooks.checkpoint.update(save_best=None)
    if cfg.model.backbone.get('pretrained'):
        cfg.model.backbone.pretrained = None  # its weights are of no matter here
    if cfg.model.get('teacher'):
        small = one_step.CONFIGS / 'pretrain/supervised_l4s_r18.py'
        cfg.model.teacher.update(config=str(small), checkpoint='work_dirs/supervised_l4s_r18')
        if not one_step.checkpoint_of(small).exists():
            one_step.train(small)
    with PretendCuda():
        runner = LandslideRunner.from_cfg(cfg)
        move(runner.model)
        runner.train()
        on_gpu = [isinstance(each, OnGpu) for each in runner.model.parameters()]
        assert all(on_gpu), 'parameters left the device'
        if cfg.get('test_dataloader'):
            runner.load_checkpoint(f'{cfg.work_dir}/epoch_1.pth')
            runner.test()


def detect(config: Path) -> None:
    """Detect in an array with a detector of random weights."""
    import numpy as np
    import tiny_detector

    from mmlandslide import LandslideDetector

    detector = LandslideDetector(*tiny_detector.write(Path.cwd()), device='cpu')
    predictor = detector.predictor
    move(predictor.model)
    predictor.device = CUDA
    with PretendCuda():
        found = detector(tiny_detector.image(), score_thr=0.0)
    assert len(found), f'nothing found by {config}'
    assert np.isfinite(found.score).all()


def plant(_: Path) -> None:
    """Multiply what lies on the device by what does not."""
    with PretendCuda():
        layer = move(torch.nn.Linear(3, 3))
        layer(torch.ones(2, 3).to('cuda')).sum().backward()
        assert layer.weight.grad.is_cuda
        layer(torch.ones(2, 3))


if __name__ == '__main__':
    install()
    {'train': train, 'detect': detect, 'plant': plant}[sys.argv[1]](Path(sys.argv[2]))
