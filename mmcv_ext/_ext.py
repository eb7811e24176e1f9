"""Stand-in for mmcv's compiled `mmcv._ext`, built on torchvision.

Found by `finder.py`, which Python asks last, so a compiled `_ext` always wins over this file. The
operators keep the signatures of mmcv 2.x: outputs are arguments that are written in place. What is
not written here raises `NotImplementedError` when it is called, not when it is imported, so that
`import mmcv.ops` works. This file imports torch and torchvision only: mmcv is imported while
mmlandslide's registries are being built, and a circle would break both.
"""

from collections.abc import Callable
from typing import NoReturn

import torch
import torchvision
from torch import Tensor

MMLANDSLIDE_STAND_IN = True

_FLOAT_MIN = torch.finfo(torch.float32).tiny


def ops_in_force() -> tuple[str, ...]:
    """Return the names of the operators that this stand-in computes, sorted."""
    return tuple(sorted(_OPS))


def __getattr__(name: str) -> Callable[..., NoReturn]:
    """Return an operator that explains itself when called.

    Mmcv asks for about 180 names on import.
    """
    if name.startswith('_'):
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def missing(*_args: object, **_kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f"mmcv operator '{name}' must come from compiled mmcv, got the torchvision stand-in "
            f'in {__file__}. Run `pip uninstall mmcv-lite`, then `pip install mmcv==2.1.0` '
            '(it compiles for minutes, with torch < 2.14; imported as `mmcv`).'
        )

    missing.__name__ = name
    return missing


def get_compiler_version() -> str:
    """Say that nothing was compiled, where mmcv names its compiler."""
    return f'none (torchvision {torchvision.__version__} stands in)'


def get_compiling_cuda_version() -> str:
    """Return the CUDA version that torch, and so torchvision's operators, were built with."""
    return torch.version.cuda or 'not available'


def _full(tensor: Tensor) -> Tensor:
    """Return half precision as float32, for which torchvision's kernels exist; others unchanged."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _ratio(boxes_xyxy: Tensor, others_xyxy: Tensor, offset: int = 0, mode: int = 0) -> Tensor:
    """Return intersection over union (mode 0) or over the first box's area (mode 1), broadcast."""
    corner = torch.minimum(boxes_xyxy[..., 2:], others_xyxy[..., 2:]) - torch.maximum(
        boxes_xyxy[..., :2], others_xyxy[..., :2]
    )
    intersection = (corner + offset).clamp(min=0).prod(-1)
    area = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2] + offset).prod(-1)
    if mode == 1:
        return intersection / area
    return intersection / (
        area + (others_xyxy[..., 2:] - others_xyxy[..., :2] + offset).prod(-1) - intersection
    )


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int = 0) -> Tensor:
    """Return the indices kept by greedy suppression, best score first.

    Of equal scores that box comes first which `Tensor.sort` puts first, as in mmcv; torchvision's
    own order would be the stable one, and that sort is not.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        iou_threshold: a box is dropped where its IoU with a kept one is larger (in float32, as mmcv
            compares).
        offset: 1 where `x2 - x1 + 1` is a width.

    Returns:
        (K,) int64.
    """
    order = scores.sort(0, descending=True).indices
    corners = _full(boxes)[order]
    corners = corners + corners.new_tensor((0, 0, offset, offset))
    rank = torch.arange(len(order), 0, -1).to(corners)
    return order[
        torchvision.ops.nms(corners, rank, torch.tensor(iou_threshold, dtype=torch.float32).item())
    ]


def _decay(iou: Tensor, iou_threshold: float, sigma: float, method: int) -> Tensor:
    """Return the factor on the score of a box that overlaps a kept one.

    Method 0 naive, 1 linear, 2 gaussian.
    """
    if method == 2:
        return torch.exp(-(iou * iou) / sigma)
    return torch.where(
        iou >= iou_threshold,
        1 - iou if method == 1 else torch.zeros_like(iou),
        torch.ones_like(iou),
    )


def _first_best(score: Tensor) -> int:
    """Return the place that mmcv's search for the largest ends at.

    The first one's where that is nan, past all others that are.
    """
    return (
        0 if score[0].isnan() else int(score.nan_to_num(-torch.inf, torch.inf, -torch.inf).argmax())
    )


def _closed_up(left: Tensor, dropped: Tensor) -> Tensor:
    """Return what is not dropped, in mmcv's order.

    The last one left takes the place of the first dropped one, and so on.
    """
    count = int((~dropped).sum())
    closed = left[:count].clone()
    closed[dropped[:count]] = left[count:][~dropped[count:]].flip(0)
    return closed


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Write kept boxes with decayed scores into the first rows of `dets`, and return their indices.

    Bodla et al. 2017. The first box is kept whatever its score, as mmcv does. Of equal scores that
    box comes first which mmcv's exchanges leave further ahead. Two boxes without area have no IoU,
    so `gaussian` makes the second's score nan, and keeps it.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        dets: (N, 5), written: x1, y1, x2, y2, score.
        iou_threshold: overlap from which `naive` drops and `linear` decays.
        sigma: width of the gaussian.
        min_score: a box whose score decays below it is dropped.
        method: 0 naive, 1 linear, 2 gaussian.
        offset: 1 where `x2 - x1 + 1` is a width.

    Returns:
        (K,) int64, best decayed score first.
    """
    left, score = torch.arange(len(boxes)), scores.clone()
    kept: list[Tensor] = []
    while len(left):
        place = _first_best(score[left])
        best = left[place].clone()
        dets[len(kept)] = torch.cat([boxes[best], score[best, None]])
        kept.append(best)
        left[place] = left[0]
        left = left[1:]
        score[left] *= _decay(
            _ratio(boxes[best], boxes[left], offset), iou_threshold, sigma, method
        )
        left = _closed_up(left, score[left] < min_score)
    return torch.stack(kept) if kept else left


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Return groups of indices.

    Each kept box, then the boxes that it suppresses (IoU at least the threshold), best first.

    Args:
        dets: (N, 5) x1, y1, x2, y2, score.
        iou_threshold: see above.
    """
    left, groups = dets[:, 4].sort(descending=True).indices, []
    while len(left):
        matched = _ratio(dets[left[0], :4], dets[left, :4]) >= iou_threshold
        matched[0] = True
        groups.append(left[matched].tolist())
        left = left[~matched]
    return groups


def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode: int, aligned: bool, offset: int
) -> None:
    """Write IoU (mode 0) or intersection over the first area (mode 1) into `ious`.

    (N,) where aligned, else (N, M).
    """
    ious.copy_(_ratio(bboxes1 if aligned else bboxes1[:, None], bboxes2, offset, mode))


def _refuse_max_pooling(pool_mode: int) -> None:
    """Raise for mmcv's pool mode 0: torchvision's RoIAlign averages only."""
    if pool_mode == 0:
        __getattr__("roi_align with pool_mode='max'")()


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write RoIAlign's averages into `output`.

    Args:
        input: (N, C, H, W).
        rois: (K, 5) index into N, then xyxy.
        output: (K, C, aligned_height, aligned_width), written.
        argmax_y: unused where averages are taken.
        argmax_x: likewise.
        aligned_height: bins.
        aligned_width: bins.
        spatial_scale: pixels of `input` per unit of `rois`.
        sampling_ratio: samples a bin and axis, 0 for as many as there are pixels.
        pool_mode: 1, average.
        aligned: shift by half a pixel (detectron2) or not.

    Raises:
        NotImplementedError: `pool_mode` is 0, maximum.
    """
    _refuse_max_pooling(pool_mode)
    features = _full(input)
    output.copy_(
        torch.ops.torchvision.roi_align(
            features,
            rois.to(features),
            spatial_scale,
            aligned_height,
            aligned_width,
            sampling_ratio,
            aligned,
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add RoIAlign's gradient to `grad_input` (N, C, H, W); arguments as in `roi_align_forward`."""
    _refuse_max_pooling(pool_mode)
    grad = _full(grad_output)
    corners = rois.to(grad)
    if grad.device.type == 'cpu' and len(grad):
        shift = 0.5 if aligned else 0.0
        low, high = (corners[:, part] * spatial_scale - shift for part in ((2, 1), (4, 3)))
        sizes = high - low if aligned else (high - low).clamp(min=1)
        bins = (aligned_height, aligned_width)
        axes = [
            _axis(
                low[:, axis], sizes[:, axis], bins[axis], grad_input.shape[2 + axis], sampling_ratio
            )
            for axis in (0, 1)
        ]
        grad_input += _separable_gradient(grad, corners[:, 0].long(), axes, grad_input.shape)
        return
    grad_input += torch.ops.torchvision._roi_align_backward(
        grad,
        corners,
        spatial_scale,
        aligned_height,
        aligned_width,
        *grad_input.shape,
        sampling_ratio,
        aligned,
    )


_Axis = tuple[Tensor, Tensor, Tensor, Tensor]


def _axis(start: Tensor, size: Tensor, bins: int, limit: int, ratio: int) -> _Axis:
    """Return where RoIAlign samples one axis of each box, and what a sample weighs in its bin.

    Args:
        start: (K,) lower edge of the boxes, in cells of the map.
        size: (K,) their extent.
        bins: of the axis.
        limit: cells of the map along it.
        ratio: samples a bin, 0 for as many as the bin has cells.

    Returns:
        Places (K, bins, S) counted from the first cell, weights (K, bins, S), the first cell (K,),
        and the number of cells that the samples touch (K,).
    """
    count = torch.full_like(size, ratio) if ratio > 0 else (size / bins).ceil()
    step = torch.arange(int(count.max().clamp(min=1))).to(size)
    within = torch.arange(bins).to(size)[:, None] + ((step + 0.5) / count[:, None])[:, None]
    place = start[:, None, None] + within * (size / bins)[:, None, None]  # (K, bins, S)
    counts = (step < count[:, None])[:, None] & (place >= -1) & (place <= limit)
    place = torch.where(counts, place, start[:, None, None]).clamp(0, limit - 1)
    first = place.flatten(1).amin(1).floor()
    cells = place.flatten(1).amax(1).floor() - first + 2
    weight = counts / count.clamp(min=1)[:, None, None]
    return place - first[:, None, None], weight, first.long(), cells.long()


def _separable_gradient(
    grad: Tensor, batch: Tensor, axes: list[_Axis], shape: torch.Size
) -> Tensor:
    """Return RoIAlign's gradient as two products a box.

    Its average is one over rows of one over columns. Boxes of similar height and width go together;
    a sample's bilinear weights are a tent around its place.

    Args:
        grad: (K, C, h, w) of the bins.
        batch: (K,) index into N.
        axes: `_axis` of rows and of columns.
        shape: of the map, (N, C, H, W).
    """
    total = grad.new_zeros(shape[0] * shape[2] * shape[3], shape[1])
    bins = grad.permute(0, 2, 3, 1)  # (K, h, w, C)
    edges = torch.tensor((6, 10, 16, 28, 64))
    rows_of, columns_of = (torch.bucketize(axis[3], edges) for axis in axes)
    group = rows_of * (len(edges) + 1) + columns_of
    for which in (torch.where(group == index)[0] for index in group.bincount().nonzero()[:, 0]):
        tents, cells = [], []
        for (place, weight, first, count), limit in zip(axes, shape[2:], strict=True):
            steps = torch.arange(int(count[which].max()))
            tent = (1 - (place[which, ..., None] - steps).abs()).clamp_(min=0)
            tents.append((tent * weight[which, ..., None]).sum(2))  # (k, bins, cells)
            cells.append((first[which, None] + steps).clamp(max=limit - 1))
        rows = tents[0].mT @ bins[which].contiguous().flatten(2)  # (k, cells of rows, w * C)
        found = tents[1].mT[:, None] @ rows.view(
            *rows.shape[:2], *bins.shape[2:]
        )  # (k, rows, columns, C)
        index = (batch[which, None] * shape[2] + cells[0])[:, :, None] * shape[3] + cells[1][
            :, None
        ]
        total.index_add_(0, index.flatten(), found.flatten(0, 2))
    return total.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)


def _bins(start: float, stop: float, count: int, limit: int) -> list[tuple[int, int]]:
    """Return `count` pixel ranges over [start, stop), grown to whole pixels, cut to [0, limit]."""
    edges = start + (stop - start) / count * torch.arange(count + 1, dtype=torch.float32)
    low, high = (
        edges[:-1].floor().clamp(0, limit).int().tolist(),
        edges[1:].ceil().clamp(0, limit).int().tolist(),
    )
    return list(zip(low, high, strict=True))


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write each bin's maximum into `output`, its place in the flat map into `argmax` (-1: empty).

    Not torchvision's roi_pool: that one rounds the scaled corners, mmcv does not. Columns are
    pooled first, then rows.

    Args:
        input: (N, C, H, W).
        rois: (K, 5) index into N, then xyxy with both corners inside.
        output: (K, C, pooled_height, pooled_width), written.
        argmax: the same shape, int32, written.
        pooled_height: bins.
        pooled_width: bins.
        spatial_scale: pixels of `input` per unit of `rois`.
    """
    height, width = input.shape[2:]
    argmax.fill_(-1)
    for roi_index, (batch, x1, y1, x2, y2) in enumerate(rois.float().tolist()):
        if x2 + 1 <= x1 or y2 + 1 <= y1:
            continue
        rows = _bins(y1 * spatial_scale, (y2 + 1) * spatial_scale, pooled_height, height)
        for column, (left, right) in enumerate(
            _bins(x1 * spatial_scale, (x2 + 1) * spatial_scale, pooled_width, width)
        ):
            if left == right:
                continue
            best, x_index = input[int(batch), :, :, left:right].max(-1)  # (C, H)
            for row, (top, bottom) in enumerate(rows):
                if top < bottom:
                    value, y_index = best[:, top:bottom].max(-1, keepdim=True)  # (C, 1)
                    y_index = y_index + top
                    output[roi_index, :, row, column] = value[:, 0]
                    argmax[roi_index, :, row, column] = (
                        y_index * width + left + x_index.gather(1, y_index)
                    )[:, 0].int()


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add each bin's gradient to `grad_input` (N, C, H, W) where its maximum came from."""
    flat = grad_input.flatten(2)
    for roi_index, batch in enumerate(rois[:, 0].long().tolist()):
        place = argmax[roi_index].flatten(1).long()
        flat[batch].scatter_add_(
            1, place.clamp(min=0), grad_output[roi_index].flatten(1) * (place >= 0)
        )


def _sigmoid_parts(
    input: Tensor, target: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return probability, complement, whether the class is the target's, and each row's weight."""
    logit = _full(input)
    positive = target[:, None] == torch.arange(input.shape[1], device=input.device)
    rows = weight.index_select(0, target)[:, None] if weight.numel() else logit.new_ones(1)
    return logit.sigmoid(), (-logit).sigmoid(), positive, rows


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the sigmoid focal loss (Lin et al. 2017) of each logit into `output`.

    Args:
        input: (N, C) logits.
        target: (N,) class index; one that is no class (C, say) is background.
        weight: (C,) by the target's class, or empty.
        output: (N, C), written.
        gamma: focus.
        alpha: weight of positives; 1 - alpha that of negatives.
    """
    p, q, positive, rows = _sigmoid_parts(input, target, weight)
    on, off = (
        alpha * q**gamma * p.clamp(min=_FLOAT_MIN).log(),
        (1 - alpha) * p**gamma * q.clamp(min=_FLOAT_MIN).log(),
    )
    output.copy_(-torch.where(positive, on, off) * rows)


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the derivative of `sigmoid_focal_loss_forward` by each logit into `grad_input`."""
    p, q, positive, rows = _sigmoid_parts(input, target, weight)
    on = alpha * q**gamma * (q - gamma * p * p.clamp(min=_FLOAT_MIN).log())
    off = (1 - alpha) * p**gamma * (gamma * q * q.clamp(min=_FLOAT_MIN).log() - p)
    grad_input.copy_(-torch.where(positive, on, off) * rows)


def _softmax_parts(softmax: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the target's probability and each row's weight, 0 where the target is negative."""
    label = target.clamp(min=0)
    rows = (
        weight.index_select(0, label)
        if weight.numel()
        else torch.ones_like(target, dtype=softmax.dtype)
    )
    return softmax.gather(1, label[:, None])[:, 0], rows * (target >= 0)


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the focal loss of each row of probabilities into `output`: (N, C) -> (N,).

    A negative target gives 0.
    """
    p, rows = _softmax_parts(softmax, target, weight)
    output.copy_(-alpha * (1 - p) ** gamma * p.clamp(min=_FLOAT_MIN).log() * rows)


def softmax_focal_loss_backward(
    softmax: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative by the logits into `grad_input` (N, C), by way of `buff` (N,)."""
    p, rows = _softmax_parts(softmax, target, weight)
    slope = gamma * (1 - p) ** (gamma - 1) * p * p.clamp(min=_FLOAT_MIN).log() - (1 - p) ** gamma
    buff.copy_(alpha * slope * rows)
    own = target[:, None] == torch.arange(softmax.shape[1], device=softmax.device)
    grad_input.copy_(buff[:, None] * (own.to(softmax.dtype) - softmax))


_V1 = ('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW', 'group', 'deformable_group')
_V2 = (
    'stride_h',
    'stride_w',
    'pad_h',
    'pad_w',
    'dilation_h',
    'dilation_w',
    'group',
    'deformable_group',
)


def _deform(*tensors: Tensor, order: tuple[str, ...], geometry: dict[str, int]) -> Tensor:
    """Return torchvision's convolution of (input, weight, offset, mask, bias).

    Both libraries order offsets y, x per point.
    """
    shape = [geometry[name] for name in order]
    return torch.ops.torchvision.deform_conv2d(*map(_full, tensors), *shape, order is _V2)


def _deform_grads(
    *tensors: Tensor, order: tuple[str, ...], geometry: dict[str, int]
) -> tuple[Tensor, ...]:
    """Return the gradients of (grad_output, input, weight, offset, mask, bias) by the last five."""
    shape = [geometry[name] for name in order]
    return torch.ops.torchvision._deform_conv2d_backward(*map(_full, tensors), *shape, order is _V2)


def _no_mask_no_bias(input: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return torchvision's stand-ins for the mask and the bias that version 1 does not have."""
    return input.new_zeros((len(input), 1)), input.new_zeros(len(weight))


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **geometry: int,
) -> None:
    """Write the deformable convolution (Dai et al. 2017) into `output`.

    Args:
        input: (N, C, H, W).
        weight: (O, C / group, kH, kW).
        offset: (N, 2 * deformable_group * kH * kW, H', W'), y then x, in pixels.
        output: (N, O, H', W'), written.
        columns: scratch of the compiled operator, unused.
        ones: likewise.
        geometry: kW, kH, dW, dH (strides), padW, padH, dilationW, dilationH, group,
            deformable_group, im2col_step.
    """
    output.copy_(
        _deform(
            input, weight, offset, *_no_mask_no_bias(input, weight), order=_V1, geometry=geometry
        )
    )


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **geometry: int,
) -> None:
    """Write the gradients by input and offset into `grad_input` and `grad_offset`."""
    absent = _no_mask_no_bias(input, weight)
    grads = _deform_grads(grad_output, input, weight, offset, *absent, order=_V1, geometry=geometry)
    grad_input.copy_(grads[0])
    grad_offset.copy_(grads[2])


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    scale: float,
    **geometry: int,
) -> None:
    """Add the gradient by the weights, times `scale`, to `grad_weight`."""
    weight = torch.zeros_like(grad_weight)  # A weight does not enter its own gradient.
    absent = _no_mask_no_bias(input, weight)
    grad_weight += (
        scale
        * _deform_grads(grad_output, input, weight, offset, *absent, order=_V1, geometry=geometry)[
            1
        ]
    )


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Write the modulated deformable convolution (Zhu et al. 2019) into `output`.

    Args:
        input: (N, C, H, W).
        weight: (O, C / group, kernel_h, kernel_w).
        bias: (O,), or empty.
        ones: scratch of the compiled operator, unused.
        offset: (N, 2 * deformable_group * kernel_h * kernel_w, H', W'), y then x, in pixels.
        mask: (N, deformable_group * kernel_h * kernel_w, H', W'), the factor on each sample.
        output: (N, O, H', W'), written.
        columns: scratch of the compiled operator, unused.
        with_bias: whether `bias` counts.
        geometry: kernel_h/w, stride_h/w, pad_h/w, dilation_h/w, group, deformable_group.
    """
    bias = bias if with_bias else input.new_zeros(len(weight))
    output.copy_(_deform(input, weight, offset, mask, bias, order=_V2, geometry=geometry))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Write the gradients by input, weight, offset, mask and any bias into `grad_*` arguments."""
    bias = bias if with_bias else input.new_zeros(len(weight))
    grads = _deform_grads(
        grad_output, input, weight, offset, mask, bias, order=_V2, geometry=geometry
    )
    outputs = (grad_input, grad_weight, grad_offset, grad_mask, grad_bias)
    for output, grad in zip(outputs[: 4 + with_bias], grads, strict=False):
        output.copy_(grad)


_OPS: dict[str, Callable[..., object]] = {
    function.__name__: function
    for function in (
        bbox_overlaps,
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        nms,
        nms_match,
        roi_align_backward,
        roi_align_forward,
        roi_pool_backward,
        roi_pool_forward,
        sigmoid_focal_loss_backward,
        sigmoid_focal_loss_forward,
        softmax_focal_loss_backward,
        softmax_focal_loss_forward,
        softnms,
    )
}
