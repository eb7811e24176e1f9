import importlib.machinery
import math
import multiprocessing
import re
import shutil
import sys
from pathlib import Path

import mmcv._ext as ext
import mmcv.ops
import pytest
import torch
import torchvision
from torch import Tensor, tensor
from torch.nn import functional

pytestmark = pytest.mark.skipif(
    not hasattr(ext, 'MMLANDSLIDE_STAND_IN'), reason='compiled mmcv is in force here'
)

# IoU of the first two is 50 / 150 = 1/3, with 1-pixel-wider boxes 66 / 176 = 3/8; the third lies
# apart.
THREE = tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [50, 50, 60, 60]])


def iou(a: list[float], b: list[float], offset: int = 0) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    areas = sum((box[2] - box[0] + offset) * (box[3] - box[1] + offset) for box in (a, b))
    return width * height / (areas - width * height)


def greedy(
    boxes: list[list[float]], scores: list[float], threshold: float, offset: int = 0
) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[i], boxes[k], offset) <= threshold for k in kept):
            kept.append(i)
    return kept


def soft(
    boxes: list[list[float]], scores: list[float], decay: object, min_score: float
) -> list[tuple[int, float]]:
    left, kept = dict(enumerate(scores)), []
    while left:
        best = max(left, key=lambda i: left[i])
        kept.append((best, left.pop(best)))
        left = {i: score * decay(iou(boxes[best], boxes[i])) for i, score in left.items()}
        left = {i: score for i, score in left.items() if score >= min_score}
    return kept


def random_boxes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    corner, size = (
        torch.rand(count, 2, generator=draw) * 40,
        torch.rand(count, 2, generator=draw) * 30 + 1,
    )
    return torch.cat([corner, corner + size], 1), torch.rand(count, generator=draw)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


ROIS = tensor(
    [[0.0, 0, 0, 4, 4], [1, 2.5, 1.5, 13.25, 9], [0, -3, 2, 20, 14], [1, 5, 5, 5, 5]],
    dtype=torch.float64,
)


def test_every_operator_that_an_mmcv_module_loads_is_there():
    sources = [path.read_text() for path in Path(mmcv.ops.__file__).parent.glob('*.py')]
    loads = [
        names
        for source in sources
        for names in re.findall(r"load_ext\(\s*'_ext',\s*\[([^\]]*)\]", source)
    ]
    names = {name for load in loads for name in re.findall(r"'(\w+)'", load)}
    assert len(names) > 100
    assert all(hasattr(ext, name) for name in names)
    assert set(ext.ops_in_force()) <= names


def test_an_operator_that_is_not_written_names_itself_and_the_remedy_when_called():
    with pytest.raises(
        NotImplementedError,
        match=r"'carafe_forward' must come from compiled mmcv.*pip install mmcv==2\.1\.0",
    ):
        ext.carafe_forward(torch.zeros(1), kernel_size=3)


def test_a_dunder_that_the_stand_in_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match='__path__'):
        ext.__path__  # noqa: B018


def test_the_versions_say_that_nothing_was_compiled():
    assert (
        mmcv.ops.get_compiler_version() == f'none (torchvision {torchvision.__version__} stands in)'
    )
    assert mmcv.ops.get_compiling_cuda_version() == (torch.version.cuda or 'not available')


def test_a_compiled_extension_would_be_found_before_the_stand_in(tmp_path):
    shutil.copy(ext.__file__, tmp_path / '_ext.py')
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    assert importlib.machinery.PathFinder.find_spec('_ext', [str(tmp_path)]).origin == str(
        tmp_path / '_ext.py'
    )
    (tmp_path / f'_ext{suffix}').touch()
    sys.path_importer_cache.pop(str(tmp_path), None)
    assert importlib.machinery.PathFinder.find_spec('_ext', [str(tmp_path)]).origin == str(
        tmp_path / f'_ext{suffix}'
    )


@pytest.mark.slow
def test_a_spawned_worker_has_the_operators():
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        assert pool.apply(mmcv.ops.nms, (THREE.numpy(), tensor([0.9, 0.8, 0.7]).numpy(), 0.3))[
            1
        ].tolist() == [0, 2]


@pytest.mark.parametrize(
    ('threshold', 'offset', 'kept'), [(0.3, 0, [0, 2]), (0.34, 0, [0, 1, 2]), (0.34, 1, [0, 2])]
)
def test_nms_drops_what_overlaps_more_than_the_threshold(threshold, offset, kept):
    dets, inds = mmcv.ops.nms(THREE, tensor([0.9, 0.8, 0.7]), threshold, offset=offset)
    assert inds.tolist() == kept
    assert torch.equal(dets[:, :4], THREE[kept])


def test_nms_at_exactly_the_threshold_keeps_the_box_as_mmcv_does_in_float32():
    # IoU 60 / 100 = .6, and float32(.6) > .6: compared in double precision the box would go.
    boxes = tensor([[0.0, 0, 10, 10], [0, 0, 10, 6]])
    assert mmcv.ops.nms(boxes, tensor([0.9, 0.8]), 0.6)[1].tolist() == [0, 1]


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('seed', range(5))
def test_nms_equals_the_greedy_rule_on_random_boxes(seed, offset):
    boxes, scores = random_boxes(60, seed)
    expected = greedy(boxes.tolist(), scores.tolist(), 0.4, offset)
    assert mmcv.ops.nms(boxes, scores, 0.4, offset=offset)[1].tolist() == expected


def test_of_equal_scores_nms_keeps_the_one_that_sort_puts_first():
    scores = torch.arange(300).remainder(3).float()
    assert (
        mmcv.ops.nms(THREE[:1].expand(300, 4), scores, 0.3)[1].tolist()
        == scores.sort(descending=True).indices[:1].tolist()
    )


def test_nms_of_nothing_is_nothing():
    dets, inds = mmcv.ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5)
    assert inds.dtype == torch.int64


def test_batched_nms_keeps_overlapping_boxes_of_different_classes():
    cfg = {'type': 'nms', 'iou_threshold': 0.3}
    scores = tensor([0.9, 0.8, 0.7])
    assert mmcv.ops.batched_nms(THREE, scores, tensor([0, 0, 0]), cfg)[1].tolist() == [0, 2]
    assert mmcv.ops.batched_nms(THREE, scores, tensor([0, 1, 0]), cfg)[1].tolist() == [0, 1, 2]


DECAYS = {
    'naive': lambda overlap: 0.0 if overlap >= 0.3 else 1.0,
    'linear': lambda overlap: 1 - overlap if overlap >= 0.3 else 1.0,
    'gaussian': lambda overlap: math.exp(-(overlap**2) / 0.5),
}


@pytest.mark.parametrize('method', DECAYS)
def test_soft_nms_equals_the_rule_written_out(method):
    boxes, scores = random_boxes(40, 3)
    expected = soft(boxes.tolist(), scores.tolist(), DECAYS[method], 0.05)
    dets, inds = mmcv.ops.soft_nms(boxes, scores, 0.3, sigma=0.5, min_score=0.05, method=method)
    assert inds.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(
        dets, torch.cat([boxes[inds], tensor([[score] for _, score in expected])], 1)
    )


def test_soft_nms_decays_an_overlapping_box_linearly():
    dets, inds = mmcv.ops.soft_nms(THREE, tensor([0.9, 0.6, 0.5]), 0.3, method='linear')
    assert inds.tolist() == [0, 2, 1]
    torch.testing.assert_close(dets[:, 4], tensor([0.9, 0.5, 0.6 * 2 / 3]))  # 1 - IoU = 2/3


APART = tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]])


@pytest.mark.parametrize(
    ('boxes', 'scores', 'inds'),
    [
        (APART, [0.5, 0.5, 0.9, 0.1], [2, 1, 0, 3]),  # 0 takes the place of 2, behind 1
        (
            APART[[0, 0, 1, 2]],
            [0.9, 0.8, 0.5, 0.5],
            [0, 3, 2],
        ),  # 1 is dropped, and 3 takes its place, ahead of 2
        (APART[[0, 0, 0, 1, 2, 3]], [0.9, 0.8, 0.8, 0.5, 0.5, 0.5], [0, 5, 4, 3]),
    ],
)
def test_of_equal_scores_soft_nms_takes_the_one_that_mmcv_s_exchanges_leave_ahead(
    boxes, scores, inds
):
    assert mmcv.ops.soft_nms(boxes, tensor(scores), 0.3, method='naive')[1].tolist() == inds


def test_soft_nms_keeps_a_box_without_area_over_another_with_the_score_nan_as_mmcv_does():
    dets, inds = mmcv.ops.soft_nms(
        torch.cat([torch.ones(2, 4), APART[:1]]), tensor([0.9, 0.8, 0.7]), method='gaussian'
    )
    assert inds.tolist() == [0, 1, 2]
    assert dets[:, 4].isnan().tolist() == [False, True, False]


def test_soft_nms_of_nothing_is_nothing():
    assert mmcv.ops.soft_nms(torch.zeros(0, 4), torch.zeros(0))[0].shape == (0, 5)


def test_nms_match_groups_each_kept_box_with_those_it_drops():
    dets = torch.cat([THREE, tensor([[0.7], [0.9], [0.8]])], 1)
    assert [group.tolist() for group in mmcv.ops.nms_match(dets, 0.3)] == [[1, 0], [2]]


@pytest.mark.parametrize(
    ('mode', 'offset', 'value'), [('iou', 0, 1 / 3), ('iof', 0, 0.5), ('iou', 1, 66 / 176)]
)
def test_bbox_overlaps_are_intersection_over_union_or_foreground(mode, offset, value):
    full = mmcv.ops.bbox_overlaps(THREE, THREE[:2], mode=mode, offset=offset)
    torch.testing.assert_close(full, tensor([[1.0, value], [value, 1.0], [0.0, 0.0]]))
    aligned = mmcv.ops.bbox_overlaps(
        THREE, THREE[[1, 1, 1]], mode=mode, aligned=True, offset=offset
    )
    torch.testing.assert_close(aligned, full[:, 1])


def test_roi_align_of_a_ramp_is_the_coordinate_of_the_bin_centre():
    # Pixel i holds i and stands at i + .5: over [2, 6) in two bins the means are at 3 and 5, so 2.5
    # and 4.5.
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    pooled = mmcv.ops.roi_align(ramp, tensor([[0.0, 2, 2, 6, 6]]), (2, 2), 1.0, 0, 'avg', True)
    torch.testing.assert_close(pooled, tensor([[[[2.5, 4.5], [2.5, 4.5]]]]))


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_and_its_gradient_equal_torchvision(aligned, ratio):
    ours, theirs = (random(2, 3, 9, 12).requires_grad_() for _ in range(2))
    pooled = mmcv.ops.roi_align(ours, ROIS, (3, 2), 0.5, ratio, 'avg', aligned)
    expected = torchvision.ops.roi_align(theirs, ROIS, (3, 2), 0.5, ratio or -1, aligned)
    torch.testing.assert_close(pooled, expected)
    weight = random(*pooled.shape, seed=1)
    (pooled * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_gradient_of_roi_align_is_the_numerical_one():
    features = random(1, 2, 5, 6).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: mmcv.ops.roi_align(x, ROIS[[0, 2]], (2, 2), 0.5, 2, 'avg', True), features
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_roi_align_works_in_half_precision_forward_and_backward(dtype):
    features = random(2, 3, 9, 12).to(dtype).requires_grad_()
    pooled = mmcv.ops.roi_align(features, ROIS.to(dtype), (2, 2), 0.5, 2)
    expected = torchvision.ops.roi_align(
        features.float(), ROIS.to(dtype).float(), (2, 2), 0.5, 2, aligned=True
    )
    torch.testing.assert_close(pooled, expected.to(dtype))
    pooled.sum().backward()
    assert features.grad.dtype == dtype
    assert features.grad.abs().sum() > 0


def test_roi_align_refuses_maximum_pooling():
    with pytest.raises(NotImplementedError, match="roi_align with pool_mode='max'"):
        mmcv.ops.roi_align(torch.zeros(1, 1, 4, 4), tensor([[0.0, 0, 0, 2, 2]]), 2, 1.0, 0, 'max')


def roi_pool_written_out(features: Tensor, roi: list[float], bins: int, scale: float) -> Tensor:
    batch, x1, y1, x2, y2 = roi
    left, top, width, height = (
        x1 * scale,
        y1 * scale,
        (x2 + 1 - x1) * scale / bins,
        (y2 + 1 - y1) * scale / bins,
    )
    pooled = features.new_zeros(features.shape[1], bins, bins)
    for row in range(bins):
        for column in range(bins):
            ys = slice(
                max(0, math.floor(top + row * height)), max(0, math.ceil(top + (row + 1) * height))
            )
            xs = slice(
                max(0, math.floor(left + column * width)),
                max(0, math.ceil(left + (column + 1) * width)),
            )
            cell = features[int(batch), :, ys, xs].flatten(1)
            pooled[:, row, column] = cell.max(1).values if cell.numel() else 0
    return pooled


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_roi_pool_and_its_gradient_equal_the_rule_written_out(scale):
    ours, theirs = (random(2, 3, 9, 12).requires_grad_() for _ in range(2))
    pooled = mmcv.ops.roi_pool(ours, ROIS, (3, 3), scale)
    expected = torch.stack([roi_pool_written_out(theirs, roi, 3, scale) for roi in ROIS.tolist()])
    torch.testing.assert_close(pooled, expected)
    weight = random(*pooled.shape, seed=1)
    (pooled * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_roi_pool_equals_torchvision_where_no_corner_is_rounded():
    features, rois = (
        random(1, 2, 8, 8),
        tensor([[0, 1, 2, 6, 7], [0, 0, 0, 3, 3]], dtype=torch.float64),
    )
    torch.testing.assert_close(
        mmcv.ops.roi_pool(features, rois, 2, 1.0), torchvision.ops.roi_pool(features, rois, 2, 1.0)
    )


LOGITS = tensor([[0.5, -2.0, 3.0], [-40.0, 0.0, 40.0]], dtype=torch.float64)


@pytest.mark.parametrize('background', [False, True])
def test_sigmoid_focal_loss_and_its_gradient_equal_torchvision(background):
    target = tensor([2, 3 if background else 0])
    ours, theirs = (LOGITS.clone().requires_grad_() for _ in range(2))
    one_hot = functional.one_hot(target, 4)[:, :3].double()
    loss = mmcv.ops.sigmoid_focal_loss(ours, target, 2.0, 0.25, None, 'sum')
    expected = torchvision.ops.sigmoid_focal_loss(theirs, one_hot, 0.25, 2.0, 'sum')
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_sigmoid_focal_loss_weighs_a_row_by_the_class_of_its_target():
    target, weight = tensor([2, 0]), tensor([3.0, 1.0, 5.0], dtype=torch.float64)
    plain = mmcv.ops.sigmoid_focal_loss(LOGITS, target, 2.0, 0.25, None, 'none')
    weighted = mmcv.ops.sigmoid_focal_loss(LOGITS, target, 2.0, 0.25, weight, 'none')
    torch.testing.assert_close(weighted, plain * tensor([[5.0], [3.0]], dtype=torch.float64))


def test_softmax_focal_loss_and_its_gradient_equal_the_formula():
    target = tensor([2, 1])
    ours, theirs = (LOGITS.clone().requires_grad_() for _ in range(2))
    p = theirs.softmax(1)[[0, 1], target]
    expected = (-0.25 * (1 - p) ** 2 * p.log()).sum()
    loss = mmcv.ops.softmax_focal_loss(ours, target, 2.0, 0.25, None, 'sum')
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_softmax_focal_loss_ignores_a_negative_target():
    loss = mmcv.ops.softmax_focal_loss(LOGITS.clone(), tensor([2, -1]), 2.0, 0.25, None, 'none')
    assert loss[0] > 0
    assert loss[1] == 0


def conv_inputs() -> list[Tensor]:
    # 4 channels in 2 groups, 2 offset groups, a 3 x 2 kernel on 6 x 7 px with stride (2, 1) and
    # padding (1, 0): 3 x 6 out.
    shapes = ((2, 4, 6, 7), (2, 2 * 2 * 6, 3, 6), (2, 2 * 6, 3, 6), (6, 2, 3, 2), (6,))
    return [random(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes)]


def grads_equal(ours: list[Tensor], theirs: list[Tensor], output: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(output, expected)
    weight = random(*output.shape, seed=9)
    (output * weight).sum().backward()
    (expected * weight).sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_deformable_convolution_and_its_gradients_equal_torchvision():
    (x, offset, _, weight, _), (x2, offset2, _, weight2, _) = conv_inputs(), conv_inputs()
    output = mmcv.ops.deform_conv2d(x, offset, weight, (2, 1), (1, 0), 1, 2, 2)
    expected = torchvision.ops.deform_conv2d(x2, offset2, weight2, stride=(2, 1), padding=(1, 0))
    grads_equal([x, offset, weight], [x2, offset2, weight2], output, expected)


@pytest.mark.parametrize('biased', [True, False])
def test_modulated_deformable_convolution_and_its_gradients_equal_torchvision(biased):
    ours, theirs = conv_inputs()[: 4 + biased], conv_inputs()[: 4 + biased]
    x, offset, mask, weight, bias = [*ours, None][:5]
    output = mmcv.ops.modulated_deform_conv2d(
        x, offset, mask, weight, bias, (2, 1), (1, 0), 1, 2, 2
    )
    x, offset, mask, weight, bias = [*theirs, None][:5]
    expected = torchvision.ops.deform_conv2d(x, offset, weight, bias, (2, 1), (1, 0), mask=mask)
    grads_equal(ours, theirs, output, expected)


def test_deformable_convolution_without_offsets_is_a_convolution():
    x, weight = random(1, 2, 5, 5), random(3, 2, 3, 3, seed=1)
    output = mmcv.ops.deform_conv2d(x, torch.zeros(1, 18, 5, 5, dtype=torch.float64), weight, 1, 1)
    torch.testing.assert_close(output, functional.conv2d(x, weight, padding=1))
