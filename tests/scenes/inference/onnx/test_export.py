import importlib.util
import json

import numpy as np
import onnx
import pytest
import tiny_detector
import torch

from mmlandslide.bands import divisors
from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.scenes.inference.onnx.agreement import compare
from mmlandslide.scenes.inference.onnx.export import export, probes, require_format
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.weights.inspection import sha256

SWIN = {
    '_delete_': True,
    'type': 'mmlandslide.SwinTransformer',
    'arch': {'embed_dims': 8, 'depths': [2, 2, 2, 2], 'num_heads': [1, 2, 4, 8]},
    'bands': tiny_detector.BANDS,
    'window_size': 8,
    'out_indices': (0, 1, 2, 3),
}
CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('export')
    config, checkpoint = tiny_detector.write(folder)
    made = export(config, checkpoint, folder / 'out.onnx', window_px=64, num_tiles=12)
    return made, ModelPredictor(config, checkpoint, CPU), config, checkpoint


@pytest.mark.parametrize('count', [1, 2, 7])
def test_any_number_of_tiles_gives_the_boxes_of_pytorch(written, count):
    made, detector, *_ = written
    tiles = np.stack([tiny_detector.image(seed=seed) for seed in range(count)])
    expected, found = detector.predict(tiles), OnnxPredictor(made.path).predict(tiles)
    for (boxes, scores), (others, other_scores) in zip(expected, found, strict=True):
        assert len(scores) > 10
        np.testing.assert_allclose(other_scores, scores, atol=1e-5)
        # Boxes whose scores tie to 1e-5 may change places.
        nearest = np.abs(boxes[:, None] - others[None]).max(axis=-1).min(axis=1)
        assert nearest.max() < 1e-3


def test_what_is_returned_describes_the_file(written):
    made, *_ = written
    assert (made.input_shape, made.num_tiles, made.agreement.unmatched) == ((3, 64, 64), 12, 0)
    model = onnx.load(made.path)
    assert {node.domain for node in model.graph.node} == {''}
    operators = [node.op_type for node in model.graph.node]
    assert (operators.count('NonMaxSuppression'), operators.count('RoiAlign')) == (2, 4)


def test_the_metadata_name_bands_units_config_and_checkpoint(written):
    made, _, config, checkpoint = written
    facts = {prop.key: prop.value for prop in onnx.load(made.path).metadata_props}
    assert json.loads(facts['bands']) == list(tiny_detector.BANDS)
    assert json.loads(facts['divisors']) == list(divisors(tiny_detector.BANDS))
    assert (facts['config'], facts['sha256']) == (config.name, sha256(checkpoint))
    assert json.loads(facts['training'])['bands'] == list(tiny_detector.BANDS)
    assert json.loads(facts['window_px']) == 64
    assert 'FasterRCNN' in facts['config_text']


def test_shifted_windows_are_exported_exactly(tmp_path):
    # At 128 px the maps are 32, 16, 8 and 4: shifted windows in the first two, and one smaller than
    # the window in the last.
    files = tiny_detector.write(tmp_path, backbone=SWIN)
    made = export(*files, tmp_path / 'out.onnx', window_px=64, num_tiles=4)
    assert made.agreement.close


def test_a_graph_of_other_weights_is_refused_with_the_difference(tmp_path, monkeypatch):
    config, checkpoint = tiny_detector.write(tmp_path)
    detector = ModelPredictor

    class Changed(detector):
        def predict(self, images):
            return [(boxes + 0.5, scores) for boxes, scores in super().predict(images)]

    monkeypatch.setattr('mmlandslide.scenes.inference.onnx.export.ModelPredictor', Changed)
    with pytest.raises(ConfigError, match=r'within 0\.001 px and 1e-05 in score, got \d+ of'):
        export(config, checkpoint, tmp_path / 'out.onnx', window_px=32, num_tiles=2)
    assert not (tmp_path / 'out.onnx').exists()


def test_an_export_leaves_the_model_as_it_was(written):
    made, detector, *_ = written
    assert not any(module.training for module in detector.model.modules())
    assert compare(detector, OnnxPredictor(made.path), [tiny_detector.image(seed=9)[None]]).close


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'roi_head.bbox_head.num_classes': 3}, 'number of classes must be 1, got 3'),
        (
            {'test_cfg.rcnn.nms.type': 'soft_nms'},
            r"suppressions must be .*, got \['nms', 'soft_nms'",
        ),
    ],
)
def test_a_head_that_the_graph_does_not_compute_is_refused(tmp_path, changes, message):
    files = tiny_detector.write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message):
        export(*files, tmp_path / 'out.onnx', window_px=32)


def test_tiles_that_are_compared_are_noise_of_three_contrasts_and_ground(written):
    batches = list(probes(written[1], 32, 14))
    assert [batch.shape for batch in batches] == [(count, 3, 32, 32) for count in (1, 3, 8, 2)]
    contrasts = [tile[0].std() for tile in batches[1]]  # of B4: a fifth, one and four times .5724
    np.testing.assert_allclose(contrasts, [0.1145, 0.5724, 2.2896], rtol=0.05)
    # Simulated ground is smooth, noise is not: differences of neighbours.
    assert np.abs(np.diff(batches[2][:, 2])).mean() < np.abs(np.diff(batches[0][:, 2])).mean() / 5


def test_an_unknown_format_is_answered_with_those_that_exist():
    with pytest.raises(
        ConfigError, match=r"format must be one of \['onnx'\], got 'tflite' in --format"
    ):
        require_format('tflite')


def test_a_missing_package_is_named_with_its_command(monkeypatch):
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'onnx' else object()
    )
    with pytest.raises(
        ConfigError,
        match=r"got none of \['onnx'\] in Python\. Install them with `pip install onnx`",
    ):
        require_format('onnx')


def test_a_checkpoint_that_does_not_fill_the_model_leaves_no_file(tmp_path):
    config, checkpoint = tiny_detector.write(tmp_path)
    state = torch.load(checkpoint, weights_only=True)
    del state['state_dict']['backbone.conv1.weight']
    torch.save(state, checkpoint)
    with pytest.raises(
        CheckpointMismatchError, match=r"1 keys missing \['backbone.conv1.weight'\]"
    ):
        export(config, checkpoint, tmp_path / 'out.onnx', window_px=32)
    assert not (tmp_path / 'out.onnx').exists()
