"""Whether a copy's numbers are places: a simulated scene B in order, shuffled and shifted."""

from dataclasses import replace

import factories
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mmlandslide.datasets.l4s.copies import open_copy
from mmlandslide.datasets.l4s.order import measure_order
from mmlandslide.datasets.l4s_grid import SCENES

PX, SCENE = 16, SCENES['B']


@pytest.fixture(scope='module')
def in_order(tmp_path_factory):
    """Return RGB tiles cut out of one smooth scene of 10 x 15 tiles."""
    root, rng = tmp_path_factory.mktemp('rgb'), np.random.default_rng(0)
    noise = rng.normal(size=(3, SCENE.rows * PX, SCENE.columns * PX))
    smooth = gaussian_filter(noise, (0, 4, 4))
    scene = np.clip(128 + smooth / smooth.std() * 40, 0, 255).astype(np.uint8)
    for index, number in enumerate(SCENE.numbers):
        row, column = divmod(index, SCENE.columns)
        tile = scene[:, row * PX : (row + 1) * PX, column * PX : (column + 1) * PX]
        factories.write_array(root / f'{number}.png', tile)
        (root / f'{number}.xml').write_text('<annotation></annotation>')
    return open_copy(root)


def renumbered(copy, numbers):
    images = zip(numbers, copy.images.values(), strict=False)
    return replace(copy, images=dict(sorted(images)))


def test_neighbours_of_a_scene_correlate_and_row_ends_do_not(in_order):
    report = measure_order(in_order)
    scene = next(scene for scene in report.scenes if scene.scene == 'B')
    assert (report.verdict, report.reasons, report.misplaced) == ('holds', (), ())
    assert min(scene.right.mean, scene.below.mean) > 0.8
    assert max(abs(scene.row_ends.mean), abs(report.random.mean)) < 0.5
    # 10 rows of 14 pairs, 9 of 15, and 9 row ends
    assert (scene.right.pairs, scene.below.pairs, scene.row_ends.pairs) == (140, 135, 9)


def test_shuffled_numbers_are_found_out(in_order):
    shuffled = np.random.default_rng(0).permutation(list(in_order.images))
    report = measure_order(renumbered(in_order, shuffled.tolist()))
    assert report.verdict == 'broken'
    assert 'scene B: neighbours right correlate at' in report.reasons[0]
    assert len(report.misplaced) > 100


def test_numbers_counted_from_one_less_are_found_out_by_their_row_ends(in_order):
    report = measure_order(renumbered(in_order, range(3036, 3185)))
    assert report.verdict == 'broken'
    assert 'rows end elsewhere' in report.reasons[0]


def test_two_tiles_that_changed_places_are_named(in_order):
    numbers = list(in_order.images)
    numbers[20], numbers[95] = numbers[95], numbers[20]
    report = measure_order(renumbered(in_order, numbers))
    assert (report.verdict, report.misplaced) == ('holds', (3035 + 20, 3035 + 95))


def test_a_handful_of_tiles_tells_nothing(in_order):
    few = replace(in_order, images=dict(list(in_order.images.items())[:5]))
    report = measure_order(few)
    assert report.verdict == 'unknown'
    assert report.reasons == ('fewer than 10 pairs of neighbours in each scene',)
