"""Transforms of photographs: what training on ImageNet uses, drawn from the sample's own generator.

A sample is as in `transforms.geometry`. A photograph has an up and a down, any size and
no scale; a tile has neither.
"""

import numpy as np
from mmcv.transforms import BaseTransform

from mmlandslide import bands as band_table
from mmlandslide.bands import GROUPS
from mmlandslide.datasets.transforms.geometry import image_of, replace_boxes, replace_image
from mmlandslide.datasets.transforms.windows import Window, clip_boxes, crop, random_window, resize
from mmlandslide.datasets.views.view import Sample
from mmlandslide.errors import ConfigError
from mmlandslide.registry import TRANSFORMS

#: Weights of red, green and blue in the brightness of a photograph (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def cut(sample: Sample, window: Window, size_px: int) -> Sample:
    """Return a sample cut to a window and resized to a square; boxes that lie inside follow."""
    height, width = window[3] - window[1], window[2] - window[0]
    scale_xy = (size_px / width, size_px / height)
    boxes, kept = clip_boxes(sample['gt_bboxes'], window, min_visible=0.3)
    replace_image(sample, resize(crop(image_of(sample), window), size_px, size_px), scale_xy)
    replace_boxes(sample, (boxes - np.tile(window[:2], 2)) * np.tile(scale_xy, 2), kept)
    return sample


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Show a random part of an image, of random size and shape (Szegedy et al. 2015, section 6).

    Args:
        size_px: side of the square that the part is resized to.
        scale: range of the part's share of the area.
        ratio: range of its width / height before resizing, drawn evenly on a logarithmic scale.
        attempts: to draw a part that fits, before the largest central part of a fitting shape is
            taken.
    """

    def __init__(
        self,
        size_px: int = 224,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        attempts: int = 10,
    ) -> None:
        self.size_px = size_px
        self.scale = scale
        self.ratio = ratio
        self.attempts = attempts

    def transform(self, results: Sample) -> Sample:
        """Return the sample, cut and resized."""
        return cut(results, self.window(results['rng'], *results['img'].shape[1:]), self.size_px)

    def window(self, rng: np.random.Generator, height_px: int, width_px: int) -> Window:
        """Return the part that is shown of a frame of that size."""
        for _ in range(self.attempts):
            area = height_px * width_px * rng.uniform(*self.scale)
            ratio = float(np.exp(rng.uniform(*np.log(self.ratio))))
            width, height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < width <= width_px and 0 < height <= height_px:
                return random_window(rng, (height_px, width_px), (height, width))
        width = min(width_px, max(1, round(height_px * self.ratio[1])))
        height = min(height_px, max(1, round(width_px / self.ratio[0])))
        return _central(height_px, width_px, height, width)


@TRANSFORMS.register_module()
class CenterCrop(BaseTransform):
    """Show the middle of a photograph, always the same.

    Args:
        size_px: side of the square that it is resized to.
        share: of the shorter side; 224 / 256 is what resizing that side to 256 px and cutting out
            224 px leaves.
    """

    def __init__(self, size_px: int = 224, share: float = 224 / 256) -> None:
        self.size_px = size_px
        self.share = share

    def transform(self, results: Sample) -> Sample:
        """Return the sample, cut and resized."""
        height, width = results['img'].shape[1:]
        side = max(1, round(min(height, width) * self.share))
        return cut(results, _central(height, width, side, side), self.size_px)


@TRANSFORMS.register_module()
class RandomMirror(BaseTransform):
    """Mirror left and right: a photograph's up stays up.

    Args:
        prob: of mirroring.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: Sample) -> Sample:
        """Return the sample, mirrored or not."""
        if results['rng'].random() < self.prob:
            width = results['img'].shape[2]
            results['img'] = np.ascontiguousarray(results['img'][:, :, ::-1])
            x1, y1, x2, y2 = results['gt_bboxes'].T
            results['gt_bboxes'] = np.stack([width - x2, y1, width - x1, y2], axis=1)
        return results


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Change brightness, contrast and saturation of a photograph, in random order.

    Each is multiplied by a factor from [1 - x, 1 + x]: brightness moves all values from black,
    contrast from their mean brightness, saturation from the brightness of each pixel.

    Args:
        brightness: x of the brightness.
        contrast: x of the contrast.
        saturation: x of the saturation.

    Raises:
        ConfigError: the sample's bands are not red, green and blue.
    """

    def __init__(
        self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4
    ) -> None:
        self.strengths = (brightness, contrast, saturation)

    def transform(self, results: Sample) -> Sample:
        """Return the sample with other colours, 0 to 255."""
        if set(results['bands']) != set(GROUPS['rgb8']):
            remedy = 'Use RandomGain for other bands'
            raise ConfigError.mismatch(
                'ColorJitter', 'see red, green and blue', results['bands'], 'the pipeline', remedy
            )
        rng: np.random.Generator = results['rng']
        luma = LUMA[band_table.positions(results['bands'], GROUPS['rgb8'])]
        factors = 1 + rng.uniform(-1, 1, 3) * self.strengths
        for which in rng.permutation(3):
            results['img'] = adjust(image_of(results), luma, int(which), float(factors[which]))
        return results


def adjust(image: np.ndarray, luma: np.ndarray, which: int, factor: float) -> np.ndarray:
    """Return (3, H, W) with brightness (0), contrast (1) or saturation (2) scaled, in 0..255."""
    grey = np.tensordot(luma, image, axes=1)  # (H, W)
    fixed = (np.zeros_like(grey), grey.mean(), grey)[which]
    return (fixed + np.float32(factor) * (image - fixed)).clip(0, 255)


def _central(height_px: int, width_px: int, height: int, width: int) -> Window:
    """Return the window of a size in the middle of a frame."""
    top, left = (height_px - height) // 2, (width_px - width) // 2
    return left, top, left + width, top + height
