"""A folder of the zoo made out of a tiny detector, and what a study prints of several."""

import json
from dataclasses import replace
from types import SimpleNamespace

import factories
import numpy as np
import pytest
import tiny_detector
from mmengine.config import Config
from safetensors.torch import save_file

from mmlandslide.errors import SplitOverlapError
from mmlandslide.publishing import folder as publishing
from mmlandslide.publishing.statement import Statement, of_card
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.lineage import add_to_record, stated

STATED = Statement(
    'A tiny one.',
    {'name': 'study', 'scored_on': 'valid', 'leaking': False, 'meaning': 'Apart.'},
    {'tiles': '1 tile'},
    'None stated.',
    ['It is tiny.'],
    ['make tiny'],
)
RGB8 = {'data_preprocessor.bands': 'rgb8', 'backbone.bands': 'rgb8'}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Config, checkpoint and weights of a detector of 64 px RGB tiles, and lists of tiles."""
    root = tmp_path_factory.mktemp('tiny')
    tiles = factories.write_voc(root / 'tiles', {'train': 8})
    config, checkpoint = tiny_detector.write(root, **RGB8)
    read, data = Config.fromfile(config), {'type': 'mmlandslide.VOCTileDataset'}
    read.test_dataloader.dataset = {**data, 'data_root': str(tiles), 'name': 'landslide4sense'}
    read.test_dataloader.dataset.split_file = str(root / 'score.txt')
    read.test_evaluator.native_scale = 2.0
    steps = [
        {'type': 'mmlandslide.ResizeTile', 'factor': 2.0},
        {'type': 'mmlandslide.PackDetection'},
    ]
    read.test_dataloader.dataset.pipeline = steps
    read.train_dataloader = {}
    read.dump(config)
    for name, numbers in (('score', (1, 2, 3, 4)), ('tune', (5, 6, 7, 8))):
        lines = ''.join(f'train/{number}\n' for number in numbers)
        (root / f'{name}.txt').write_text(lines)
    weights = root / 'weights.safetensors'
    save_file(dict(read_checkpoint(checkpoint)['state_dict']), weights)
    return config, checkpoint, weights, root


def write(files, out, tune=None):
    config, checkpoint, weights, _ = files
    return publishing.write_model(out, config, checkpoint, weights, STATED, config, tune)


def half_hit(found):
    """Return results whose first box is a true one and whose second lies elsewhere."""
    results = [
        replace(
            each,
            boxes_xyxy=np.concatenate(
                [each.true_boxes_xyxy[:1], each.true_boxes_xyxy[:1] + 500] * 3
            ),
            scores=np.array([0.8, 0.2] * 3, np.float32),
            labels=np.zeros(6, np.int64),
        )
        for each in found.results
    ]
    return replace(found, results=results)


def test_a_folder_holds_the_files_that_its_card_states(files, tmp_path):
    model = write(files, tmp_path / 'tiny')
    assert model.onnx.is_file()
    assert model.safetensors.read_bytes() == files[2].read_bytes()
    assert (model.card['scores']['tiles'], model.card['calibration']) == (4, None)
    assert json.loads((model.folder / 'item.json').read_text())['id'] == 'tiny'
    assert of_card(model.card) == STATED


def test_probabilities_are_fitted_on_the_tuning_tiles_and_kept_in_both_files(
    files, tmp_path, monkeypatch
):
    detect = publishing.detect
    monkeypatch.setattr(publishing, 'detect', lambda *given: half_hit(detect(*given)))
    monkeypatch.setattr('mmlandslide.evaluation.calibration.fitting._LEAST', 4)
    model = write(files, tmp_path / 'tiny', files[3] / 'tune.txt')
    fitted = OnnxPredictor(model.onnx).calibration
    numbers = [f'landslide4sense:train/{number}' for number in (5, 6, 7, 8)]
    assert sorted(fitted['tile_ids']) == numbers
    kept = stated(read_checkpoint(model.safetensors), model.safetensors)['calibration']
    assert kept['tile_ids'] == fitted['tile_ids']
    assert 'on 4 tuning tiles' in model.card['calibration']
    assert set(fitted['blocks']) == {'count', 'area_m2'}


def test_tiles_that_were_calibrated_on_do_not_score(files, tmp_path, monkeypatch):
    detect = publishing.detect
    monkeypatch.setattr(
        publishing,
        'detect',
        lambda *given: (half_hit if given[2] == 'tuning' else replace)(detect(*given)),
    )
    monkeypatch.setattr('mmlandslide.evaluation.calibration.fitting._LEAST', 4)
    with pytest.raises(SplitOverlapError, match='scored tiles must be none of the calibration'):
        write(files, tmp_path / 'tiny', files[3] / 'score.txt')
    assert list(tmp_path.iterdir()) == []


def test_tiles_of_the_training_do_not_score(files, tmp_path):
    config, checkpoint, weights, _ = files
    own = {'tile_ids': ['landslide4sense:train/2']}
    seen = add_to_record(checkpoint, own, tmp_path / 'seen.pth')
    with pytest.raises(SplitOverlapError, match=r'none of the training, got 1 such as .*train/2'):
        publishing.write_model(tmp_path / 'x', config, seen, weights, STATED, config)


def test_each_published_detector_of_a_study_becomes_a_folder(files, tmp_path, monkeypatch):
    config, checkpoint, weights, root = files
    training = SimpleNamespace(
        work_dir=root,
        config=str(config),
        leaves=(checkpoint.name,),
        name='detect_1',
        tile_ids=('train/9',),
        steps=3,
        command=('mim', 'train'),
    )
    trial = SimpleNamespace(
        training=training,
        test=SimpleNamespace(work_dir=root),
        seed=0,
        condition=SimpleNamespace(backbone='R18', strategy='scratch', protocol='study'),
    )
    broken = SimpleNamespace(**{**vars(trial), 'training': SimpleNamespace(**vars(training))})
    broken.training.config = 'nothing.py'
    again = SimpleNamespace(**{**vars(trial), 'condition': 'another test of the same detector'})
    planned = SimpleNamespace(
        trials=[trial, broken, again],
        trains=lambda each: each is not again,
        specification=SimpleNamespace(name='tiny'),
    )
    zoo = SimpleNamespace(weights={str(root): SimpleNamespace(file=weights.name)})
    for_zoo = tmp_path / 'zoo'
    for_zoo.mkdir()
    (for_zoo / weights.name).write_bytes(weights.read_bytes())
    results = {'protocols': {'study': {'train_file': 'a.txt', 'score_file': 'b.txt'}}}
    model, error = publishing.published(planned, results, zoo, for_zoo)
    assert (model.name, model.card['training']['steps']) == ('detect_1', 3)
    assert 'nothing.py' in str(error)
