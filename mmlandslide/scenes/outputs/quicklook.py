"""Quick look: a picture of a scene with its detections, coloured by score, as one PNG."""

import io
from pathlib import Path

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmlandslide.datasets import display
from mmlandslide.files import write_atomic
from mmlandslide.scenes.frame import GeoBox
from mmlandslide.scenes.outputs import score_colors, vector
from mmlandslide.scenes.outputs.overview import Overview

_SWATCH_PX, _STEP_PX, _WHITE = 10, 84, (255, 255, 255)
#: A dark line around each box sets it off from bright ground.
_AROUND = np.array([-1, -1, 1, 1])


def draw(overview: Overview, layer: gpd.GeoDataFrame, frame: GeoBox) -> NDArray[np.uint8]:
    """Return the picture of a scene with boxes and a legend.

    Args:
        overview: of the scene.
        layer: detections, see `vector.to_geodataframe`.
        frame: of the scene.

    Returns:
        (legend + h, max(w, legend), 3) uint8; the best boxes lie on top.
    """
    picture = overview.picture.copy()
    name = vector.score_name(layer)
    scores = layer[name].to_numpy()
    boxes, found = boxes_in(picture, layer, frame), score_colors.classes(scores)
    for index in np.argsort(scores, kind='stable'):
        box = boxes[index]
        display.draw_boxes(picture, box + _AROUND, display.INK_RGB)
        display.draw_boxes(picture, box, score_colors.rgb(score_colors.COLORS[found[index]]))
    legend = _legend(f'{len(layer)} found, by {name}', overview.title, picture.shape[1])
    missing = legend.shape[1] - picture.shape[1]
    return np.concatenate([legend, np.pad(picture, ((0, 0), (0, missing), (0, 0)))])


def write(overview: Overview, layer: gpd.GeoDataFrame, frame: GeoBox, path: Path) -> None:
    """Write what `draw` returns as PNG.

    Raises:
        OSError: the disk is full, or nobody may write there.
    """
    content = io.BytesIO()
    Image.fromarray(draw(overview, layer, frame)).save(content, 'PNG')
    write_atomic(path, content.getvalue())


def boxes_in(
    picture: NDArray[np.uint8], layer: gpd.GeoDataFrame, frame: GeoBox
) -> NDArray[np.float64]:
    """Return the boxes of a layer (N, 4) xyxy in px of a picture (h, w, 3) of the scene."""
    left, bottom, right, top = layer.geometry.bounds.to_numpy().reshape(-1, 4).T
    corners = [~frame.transform @ pair for pair in ((left, bottom), (right, top))]
    cols, rows = (
        np.sort([first, second], axis=0) for first, second in zip(*corners, strict=True)
    )  # (2, N) each
    boxes = np.stack([cols[0], rows[0], cols[1], rows[1]], axis=1)
    scale_xy = picture.shape[1] / frame.width, picture.shape[0] / frame.height
    return np.asarray(boxes * (*scale_xy, *scale_xy))


def _legend(title: str, shown: str, least_px: int) -> NDArray[np.uint8]:
    """Return a dark strip with the title and the colours of scores, `least_px` wide or wider."""
    texts = [(f'{shown}   {title}', _WHITE)]
    start = display.text_width(texts[0][0]) + 20
    width = max(least_px, start + _STEP_PX * len(score_colors.COLORS))
    strip = display.with_header(np.empty((0, width, 3), np.uint8), texts)
    for index, (color, label) in enumerate(
        zip(score_colors.COLORS, score_colors.LABELS, strict=True)
    ):
        x, y = start + index * _STEP_PX, (len(strip) - _SWATCH_PX) // 2
        strip[y : y + _SWATCH_PX, x : x + _SWATCH_PX] = score_colors.rgb(color)
        display.put_text(strip, label, (x + 14, len(strip) - 6), _WHITE)
    return strip
