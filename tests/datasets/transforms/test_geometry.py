import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmlandslide import bands as band_table
from mmlandslide.datasets.transforms import formatting
from mmlandslide.datasets.transforms import geometry as T
from mmlandslide.datasets.transforms.spectral import BandDropout, RandomGain
from mmlandslide.errors import ConfigError
from mmlandslide.registry import TRANSFORMS

FIVE = ('a', 'b', 'c', 'd', 'e')


def paint(boxes, height=64, width=64, bands=band_table.LANDSLIDE4SENSE):
    """Return an image that is 0 but for the pixels of its (whole-numbered) boxes.

    1 + the box's index, in all bands.
    """
    image = np.zeros((len(bands), height, width), np.float32)
    for index, (x1, y1, x2, y2) in enumerate(np.asarray(boxes, int)):
        image[:, y1:y2, x1:x2] = 1 + index
    return image


def sample(
    boxes=((4, 8, 20, 16),),
    height=64,
    width=64,
    seed=0,
    bands=band_table.LANDSLIDE4SENSE,
    image=None,
):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    return {
        'img': paint(boxes, height, width, bands) if image is None else image,
        'bands': bands,
        'img_id': 'train/1',
        'img_path': 'image_1.h5',
        'sample_key': 12,
        'ori_shape': (height, width),
        'img_shape': (height, width),
        'scale_factor': (1.0, 1.0),
        'native_boxes_xyxy': boxes,
        'native_labels': np.zeros(len(boxes), np.int64),
        'gt_bboxes': boxes.copy(),
        'gt_bboxes_labels': np.zeros(len(boxes), np.int64),
        'rng': np.random.default_rng(seed),
    }


def bounds(painted):
    """Return the half-open box around the true pixels of (H, W)."""
    rows, columns = np.nonzero(painted.any(1))[0], np.nonzero(painted.any(0))[0]
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


class Scripted:
    """A generator whose draws are written down."""

    def __init__(self, random=(), integers=()):
        self._random, self._integers = iter(random), iter(integers)

    def random(self):
        return next(self._random)

    def integers(self, *_):
        return next(self._integers)


def boxes_of(least_px):
    sizes = [st.integers(least_px, 18)] * 2
    return st.tuples(*[st.integers(0, 30)] * 2, *sizes).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    )


whole_boxes = boxes_of(1)


@pytest.mark.parametrize(
    ('draws', 'turns', 'expected'),
    [
        ((0.9, 0.9), 0, [4, 8, 20, 16]),
        ((0.1, 0.9), 0, [44, 8, 60, 16]),  # x: 64 - 20, 64 - 4
        ((0.9, 0.1), 0, [4, 32, 20, 40]),  # y: 48 - 16, 48 - 8
        ((0.9, 0.9), 1, [8, 44, 16, 60]),  # (x, y) -> (y, 64 - x)
        ((0.9, 0.9), 2, [44, 32, 60, 40]),  # both mirrors
        ((0.1, 0.9), 1, [8, 4, 16, 20]),  # transposed
    ],
)
def test_each_symmetry_moves_a_box_as_worked_out_by_hand(draws, turns, expected):
    tile = sample(height=48, width=64)
    tile['rng'] = Scripted(draws, [turns])
    done = T.RandomFlipRotate()(tile)
    assert done['gt_bboxes'].tolist() == [expected]
    assert done['img_shape'] == done['img'].shape[1:] == ((64, 48) if turns % 2 else (48, 64))


@given(
    box=whole_boxes,
    seed=st.integers(0, 10_000),
    bands=st.sampled_from([FIVE, band_table.LANDSLIDE4SENSE]),
)
def test_painted_pixels_follow_their_box_through_every_symmetry(box, seed, bands):
    done = T.RandomFlipRotate()(sample([box], 48, 52, seed, bands))
    assert [bounds(band > 0) for band in done['img']] == [done['gt_bboxes'][0].tolist()] * len(
        bands
    )


def test_all_eight_symmetries_are_drawn():
    corner = np.zeros((5, 8, 8), np.float32)
    corner[:, 0, 1] = 1
    done = [
        T.RandomFlipRotate()(sample([], 8, 8, seed, FIVE, corner))['img'] for seed in range(100)
    ]
    assert len({image.tobytes() for image in done}) == 8


@pytest.mark.parametrize('options', [{'flip': False}, {'rotate': False}])
def test_half_the_group_has_four_elements(options):
    corner = np.zeros((5, 8, 8), np.float32)
    corner[:, 0, 1] = 1
    done = [
        T.RandomFlipRotate(**options)(sample([], 8, 8, seed, FIVE, corner))['img']
        for seed in range(100)
    ]
    assert len({image.tobytes() for image in done}) == 4


@pytest.mark.parametrize('options', [{'size_px': 128}, {'factor': 2.0}])
def test_doubling_a_tile_doubles_boxes_and_scale_factor(options):
    done = T.ResizeTile(**options)(sample(height=48, width=64))
    assert done['img'].shape == (14, 96, 128)
    assert done['img_shape'] == (96, 128)
    assert done['scale_factor'] == (2.0, 2.0)
    assert done['gt_bboxes'].tolist() == [[8, 16, 40, 32]]
    assert done['gt_bboxes'].dtype == np.float32


def test_resizing_twice_multiplies_the_scale_factor():
    done = T.ResizeTile(size_px=32)(T.ResizeTile(factor=2.0)(sample(bands=FIVE)))
    assert done['scale_factor'] == (0.5, 0.5)
    assert done['gt_bboxes'].tolist() == [[2, 4, 10, 8]]


def test_an_odd_size_scales_boxes_by_what_the_image_really_got():
    done = T.ResizeTile(size_px=32)(
        sample(height=43, width=64)
    )  # 43 / 2 rounds to 22: factor 22 / 43, not 1 / 2
    assert done['img'].shape == (14, 22, 32)
    assert done['scale_factor'] == pytest.approx((0.5, 22 / 43))
    assert done['gt_bboxes'][0] == pytest.approx([2, 8 * 22 / 43, 10, 16 * 22 / 43])


@pytest.mark.parametrize(
    'options', [{}, {'size_px': 8, 'factor': 1.0}, {'size_px': 0}, {'factor': -1.0}]
)
def test_a_resize_needs_one_positive_size(options):
    with pytest.raises(ConfigError, match=r'must have one positive size, got size_px='):
        T.ResizeTile(**options)


@given(
    box=boxes_of(4), seed=st.integers(0, 10_000)
)  # zoomed out, a row of one pixel becomes half a one and is lost
def test_painted_pixels_follow_their_box_through_a_zoom_within_one_pixel(box, seed):
    done = T.RandomScaleCrop(min_visible=0.0)(sample([box], 48, 56, seed, FIVE))
    ground = done['img'][0].min()
    painted = (done['img'][0] - ground) / max(1 - ground, 1e-6) > 0.5
    assert done['img'].shape == (5, 48, 56)
    if painted.any() and len(done['gt_bboxes']):
        assert np.abs(np.subtract(bounds(painted), done['gt_bboxes'][0])).max() <= 1.01


def test_zooming_in_by_two_keeps_the_boxes_of_its_window():
    tile = sample([(0, 0, 8, 8), (32, 32, 48, 40), (60, 60, 64, 64)])
    tile['rng'] = Scripted(integers=[30, 28])  # top, left of a 32 x 32 window: x 28..60, y 30..62
    tile['rng'].uniform = lambda low, high: high
    done = T.RandomScaleCrop(scale=(1.0, 2.0))(tile)
    assert done['gt_bboxes'].tolist() == [
        [8, 4, 40, 20]
    ]  # (32 - 28) * 2, (32 - 30) * 2, (48 - 28) * 2, (40 - 30) * 2
    assert len(done['gt_bboxes_labels']) == 1
    assert done['scale_factor'] == (2.0, 2.0)


def test_zooming_out_puts_the_tile_on_the_mean_of_each_band():
    image = np.stack([np.full((64, 64), value, np.float32) for value in (1, 2, 3, 4, 5)])
    image[4, :32] = 7
    tile = sample(bands=FIVE, image=image)
    tile['rng'] = Scripted(integers=[0, 10])
    tile['rng'].uniform = lambda low, high: low
    done = T.RandomScaleCrop(scale=(0.5, 1.0))(tile)
    assert done['img'][:, 63, 63].tolist() == [1, 2, 3, 4, 6]
    assert done['gt_bboxes'].tolist() == [[12, 4, 20, 8]]  # 4 / 2 + 10, 8 / 2, 20 / 2 + 10, 16 / 2


def test_the_zoom_is_as_often_in_as_out():
    zooms = [
        T.RandomScaleCrop()(sample([], seed=seed, bands=FIVE))['scale_factor'][0]
        for seed in range(200)
    ]
    assert 70 < sum(zoom > 1 for zoom in zooms) < 130
    assert min(zooms) >= 0.5
    assert max(zooms) <= 2.0


def test_an_empty_range_of_zooms_is_refused():
    with pytest.raises(ConfigError, match=r'rising pair of positive numbers, got \(2.0, 0.5\)'):
        T.RandomScaleCrop(scale=(2.0, 0.5))


def mosaic(seed, boxes, bands=FIVE, size=(64, 64), prob=1.0):
    first = sample(boxes, 64, 64, seed, bands)
    first['draw_other'] = lambda: sample(boxes, *size, seed, bands)
    return T.Mosaic(prob=prob, min_visible=0.0)(first)


def test_a_mosaic_in_a_test_is_refused():
    with pytest.raises(ConfigError, match='Mosaic must mix tiles of a training, got test_mode'):
        T.Mosaic(prob=1.0)(sample(bands=FIVE))


@given(boxes=st.lists(whole_boxes, min_size=0, max_size=3), seed=st.integers(0, 10_000))
def test_the_boxes_of_a_mosaic_lie_inside_and_cover_the_painted_pixels(boxes, seed):
    done = mosaic(seed, boxes)
    covered = np.zeros((64, 64), bool)
    for x1, y1, x2, y2 in done['gt_bboxes'].astype(int):
        assert 0 <= x1 < x2 <= 64
        assert 0 <= y1 < y2 <= 64
        covered[y1:y2, x1:x2] = True
    assert (covered == (done['img'][0] > 0)).all()
    assert (done['img'] == done['img'][:1]).all()
    assert len(done['gt_bboxes']) == len(done['gt_bboxes_labels'])


def test_a_mosaic_shows_four_tiles_around_its_centre():
    others = iter([2, 3, 4])
    tile = sample([], bands=FIVE, image=np.full((5, 64, 64), 1, np.float32))
    tile['draw_other'] = lambda: sample(
        [], bands=FIVE, image=np.full((5, 64, 64), next(others), np.float32)
    )
    image = T.Mosaic(prob=1.0)(tile)['img']
    assert [image[4, y, x] for y, x in ((0, 0), (0, 63), (63, 0), (63, 63))] == [1, 2, 3, 4]
    assert set(np.unique(image)) == {1, 2, 3, 4}


def test_a_mosaic_brings_smaller_tiles_to_the_size_of_the_first():
    done = mosaic(3, [(0, 0, 32, 32)], size=(32, 32))  # each other tile is all landslide
    assert done['img'].shape == (5, 64, 64)
    assert (done['img'][:, 0, 63] == 1).all()
    upper_right, lower_left, lower_right = done['gt_bboxes'][-3:].tolist()
    x, y = lower_right[:2]
    assert (upper_right, lower_left, lower_right) == ([x, 0, 64, y], [0, y, x, 64], [x, y, 64, 64])


def test_without_its_luck_a_mosaic_is_the_tile():
    done = mosaic(0, [(4, 8, 20, 16)], prob=0.0)
    assert (done['img'] == paint([(4, 8, 20, 16)], bands=FIVE)).all()


@pytest.mark.parametrize('bands', [FIVE, band_table.LANDSLIDE4SENSE, ('B8', 'B4')])
def test_dropout_blanks_at_least_one_band_and_at_most_two(bands):
    image = np.random.default_rng(0).normal(size=(len(bands), 8, 8)).astype(np.float32)
    blanked = [
        sum(
            band.std() < 1e-6
            for band in BandDropout(prob=1.0)(sample(seed=seed, bands=bands, image=image))['img']
        )
        for seed in range(50)
    ]
    assert set(blanked) == ({1} if len(bands) == 2 else {1, 2})


def test_a_blank_band_holds_its_mean_in_stored_units():
    image = np.ones((2, 8, 8), np.float32)
    image[1, :4] = 5  # 'own' is not in the table: its mean here is 3
    done = [
        BandDropout(prob=1.0)(sample(seed=seed, bands=('B8', 'own'), image=image))['img']
        for seed in range(20)
    ]
    assert {float(tile[0, 0, 0]) for tile in done} == {
        1.0,
        float(np.float32(band_table.BANDS['B8'].mean)),
    }
    assert {float(tile[1, 7, 7]) for tile in done} == {1.0, 3.0}


def test_a_single_band_is_never_blanked():
    image = np.random.default_rng(0).normal(size=(1, 8, 8)).astype(np.float32)
    assert (BandDropout(prob=1.0)(sample(bands=('B8',), image=image))['img'] == image).all()


def test_gain_and_offset_stay_in_their_range_and_differ_by_band():
    image = np.stack([np.zeros((8, 8)), np.ones((8, 8))] * 7).astype(np.float32)
    done = RandomGain(gain=0.1, offset=0.05)(sample(image=image))['img']
    std = np.array(band_table.statistics('all')[1])
    assert (np.abs(done[::2, 0, 0]) <= 0.05 * std[::2] + 1e-6).all()
    assert (np.abs(done[1::2, 0, 0] - 1) <= 0.1 + 0.05 * std[1::2] + 1e-6).all()
    assert len(np.unique(done[:, 0, 0])) == 14


@pytest.mark.parametrize(
    'transform',
    [
        T.RandomFlipRotate(),
        T.RandomScaleCrop(),
        T.Mosaic(1.0),
        BandDropout(1.0),
        RandomGain(),
        T.ResizeTile(96),
    ],
)
def test_a_transform_depends_on_its_generator_alone_and_spares_its_input(transform):
    image = np.random.default_rng(5).normal(size=(5, 64, 64)).astype(np.float32)
    image.flags.writeable = False
    done = []
    for global_seed in (1, 2):
        np.random.seed(global_seed)  # noqa: NPY002 (the state that no transform may read)
        tile = sample(seed=7, bands=FIVE, image=image)
        tile['draw_other'] = lambda: sample(bands=FIVE)
        done.append(transform(tile))
    assert (done[0]['img'] == done[1]['img']).all()
    assert (done[0]['gt_bboxes'] == done[1]['gt_bboxes']).all()
    assert done[0]['img'].dtype == done[0]['gt_bboxes'].dtype == np.float32


def test_native_boxes_are_never_touched():
    tile = sample([(4, 8, 20, 16)])
    tile['draw_other'] = sample
    for transform in (T.RandomFlipRotate(), T.RandomScaleCrop(), T.Mosaic(1.0), T.ResizeTile(128)):
        tile = transform(tile)
    assert tile['native_boxes_xyxy'].tolist() == [[4, 8, 20, 16]]


def test_a_packed_detection_carries_boxes_labels_and_the_untouched_truth():
    packed = formatting.PackDetection()(
        T.ResizeTile(factor=2.0)(sample([(4, 8, 20, 16), (0, 0, 2, 2)]))
    )
    truth, meta = packed['data_samples'].gt_instances, packed['data_samples'].metainfo
    assert truth.bboxes.tolist() == [[8, 16, 40, 32], [0, 0, 4, 4]]
    assert truth.labels.dtype == torch.int64
    assert meta['native_boxes_xyxy'].tolist() == [[4, 8, 20, 16], [0, 0, 2, 2]]
    assert (meta['img_id'], meta['scale_factor'], meta['ori_shape'], meta['img_shape']) == (
        'train/1',
        (2.0, 2.0),
        (64, 64),
        (128, 128),
    )
    assert packed['data_samples'].ignored_instances.bboxes.shape == (0, 4)
    assert len(packed['data_samples'].ignored_instances.labels) == 0


def test_transforms_are_found_by_their_name():
    assert isinstance(
        TRANSFORMS.build({'type': 'mmlandslide.ResizeTile', 'size_px': 256}), T.ResizeTile
    )
