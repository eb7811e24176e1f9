"""On a CUDA device, the same numbers as on the CPU: `pytest -m gpu`.

`pytest tests/test_smoke.py` then trains and tests there.
"""

import mmcv.ops
import pytest
import torch

from mmlandslide.models.self_supervision.masking import masked_units
from mmlandslide.models.self_supervision.swin_mae import ENCODERS, SwinMAE

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device'),
]


def boxes(count, generator):
    corner = torch.rand(count, 2, generator=generator) * 40
    return torch.cat([corner, corner + 4 + 10 * torch.rand(count, 2, generator=generator)], 1)


def test_masks_are_the_same_on_both_devices():
    keys = torch.arange(64)
    assert torch.equal(masked_units(keys.cuda(), 64, 0.75).cpu(), masked_units(keys, 64, 0.75))


def test_nms_keeps_the_same_boxes_on_both_devices():
    found = boxes(200, torch.Generator().manual_seed(0))
    scores = torch.rand(200, generator=torch.Generator().manual_seed(1))
    on_cpu, on_gpu = (
        mmcv.ops.nms(found, scores, 0.5)[1],
        mmcv.ops.nms(found.cuda(), scores.cuda(), 0.5)[1],
    )
    assert on_gpu.tolist() == on_cpu.tolist()


def test_roi_align_and_its_gradient_agree_on_both_devices():
    features = torch.rand(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    rois = torch.cat([torch.zeros(5, 1), boxes(5, torch.Generator().manual_seed(1))], 1)
    grads = []
    for device in ('cpu', 'cuda'):
        leaf = features.to(device).requires_grad_()
        out = mmcv.ops.roi_align(leaf, rois.to(device), (7, 7), 0.25, 0, 'avg', True)
        out.square().sum().backward()
        grads.append(leaf.grad.cpu())
    assert torch.allclose(*grads, atol=1e-4)


@pytest.mark.parametrize('encoder', ENCODERS)
def test_swin_mae_predicts_the_same_and_has_the_same_gradients_on_both_devices(encoder):
    backbone = {
        'type': 'mmlandslide.SwinTransformer',
        'arch': 'nano',
        'bands': 'all',
        'out_indices': (3,),
        'drop_path_rate': 0.0,
    }
    model = SwinMAE(
        backbone, {'type': 'mmlandslide.TilePreprocessor', 'bands': 'all'}, encoder=encoder
    )
    tiles, found = torch.rand(2, 14, 128, 128), []
    for device in ('cpu', 'cuda'):
        model.to(device).zero_grad()
        predicted = model.reconstruct(tiles.to(device), torch.tensor([3, 5]))[0]
        predicted.square().mean().backward()
        found.append(
            [predicted.detach().cpu(), *(value.grad.cpu().clone() for value in model.parameters())]
        )
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize('encoder', ENCODERS)
def test_swin_mae_takes_a_step_in_bfloat16(encoder):
    backbone = {
        'type': 'mmlandslide.SwinTransformer',
        'arch': 'nano',
        'bands': 'all',
        'out_indices': (3,),
        'drop_path_rate': 0.0,
    }
    model = SwinMAE(
        backbone, {'type': 'mmlandslide.TilePreprocessor', 'bands': 'all'}, encoder=encoder
    ).cuda()
    with torch.autocast('cuda', torch.bfloat16):
        model.reconstruct(torch.rand(2, 14, 128, 128).cuda(), torch.tensor([3, 5]))[
            0
        ].square().mean().backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())
