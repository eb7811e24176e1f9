import os
from pathlib import Path

import numpy as np
import pytest

from mmlandslide.datasets.views.voc import read_voc
from mmlandslide.evaluation.label_noise import noise_limit, perfect_finder
from mmlandslide.evaluation.results import Rules


def square_tiles(tile, side_px, count=300):
    box = [20, 20, 20 + side_px, 20 + side_px]
    return [tile(f'{number:03d}', true=[box]) for number in range(count)]


def test_without_noise_a_perfect_finder_scores_one(tile):
    found = perfect_finder(square_tiles(tile, 12, count=5), 0.0, Rules())
    assert found == dict.fromkeys(found, 1.0)


def test_the_average_precision_is_the_squared_share_of_hits(tile):
    # Hits and misses in random order: precision p at every recall up to p, so AP50 is about p^2.
    # Of 11 px squares with sides that err by 1.5 px, p is what this sum over many draws says.
    drawn = np.array([20, 20, 31, 31]) + np.random.default_rng(0).normal(0, 1.5, (20000, 4))
    inner = (np.minimum(drawn[:, 2:], 31) - np.maximum(drawn[:, :2], 20)).prod(axis=1)
    iou = inner / ((drawn[:, 2:] - drawn[:, :2]).prod(axis=1) + 121 - inner)
    share = (iou >= 0.5).mean()
    found = perfect_finder(square_tiles(tile, 11, count=1000), 1.5, Rules())
    assert found['AP50'] == pytest.approx(share**2, abs=0.02)


def test_noise_is_in_native_px(tile):
    native = perfect_finder(square_tiles(tile, 10), 1.0, Rules())
    enlarged = perfect_finder(square_tiles(tile, 20), 1.0, Rules(native_scale=0.5))
    assert enlarged == pytest.approx(native, abs=1e-6)


def test_the_limit_is_lower_with_more_noise_and_for_smaller_boxes(tile):
    small, large = (noise_limit(square_tiles(tile, side_px)) for side_px in (8, 24))
    assert all(low < high for low, high in (small['AP50'], small['AP'], large['AP']))
    assert small['AP50'][1] < large['AP50'][0]


def test_centres_err_less_than_boxes(tile):
    # Centres err by 1.5 / sqrt(2) px each way, so that they are over 3 px off with a probability of
    # exp(-9 / (2 * 1.125)) = .018; the average precision is about (1 - .018)^2.
    found = perfect_finder(square_tiles(tile, 8), 1.5, Rules())
    assert found['AP_centre30m'] == pytest.approx((1 - np.exp(-4)) ** 2, abs=0.01)


@pytest.mark.data
@pytest.mark.skipif('MMLANDSLIDE_REAL_DATA' not in os.environ, reason='needs the real tiles')
def test_the_limit_of_the_original_studys_valid_boxes(tile):
    # As first estimated, in native px: 1 px gives .91 and .41, 1.5 px .66 and .23.
    folder = Path(os.environ['MMLANDSLIDE_REAL_DATA']) / 'l4s_rgb/valid'
    tiles = [tile(path.stem, true=read_voc(path)[0]) for path in folder.glob('*.xml')]
    assert sum(len(each.true_labels) for each in tiles) == 1338
    found = noise_limit(tiles, Rules(native_scale=128 / 224))
    assert found['AP50'] == pytest.approx((0.66, 0.91), abs=0.02)
    assert found['AP'] == pytest.approx((0.23, 0.41), abs=0.02)
