"""The eight symmetries of the square, in which test-time augmentation sees a tile or a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmlandslide.errors import ConfigError


@dataclass(frozen=True)
class Symmetry:
    """One of the eight symmetries of the square.

    Attributes:
        flip: mirror left and right first.
        quarter_turns: then turn counter-clockwise by so many quarters.
    """

    flip: bool = False
    quarter_turns: int = 0

    def seen(self, pair: Sequence[float]) -> tuple[float, ...]:
        """Return a pair of one value per axis, such as (height, width), in this view."""
        return tuple(pair)[::-1] if self.quarter_turns % 2 else tuple(pair)

    def undone(self, boxes_xyxy: Any, viewed_hw: Sequence[float]) -> tuple[Any, Any, Any, Any]:
        """Return x1, y1, x2, y2 of boxes before the symmetry.

        Args:
            boxes_xyxy: (N, 4) array or tensor, in px of the view.
            viewed_hw: height and width of the view, px.

        Returns:
            Four of (N,), of the kind of the boxes, in px of what was viewed.
        """
        (x1, y1, x2, y2), (height, width) = boxes_xyxy.T, viewed_hw
        for _ in range(self.quarter_turns):
            # A quarter turn counter-clockwise has taken (x, y) to (y, height of the view - x).
            x1, y1, x2, y2 = height - y2, x1, height - y1, x2
            height, width = width, height
        if self.flip:
            x1, x2 = width - x2, width - x1
        return x1, y1, x2, y2


#: Name -> views: alone, with the flips and the half turn, or in all eight symmetries.
VIEWS: dict[str, tuple[Symmetry, ...]] = {
    'none': (Symmetry(),),
    'flips': (Symmetry(), Symmetry(True), Symmetry(False, 2), Symmetry(True, 2)),
    'all': tuple(Symmetry(flip, turns) for flip in (False, True) for turns in range(4)),
}


def views_named(name: str, where: str, remedy: str = 'Name one of those') -> tuple[Symmetry, ...]:
    """Return the views of `VIEWS` by their name.

    Args:
        name: of the views.
        where: it was given, for the error.
        remedy: for the error.

    Raises:
        ConfigError: no such views.
    """
    if name not in VIEWS:
        raise ConfigError.mismatch('tta', f'be one of {list(VIEWS)}', repr(name), where, remedy)
    return VIEWS[name]
