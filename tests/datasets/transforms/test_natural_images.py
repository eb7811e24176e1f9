import numpy as np
import pytest

from mmlandslide.datasets.transforms.natural_images import (
    LUMA,
    CenterCrop,
    ColorJitter,
    RandomMirror,
    RandomResizedCrop,
    adjust,
)
from mmlandslide.errors import ConfigError


def sample(seed=0, height=60, width=100, bands=('R', 'G', 'B')):
    """Return an image whose first band is x, whose second is y, with a box 40..60 by 20..40."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return {
        'img': np.stack([x, y, np.full_like(x, 100)]),
        'bands': bands,
        'img_shape': (height, width),
        'scale_factor': (1.0, 1.0),
        'gt_bboxes': np.array([[40, 20, 60, 40]], np.float32),
        'gt_bboxes_labels': np.array([0]),
        'rng': np.random.default_rng(seed),
    }


def test_the_centre_is_cut_out_and_resized_with_its_boxes():
    found = CenterCrop(size_px=105, share=0.875)(
        sample()
    )  # .875 * 60 = 52 (rounded to even) px: columns 24..76, rows 4..56
    assert found['img'].shape == (3, 105, 105)
    assert found['img'][0, 52, 52] == pytest.approx(
        49.5
    )  # the pixel in the middle of columns 24 to 75
    assert found['img'][1, 52, 52] == pytest.approx(29.5)
    np.testing.assert_allclose(
        found['gt_bboxes'], (np.array([[40, 20, 60, 40]]) - [24, 4, 24, 4]) * 105 / 52, rtol=1e-6
    )


@pytest.mark.parametrize('seed', range(30))
def test_a_random_part_has_the_share_and_shape_asked_for(seed):
    left, top, right, bottom = RandomResizedCrop(scale=(0.2, 0.5)).window(
        np.random.default_rng(seed), 60, 100
    )
    assert 0 <= left < right <= 100
    assert 0 <= top < bottom <= 60
    assert 0.19 <= (right - left) * (bottom - top) / 6000 <= 0.51  # by at most half a pixel a side
    assert 0.72 <= (right - left) / (bottom - top) <= 1.39


@pytest.mark.parametrize(
    ('height', 'width', 'expected'), [(10, 100, (43, 0, 56, 10)), (100, 10, (0, 43, 10, 56))]
)
def test_where_no_part_fits_the_largest_central_one_is_taken(height, width, expected):
    crop = RandomResizedCrop(scale=(1.0, 1.0))
    assert (
        crop.window(np.random.default_rng(0), height, width) == expected
    )  # 13 px are 4/3 of 10, left at (100 - 13) // 2


def test_a_random_part_is_drawn_from_the_sample_alone():
    one, two, other = (RandomResizedCrop(size_px=8)(sample(seed))['img'] for seed in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_mirroring_swaps_left_and_right_and_nothing_else():
    found, kept = RandomMirror(prob=1.0)(sample()), RandomMirror(prob=0.0)(sample())
    assert np.array_equal(found['img'], sample()['img'][:, :, ::-1])
    assert found['gt_bboxes'].tolist() == [[40, 20, 60, 40]]  # it lies in the middle: 100 - 60 = 40
    assert np.array_equal(kept['img'], sample()['img'])


def test_colours_are_moved_from_black_from_the_mean_and_from_grey():
    image = np.array(
        [[[100, 200]], [[100, 0]], [[100, 0]]], np.float32
    )  # grey of 100, and red of 59.8
    assert adjust(image, LUMA, 0, 0.5)[:, 0].tolist() == [[50, 100], [50, 0], [50, 0]]
    contrast = adjust(image, LUMA, 1, 0.5)  # mean brightness (100 + 59.8) / 2 = 79.9
    np.testing.assert_allclose(contrast[0, 0], [89.95, 139.95], rtol=1e-5)
    saturation = adjust(image, LUMA, 2, 0.5)
    np.testing.assert_allclose(
        saturation[:, 0], [[100, 129.9], [100, 29.9], [100, 29.9]], rtol=1e-5
    )


def test_colours_stay_within_eight_bits():
    jitter = ColorJitter(brightness=0.9, contrast=0.9, saturation=0.9)
    found = [jitter({**sample(seed), 'img': sample()['img'] * 2.5})['img'] for seed in range(10)]
    assert min(image.min() for image in found) == 0
    assert max(image.max() for image in found) == 255


def test_the_luma_of_a_band_follows_its_name():
    one = ColorJitter(0, 0, 0.9)(sample())['img']
    turned = {**sample(bands=('B', 'G', 'R')), 'img': sample()['img'][::-1]}
    np.testing.assert_allclose(ColorJitter(0, 0, 0.9)(turned)['img'][::-1], one, rtol=1e-5)


def test_colours_are_for_photographs():
    with pytest.raises(
        ConfigError,
        match=r"ColorJitter must see red, green and blue, got \('B8', 'B4', 'B3'\).*RandomGain",
    ):
        ColorJitter()(sample(bands=('B8', 'B4', 'B3')))
