from dataclasses import replace

import numpy as np
import pytest
import tiny_detector
import torch
from mmengine.config import Config

from mmlandslide.datasets.transforms.geometry import ResizeTile
from mmlandslide.errors import (
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    MissingPathError,
)
from mmlandslide.models import finite_outputs
from mmlandslide.models.traceable_detector import zoomed
from mmlandslide.scenes.inference.blocks import BlocksInMemory
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inference.model_predictor import ModelPredictor, zoom_of
from mmlandslide.scenes.inference.tiled_inference import predict
from mmlandslide.scenes.inputs.tile_scene import scene_of
from mmlandslide.weights.lineage import add_to_record

CPU = torch.device('cpu')
SETTINGS = Settings(window_px=32, overlap_px=12, score_thr=0.2)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return tiny_detector.write(tmp_path_factory.mktemp('tiny'))


@pytest.fixture(scope='module')
def predictor(files):
    return ModelPredictor(*files, CPU)


def pipeline(*steps, **evaluator):
    return {'test_dataloader': {'dataset': {'pipeline': list(steps)}}, 'test_evaluator': evaluator}


PACK = {'type': 'mmlandslide.PackDetection'}


def overflowing(files, folder):
    """Write weights that are finite, of which what is computed is not."""
    checkpoint = torch.load(files[1], weights_only=True)
    weights = checkpoint['state_dict']['backbone.layer4.1.conv2.weight']
    weights.copy_(torch.sign(weights) * 3e38)
    torch.save(checkpoint, folder / 'huge.pth')
    return files[0], folder / 'huge.pth'


def test_a_detector_that_computes_no_numbers_is_refused_and_draws_no_empty_map(files, tmp_path):
    predictor = ModelPredictor(*overflowing(files, tmp_path), CPU)
    with pytest.raises(
        CheckpointError, match=r'must be finite, got nan in rpn_head in .*huge\.pth'
    ):
        predictor.predict(tiny_detector.image(32, 32)[None])


def test_without_looking_at_its_heads_it_finds_nothing_in_silence(files, tmp_path, monkeypatch):
    image = tiny_detector.image(32, 32)[None]
    assert len(ModelPredictor(*files, CPU).predict(image)[0][1]) > 0
    monkeypatch.setattr(finite_outputs, 'require_finite_outputs', lambda *_: [])
    found = ModelPredictor(*overflowing(files, tmp_path), CPU).predict(image)
    assert len(found[0][1]) == 0


@pytest.mark.parametrize('zoom', [2.0, 1.5, 0.5, 1.0])
def test_a_window_is_resampled_as_the_pipeline_does(zoom):
    image = tiny_detector.image(24, 40)
    sample = {'img': image, 'bands': tiny_detector.BANDS, 'scale_factor': (1.0, 1.0)}
    sample['gt_bboxes'] = np.zeros((0, 4))
    expected = ResizeTile(factor=zoom).transform(sample)['img']
    np.testing.assert_allclose(
        zoomed(torch.from_numpy(image)[None], zoom)[0].numpy(), expected, atol=1e-5
    )


@pytest.mark.parametrize(
    ('config', 'zoom'),
    [
        (
            pipeline({'type': 'mmlandslide.ResizeTile', 'size_px': 256}, PACK),
            2.0,
        ),  # a tile of 128 px
        (pipeline({'type': 'mmlandslide.ResizeTile', 'factor': 3.0}, PACK), 3.0),
        (pipeline(PACK), 1.0),
        (pipeline(PACK, native_scale=128 / 224), 1.75),  # tiles that were stored at 224 px
    ],
)
def test_the_zoom_is_that_of_the_test_pipeline(config, zoom):
    assert zoom_of(config, 'a.py') == pytest.approx(zoom)


@pytest.mark.parametrize(
    'name', ['faster_rcnn_r18', 'faster_rcnn_swin_b', 'faster_rcnn_vit_b', 'faster_rcnn_r18_mars']
)
def test_configs_of_tiles_of_128_px_show_them_at_their_size(name):
    path = tiny_detector.CONFIG.with_name(f'{name}.py')
    assert zoom_of(Config.fromfile(path), path) == 2


def test_a_pipeline_that_does_more_is_refused():
    config = pipeline({'type': 'mmlandslide.RandomGain'}, PACK)
    with pytest.raises(
        ConfigError,
        match=r"ResizeTile and PackDetection, got \['RandomGain', 'PackDetection'\] in a.py",
    ):
        zoom_of(config, 'a.py')
    with pytest.raises(ConfigError, match=r'have test_dataloader\.dataset\.pipeline, got none'):
        zoom_of({}, 'a.py')


def test_boxes_are_in_the_window_s_own_pixels(predictor):
    [(boxes, scores)] = predictor.predict(tiny_detector.image(48, 64)[None])
    assert len(boxes) == len(scores) > 5
    assert boxes.min() >= 0
    assert 48 < boxes[:, [0, 2]].max() <= 64
    assert 32 < boxes[:, [1, 3]].max() <= 48


def test_a_head_that_is_unsure_of_sides_says_so_in_the_window_s_pixels(tmp_path):
    head = {
        'roi_head.bbox_head.type': 'mmlandslide.UncertainBBoxHead',
        'roi_head.bbox_head.reg_class_agnostic': True,
        'roi_head.bbox_head.bbox_coder': {'_delete_': True, 'type': 'mmlandslide.SideBBoxCoder'},
        'roi_head.bbox_head.loss_bbox': {'_delete_': True, 'type': 'mmlandslide.KLLoss'},
    }
    unsure = ModelPredictor(*tiny_detector.write(tmp_path, **head), CPU)
    [(boxes, scores, stds)] = unsure.predict(tiny_detector.image(48, 64)[None])
    assert stds.shape == boxes.shape == (len(scores), 4)
    assert len(scores) > 5
    assert (stds > 0).all()


def test_a_window_filled_with_the_fill_values_is_zero_to_the_model(predictor):
    window = torch.from_numpy(np.broadcast_to(predictor.fill[:, None, None], (3, 32, 32)).copy())[
        None
    ]
    normal = predictor.model.data_preprocessor({'inputs': window, 'data_samples': None})['inputs']
    assert normal.abs().max() < 1e-6


@pytest.mark.parametrize('batch_size', [1, 3])
def test_the_batch_size_moves_no_box(predictor, batch_size):
    image = tiny_detector.image(70, 90, seed=1)
    scene = scene_of(image, predictor.bands, predictor.bands)
    one, other = (
        predict(
            InferenceJob(scene, predictor, replace(SETTINGS, batch_size=size), {}), BlocksInMemory()
        )
        for size in (8, batch_size)
    )
    assert len(one) == len(other) > 10
    nearest = np.abs(one.boxes_xyxy[:, None] - other.boxes_xyxy[None]).max(axis=-1).min(axis=1)
    assert nearest.max() < 1e-3
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


def test_scores_are_probabilities_where_the_checkpoint_carries_a_calibration(
    files, predictor, tmp_path
):
    calibration = {'method': 'isotonic', 'scores': [0.0, 1.0], 'probabilities': [0.0, 0.5]}
    path = add_to_record(files[1], {'calibration': calibration}, tmp_path / 'calibrated.pth')
    image = tiny_detector.image(32, 32)[None]
    (boxes, scores), (same_boxes, halves) = (
        each.predict(image)[0] for each in (predictor, ModelPredictor(files[0], path, CPU))
    )
    assert len(scores) > 0
    np.testing.assert_array_equal(boxes, same_boxes)
    np.testing.assert_allclose(halves, scores / 2, rtol=1e-6)


def test_half_precision_finds_about_the_same(files, predictor):
    images = tiny_detector.image()[None]
    [(boxes, scores)] = predictor.predict(images)
    [(half_boxes, half_scores)] = ModelPredictor(*files, CPU, amp=True).predict(images)
    assert half_boxes.dtype == np.float32
    assert not np.array_equal(half_boxes, boxes)
    assert half_scores.max() == pytest.approx(scores.max(), abs=0.05)


def test_a_checkpoint_of_the_same_bands_in_another_order_is_refused(files, tmp_path):
    checkpoint = torch.load(files[1], weights_only=True)
    checkpoint['meta']['mmlandslide']['bands'] = ['B4', 'DEM', 'slope']
    torch.save(checkpoint, tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointMismatchError,
        match=r"bands \['B4', 'slope', 'DEM'\], got \['B4', 'DEM', 'slope'\]",
    ):
        ModelPredictor(files[0], tmp_path / 'a.pth', CPU)


def test_a_checkpoint_that_lacks_a_parameter_is_refused(files, tmp_path):
    checkpoint = torch.load(files[1], weights_only=True)
    checkpoint['state_dict'].pop('backbone.conv1.weight')
    torch.save(checkpoint, tmp_path / 'a.pth')
    with pytest.raises(
        CheckpointMismatchError,
        match=r"fill the model exactly, got 1 keys missing \['backbone.conv1.weight'\]",
    ):
        ModelPredictor(files[0], tmp_path / 'a.pth', CPU)


def test_a_config_that_is_not_there_or_no_detector_s_is_refused(files, tmp_path):
    with pytest.raises(MissingPathError, match=r'config must be a file, got nothing in .*none\.py'):
        ModelPredictor(tmp_path / 'none.py', files[1], CPU)
    pretraining = tiny_detector.CONFIG.parents[1] / 'pretrain/swin_mae.py'
    with pytest.raises(ConfigError, match='Pass a detection config'):
        ModelPredictor(pretraining, files[1], CPU)


@pytest.mark.parametrize('text', ['model = dict(\n', "_base_ = 'nowhere.py'\n"])
def test_a_config_that_cannot_be_read_is_named(files, tmp_path, text):
    (tmp_path / 'a.py').write_text(text)
    with pytest.raises(
        ConfigError, match=r'config must be a config of mmengine, got .*Error.* in .*a\.py'
    ):
        ModelPredictor(tmp_path / 'a.py', files[1], CPU)


def test_a_batch_that_does_not_fit_says_what_to_lower(predictor, monkeypatch):
    def full(data):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr(predictor.model, 'test_step', full)
    with pytest.raises(
        ConfigError, match=r'memory of the GPU, got \(2, 3, 32, 32\) in cpu. Lower --batch'
    ):
        predictor.predict(np.zeros((2, 3, 32, 32), np.float32))


def test_a_term_that_differs_is_accepted_by_name(files, tmp_path, caplog):
    checkpoint = torch.load(files[1], weights_only=True)
    checkpoint['meta']['mmlandslide']['bands'] = ['B4', 'DEM', 'slope']
    torch.save(checkpoint, tmp_path / 'other.pth')
    predictor = ModelPredictor(
        files[0], tmp_path / 'other.pth', torch.device('cpu'), accept=('bands',)
    )
    assert predictor.bands == ('B4', 'slope', 'DEM')
    assert 'states other bands' in predictor.notes[-1]
