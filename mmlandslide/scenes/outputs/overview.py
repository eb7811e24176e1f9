"""Overview of a whole scene as a small RGB picture, for display only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.datasets import display
from mmlandslide.scenes.scene import Scene

#: Longer side of the picture of a large scene.
LONGEST_PX = 1600
#: The least that of a small one is, so that boxes and legend are readable.
LEAST_PX = 640


@dataclass(frozen=True, eq=False)
class Overview:
    """A picture of a scene.

    Attributes:
        picture: (h, w, 3) uint8, red, green and blue; black where nothing is known.
        known: (h, w) bool, true where the bands shown have data.
        title: what is shown, such as `RGB B4 B3 B2`.
    """

    picture: NDArray[np.uint8]
    known: NDArray[np.bool_]
    title: str


def overview_of(scene: Scene, longest_px: int = LONGEST_PX) -> Overview:
    """Return the picture of a scene.

    Red, green and blue where it has them, else its first band in grey. A large scene is read in few
    pixels, from the overviews of its files where they have them; each band is stretched from its
    2nd to its 98th percentile. A small one grows by a whole factor, without smoothing.

    Args:
        scene: that is shown.
        longest_px: longer side of the picture of a large scene.

    Raises:
        SceneError: a file cannot be read.
    """
    shrink = min(1.0, longest_px / max(scene.height, scene.width))
    size_hw = max(1, round(scene.height * shrink)), max(1, round(scene.width * shrink))
    found = display.composite(scene.pictured)
    title, bands = found or (scene.pictured[0], scene.pictured[:1])
    values = scene.overview(bands, size_hw)
    zoom = display.zoom_to(size_hw, LEAST_PX)
    known = np.isfinite(values).all(axis=0)
    picture = np.where(known[..., None], display.to_rgb(values, bands), 0).astype(np.uint8)
    return Overview(_grown(picture, zoom), _grown(known, zoom), title)


def _grown(image: NDArray[Any], zoom: int) -> NDArray[Any]:
    return np.ascontiguousarray(image.repeat(zoom, axis=0).repeat(zoom, axis=1))
