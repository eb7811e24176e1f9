"""A simulated scene cut into Landslide4Sense tiles: scene C, 11 x 11 tiles of 16 px."""

import factories
import numpy as np
from scipy.ndimage import gaussian_filter

from mmlandslide.datasets.l4s_grid import SCENES

PX, SCENE = 16, SCENES['C']
HW = (SCENE.rows * PX, SCENE.columns * PX)
#: Landslides as half-open boxes of the scene, and the tiles (row, column) that each lies in.
PLANTED = {
    (3, 3, 9, 8): [(0, 0)],
    (12, 20, 20, 26): [(1, 0), (1, 1)],  # cut by x = 16
    (60, 90, 70, 120): [(5, 3), (5, 4), (6, 3), (6, 4), (7, 3), (7, 4)],  # x = 64; y = 96 and 112
    (150, 150, 160, 160): [(9, 9)],  # ends at x = 160 and y = 160, whole
    (100, 40, 112, 44): [(2, 6)],
}


def image(bands=14, seed=0):
    """Return (C, H, W) float32 of a smooth landscape in which neighbours look alike."""
    noise = np.random.default_rng(seed).normal(size=(bands, *HW))
    smooth = gaussian_filter(noise, (0, 4, 4))
    return (1 + smooth / smooth.std() * 0.3).astype(np.float32)


def mask():
    """Return (H, W) uint8 with the planted landslides."""
    planted = np.zeros(HW, np.uint8)
    for left, top, right, bottom in PLANTED:
        planted[top:bottom, left:right] = 1
    return planted


def tile_of(array, number):
    """Return the part of a scene that a tile covers."""
    row, column = divmod(number - SCENE.first_number, SCENE.columns)
    return array[..., row * PX : (row + 1) * PX, column * PX : (column + 1) * PX]


def number_at(row, column):
    return SCENE.first_number + row * SCENE.columns + column


def write_tiles(root, image, mask=None, without=(), numbers=None):
    """Cut a scene into HDF5 tiles; `numbers` renumbers them."""
    named = numbers if numbers is not None else SCENE.numbers
    for number, name in zip(SCENE.numbers, named, strict=True):
        if number not in without:
            own = None if mask is None else tile_of(mask, number)
            factories.write_tile(root, name, tile_of(image, number), own)
    return root
