"""The last step of a pipeline: a sample becomes what MMDetection's or MMPretrain's models take."""

from collections.abc import Sequence

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmpretrain.structures import DataSample

from mmlandslide.datasets.views.view import Sample
from mmlandslide.errors import ConfigError
from mmlandslide.registry import TRANSFORMS

TILE_KEYS = ('img_id', 'dataset', 'img_path', 'sample_key', 'ori_shape', 'img_shape', 'bands')


def chosen_metainfo(sample: Sample, meta_keys: Sequence[str]) -> Sample:
    """Return the chosen keys of a sample.

    Raises:
        ConfigError: the sample has no such key.
    """
    meta_keys = [key for key in meta_keys if key in sample or key != 'dataset']
    missing = [key for key in meta_keys if key not in sample]
    if missing:
        raise ConfigError.mismatch(
            'meta_keys',
            f'be among {sorted(sample)}',
            missing,
            'the pipeline',
            'Name keys of a sample',
        )
    return {key: sample[key] for key in meta_keys}


def image_tensor(image: np.ndarray) -> torch.Tensor:
    """Return (C, H, W) float32, contiguous, in memory of its own or of a writable array."""
    return torch.from_numpy(np.require(image, np.float32, ['C', 'W']))


@TRANSFORMS.register_module()
class PackDetection(BaseTransform):
    """Turn a sample into what MMDetection's detectors take.

    Args:
        meta_keys: that travel with the image; `native_boxes_xyxy` and `native_labels` are the truth
            that a metric reads.
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            *TILE_KEYS,
            'scale_factor',
            'native_boxes_xyxy',
            'native_labels',
        ),
    ) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: Sample) -> Sample:
        """Return `inputs` (`image_tensor`) and `data_samples`, a `DetDataSample` with truth."""
        data_sample = DetDataSample(metainfo=chosen_metainfo(results, self.meta_keys))
        data_sample.gt_instances = InstanceData(
            metainfo={'sample_key': results['sample_key']},  # for KeyedRandomSampler
            bboxes=torch.from_numpy(results['gt_bboxes'].astype(np.float32).reshape(-1, 4)),
            labels=torch.from_numpy(results['gt_bboxes_labels'].astype(np.int64)),
        )
        data_sample.ignored_instances = InstanceData(
            bboxes=torch.zeros((0, 4)), labels=torch.zeros(0, dtype=torch.int64)
        )
        return {'inputs': image_tensor(results['img']), 'data_samples': data_sample}


@TRANSFORMS.register_module()
class LabelFromBoxes(BaseTransform):
    """Give a window of a tile its own label: whether any box is in it.

    Behind a crop, where tiles that all hold a landslide still have windows that hold none.
    """

    def transform(self, results: Sample) -> Sample:
        """Return the sample with `gt_label` 1, or 0 where `gt_bboxes` is empty."""
        results['gt_label'] = int(len(results['gt_bboxes']) > 0)
        return results


@TRANSFORMS.register_module()
class PackTile(BaseTransform):
    """Turn a sample into what MMPretrain's classifiers and self-supervised models take.

    Args:
        meta_keys: that travel with the image; `sample_key` is what a masked autoencoder draws its
            mask from.
    """

    def __init__(self, meta_keys: Sequence[str] = TILE_KEYS) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: Sample) -> Sample:
        """Return `inputs` (`image_tensor`) and `data_samples`, with `gt_label` if there is one."""
        data_sample = DataSample(metainfo=chosen_metainfo(results, self.meta_keys))
        if 'gt_label' in results:
            data_sample.set_gt_label(results['gt_label'])
        return {'inputs': image_tensor(results['img']), 'data_samples': data_sample}
