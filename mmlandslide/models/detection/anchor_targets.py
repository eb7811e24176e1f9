"""What each anchor of a batch of tiles is to learn, without a loop over the tiles.

The same numbers as MMDetection's `MaxIoUAssigner`, `KeyedRandomSampler` and `AnchorHead` give one
tile after the other. A GPU starts a few dozen kernels in the place of a few dozen a tile.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mmlandslide.models.self_supervision.masking import hashed_noise


class Thresholds(NamedTuple):
    """Of `MaxIoUAssigner`.

    Attributes:
        positive: IoU from which an anchor learns a box.
        negative: IoU below which it learns the background.
        least_positive: IoU from which a box's best anchors learn it, whatever they overlap more;
            `None` where they do not.
    """

    positive: float
    negative: float
    least_positive: float | None


class Truth(NamedTuple):
    """True boxes of a batch, padded to the most that a tile has.

    Attributes:
        boxes: (B, M, 4) xyxy.
        labels: (B, M).
        real: (B, M) bool, false where padded.
    """

    boxes: Tensor
    labels: Tensor
    real: Tensor


def padded(boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> Truth:
    """Return the boxes (M_i, 4) and labels (M_i,) of B tiles side by side."""
    counts = torch.tensor([len(each) for each in boxes], device=boxes[0].device)
    stacked = torch.nn.utils.rnn.pad_sequence(list(boxes), batch_first=True)
    real = torch.arange(stacked.shape[1], device=counts.device) < counts[:, None]
    return Truth(stacked, torch.nn.utils.rnn.pad_sequence(list(labels), batch_first=True), real)


def overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Return the IoU (B, M, A) of boxes (B, M, 4) and anchors (A, 4), to the bit MMDetection's."""
    x1, y1, x2, y2 = (side[..., None] for side in boxes.unbind(-1))
    a1, b1, a2, b2 = (side.contiguous() for side in anchors.unbind(-1))
    shared = (torch.minimum(x2, a2) - torch.maximum(x1, a1)).clamp_(min=0)
    shared *= (torch.minimum(y2, b2) - torch.maximum(y1, b1)).clamp_(min=0)
    union = ((x2 - x1) * (y2 - y1) + (a2 - a1) * (b2 - b1)).sub_(shared)
    return shared.div_(union.clamp_(min=1e-6))


def assigned(truth: Truth, anchors: Tensor, thresholds: Thresholds) -> Tensor:
    """Return (B, A) int64: 1 + the box that an anchor learns, 0 background, -1 neither."""
    iou = overlaps(truth.boxes, anchors).masked_fill_(~truth.real[..., None], -1)
    if not iou.shape[1]:
        return torch.zeros(iou.shape[0], iou.shape[2], dtype=torch.long, device=iou.device)
    best, which = iou.max(1)
    taken = torch.where(best < thresholds.negative, 0, -1)
    taken = torch.where(best >= thresholds.positive, which + 1, taken)
    if thresholds.least_positive is not None:
        largest = iou.amax(2)  # (B, M)
        wanted = truth.real & (largest >= thresholds.least_positive)
        number = torch.arange(1, iou.shape[1] + 1, device=iou.device)[:, None]
        # Of boxes that want the same anchor the last one has it, as in MMDetection's loop.
        last = (((iou == largest[..., None]) & wanted[..., None]) * number).amax(1)
        taken = torch.where(last > 0, last, taken)
    return taken


def sampled(taken: Tensor, keys: Tensor, num: int, most_positive: int) -> tuple[Tensor, Tensor]:
    """Return which anchors are drawn, as `KeyedRandomSampler` draws them.

    Args:
        taken: (B, A), see `assigned`.
        keys: (B,) int64, the tiles' sample keys.
        num: anchors a tile.
        most_positive: of them, that learn a box.

    Returns:
        Two (B, A) bool: those that learn a box, those that learn the background.
    """
    noise = hashed_noise(keys, taken.shape[1])
    positive = _lowest(noise, taken > 0, torch.full_like(keys, most_positive), most_positive)
    return positive, _lowest(noise, taken == 0, num - positive.sum(1), num)


def _lowest(noise: Tensor, candidates: Tensor, wanted: Tensor, most: int) -> Tensor:
    """Return (B, A) bool, true at the `wanted` (B,) candidates, at most `most`, of lowest noise."""
    most = min(most, noise.shape[1])
    hidden = noise.masked_fill(~candidates, torch.iinfo(noise.dtype).max)
    place = hidden.topk(most, largest=False).indices  # (B, most), sorted
    count = torch.minimum(wanted, candidates.sum(1))
    drawn = torch.arange(most, device=noise.device) < count[:, None]
    return torch.zeros_like(candidates).scatter_(1, place, drawn)
