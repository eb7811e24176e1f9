import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_detector
import torch
import torch.nn.functional as F

from mmlandslide.bands import divisors
from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.models.traceable_detector import FeatureExtractor
from mmlandslide.scenes.inference.export import (
    compared,
    export,
    probes,
    require_format,
    traced,
)
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.weights.inspection import sha256

SWIN = {
    '_delete_': True,
    'type': 'mmlandslide.SwinTransformer',
    'arch': {'embed_dims': 8, 'depths': [2, 2, 2, 2], 'num_heads': [1, 2, 4, 8]},
    'bands': tiny_detector.BANDS,
    'window_size': 8,
    'out_indices': (0, 1, 2, 3),
}
HERE = Path('here.py')


def predictor(folder, **changes):
    return ModelPredictor(*tiny_detector.write(folder, **changes), torch.device('cpu'))


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('export')
    config, checkpoint = tiny_detector.write(folder)
    made = export(config, checkpoint, folder / 'out.onnx', window_px=64)
    return made, ModelPredictor(config, checkpoint, torch.device('cpu')), config, checkpoint


def run(path, tiles):
    return onnxruntime.InferenceSession(path).run(None, {'tiles': tiles})


@pytest.mark.parametrize('count', [1, 5])
def test_stored_units_go_in_and_the_features_of_the_detector_come_out(written, count):
    made, detector, *_ = written
    tiles = np.stack([tiny_detector.image(seed=seed) for seed in range(count)])
    model = detector.model
    # By hand: twice as large, less the mean, over the standard deviation.
    grown = F.interpolate(torch.from_numpy(tiles), (128, 128), mode='bilinear')
    with torch.no_grad():
        expected = model.extract_feat(
            (grown - model.data_preprocessor.mean) / model.data_preprocessor.std
        )
    for ours, theirs in zip(run(made.path, tiles), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4)


def test_what_is_said_of_a_file_is_what_it_holds(written):
    made, *_ = written
    # 64 px at zoom 2 are 128 px; p2 has a stride of 4 px.
    assert made.input_shape == (3, 64, 64)
    assert made.outputs == {
        f'p{level}': (16, 128 // 2**level, 128 // 2**level) for level in range(2, 7)
    }
    session = onnxruntime.InferenceSession(made.path)
    assert [output.name for output in session.get_outputs()] == list(made.outputs)
    assert session.get_inputs()[0].shape == ['batch', 3, 64, 64]
    assert 0 < made.difference < 1e-4


def test_the_metadata_name_bands_units_config_and_checkpoint(written):
    made, _, config, checkpoint = written
    facts = {prop.key: prop.value for prop in onnx.load(made.path).metadata_props}
    assert json.loads(facts['bands']) == list(tiny_detector.BANDS)
    assert json.loads(facts['divisors']) == list(divisors(tiny_detector.BANDS))
    assert (facts['config'], facts['sha256'], facts['content']) == (
        str(config),
        sha256(checkpoint),
        'backbone and neck',
    )
    assert 'FasterRCNN' in facts['config_text']


def test_shifted_windows_are_exported_exactly(tmp_path):
    detector = predictor(tmp_path, backbone=SWIN)
    # At 128 px the maps are 32, 16, 8 and 4: shifted windows in the first two, and one smaller than
    # the window in the last.
    extractor, batches = FeatureExtractor(detector.model, detector.zoom), list(probes(detector, 64))
    content = traced(extractor, torch.from_numpy(batches[0]), ['p2', 'p3', 'p4', 'p5', 'p6'], HERE)
    difference, shapes = compared(content, extractor, batches, HERE)
    assert difference < 1e-4
    assert shapes[0] == (16, 32, 32)


def test_a_graph_of_other_weights_is_refused_with_the_difference(tmp_path):
    detector = predictor(tmp_path)
    extractor, tiles = (
        FeatureExtractor(detector.model, detector.zoom),
        np.stack([tiny_detector.image(32, 32)]),
    )
    content = traced(extractor, torch.from_numpy(tiles), ['p2', 'p3', 'p4', 'p5', 'p6'], HERE)
    with torch.no_grad():
        detector.model.neck.fpn_convs[3].conv.bias += 0.5
    with pytest.raises(
        ConfigError,
        match=r'agree with PyTorch within 0.0001 of 1 \+ \|value\|, got a difference of 0\.5 in here\.py',
    ):
        compared(content, extractor, [tiles], HERE)


def test_an_export_leaves_the_model_as_it_was(tmp_path):
    detector = predictor(tmp_path)
    before = {name: value.clone() for name, value in detector.model.state_dict().items()}
    traced(
        FeatureExtractor(detector.model, detector.zoom),
        torch.zeros(2, 3, 32, 32),
        ['p2', 'p3', 'p4', 'p5', 'p6'],
        HERE,
    )
    assert not any(module.training for module in detector.model.modules())
    assert all(
        torch.equal(value, before[name]) for name, value in detector.model.state_dict().items()
    )


def test_an_operator_that_onnx_lacks_is_named():
    class Spectrum(torch.nn.Module):
        def forward(self, tiles):
            return (torch.special.bessel_j0(tiles),)

    with pytest.raises(
        ConfigError, match=r'model must have operators of ONNX only, got .*bessel_j0.* in here\.py'
    ):
        traced(Spectrum(), torch.zeros(1, 3, 8, 8), ['p2'], HERE)


def test_tiles_that_are_compared_are_noise_nothing_extremes_and_ground(tmp_path):
    one, three, ground = probes(predictor(tmp_path), 32)
    assert (one.shape, three.shape, ground.shape) == (
        (1, 3, 32, 32),
        (3, 3, 32, 32),
        (1, 3, 32, 32),
    )
    assert not three[0].any()
    assert three[1].std() > 10 * three[2].std()


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
