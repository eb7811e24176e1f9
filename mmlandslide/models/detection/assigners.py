"""Which priors learn which true box, for objects of a few pixels.

A shift of one pixel halves the IoU of a box of 4 px and hardly changes that of a box of 40. Both
ways here compare boxes as Gaussians instead, centred in the box, a standard deviation of half its
width and height.
"""

from typing import Any

import torch
from mmdet.models.task_modules import AssignResult, BaseAssigner
from mmdet.structures.bbox import bbox_overlaps, get_box_tensor
from mmengine.structures import InstanceData
from torch import Tensor

from mmlandslide.errors import ConfigError
from mmlandslide.registry import TASK_UTILS


def centres_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return centres (..., 2) and sides (..., 2), px, of boxes (..., 4) xyxy."""
    return (boxes[..., :2] + boxes[..., 2:4]) / 2, boxes[..., 2:4] - boxes[..., :2]


def normalized_wasserstein(boxes: Tensor, others: Tensor, constant_px: float) -> Tensor:
    """Return exp(-W / C) with the 2-Wasserstein distance W of two boxes as Gaussians.

    W^2 = |difference of centres|^2 + |difference of sides|^2 / 4; arXiv 2110.13389, equations 6-8.

    Args:
        boxes: (..., 4) xyxy.
        others: (..., 4) xyxy, of a shape that broadcasts with it.
        constant_px: C, the mean size of an object; the distance at which the value is 1 / e.

    Returns:
        In (0, 1], 1 for equal boxes; above 0 also where they do not touch.
    """
    (centre, side), (centre2, side2) = centres_and_sides(boxes), centres_and_sides(others)
    squared = (centre - centre2).square().sum(-1) + (side - side2).square().sum(-1) / 4
    return torch.exp(-squared.sqrt() / constant_px)


@TASK_UTILS.register_module()
class NormalizedWasserstein:
    """Overlap of `MaxIoUAssigner`: the normalised Wasserstein distance in the place of the IoU.

    Wang et al. 2021, arXiv 2110.13389. Its thresholds of .7 and .3 are those of the IoU there.

    Args:
        constant_px: mean size of an object in px of the detector's input. The default is that of
            Landslide4Sense at 224 px: boxes have a median of 20 px and a mean of 27.5 px there.

    Raises:
        ConfigError: the constant is not above 0.
    """

    def __init__(self, constant_px: float = 27.5) -> None:
        if not constant_px > 0:
            raise ConfigError.mismatch(
                'constant_px',
                'be above 0',
                constant_px,
                'NormalizedWasserstein',
                'Give the mean size of an object in px of the input, such as 27.5',
            )
        self.constant_px = constant_px

    def __call__(
        self, bboxes1: Any, bboxes2: Any, mode: str = 'iou', is_aligned: bool = False
    ) -> Tensor:
        """Return what is compared with the thresholds.

        Args:
            bboxes1: (M, 4) xyxy.
            bboxes2: (N, 4) xyxy.
            mode: `iou` for the distance; others, such as `iof` of ignored boxes, are MMDetection's.
            is_aligned: compare pairs of one index, M = N.

        Returns:
            (M, N), or (M,) where aligned.
        """
        one, two = get_box_tensor(bboxes1), get_box_tensor(bboxes2)
        if mode != 'iou':
            overlaps: Tensor = bbox_overlaps(one[:, :4], two[:, :4], mode, is_aligned)
            return overlaps
        return normalized_wasserstein(one if is_aligned else one[:, None], two, self.constant_px)


def receptive_field_distance(truth: Tensor, priors: Tensor) -> Tensor:
    """Return 1 / (1 + KL(prior, truth)) of priors and true boxes as Gaussians.

    arXiv 2208.08738, equations 5-7, with the Kullback-Leibler divergence, which does not depend on
    the scale of both.

    Args:
        truth: (M, 4) xyxy.
        priors: (N, 4) xyxy.

    Returns:
        (M, N) in (0, 1], 1 for equal boxes.
    """
    (centre, side), (centre2, side2) = centres_and_sides(truth[:, None]), centres_and_sides(priors)
    ratio = (side2 / side).square()  # of variances
    shift = (2 * (centre2 - centre) / side).square()  # in standard deviations of the true box
    divergence = (ratio - ratio.log() + shift - 1).sum(-1) / 2
    return 1 / (1 + divergence)


@TASK_UTILS.register_module()
class ReceptiveFieldAssigner(BaseAssigner):
    """Every true box learns from the same number of priors, however small it is.

    RFLA (Xu et al. 2022, arXiv 2208.08738), hierarchical label assignment: a true box takes its
    `topk[0]` nearest priors, then of priors scaled by `ratio` the `topk[1]` nearest, which do not
    replace those of before. A prior that two boxes want goes to the nearer. The priors ought to be
    boxes as large as the effective receptive field of each level, half of the theoretical one.

    Args:
        topk: priors of each of the two steps.
        ratio: by which priors are scaled in the second step.
        background_below: distance below which a prior that no box took is background; others are
            left out of the loss.

    Raises:
        ConfigError: a step without priors, or a ratio that is not above 0.
    """

    def __init__(
        self,
        topk: tuple[int, int] = (3, 1),
        ratio: float = 0.9,
        background_below: float = 0.8,
    ) -> None:
        if len(topk) != 2 or topk[0] < 1 or topk[1] < 0 or not ratio > 0:
            raise ConfigError.mismatch(
                'ReceptiveFieldAssigner',
                'take one prior or more, and scale them by a ratio above 0',
                f'topk={topk}, ratio={ratio}',
                'train_cfg.rpn.assigner',
                'Give for example topk=(3, 1), ratio=0.9',
            )
        self.topk, self.ratio, self.background_below = tuple(topk), ratio, background_below

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """Return which true box each prior learns.

        Args:
            pred_instances: with `priors` (N, 4) xyxy.
            gt_instances: with `bboxes` (M, 4) and `labels` (M,).
            gt_instances_ignore: not used; tiles have none.
            kwargs: not used.
        """
        priors, truth = get_box_tensor(pred_instances.priors), get_box_tensor(gt_instances.bboxes)
        taken = torch.zeros(len(priors), dtype=torch.long, device=priors.device)  # index + 1
        nearest, labels = priors.new_zeros(len(priors)), taken - 1
        if len(truth) and len(priors):
            near = receptive_field_distance(truth, priors)  # (M, N)
            nearest = near.amax(0)
            taken[nearest >= self.background_below] = -1
            first = best_for_each(near, self.topk[0])
            taken = torch.where(first > 0, first, taken)
            shrunk = receptive_field_distance(truth, scaled(priors, self.ratio))
            second = best_for_each(shrunk, self.topk[1])
            taken = torch.where((first == 0) & (second > 0), second, taken)
            positive = taken > 0
            labels[positive] = gt_instances.labels[taken[positive] - 1]
        return AssignResult(len(truth), taken, nearest, labels=labels)


def best_for_each(near: Tensor, count: int) -> Tensor:
    """Return (N,) 1 + the true box that takes each prior, 0 where none does.

    Args:
        near: (M, N) how near true boxes and priors are.
        count: priors that each true box takes.
    """
    chosen = torch.zeros_like(near, dtype=torch.bool)
    best = near.topk(min(count, near.shape[1]), dim=1).indices
    chosen.scatter_(1, best, True)  # (M, N)
    wanted = near.masked_fill(~chosen, -1.0).max(0)
    return torch.where(wanted.values >= 0, wanted.indices + 1, 0)


def scaled(boxes: Tensor, ratio: float) -> Tensor:
    """Return boxes (N, 4) xyxy scaled around their centres."""
    centre, side = centres_and_sides(boxes)
    return torch.cat([centre - side * ratio / 2, centre + side * ratio / 2], dim=-1)
