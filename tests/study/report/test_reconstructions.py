import base64
import io

import pytest
from PIL import Image

from mmlandslide.errors import TileError
from mmlandslide.study.plan import plan
from mmlandslide.study.report.reconstructions import reconstructions
from mmlandslide.study.specification import read


def drawn(stage, **pictures):
    folder = stage.work_dir / 'reconstructions'
    folder.mkdir(parents=True)
    for name, color in pictures.items():
        Image.new('RGB', (30, 10), color).save(folder / f'{name}.png')
    return folder


def test_the_last_picture_of_a_masked_autoencoder_is_taken(place):
    planned = plan(read('study.yaml'))
    pretraining = planned.trials[2].stages[0]
    drawn(pretraining, epoch_9='#ff0000', epoch_10='#0000ff', epoch_x='#00ff00')
    (found,) = reconstructions(planned)
    image = Image.open(io.BytesIO(base64.b64decode(found.url.partition(',')[2])))
    assert (found.stage, found.epoch, image.size) == (pretraining.name, 10, (30, 10))
    assert image.getpixel((5, 5))[2] > 200


def test_a_training_that_draws_none_has_none(place):
    assert reconstructions(plan(read('study.yaml'))) == []


def test_tiles_that_may_not_be_shown_are_not_even_where_a_protocol_shares_the_training(edited):
    twice = 'score_ids: score.txt}\n  study: {show_tiles: false, '
    edited(('protocols:\n  study: {', f'protocols:\n  open: {{train_ids: train.txt, {twice}'))
    planned = plan(read('study.yaml'))
    (pretraining,) = (stage for stage in planned.stages.values() if stage.kind == 'pretrain')
    drawn(pretraining, epoch_2='#ff0000')
    assert reconstructions(planned) == []


def test_a_file_that_is_no_picture_is_named(place):
    planned = plan(read('study.yaml'))
    (drawn(planned.trials[2].stages[0]) / 'epoch_2.png').write_text('<svg onload="alert(1)"/>')
    with pytest.raises(
        TileError,
        match=r'picture must be a PNG of at most \d+ px, got .*cannot identify.*epoch_2\.png',
    ):
        reconstructions(planned)
