"""Tiles as pictures: composites of bands, boxes with scores, panels.

Pure NumPy and Pillow. For the eye only: bands are stretched one by one from their 2nd to their 98th
percentile, and no number is taken from a picture.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmlandslide import bands as band_table
from mmlandslide.errors import BandError

#: Title and bands (red, green, blue) of each composite, by kind; the first whose bands a tile has
#: is shown.
COMPOSITES: dict[str, tuple[tuple[str, tuple[str, str, str]], ...]] = {
    'rgb': (
        ('RGB B4 B3 B2', ('B4', 'B3', 'B2')),
        ('RGB', ('R', 'G', 'B')),
        ('RGB', ('mars_R', 'mars_G', 'mars_B')),
    ),
    'false_color': (
        ('false colour B8 B4 B3', ('B8', 'B4', 'B3')),
        ('DEM, slope, grey', ('mars_DEM', 'mars_slope', 'mars_grey')),
    ),
}
#: Cyan and yellow differ for every kind of colour vision and stand out on vegetation in RGB (green)
#: and false colour (red).
TRUTH_RGB, PREDICTION_RGB, INK_RGB = (0, 229, 255), (255, 221, 0), (16, 16, 16)
STRETCH_PERCENT = (2.0, 98.0)
_HEADER_PX, _GAP_PX, _FONT_PX = 20, 4, 12


def composite(bands: Sequence[str], which: str = 'rgb') -> tuple[str, tuple[str, str, str]] | None:
    """Return title and bands of the composite that a tile's bands allow, `None` for none.

    Raises:
        BandError: no such kind of composite.
    """
    if which not in COMPOSITES:
        raise BandError.mismatch(
            'which', f'be one of {list(COMPOSITES)}', repr(which), 'to_rgb', 'Name one of those'
        )
    return next((found for found in COMPOSITES[which] if set(found[1]) <= set(bands)), None)


def stretch(band: np.ndarray) -> np.ndarray:
    """Return a band (H, W) as uint8, its 2nd percentile black and its 98th white.

    A constant band becomes mid-grey.
    """
    finite = band[np.isfinite(band)]
    low, high = np.percentile(finite, STRETCH_PERCENT) if finite.size else (0.0, 0.0)
    if high <= low:
        return np.full(band.shape, 127, np.uint8)
    return np.nan_to_num((band - low) / (high - low) * 255, nan=0.0).clip(0, 255).astype(np.uint8)


def to_rgb(image: np.ndarray, bands: Sequence[str], which: str = 'rgb') -> np.ndarray:
    """Return a tile as a picture, each band stretched by itself.

    Args:
        image: (C, H, W) in any unit.
        bands: C names.
        which: `rgb` or `false_color`. A tile without such bands is shown in grey, by its first
            band.

    Returns:
        (H, W, 3) uint8.

    Raises:
        BandError: no such kind of composite.
    """
    found = composite(bands, which)
    shown = found[1] if found else (bands[0],) * 3
    return np.stack(
        [stretch(image[band_table.positions(name, bands)[0]]) for name in shown], axis=-1
    )


def draw_boxes(
    picture: np.ndarray,
    boxes_xyxy: np.ndarray,
    rgb: tuple[int, int, int],
    scores: Sequence[float] | None = None,
) -> None:
    """Draw boxes into a picture.

    Args:
        picture: (H, W, 3) uint8, contiguous, changed in place.
        boxes_xyxy: (N, 4) half-open pixel corners in the frame of the picture.
        rgb: colour of the lines.
        scores: (N,), written above each box, or inside where there is no room above.
    """
    corners = np.rint(np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)).astype(int) - (0, 0, 1, 1)
    for x1, y1, x2, y2 in corners.tolist():
        left, top = max(x1, 0), max(y1, 0)
        for row in y1, y2:
            if 0 <= row < picture.shape[0]:
                picture[row, left : max(x2 + 1, 0)] = rgb
        for column in x1, x2:
            if 0 <= column < picture.shape[1]:
                picture[top : max(y2 + 1, 0), column] = rgb
    for (x1, y1, _, _), score in zip(
        corners.tolist(), () if scores is None else scores, strict=scores is not None
    ):
        x = min(x1, picture.shape[1] - 26)
        _write(
            picture,
            f'{score:.2f}'.lstrip('0'),
            (max(x, 0), y1 - 3 if y1 >= 14 else max(y1, 0) + 12),
            rgb,
        )


def detection_panel(
    image: np.ndarray,
    bands: Sequence[str],
    true_boxes: np.ndarray,
    pred_boxes: np.ndarray,
    scores: np.ndarray,
    zoom: int = 3,
) -> np.ndarray:
    """Return a tile with truth and predictions, once per composite that its bands allow.

    Args:
        image: (C, H, W) in any unit.
        bands: C names.
        true_boxes: (N, 4) xyxy in the frame of `image`, drawn in cyan.
        pred_boxes: (M, 4) xyxy, drawn in yellow.
        scores: (M,), 0 to 1.
        zoom: whole factor by which the picture grows, without smoothing, so that a score fits
            beside a small box.

    Returns:
        (header + zoom * H, W', 3) uint8.
    """
    kinds = [which for which in COMPOSITES if composite(bands, which)] or ['rgb']
    views = []
    for which in kinds:
        found = composite(bands, which)
        picture = to_rgb(image, bands, which).repeat(zoom, axis=0).repeat(zoom, axis=1)
        draw_boxes(picture, np.asarray(true_boxes) * zoom, TRUTH_RGB)
        draw_boxes(
            picture, np.asarray(pred_boxes) * zoom, PREDICTION_RGB, np.asarray(scores).tolist()
        )
        views.append(with_header(picture, [(found[0] if found else bands[0], (255, 255, 255))]))
    panel = beside(views)
    legend = [
        (f'{len(true_boxes)} true', TRUTH_RGB),
        (f'{len(pred_boxes)} predicted', PREDICTION_RGB),
    ]
    return with_header(panel, legend)


def zoom_to(shape_hw: Sequence[int], least_px: int = 384) -> int:
    """Return the whole factor that brings a tile's longer side to at least `least_px`."""
    return max(1, -(-least_px // max(shape_hw)))


def with_header(
    picture: np.ndarray, texts: Sequence[tuple[str, tuple[int, int, int]]]
) -> np.ndarray:
    """Return a picture under a dark strip with texts, each in its colour, from left to right.

    Cut where they do not fit.
    """
    strip = np.full((_HEADER_PX, picture.shape[1], 3), INK_RGB, np.uint8)
    x = 6
    for text, rgb in texts:
        put_text(strip, text, (x, _HEADER_PX - 6), rgb)
        x += text_width(text) + 16
    return np.concatenate([strip, picture])


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures of equal height in one row with a dark gap between them."""
    gap = np.full((pictures[0].shape[0], _GAP_PX, 3), INK_RGB, np.uint8)
    row = [part for picture in pictures for part in (gap, picture)][1:]
    return np.ascontiguousarray(np.concatenate(row, axis=1))


def _write(
    picture: np.ndarray, text: str, origin_xy: tuple[int, int], rgb: tuple[int, int, int]
) -> None:
    """Write text on a dark label, so that it reads on any ground.

    `origin_xy` is the lower left of the text.
    """
    ink = _written(text)
    x, y = origin_xy
    height, width = ink.shape
    top = y - _baseline_px()
    picture[max(top, 0) : max(top + height, 0), max(x - 1, 0) : max(x + width + 1, 0)] = INK_RGB
    put_text(picture, text, origin_xy, rgb)


def put_text(
    picture: np.ndarray, text: str, origin_xy: tuple[int, int], rgb: tuple[int, int, int]
) -> None:
    """Write text into a picture (H, W, 3), changed in place; what lies outside is cut.

    `origin_xy` is the left end of the line on which letters stand.
    """
    ink = _written(text)
    left, top = origin_xy[0], origin_xy[1] - _baseline_px()
    ink = ink[max(-top, 0) :, max(-left, 0) :]
    under = picture[max(top, 0) :, max(left, 0) :][: ink.shape[0], : ink.shape[1]]
    share = ink[: under.shape[0], : under.shape[1], None]
    under[:] = np.rint(under * (1 - share) + np.array(rgb) * share)


def text_width(text: str) -> int:
    """Return how wide `put_text` writes a text, px."""
    return int(_written(text).shape[1])


@lru_cache(maxsize=256)
def _written(text: str) -> np.ndarray:
    """Return how much of each pixel a text covers, (h, w) from 0 to 1."""
    ascent, descent = _font().getmetrics()
    width = max(1, round(_font().getlength(text)))
    image = Image.new('L', (width, ascent + descent))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=_font())
    return np.asarray(image, np.float32) / 255


def _baseline_px() -> int:
    return int(_font().getmetrics()[0])


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    """Return the font that Pillow brings."""
    font = ImageFont.load_default(_FONT_PX)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels have FreeType"
    return font
