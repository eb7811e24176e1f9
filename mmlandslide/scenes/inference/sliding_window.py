"""Sliding-window inference: a block is read and cut into windows while the next one is read."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import BandError, ConfigError
from mmlandslide.scenes.inference.blocks import BlockResult
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.grid import Block, Grid
from mmlandslide.scenes.inference.predictor import Predictor
from mmlandslide.scenes.scene import Scene

#: Distance beyond its core, in px, up to which a window hands on detections. A model places one
#: object a little differently in each window: without this, a centre that each of two windows sees
#: in the other's core would be lost. `merge.drop_unowned` drops what is not needed.
SLACK_PX = 2.0


@dataclass(frozen=True)
class BlockPixels:
    """The pixels under all windows of a block.

    Attributes:
        values: (C, h, w) float32 in stored units, filled where not valid.
        valid: (h, w) bool, true where there are data.
        top: row of the scene where it begins.
        left: column of the scene where it begins.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    top: int
    left: int


def predict_blocks(
    scene: Scene,
    predictor: Predictor,
    grid: Grid,
    blocks: Sequence[Block],
    score_thr: float,
    batch_size: int,
    advance: Callable[[int], None] = lambda windows: None,
) -> Iterator[tuple[Block, BlockResult]]:
    """Detect landslides in blocks of a scene; never are more than two of them in memory.

    Args:
        scene: with the bands of the predictor.
        predictor: detector of landslides in windows; a window without any valid pixel is skipped.
        grid: of the windows.
        blocks: of the grid, in the order of their prediction.
        score_thr: detections with a lower score are dropped.
        batch_size: windows per call of the predictor.
        advance: called with the number of windows that have been dealt with since the last call.

    Yields:
        Each block with its detections, of which the centre lies at most `SLACK_PX` beyond the
        core of their window, and its counts of windows and pixels with data.

    Raises:
        ConfigError: a batch size below 1, or a score threshold outside 0 to 1.
        BandError: the scene has other bands than the predictor.
        LandslideError: the scene cannot be read.
    """
    if batch_size < 1:
        raise ConfigError.mismatch(
            'batch', 'be at least 1 window', batch_size, 'the detection', 'Pass for example 8'
        )
    if not 0 <= score_thr <= 1:
        raise ConfigError.mismatch(
            'score threshold', 'lie from 0 to 1', score_thr, 'the detection', 'Pass for example 0.3'
        )
    if scene.bands != predictor.bands:
        remedy = 'Open it with the bands of the detector'
        raise BandError.mismatch(
            'scene',
            f'have the bands {list(predictor.bands)}',
            list(scene.bands),
            scene.name,
            remedy,
        )
    with ThreadPoolExecutor(1, 'read-ahead') as reader:
        ahead = [
            reader.submit(read_block, scene, grid, block, predictor.fill) for block in blocks[:1]
        ]
        for position, block in enumerate(blocks):
            pixels = ahead.pop().result()
            ahead = [
                reader.submit(read_block, scene, grid, each, predictor.fill)
                for each in blocks[position + 1 : position + 2]
            ]
            yield (
                block,
                _predict_block(pixels, predictor, grid, block, score_thr, batch_size, advance),
            )


def read_block(scene: Scene, grid: Grid, block: Block, fill: NDArray[np.float32]) -> BlockPixels:
    """Read the pixels of a block; those without data get the fill values."""
    extent = grid.extent(block)
    values, valid = scene.read(extent)
    if not valid.all():
        values[:, ~valid] = fill[:, None]
    return BlockPixels(values, valid, *extent[:2])


def _predict_block(
    pixels: BlockPixels,
    predictor: Predictor,
    grid: Grid,
    block: Block,
    score_thr: float,
    batch_size: int,
    advance: Callable[[int], None],
) -> BlockResult:
    """Return the detections that the windows of a block own, or nearly."""
    windows = [(row, col) for row in block.rows for col in block.cols]
    seen = [window for window in windows if pixels.valid[_part(pixels, grid, *window)].any()]
    advance(len(windows) - len(seen))
    found = []
    for start in range(0, len(seen), batch_size):
        batch = seen[start : start + batch_size]
        images = np.stack(
            [pixels.values[(slice(None), *_part(pixels, grid, *window))] for window in batch]
        )  # (B, C, h, w)
        for (row, col), (boxes, scores, *stds) in zip(
            batch, predictor.predict(images), strict=True
        ):
            kept = scores >= score_thr
            each = [array[kept] for array in (boxes, scores, *stds)]
            found.append(_owned(each, grid, row, col))
        advance(len(batch))
    rows, cols = grid.own(block)
    on_ground = with_ground_values(Detections.concatenate(found), pixels, predictor.bands)
    return BlockResult(on_ground, len(seen), int(pixels.valid[:rows, :cols].sum()))


def _part(pixels: BlockPixels, grid: Grid, row: int, col: int) -> tuple[slice, slice]:
    """Return the rows and columns of a block's pixels that are a window's."""
    top, left = int(grid.row_starts[row]) - pixels.top, int(grid.col_starts[col]) - pixels.left
    return slice(top, top + grid.window_px), slice(left, left + grid.window_px)


def _owned(predicted: Sequence[NDArray[np.floating]], grid: Grid, row: int, col: int) -> Detections:
    """Return the detections that a window owns, or nearly, in px of the scene, clipped to it."""
    top, left = int(grid.row_starts[row]), int(grid.col_starts[col])
    boxes_xyxy, scores, *stds = predicted
    boxes = boxes_xyxy.reshape(-1, 4).astype(np.float64) + np.array((left, top, left, top))
    boxes = np.clip(boxes, 0, (grid.width, grid.height, grid.width, grid.height))
    kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & grid.owned(
        boxes, np.array((top, left)), SLACK_PX
    )
    return Detections.of(boxes[kept], scores[kept], (top, left), *(each[kept] for each in stds))


def with_ground_values(found: Detections, pixels: BlockPixels, bands: Sequence[str]) -> Detections:
    """Measure slope and elevation under each box, and drop boxes that lie mostly in no data.

    Args:
        found: in the frame of the scene, within the pixels.
        pixels: of the block.
        bands: of the pixels.

    Returns:
        The detections with data under half of their pixels or more; a pixel counts that a box
        touches.
    """
    slope, elevation = (bands.index(name) if name in bands else None for name in ('slope', 'DEM'))
    corners = found.boxes_xyxy - (pixels.left, pixels.top, pixels.left, pixels.top)
    inside = np.concatenate([np.floor(corners[:, :2]), np.ceil(corners[:, 2:])], axis=1).astype(int)
    mostly_known = np.zeros(len(found), bool)
    for row, (x1, y1, x2, y2) in enumerate(inside.tolist()):
        valid = pixels.valid[y1:y2, x1:x2]
        found.pixels[row] = valid.sum()
        mostly_known[row] = 2 * valid.sum() >= valid.size > 0
        if slope is not None and found.pixels[row]:
            found.slope[row] = pixels.values[slope, y1:y2, x1:x2][valid].mean(dtype=np.float64)
        if elevation is not None and found.pixels[row]:
            heights = pixels.values[elevation, y1:y2, x1:x2][valid]
            found.lowest[row], found.highest[row] = heights.min(), heights.max()
    return found[mostly_known]
