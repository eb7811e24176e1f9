"""A small data set with every fault that `mmlandslide prepare` finds, on tiles that are simulated and otherwise sound.

Run it to see the report: `python tests/planted_faults.py FOLDER && mmlandslide prepare --check
--data-root FOLDER`.
"""

import sys
from collections import defaultdict
from pathlib import Path

import factories
import numpy as np

from mmlandslide.bands import PUBLISHED_MEAN, PUBLISHED_STD
from mmlandslide.datasets.simulation.synthetic import simulate_tile

SIZE_PX = 64


def write(root: Path):
    """Write the data set; return its root and fault -> the tiles that have it, in order."""
    images = {
        number: simulate_tile(0, f'train/{number}', SIZE_PX)[0].transpose(2, 0, 1)
        for number in range(1, 18)
    }
    masks = {number: factories.mask((2, 5, 6, 8), size_px=SIZE_PX) for number in images}
    planted = defaultdict(list)

    def plant(fault, number, image=None, mask=None):
        planted[fault].append(f'train/{number}')
        images[number] = images[number] if image is None else image
        masks[number] = masks[number] if mask is None else mask

    plant('wrong-shape', 3, images[3][:12])
    plant('wrong-dtype', 4, images[4].astype(np.float16))
    plant('nan', 5, _with(images[5], np.nan))
    plant('inf', 6, _with(images[6], -np.inf))
    plant('constant-tile', 7, np.broadcast_to(images[7][:, :1, :1], images[7].shape))
    plant('all-zero-band', 8, np.where(np.arange(14)[:, None, None] == 10, 0, images[8]))
    plant('out-of-units', 9, _with(images[9], -1))
    plant('mask-values', 10, mask=masks[10] * 255)
    plant('mask-size', 11, mask=masks[11][:32])
    plant('wrong-band-order', 12, images[12][[0, 3, 2, 1, *range(4, 14)]])
    mean, std = np.array(PUBLISHED_MEAN), np.array(PUBLISHED_STD)
    plant('published-statistics', 13, (images[13] - mean[:, None, None]) / std[:, None, None])
    plant('nan', 14, _with(images[14], np.nan), masks[14] + 1)
    planted['mask-values'].append('train/14')  # two faults of one tile
    for number, image in images.items():
        factories.write_tile(root, number, image, masks[number])
    factories.truncate(factories.image_path(root, 1))
    factories.write_array(factories.image_path(root, 2), images[2], 'image')
    factories.mask_path(root, 15).unlink()
    factories.image_path(root, 16).unlink()
    factories.write_tile(root, 1, images[17], masks[17], split='validation')
    lone = {'truncated': 1, 'wrong-key': 2, 'image-without-mask': 15, 'mask-without-image': 16}
    planted |= {fault: [f'train/{number}'] for fault, number in lone.items()}
    planted['duplicate-across-splits'] = ['train/17', 'validation/1']
    return root, dict(planted)


def _with(image, value):
    """Return an image with one wild pixel in its second band."""
    image = image.copy()
    image[1, 0, 0] = value
    return image


if __name__ == '__main__':
    write(Path(sys.argv[1]))
