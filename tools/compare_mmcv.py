"""Compare mmcv's operators, and detectors on top of them, between two environments.

Compiled mmcv and the stand-in for it. Inputs and weights come from NumPy seeds, so both sides have
the same. Not here, as one side lacks them: roi_pool and the focal losses (compiled mmcv has them on
GPUs only), roi_align's maximum (the stand-in refuses it). Example: `python tools/compare_mmcv.py
dump compiled.npz` in one environment, `... dump stand_in.npz` in the other, then in either `python
tools/compare_mmcv.py compare compiled.npz stand_in.npz`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import click
import mmcv.ops
import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from rich.console import Console
from rich.table import Table
from torch import Tensor, tensor

from mmlandslide import installation
from mmlandslide.datasets.boxes import RULES, boxes_from_mask
from mmlandslide.datasets.simulation.synthetic import simulate_tile
from mmlandslide.rng import generator

CONFIGS = ('configs/det/faster_rcnn_demo.py', 'configs/det/faster_rcnn_r18.py')
TOLERANCE = 1e-4
SHOWN = ('python', 'torch', 'torchvision', 'numpy', 'opencv', 'mmcv', 'mmdet', 'mmcv.ops')
Case = tuple[
    str, str, Callable[[], Mapping[str, Tensor]]
]  # operator, case, and what computes the results by name


def drawn(*shape: int, name: str = '') -> Tensor:
    """Return standard normal float32 values, a pure function of the arguments."""
    return torch.from_numpy(
        generator('compare', name, *shape).standard_normal(shape, dtype=np.float32)
    )


def crowd(count: int, tied: bool, side_px: int = 200) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes (N, 4) xyxy, scores and classes.

    `tied` rounds boxes to 10 px and scores to .1, so that IoUs and scores tie.
    """
    draws = generator('crowd', count)
    corner, size = draws.uniform(0, side_px, (count, 2)), draws.exponential(side_px / 5, (count, 2))
    boxes, scores = np.concatenate([corner, corner + size], 1), draws.random(count)
    boxes, scores = (boxes.round(-1), scores.round(1)) if tied else (boxes, scores)
    return (
        torch.from_numpy(np.float32(boxes)),
        torch.from_numpy(np.float32(scores)),
        torch.from_numpy(draws.integers(0, 3, count)),
    )


def kept(
    function: Callable[..., tuple[Tensor, Tensor]], *args: object, **options: object
) -> Mapping[str, Tensor]:
    """Return the two results of a suppression by name."""
    return dict(zip(('boxes and scores', 'indices'), function(*args, **options), strict=True))


def differentiated(
    function: Callable[..., Tensor], inputs: Mapping[str, Tensor], *args: object
) -> Mapping[str, Tensor]:
    """Return a function's value, and the gradient by each input of that value's product with a fixed tensor."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    value = function(*leaves.values(), *args)
    gradients = torch.autograd.grad(
        value, tuple(leaves.values()), drawn(*value.shape, name='gradient')
    )
    return {
        'value': value.detach(),
        **dict(zip((f'gradient by {name}' for name in leaves), gradients, strict=True)),
    }


def suppression() -> Iterator[Case]:
    """Yield what drops boxes.

    Sizes on both sides of `split_thr`, ties in scores, IoUs at the threshold, both offsets.
    """
    for count, tied, threshold, offset in product(
        (0, 1, 40, 1000), (False, True), (0.3, 0.5, 0.7), (0, 1)
    ):
        case, (boxes, scores, classes) = (
            f'{count} boxes, tied {tied}, IoU {threshold}, offset {offset}',
            crowd(count, tied),
        )
        options = {'iou_threshold': threshold, 'offset': offset}
        yield 'nms', case, partial(kept, mmcv.ops.nms, boxes, scores, **options)
        for method in ('naive', 'linear', 'gaussian'):
            yield (
                f'soft_nms {method}',
                case,
                partial(kept, mmcv.ops.soft_nms, boxes, scores, method=method, **options),
            )
        for agnostic, split in product((False, True), (100, 10000)) if count else ():
            batched = partial(
                mmcv.ops.batched_nms,
                boxes,
                scores,
                classes,
                {'split_thr': split, **options},
                agnostic,
            )
            yield (
                'batched_nms',
                f'{case}, agnostic {agnostic}, split {split}',
                partial(kept, batched),
            )
    yield (
        'batched_nms',
        '12000 boxes',
        partial(kept, mmcv.ops.batched_nms, *crowd(12000, False, 4000), {'iou_threshold': 0.5}),
    )


def layers() -> Iterator[Case]:
    """Yield roi_align within the map, outside of it, without size and of nothing.

    Deformable convolutions of every geometry.
    """
    odd = tensor(
        [
            [-50.0, -40, -20, -10],
            [500, 500, 600, 620],
            [-30, -30, 200, 200],
            [8, 8, 8, 8],
            [3, 9, 60, 9],
            [0, 0, 1, 1],
        ]
    )
    options = product(
        {'inside': crowd(30, False, 90)[0], 'odd': odd, 'none': odd[:0]}.items(),
        (1.0, 0.25),
        (0, 2),
        (True, False),
    )
    for (name, boxes), scale, ratio, aligned in options:
        rois = torch.cat([torch.arange(len(boxes))[:, None] % 2, boxes], 1)  # (K, 5)
        align = partial(
            differentiated,
            mmcv.ops.roi_align,
            {'features': drawn(2, 5, 24, 31)},
            rois,
            (7, 5),
            scale,
            ratio,
        )
        yield (
            'roi_align',
            f'{name}, scale {scale}, ratio {ratio}, aligned {aligned}',
            partial(align, 'avg', aligned),
        )
    for stride, dilation, groups, deform_groups in product((1, 2), (1, 2), (1, 2), (1, 2)):
        side, geometry = (
            (10 - 2 * dilation) // stride + 1,
            (stride, 1, dilation, groups, deform_groups),
        )
        first = {
            'features': drawn(2, 4, 9, 9),
            'offset': 2 * drawn(2, 18 * deform_groups, side, side),
        }
        mask, weight = (
            drawn(2, 9 * deform_groups, side, side).sigmoid(),
            drawn(6, 4 // groups, 3, 3),
        )
        second = {**first, 'mask': mask, 'weight': weight, 'bias': drawn(6)}
        first['weight'] = weight
        yield (
            'deform_conv2d',
            str(geometry),
            partial(differentiated, mmcv.ops.deform_conv2d, first, *geometry),
        )
        yield (
            'modulated_deform_conv2d',
            str(geometry),
            partial(differentiated, mmcv.ops.modulated_deform_conv2d, second, *geometry),
        )


def tiles(count: int = 4, side_px: int = 192) -> dict[str, list[Any]]:
    """Return simulated tiles and their boxes as a data loader would."""
    samples, images = [], []
    for number in range(count):
        image, mask = simulate_tile(0, f'compare/{number}', side_px)
        sample = DetDataSample(metainfo={'img_shape': mask.shape, 'scale_factor': (1.0, 1.0)})
        boxes = torch.from_numpy(boxes_from_mask(mask, RULES['components']))
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.zeros(len(boxes), dtype=torch.int64)
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64)
        )
        images.append(torch.from_numpy(np.float32(image.transpose(2, 0, 1))))
        samples.append(sample)
    return {'inputs': images, 'data_samples': samples}


def detector(config: str) -> BaseDetector:
    """Return a config's detector with weights from NumPy, and samplers that take every box, so that no step draws."""
    cfg = Config.fromfile(config)
    cfg.model.backbone.pretrained = None
    for stage in ('rpn', 'rcnn'):
        cfg.model.train_cfg[stage].sampler.update(type='RandomSampler', num=10**6)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    for name, parameter in model.named_parameters():
        values, is_matrix = drawn(*parameter.shape, name=name), parameter.ndim > 1
        parameter.data = (
            values / parameter[0].numel() ** 0.5
            if is_matrix
            else values / 10 + name.endswith('weight')
        )
    return model


def predicted(config: str) -> Mapping[str, Tensor]:
    """Return what a detector finds in the tiles, each tile's boxes sorted by score, then by corner, so that ties do not matter."""
    with torch.no_grad():
        found = [sample.pred_instances for sample in detector(config).eval().test_step(tiles())]
    rows = [
        torch.cat([one.bboxes, one.scores[:, None], one.labels[:, None]], 1).numpy()
        for one in found
    ]
    ordered = torch.from_numpy(
        np.concatenate([row[np.lexsort((*row.T[:4], -row[:, 4]))] for row in rows])
    )
    count = tensor([len(row) for row in rows])
    return {
        'boxes': ordered[:, :4],
        'scores': ordered[:, 4],
        'labels': ordered[:, 5],
        'boxes a tile': count,
    }


def trained(config: str) -> Mapping[str, Tensor]:
    """Return the losses of one training step and the gradient of the pyramid, which comes through `roi_align`."""
    model = detector(config).train()
    total, terms = model.parse_losses(model(**model.data_preprocessor(tiles(), True), mode='loss'))
    total.backward()
    gradient = torch.cat([parameter.grad.flatten() for parameter in model.neck.parameters()])
    return {'losses': torch.stack(list(terms.values())).detach(), 'gradient of neck': gradient}


def cases() -> Iterator[Case]:
    """Yield everything that is compared."""
    yield from suppression()
    yield from layers()
    yield 'tiles', 'all', lambda: {'values': torch.stack(tiles()['inputs'])}
    for config in CONFIGS:
        yield f'prediction {Path(config).stem}', 'tiles', partial(predicted, config)
        yield f'training step {Path(config).stem}', 'tiles', partial(trained, config)


@click.group()
def main() -> None:
    """Compare compiled mmcv with the stand-in."""


@main.command()
@click.argument('out', type=click.Path(path_type=Path))
def dump(out: Path) -> None:
    """Compute every case in this environment and write the results to OUT."""
    found = {finding.name: finding.value for finding in installation.examine()}
    results: dict[str, Any] = {
        f'{operator}|{name}|{case}': value.numpy()
        for operator, case, compute in cases()
        for name, value in compute().items()
    }
    np.savez_compressed(out, about=np.array(json.dumps(found)), **results)
    click.echo(f'{out}: {len(results)} arrays, mmcv.ops: {found["mmcv.ops"].split(":")[0]}')


def difference(one: np.ndarray | None, other: np.ndarray | None) -> float:
    """Return the largest absolute difference, 0 where both are nan, infinity where shapes differ or one side has nothing."""
    if one is None or other is None or one.shape != other.shape:
        return float('inf')
    gap = np.abs(one.astype(np.float64) - other)
    return float(np.where(np.isnan(one) & np.isnan(other), 0.0, gap).max(initial=0.0))


@main.command()
@click.argument('files', type=click.Path(exists=True, path_type=Path), nargs=2)
@click.option(
    '--allow-same', is_flag=True, help='Also compare two files from the same kind of mmcv.'
)
def compare(files: tuple[Path, Path], allow_same: bool) -> None:
    """Print the largest difference of each operator's results.

    Exit code 1 where one is beyond 1e-4, or not a number.
    """
    one, other = (dict(np.load(file)) for file in files)
    found = [json.loads(str(side.pop('about'))) for side in (one, other)]
    kinds = [about['mmcv.ops'].split(':')[0] for about in found]
    if len(set(kinds)) == 1 and not allow_same:
        raise click.UsageError(
            f'The files must come from compiled mmcv and from the stand-in, got {kinds}.'
        )
    for name in SHOWN:
        click.echo(f'{name:12} {" | ".join(about[name].split(":")[0] for about in found)}')
    rows: dict[str, dict[str, float]] = {}
    for key in one | other:
        group, case = key.rsplit('|', 1)
        rows.setdefault(group, {})[case] = difference(one.get(key), other.get(key))
    table, beyond = Table('operator', 'result', 'cases', 'apart by', 'equal'), []
    for group, row in rows.items():
        bad = [case for case, value in row.items() if not value <= TOLERANCE]
        table.add_row(
            *group.split('|'),
            str(len(row)),
            f'{max(row.values()):.1e}',
            f'not in {len(bad)}' if bad else 'yes',
        )
        beyond += [f'{group}|{case}: {row[case]:.3g}' for case in bad]
    Console().print(table)
    if beyond:
        raise click.ClickException(
            '\n'.join([f'{len(beyond)} results differ by more than {TOLERANCE}:', *beyond])
        )


if __name__ == '__main__':
    main()
