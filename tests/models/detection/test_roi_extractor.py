import pytest
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor as HostExtractor
from mmengine.registry import DefaultScope

from mmlandslide.models.detection.roi_extractor import SingleRoIExtractor

LAYER = {'type': 'RoIAlign', 'output_size': 3, 'sampling_ratio': 0}


def features_and_gradients(cls, rois, scale=None):
    """Return what each of two levels gives to boxes, and what it gets back."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        extractor = cls(LAYER, out_channels=4, featmap_strides=[4, 8], finest_scale=28)
    made = torch.Generator().manual_seed(0)
    levels = [torch.rand(2, 4, side, side, generator=made).requires_grad_() for side in (32, 16)]
    found = extractor(levels, rois, scale)
    (found * torch.rand(found.shape, generator=made)).sum().backward()
    return [found, *(level.grad for level in levels)]


SMALL, LARGE = [0.0, 4, 4, 20, 24], [1.0, 10, 10, 120, 90]  # of the first level, of the second


@pytest.mark.parametrize('scale', [None, 1.5])
@pytest.mark.parametrize('boxes', [[LARGE, SMALL, LARGE, SMALL], [SMALL, SMALL], [LARGE]])
def test_features_and_gradients_equal_mmdetection_s(boxes, scale):
    ours, host = (
        features_and_gradients(cls, torch.tensor(boxes), scale)
        for cls in (SingleRoIExtractor, HostExtractor)
    )
    torch.testing.assert_close(ours, host, rtol=0, atol=0)
