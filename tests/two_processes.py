"""What each of two gloo processes does for `engine/test_distributed.py`.

Writes what it found to OUT/<rank>.json, then fails. Started as a user's training is: `python -m
torch.distributed.launch --nproc_per_node=2 tests/two_processes.py OUT`.
"""

import json
import os
import sys
from pathlib import Path

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.structures import InstanceData
from torch import nn

from mmlandslide.datasets.storage import store
from mmlandslide.engine import distributed, process
from mmlandslide.errors import ConfigError
from mmlandslide.evaluation.metric import LandslideMetric
from mmlandslide.registry import MODEL_WRAPPERS

WORLD = 2


class Linear(BaseModel):
    """Fits a line to points; its loss is a mean over the batch."""

    def __init__(self, norm=False):
        super().__init__()
        self.norm = nn.BatchNorm1d(3, momentum=1.0) if norm else nn.Identity()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, inputs, mode='loss'):
        x, y = inputs[:, :3], inputs[:, 3]
        return {'loss': ((self.norm(x) * self.weight).sum(1) - y).square().mean()}


def points():
    """Return four steps of six points each."""
    return torch.randn(4, 6, 4, generator=torch.Generator().manual_seed(0))


def fitted(model, share=slice(None)):
    """Take the steps; return the logged losses."""
    bare = getattr(model, 'module', model)
    optim_wrapper = OptimWrapper(torch.optim.SGD(bare.parameters(), lr=0.1))
    return [
        float(model.train_step({'inputs': step[share]}, optim_wrapper)['loss'].detach())
        for step in points()
    ]


def wrapped(model):
    return MODEL_WRAPPERS.build({**distributed.wrapper_cfg(None, False), 'module': model})


def detected(number):
    """Return tile `number` as a detector hands it over.

    A true box on the odd ones, a prediction on all.
    """
    box = [[10.0, 10, 30, 30]] if number % 2 else []
    found = InstanceData(
        bboxes=torch.tensor([[10.0, 10, 30, 30 + number]]),
        scores=torch.tensor([0.9 - number / 20]),
        labels=torch.tensor([0]),
    )
    truth = {'native_boxes_xyxy': box or torch.zeros(0, 4).numpy(), 'native_labels': [0] * len(box)}
    return {'img_id': str(number), 'ori_shape': (64, 64), 'pred_instances': found, **truth}


def metrics(numbers, size):
    """Return the metrics of `size` tiles, of which this process saw some."""
    metric = LandslideMetric()
    metric.dataset_meta = {'classes': ('landslide',)}
    if numbers:
        metric.process({}, [detected(number) for number in numbers])
    return metric.evaluate(size)


def opened_store(data_root):
    """Open the store of a fresh data root as the other does.

    Return how many tiles it holds and how often this process built it.
    """
    builds, build = [], store._build

    def counted(*args):
        builds.append(1)
        return build(*args)

    store._build = counted
    torch.distributed.barrier()
    return len(store.ensure_store(data_root, 'train')), len(builds)


def main():
    out = Path(sys.argv[-1])  # the launcher puts --local-rank before it
    distributed.init_process_group('pytorch', {'timeout': 60})
    rank = torch.distributed.get_rank()
    share = slice(rank, None, WORLD)
    plain, normed = wrapped(Linear()), wrapped(Linear(norm=True))
    found = {
        'backend': torch.distributed.get_backend(),
        'mean': [
            value.tolist()
            for value in distributed.mean_over_processes(
                [torch.tensor(4 * rank), torch.tensor([rank, 1.0])]
            )
        ],
        'losses': fitted(plain, share),
        'weight': plain.module.weight.tolist(),
        'normed': (fitted(normed, share), normed.module.norm.running_mean.tolist())[1],
        'metrics': metrics(list(range(7))[share], 7),
        'one_tile': metrics([1][share], 1),
        'store': opened_store(out / 'l4s'),
    }
    (out / f'{rank}.json').write_text(json.dumps(found))
    torch.distributed.barrier()
    process.install({})
    raise ConfigError.mismatch(
        'a test', 'fail', os.environ['RANK'], 'both processes', 'Look for one line'
    )


if __name__ == '__main__':
    main()
