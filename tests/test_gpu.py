"""On a CUDA device, the same numbers as on the CPU: `pytest -m gpu`; `pytest tests/test_smoke.py` then trains and tests there."""

import mmcv.ops
import pytest
import torch

from mmlandslide.models.masking import masked_units
from mmlandslide.models.swin_mae import SwinMAE

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')]


def boxes(count, generator):
    corner = torch.rand(count, 2, generator=generator) * 40
    return torch.cat([corner, corner + 4 + 10 * torch.rand(count, 2, generator=generator)], 1)


def test_masks_are_the_same_on_both_devices():
    keys = torch.arange(64)
    assert torch.equal(masked_units(keys.cuda(), 64, 0.75).cpu(), masked_units(keys, 64, 0.75))


def test_nms_keeps_the_same_boxes_on_both_devices():
    found = boxes(200, torch.Generator().manual_seed(0))
    scores = torch.rand(200, generator=torch.Generator().manual_seed(1))
    on_cpu, on_gpu = mmcv.ops.nms(found, scores, 0.5)[1], mmcv.ops.nms(found.cuda(), scores.cuda(), 0.5)[1]
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


def test_swin_mae_has_the_same_loss_on_both_devices():
    backbone = {'type': 'mmlandslide.SwinTransformer', 'arch': 'nano', 'bands': 'all', 'out_indices': (3,), 'drop_path_rate': 0.0}
    model = SwinMAE(backbone, {'type': 'mmlandslide.TilePreprocessor', 'bands': 'all'}).eval()
    tiles, keys = torch.rand(2, 14, 128, 128), torch.tensor([3, 5])
    on_cpu = model.reconstruct(tiles, keys)[0]
    assert torch.allclose(model.cuda().reconstruct(tiles.cuda(), keys.cuda())[0].cpu(), on_cpu, atol=1e-3)
