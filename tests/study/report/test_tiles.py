import base64
import io

import numpy as np
import pytest
from PIL import Image

from mmlandslide.datasets.display import PREDICTION_RGB, TRUTH_RGB
from mmlandslide.errors import DatasetError
from mmlandslide.study.plan import plan
from mmlandslide.study.report.curves import outcome
from mmlandslide.study.report.tiles import choose, draw, read_images
from mmlandslide.study.specification import read

BOX, FAR, OTHER = [0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 40, 40]


def names(chosen):
    return {kind: [each.tile.tile_id for each in found] for kind, found in chosen.items()}


def test_tiles_are_chosen_by_what_they_show_and_none_twice(tile):
    tiles = [
        tile('good', [BOX], [0.9], [BOX]),
        tile('better', [BOX, FAR], [0.9, 0.9], [BOX, FAR]),
        tile('blind', [], [], [BOX, FAR, OTHER]),
        tile('alarm', [BOX, FAR], [0.9, 0.9]),
        tile('half', [BOX, OTHER], [0.9, 0.9], [BOX]),
        tile('quiet', [BOX], [0.1]),
    ]
    chosen = names(choose([outcome(each, 0.5) for each in tiles], 1))
    assert chosen == {
        'best': ['better'],
        'missed': ['blind'],
        'false': ['alarm'],
        'worst': ['half'],
    }


def test_a_kind_without_tiles_is_left_out(tile):
    assert choose([outcome(tile('quiet', [BOX], [0.1]), 0.5)]) == {}
    assert names(choose([outcome(tile('good', [BOX], [0.9], [BOX]), 0.5)])) == {'best': ['good']}


def picture(panel):
    return np.asarray(
        Image.open(io.BytesIO(base64.b64decode(panel.url.removeprefix('data:image/jpeg;base64,'))))
    )


def test_a_panel_shows_true_boxes_and_those_that_reach_the_threshold(tile):
    each = outcome(
        tile('a', [[64, 64, 96, 96], [4, 4, 20, 20]], [0.9, 0.2], [[60, 60, 100, 100]]), 0.5
    )
    panel = draw(each, np.full((3, 128, 128), 9.0), ('R', 'G', 'B'))
    shown = picture(panel)[-384:]  # below the two headers, three times as large
    assert (panel.text, shown.shape) == ('1 hit, 0 false, 0 missed', (384, 384, 3))
    assert np.abs(shown[180, 250].astype(int) - TRUTH_RGB).max() < 60
    assert np.abs(shown[250, 192].astype(int) - PREDICTION_RGB).max() < 60
    assert np.ptp(shown[:150, :150].astype(int)) < 40  # nothing drawn there


def test_tiles_are_read_as_the_test_of_a_cell_reads_them(place):
    test = (
        plan(read('study.yaml')).trials[0].stages[-1]
    )  # its option, not its config, says where the tiles are
    images, bands = read_images(test, ['train/4', 'train/0'])
    assert bands == ('R', 'G', 'B')
    for tile_id, image in images.items():
        assert np.array_equal(
            image.transpose(1, 2, 0), np.asarray(Image.open(place / 'tiles' / f'{tile_id}.jpg'))
        )


def test_a_tile_that_is_gone_is_named(place):
    (place / 'tiles' / 'train' / '3.jpg').unlink()
    (place / 'tiles' / 'train' / '3.xml').unlink()
    (place / 'score.txt').write_text('train/1\n')
    with pytest.raises(
        DatasetError, match=r"test data must hold tile 'train/3', got 1 others in det\.py"
    ):
        read_images(plan(read('study.yaml')).trials[0].stages[-1], ['train/3'])
