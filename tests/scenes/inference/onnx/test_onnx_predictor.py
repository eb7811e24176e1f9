import json

import numpy as np
import onnx
import pytest
import tiny_detector
from onnx import TensorProto, helper, numpy_helper

from mmlandslide.errors import CheckpointError, ConfigError, MissingPathError
from mmlandslide.scenes.inference.onnx import onnx_predictor
from mmlandslide.scenes.inference.onnx.export import export
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.weights.lineage import add_to_record


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('onnx')
    return export(*tiny_detector.write(folder), folder / 'm.onnx', window_px=32, num_tiles=4).path


@pytest.fixture
def model(exported):
    return onnx.load(exported)


def saved(model, tmp_path):
    (tmp_path / 'bad.onnx').write_bytes(model.SerializeToString())
    return tmp_path / 'bad.onnx'


def stated(model, key, value):
    [prop] = [prop for prop in model.metadata_props if prop.key == key]
    prop.value = value


def test_the_file_says_what_windows_it_takes(exported):
    predictor = OnnxPredictor(exported)
    assert (predictor.bands, predictor.window_px) == (tiny_detector.BANDS, 32)
    # Means of B4, slope and DEM in the table of bands.
    np.testing.assert_allclose(predictor.fill, [0.9596, 1.2511, 1.6495])


def test_scores_are_probabilities_where_the_checkpoint_carried_a_calibration(tmp_path):
    # The export compares the file with PyTorch, which applies the same calibration.
    config, checkpoint = tiny_detector.write(tmp_path)
    image = tiny_detector.image(32, 32)[None]
    raw = export(config, checkpoint, tmp_path / 'raw.onnx', window_px=32, num_tiles=4).path
    found = {'method': 'isotonic', 'scores': [0.0, 1.0], 'probabilities': [0.0, 0.5]}
    add_to_record(checkpoint, {'calibration': found}, checkpoint)
    path = export(config, checkpoint, tmp_path / 'p.onnx', window_px=32, num_tiles=4).path
    (boxes, scores), (same_boxes, halves) = (
        OnnxPredictor(each).predict(image)[0] for each in (raw, path)
    )
    assert len(scores) > 0
    np.testing.assert_array_equal(boxes, same_boxes)
    np.testing.assert_allclose(halves, scores / 2, rtol=1e-6)


def test_windows_of_another_size_are_refused_with_the_option(exported):
    with pytest.raises(ConfigError, match=r'be 32 px high and wide, got 64 x 64 px .*--window 32'):
        OnnxPredictor(exported).predict(np.zeros((1, 3, 64, 64), np.float32))


@pytest.mark.parametrize('share', [0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(exported, tmp_path, share):
    content = exported.read_bytes()
    (tmp_path / 'cut.onnx').write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        CheckpointError, match=r'in .*cut\.onnx\. Pass a file that `mmlandslide exp'
    ):
        OnnxPredictor(tmp_path / 'cut.onnx')


def test_weights_in_other_files_are_refused_and_not_read(model, tmp_path):
    tensor = model.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value='../../etc/passwd')
    with pytest.raises(CheckpointError, match=r'weights must lie in the file itself, got external'):
        OnnxPredictor(saved(model, tmp_path))


def test_external_weights_within_a_branch_are_found(model, tmp_path):
    hidden = helper.make_tensor('hidden', TensorProto.FLOAT, [1], [0.0])
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key='location', value='weights.bin')
    branch = helper.make_graph([helper.make_node('Constant', [], ['y'], value=hidden)], 'b', [], [])
    model.graph.node.append(helper.make_node('If', ['c'], ['z'], then_branch=branch))
    with pytest.raises(CheckpointError, match='weights must lie in the file itself'):
        OnnxPredictor(saved(model, tmp_path))


def test_external_weights_of_a_branch_without_nodes_are_found(model, tmp_path):
    hidden = helper.make_tensor('hidden', TensorProto.FLOAT, [1], [0.0])
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key='location', value='weights.bin')
    branch = helper.make_graph([], 'b', [], [], initializer=[hidden])
    model.graph.node.append(helper.make_node('If', ['c'], ['z'], then_branch=branch))
    with pytest.raises(CheckpointError, match='weights must lie in the file itself'):
        OnnxPredictor(saved(model, tmp_path))


IMAGE = tiny_detector.image(32, 32)[None]


def spoilt(model, value=np.nan):
    """Return a model the last layer of whose scores holds a value that is no weight."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if values.dtype == np.float32 and values.ndim == 2:
            values[0, 0] = value
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(model, tmp_path, value):
    with pytest.raises(
        CheckpointError, match=r'weights must be finite, got NaN or infinite values'
    ):
        OnnxPredictor(saved(spoilt(model, value), tmp_path))


@pytest.mark.parametrize('value', [3e38, -3e38])
def test_what_overflows_although_the_weights_are_finite_is_refused(model, tmp_path, value):
    with pytest.raises(CheckpointError, match='what the detector computes must be finite'):
        OnnxPredictor(saved(spoilt(model, value), tmp_path)).predict(IMAGE)


@pytest.mark.parametrize('value', [np.nan, 3e38])
def test_without_the_checks_such_a_model_loses_its_landslides_in_silence(
    model, tmp_path, monkeypatch, value
):
    sound = len(OnnxPredictor(saved(model, tmp_path)).predict(IMAGE)[0][1])
    monkeypatch.setattr(onnx_predictor, 'is_finite', lambda tensor: True)
    monkeypatch.setattr(onnx_predictor, 'logits_of', lambda model: [])
    left = len(OnnxPredictor(saved(spoilt(model, value), tmp_path)).predict(IMAGE)[0][1])
    assert left < sound


def test_custom_operators_are_refused_by_name(model, tmp_path):
    model.graph.node.append(helper.make_node('Run', ['x'], ['y'], domain='com.example'))
    with pytest.raises(CheckpointError, match=r"standard operators, got \['com.example.Run'\]"):
        OnnxPredictor(saved(model, tmp_path))


def test_another_opset_is_refused(model, tmp_path):
    model.opset_import[0].version = 999
    with pytest.raises(CheckpointError, match=r'opset must be from 1 to \d+, got 999'):
        OnnxPredictor(saved(model, tmp_path))


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('content', 'segmenter', "state that it is a detector, got 'segmenter'"),
        ('bands', '["B4", "slope"]', 'state bands, their means and the window size'),
        ('bands', '[' * 100_000, 'state bands, their means and the window size'),
        ('mean', '[1.0, NaN, 1.0]', 'state bands, their means and the window size'),
        ('window_px', '64', r'\(batch, 3, 64, 64\)'),
    ],
)
def test_metadata_that_do_not_fit_are_refused(model, tmp_path, key, value, message):
    stated(model, key, value)
    with pytest.raises(CheckpointError, match=message):
        OnnxPredictor(saved(model, tmp_path))


def test_another_number_of_bands_than_the_graph_s_is_refused(model, tmp_path):
    stated(model, 'bands', json.dumps(['B4', 'slope', 'DEM', 'B8']))
    stated(model, 'mean', json.dumps([1.0] * 4))
    with pytest.raises(CheckpointError, match=r'map tiles \(batch, 4, 32, 32\) to'):
        OnnxPredictor(saved(model, tmp_path))


def test_a_missing_file_and_a_device_that_is_not_there_are_named(exported, tmp_path):
    with pytest.raises(MissingPathError, match=r'model must be a file, got nothing in .*absent'):
        OnnxPredictor(tmp_path / 'absent.onnx')
    with pytest.raises(ConfigError, match="device must be there, got 'tpu' in onnxruntime"):
        OnnxPredictor(exported, 'tpu')
