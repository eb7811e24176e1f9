import numpy as np
import pytest

from mmlandslide import bands as band_table
from mmlandslide.datasets import display
from mmlandslide.errors import BandError

NO_BOXES = np.zeros((0, 4))


def levels(count=14, size=32):
    """Return an image whose band b rises from b to b + 1 from left to right."""
    return np.arange(count)[:, None, None] + np.linspace(0, 1, size, dtype=np.float32)[
        None, None
    ].repeat(size, 1)


def lit(picture, rgb):
    """Return where a picture has exactly this colour, (H, W)."""
    return (picture == np.array(rgb)).all(-1)


def test_a_stretch_puts_its_percentiles_at_black_and_white():
    stretched = display.stretch(np.arange(101, dtype=np.float32).reshape(1, 101))[0]
    assert stretched[[0, 2, 98, 100]].tolist() == [0, 0, 255, 255]
    assert stretched[50] == 127  # (50 - 2) / 96 * 255 = 127.5


def test_one_glaring_pixel_does_not_darken_a_band():
    band = np.linspace(0, 1, 1024).reshape(32, 32)
    band[0, 0] = 50
    assert display.stretch(band)[31, 31] == 255


@pytest.mark.parametrize(
    ('band', 'value'), [(np.full((4, 4), 3.0), 127), (np.full((4, 4), np.nan), 127)]
)
def test_a_band_without_contrast_is_mid_grey(band, value):
    assert (display.stretch(band) == value).all()


def test_pixels_without_a_number_are_black():
    band = np.linspace(0, 1, 100).reshape(10, 10)
    band[4, 4] = np.nan
    assert display.stretch(band)[4, 4] == 0


@pytest.mark.parametrize(
    ('bands', 'which', 'shown'),
    [
        ('all', 'rgb', ('B4', 'B3', 'B2')),
        ('all', 'false_color', ('B8', 'B4', 'B3')),
        ('photograph', 'rgb', ('R', 'G', 'B')),
        ('mars', 'rgb', ('mars_R', 'mars_G', 'mars_B')),
        (('B2', 'B4', 'B3'), 'rgb', ('B4', 'B3', 'B2')),
    ],
)
def test_a_composite_shows_bands_by_name_wherever_they_stand(bands, which, shown):
    names = band_table.names(bands)
    image = np.stack([np.eye(10, k=index) for index in range(len(names))])
    picture = display.to_rgb(image, names, which)
    assert picture.shape == (10, 10, 3)
    assert all(
        (picture[..., channel] == image[names.index(name)] * 255).all()
        for channel, name in enumerate(shown)
    )


def test_a_tile_without_colours_is_grey_by_its_first_band():
    image = levels(2)
    picture = display.to_rgb(image, ('slope', 'DEM'))
    assert (picture == display.stretch(image[0])[..., None]).all()


def test_an_unknown_composite_is_refused():
    with pytest.raises(
        BandError, match=r"which must be one of \['rgb', 'false_color'\], got 'infrared'"
    ):
        display.to_rgb(levels(), band_table.LANDSLIDE4SENSE, 'infrared')


def test_a_box_is_drawn_on_the_pixels_inside_its_corners():
    picture = np.zeros((20, 20, 3), np.uint8)
    display.draw_boxes(picture, np.array([[4, 6, 10, 12]]), (9, 8, 7))
    rows, columns = np.nonzero(lit(picture, (9, 8, 7)))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (4, 6, 9, 11)
    assert len(rows) == 20  # the border of 6 x 6 px


@pytest.mark.parametrize(
    'box', [[0, 0, 10, 10], [54, 0, 64, 10], [0, 54, 10, 64], [60, 60, 64, 64], [-9, -9, 10, 10]]
)
def test_a_score_stays_inside_the_picture_at_every_edge(box):
    plain, scored = np.full((64, 64, 3), 90, np.uint8), np.full((64, 64, 3), 90, np.uint8)
    display.draw_boxes(plain, np.array([box]), display.PREDICTION_RGB)
    display.draw_boxes(scored, np.array([box]), display.PREDICTION_RGB, [0.87])
    label = (scored != plain).any(-1)
    assert label.sum() > 60  # a label of some 10 x 20 px, not a sliver of it


def test_each_score_needs_a_box():
    with pytest.raises(ValueError, match=r'zip\(\) argument'):
        display.draw_boxes(np.zeros((9, 9, 3), np.uint8), np.zeros((2, 4)), (1, 1, 1), [0.5])


@pytest.mark.parametrize(
    ('bands', 'views'), [('all', 2), ('rgb', 1), ('photograph', 1), ('mars', 2), ('terrain', 1)]
)
def test_a_panel_has_one_view_for_each_composite_of_its_bands(bands, views):
    names = band_table.names(bands)
    panel = display.detection_panel(
        levels(len(names), 128), names, NO_BOXES, NO_BOXES, np.zeros(0), zoom=3
    )
    assert panel.shape[1] == views * 384 + (views - 1) * 4
    assert panel.dtype == np.uint8


def test_a_panel_shows_truth_and_predictions_zoomed_and_in_their_own_colours():
    true_boxes, pred_boxes = np.array([[10, 60, 50, 100.0]]), np.array([[60, 20, 100, 50.5]])
    image = np.zeros((3, 128, 128), np.float32)
    panel = display.detection_panel(
        image, ('R', 'G', 'B'), true_boxes, pred_boxes, np.array([0.5]), zoom=3
    )[-384:]
    rows, columns = np.nonzero(lit(panel, display.TRUTH_RGB))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (30, 180, 149, 299)
    rows, columns = np.nonzero(
        lit(panel[61:], display.PREDICTION_RGB)
    )  # below the score and the upper line
    assert (columns.min(), columns.max(), rows.max() + 61) == (
        180,
        299,
        151,
    )  # 50.5 * 3 = 151.5, to the even 152


@pytest.mark.parametrize(
    ('shape_hw', 'zoom'),
    [((128, 128), 3), ((256, 256), 2), ((224, 200), 2), ((512, 9), 1), ((384, 9), 1)],
)
def test_zoom_brings_the_longer_side_to_384_px(shape_hw, zoom):
    assert display.zoom_to(shape_hw) == zoom
