"""Transforms of tiles with any number of bands.

Image and boxes together, drawn from the sample's own generator. A sample is a dict as
`mmlandslide.datasets.views.view.TileView` makes it: `img` (C, H, W) float32 in stored units,
`gt_bboxes` (N, 4) float32 half-open pixel corners x1 y1 x2 y2 in the frame of `img`,
`gt_bboxes_labels` (N,) int64. No transform draws from global state, touches `native_boxes_xyxy`, or
writes into the array that it was given.
"""

import numpy as np
from mmcv.transforms import BaseTransform

from mmlandslide.datasets.transforms.windows import clip_boxes, crop, random_window, resize
from mmlandslide.datasets.views.view import Sample
from mmlandslide.errors import ConfigError
from mmlandslide.registry import TRANSFORMS


def image_of(sample: Sample) -> np.ndarray:
    """Return a sample's image, (C, H, W) float32 in stored units.

    Raises:
        ConfigError: the sample is another package's, of which this knows neither bands nor truth.
    """
    if 'bands' not in sample:
        raise ConfigError.mismatch(
            'a sample',
            'come from a data set of mmlandslide',
            f'keys {sorted(sample)[:8]}',
            'the pipeline',
            'Take mmlandslide.COCOTileDataset (or VOC, YOLO, Labelme, MaskFolder) as the dataset',
        )
    image: np.ndarray = sample['img']
    return image


def replace_image(
    sample: Sample, image: np.ndarray, scale_xy: tuple[float, float] = (1.0, 1.0)
) -> None:
    """Put an image into a sample; keep `img_shape` and `scale_factor` (w, h) true."""
    sample['img'] = image
    sample['img_shape'] = image.shape[1:]
    sample['scale_factor'] = tuple(
        old * new for old, new in zip(sample['scale_factor'], scale_xy, strict=True)
    )


def replace_boxes(sample: Sample, boxes: np.ndarray, kept: np.ndarray) -> None:
    """Put the kept boxes and their labels into a sample."""
    sample['gt_bboxes'] = boxes.astype(np.float32)
    sample['gt_bboxes_labels'] = sample['gt_bboxes_labels'][kept]


@TRANSFORMS.register_module()
class RandomFlipRotate(BaseTransform):
    """Mirror and turn a tile: nothing on the ground tells a satellite tile's left from its right.

    With both, each of the eight symmetries of the square is equally likely. Odd turns swap the
    sides of a tile that is not square.

    Args:
        flip: mirror each axis with probability 1/2.
        rotate: turn by 0, 90, 180 or 270 degrees.
    """

    def __init__(self, flip: bool = True, rotate: bool = True) -> None:
        self.flip = flip
        self.rotate = rotate

    def transform(self, results: Sample) -> Sample:
        """Return the sample, mirrored and turned."""
        rng: np.random.Generator = results['rng']
        image, (x1, y1, x2, y2) = results['img'], results['gt_bboxes'].T
        if self.flip and rng.random() < 0.5:
            width = image.shape[2]
            image, x1, x2 = image[:, :, ::-1], width - x2, width - x1
        if self.flip and rng.random() < 0.5:
            height = image.shape[1]
            image, y1, y2 = image[:, ::-1], height - y2, height - y1
        for _ in range(int(rng.integers(4)) if self.rotate else 0):
            # A counter-clockwise quarter turn takes the point (x, y) to (y, width - x).
            width = image.shape[2]
            image, (x1, y1, x2, y2) = np.rot90(image, axes=(1, 2)), (y1, width - x2, y2, width - x1)
        replace_image(results, np.ascontiguousarray(image))
        results['gt_bboxes'] = np.stack([x1, y1, x2, y2], axis=1).astype(np.float32)
        return results


@TRANSFORMS.register_module()
class ResizeTile(BaseTransform):
    """Bring a tile to the detector's input size.

    Args:
        size_px: length of the longer side afterwards; the aspect ratio stays. Give this or
            `factor`.
        factor: by which both sides grow.

    Raises:
        ConfigError: both or none are given, or not positive.
    """

    def __init__(self, size_px: int | None = None, factor: float | None = None) -> None:
        given = [value for value in (size_px, factor) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            raise ConfigError.mismatch(
                'ResizeTile',
                'have one positive size',
                f'size_px={size_px}, factor={factor}',
                'the pipeline',
                'Give size_px, such as 256, or factor, such as 2.0',
            )
        self.size_px = size_px
        self.factor = factor

    def transform(self, results: Sample) -> Sample:
        """Return the sample, resized; `scale_factor` maps the tile's own frame to the new one."""
        image = image_of(results)
        height, width = image.shape[1:]
        factor = self.size_px / max(height, width) if self.size_px else float(self.factor or 1)
        new_height, new_width = max(1, round(height * factor)), max(1, round(width * factor))
        if (new_height, new_width) == (height, width):
            return results
        scale_xy = (new_width / width, new_height / height)
        replace_image(results, resize(image, new_height, new_width), scale_xy)
        results['gt_bboxes'] = results['gt_bboxes'] * np.tile(scale_xy, 2).astype(np.float32)
        return results


@TRANSFORMS.register_module()
class RandomScaleCrop(BaseTransform):
    """Zoom into or out of a tile; its size stays.

    Zooming in shows a random window. Zooming out puts the whole tile somewhere on a ground of each
    band's own mean: mirrored edges would show landslides that no box marks.

    Args:
        scale: range of the zoom, drawn evenly on a logarithmic scale, so that halving is as likely
            as doubling.
        min_visible: a box stays where this share of its area is inside.

    Raises:
        ConfigError: the range is empty or not positive.
    """

    def __init__(self, scale: tuple[float, float] = (0.5, 2.0), min_visible: float = 0.3) -> None:
        if not 0 < scale[0] <= scale[1]:
            raise ConfigError.mismatch(
                'scale',
                'be a rising pair of positive numbers',
                scale,
                'RandomScaleCrop',
                'Give for example scale=(0.5, 2.0)',
            )
        self.scale = scale
        self.min_visible = min_visible

    def transform(self, results: Sample) -> Sample:
        """Return the sample, zoomed, with its boxes clipped."""
        rng: np.random.Generator = results['rng']
        image = image_of(results)
        height, width = image.shape[1:]
        zoom = float(np.exp(rng.uniform(*np.log(self.scale))))
        share = min(zoom, 1 / zoom)
        part = random_window(
            rng, image.shape[1:], (max(1, round(height * share)), max(1, round(width * share)))
        )
        whole = (0, 0, width, height)
        source, target = (part, whole) if zoom >= 1 else (whole, part)
        canvas = np.broadcast_to(image.mean(axis=(1, 2), keepdims=True), image.shape).copy()
        crop(canvas, target)[:] = resize(
            crop(image, source), target[3] - target[1], target[2] - target[0]
        )
        scale_xy = (
            (target[2] - target[0]) / (source[2] - source[0]),
            (target[3] - target[1]) / (source[3] - source[1]),
        )
        moved = (results['gt_bboxes'] - np.tile(source[:2], 2)) * np.tile(scale_xy, 2) + np.tile(
            target[:2], 2
        )
        replace_image(results, canvas, scale_xy)
        replace_boxes(results, *clip_boxes(moved, whole, self.min_visible))
        return results


@TRANSFORMS.register_module()
class Mosaic(BaseTransform):
    """Put windows of four tiles around a random centre.

    More landslides a step and new surroundings for each. The frame keeps the size of the first
    tile. For detection: a classification label would not follow.

    Args:
        prob: of a mosaic; otherwise the tile stays.
        min_visible: a box stays where this share of its area is inside its window.

    Raises:
        ConfigError: the view is in test mode, where no tile is mixed in.
    """

    def __init__(self, prob: float = 0.5, min_visible: float = 0.3) -> None:
        self.prob = prob
        self.min_visible = min_visible

    def transform(self, results: Sample) -> Sample:
        """Return the sample in the upper left and three others to its right and below."""
        rng: np.random.Generator = results['rng']
        image = image_of(results)
        if rng.random() >= self.prob:
            return results
        if 'draw_other' not in results:
            raise ConfigError.mismatch(
                'Mosaic',
                'mix tiles of a training',
                'test_mode',
                'the pipeline',
                'Leave it out of tests',
            )
        height, width = image.shape[1:]
        y, x = (max(1, round(side * rng.uniform(0.25, 0.75))) for side in (height, width))
        canvas = np.empty_like(image)
        boxes: list[np.ndarray] = []
        labels: list[np.ndarray] = []
        for target in ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)):
            tile = results if not boxes else self._same_size(results['draw_other'](), height, width)
            assert tile['bands'] == results['bands'], 'one view has one set of bands'
            source = random_window(
                rng, (height, width), (target[3] - target[1], target[2] - target[0])
            )
            crop(canvas, target)[:] = crop(image_of(tile), source)
            moved, kept = clip_boxes(tile['gt_bboxes'], source, self.min_visible)
            boxes.append(moved + np.tile(np.subtract(target[:2], source[:2]), 2).astype(np.float32))
            labels.append(tile['gt_bboxes_labels'][kept])
        replace_image(results, canvas)
        results['gt_bboxes'], results['gt_bboxes_labels'] = (
            np.concatenate(boxes),
            np.concatenate(labels),
        )
        return results

    @staticmethod
    def _same_size(tile: Sample, height_px: int, width_px: int) -> Sample:
        """Return a drawn tile at the size of the first, which may have been resized already."""
        height, width = tile['img'].shape[1:]
        if (height, width) == (height_px, width_px):
            return tile
        scale = np.tile((width_px / width, height_px / height), 2).astype(np.float32)
        return {
            **tile,
            'img': resize(image_of(tile), height_px, width_px),
            'gt_bboxes': tile['gt_bboxes'] * scale,
        }
