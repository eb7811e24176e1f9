import re

import onnxruntime
import pytest
import tiny_detector
from click.testing import CliRunner

from mmlandslide.cli.main import main


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return tiny_detector.write(tmp_path_factory.mktemp('tiny'))


def export(*arguments):
    return CliRunner().invoke(main, ['export', *map(str, arguments)])


def test_a_checkpoint_becomes_a_file_beside_it(model):
    config, checkpoint = model
    result = export(checkpoint, '--config', config, '--window', 32)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == 'input   tiles (batch, 3, 32, 32) float32, stored units'
    assert re.search(r'on 100 tiles: \d of 20000 detections unmatched, ', lines[-2])
    assert onnxruntime.InferenceSession(checkpoint.with_suffix('.onnx')).get_inputs()[0].shape[
        1:
    ] == [3, 32, 32]


def test_a_file_that_is_there_needs_overwrite(model, tmp_path):
    config, checkpoint = model
    out = tmp_path / 'out.onnx'
    out.write_text('mine')
    result = export(checkpoint, '--config', config, '--out', out)
    assert (result.exit_code, out.read_text()) == (1, 'mine')
    assert 'error: output must not be there yet, got out.onnx in' in result.stderr


def test_an_unknown_format_is_one_line(model):
    config, checkpoint = model
    result = export(checkpoint, '--config', config, '--format', 'engine')
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(
        "error: format must be one of ['onnx'], got 'engine' in --format."
    )
