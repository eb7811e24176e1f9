import numpy as np
import pytest

from mmlandslide.datasets.transforms.windows import clip_boxes, crop, random_window, resize

BOXES = np.float32([[0, 0, 10, 10], [-4, 2, 6, 4], [-6, 0, 4, 10], [20, 0, 30, 5], [19, 0, 30, 5]])


@pytest.mark.parametrize(
    ('min_visible', 'kept'),
    [
        (0.0, [True, True, True, False, True]),  # the fourth only touches the edge x = 20
        (0.4, [True, True, True, False, False]),  # the third shows exactly 4 of 10 columns
        (0.5, [True, True, False, False, False]),  # the second shows 6 of 10
        (1.0, [True, False, False, False, False]),
    ],
)
def test_a_box_stays_where_enough_of_its_area_is_inside(min_visible, kept):
    assert clip_boxes(BOXES, (0, 0, 20, 20), min_visible)[1].tolist() == kept


def test_clipped_boxes_keep_their_order_and_their_frame():
    clipped, _ = clip_boxes(BOXES, (2, 1, 25, 9), 0.0)
    assert clipped.tolist() == [
        [2, 1, 10, 9],
        [2, 2, 6, 4],
        [2, 1, 4, 9],
        [20, 1, 25, 5],
        [19, 1, 25, 5],
    ]
    assert clipped.dtype == np.float32


def test_clipping_no_boxes_gives_no_boxes():
    clipped, kept = clip_boxes(np.zeros((0, 4), np.float32), (0, 0, 8, 8), 0.3)
    assert clipped.shape == (0, 4)
    assert kept.shape == (0,)


def test_shrinking_averages_each_band_by_itself():
    image = np.stack(
        [np.arange(16, dtype=np.float32).reshape(4, 4), np.full((4, 4), 7, np.float32)]
    )
    small = resize(image, 2, 2)  # first cell: (0 + 1 + 4 + 5) / 4
    assert small[0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert (small[1] == 7).all()


def test_growing_a_ramp_keeps_pixel_edges_in_place():
    ramp = np.arange(8, dtype=np.float32).reshape(1, 1, 8).repeat(8, 1)
    grown = resize(
        ramp, 16, 16
    )  # new pixel 5 has its centre at 5.5 / 2 = 2.75, old centres at n + 0.5: value 2.25
    assert grown.shape == (1, 16, 16)
    assert grown[0, 3, 5] == pytest.approx(2.25)


def test_a_window_as_large_as_the_frame_is_the_frame():
    assert random_window(np.random.default_rng(0), (6, 9), (6, 9)) == (0, 0, 9, 6)


def test_random_windows_reach_every_place_and_no_further():
    rng = np.random.default_rng(0)
    places = {random_window(rng, (3, 4), (2, 2))[:2] for _ in range(200)}
    assert places == {(x, y) for x in range(3) for y in range(2)}


def test_a_crop_is_a_view_on_all_bands():
    image = np.zeros((5, 6, 8), np.float32)
    crop(image, (2, 1, 4, 5))[:] = 1
    assert image[:, 1:5, 2:4].all()
    assert image.sum() == 5 * 4 * 2
