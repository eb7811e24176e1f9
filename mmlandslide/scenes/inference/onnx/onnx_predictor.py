"""An exported detector as a predictor: no PyTorch, nothing but the file's standard operators."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.errors import CheckpointError, ConfigError, MissingPathError
from mmlandslide.evaluation.calibration import calibrated, calibration_of
from mmlandslide.scenes.inference.domain.training_range import range_of
from mmlandslide.scenes.inference.onnx.tensors import graphs_in, is_finite, logits_of, tensors_of
from mmlandslide.scenes.inference.predictor import WindowDetections

#: Names of the graph's input and outputs, and the word that its metadata begin with.
INPUT, OUTPUTS, CONTENT = 'tiles', ('boxes', 'scores', 'tile'), 'detector'
_STANDARD = ('', 'ai.onnx')
_REMEDY = 'Pass a file that `mmlandslide export` wrote'


class OnnxPredictor:
    """A detector that `mmlandslide export` wrote, run by onnxruntime.

    Args:
        path: of the `.onnx` file.
        device: `cpu`, `cuda` or `cuda:N`; `auto` takes a GPU where onnxruntime sees one.

    Attributes:
        bands: names of the model's input bands.
        fill: (C,) float32, the mean of each band, which normalisation makes zero.
        window_px: height and width of the windows that it takes.
        pixel_scale: how many of its pixels show one of 10 m.
        metadata: of the file, see `export.facts`.
        sha256: of the file.
        device: that it computes on.
        calibration: what makes scores probabilities, where the exported checkpoint carried it.
        training_range: where its training tiles lie, where the file states it.

    Raises:
        MissingPathError: there is no such file.
        CheckpointError: the file is cut off, refers to other files, has operators or an opset that
            onnxruntime lacks, or is no exported detector.
        ConfigError: onnxruntime cannot compute on that device.
    """

    def __init__(self, path: Path, device: str = 'auto') -> None:
        if not path.is_file():
            raise MissingPathError.mismatch('model', 'be a file', 'nothing', path, 'Check the path')
        content = path.read_bytes()
        model = parsed(content, path)
        self.path, self.sha256 = path, hashlib.sha256(content).hexdigest()
        self.metadata = _metadata(model, path)
        self.bands: tuple[str, ...] = tuple(self.metadata['bands'])
        self.fill: NDArray[np.float32] = np.asarray(self.metadata['mean'], np.float32)
        self.window_px: int = self.metadata['window_px']
        self.pixel_scale = float(self.metadata.get('pixel_scale', 1.0))
        _require_signature(model, len(self.bands), self.window_px, path)
        training = self.metadata.get('training')
        self.calibration = calibration_of(training if isinstance(training, Mapping) else {})
        self.training_range = range_of(self.metadata)
        self.device, provider = _provider(device)
        self._logits = logits_of(model)
        self._session = _session(_telling(model, self._logits), provider, path)

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return boxes (N, 4) and scores (N,), float32, of each of (B, C, h, w) windows.

        Raises:
            ConfigError: the windows have another size than the model's.
            CheckpointError: the model's output is no boxes with scores.
        """
        if images.shape[1:] != (len(self.bands), self.window_px, self.window_px):
            raise ConfigError.mismatch(
                'windows',
                f'be {self.window_px} px high and wide',
                f'{images.shape[-2]} x {images.shape[-1]} px',
                self.path,
                f'Pass `--window {self.window_px}`, or export the detector with another --window',
            )
        boxes, scores, tile = self._run(images)
        if not (np.isfinite(boxes).all() and ((scores >= 0) & (scores <= 1)).all()):
            raise _refused('output', 'be finite boxes with scores from 0 to 1', 'others', self.path)
        if self.calibration is not None:
            scores = calibrated(scores, self.calibration).astype(np.float32)
        return [(boxes[tile == index], scores[tile == index]) for index in range(len(images))]

    def _run(self, images: NDArray[np.float32]) -> list[NDArray[Any]]:
        """Return the graph's outputs.

        Raises:
            CheckpointError: onnxruntime fails, or what the heads compute is not finite.
        """
        try:
            told = self._session.run([*OUTPUTS, *self._logits], {INPUT: images})
        except Exception as error:  # onnxruntime's errors come as classes of a private module
            failed = f'{_reason(error)} for {len(images)} tiles'
            raise _refused('model', 'run in onnxruntime', failed, self.path) from error
        found: list[NDArray[Any]] = told[: len(OUTPUTS)]
        if not all(np.isfinite(each).all() for each in told[len(OUTPUTS) :]):
            wrong = 'NaN or infinite values'
            raise _refused('what the detector computes', 'be finite', wrong, self.path)
        got = [(each.dtype.kind, each.shape) for each in map(np.asarray, found)]
        num = np.size(found[-1])
        if got != [('f', (num, 4)), ('f', (num,)), ('i', (num,))]:
            raise _refused('outputs', 'have N boxes, scores and tiles', got, self.path)
        return found


def parsed(content: bytes, path: Path) -> Any:
    """Return a model, refusing what would reach beyond its own bytes.

    Args:
        content: of the file.
        path: of the file, for the error.

    Raises:
        CheckpointError: it is no whole ONNX model, keeps weights in other files or weights that are
            not finite, has operators or functions that ONNX does not define, or is of a later opset
            than is known here.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's errors come as classes of private modules
        raise _refused('model', 'be a whole ONNX file', type(error).__name__, path) from error
    graphs = [*graphs_in(model.graph)]
    outside = [each.name for each in tensors_of(graphs) if each.external_data]
    if outside:
        raise _refused('weights', 'lie in the file itself', f'external {outside[:3]}', path)
    wrong = [each.name for each in tensors_of(graphs) if not is_finite(each)]
    if wrong:
        raise _refused('weights', 'be finite', f'NaN or infinite values in {wrong[:3]}', path)
    foreign = sorted(
        {
            f'{node.domain}.{node.op_type}'
            for graph in graphs
            for node in graph.node
            if node.domain not in _STANDARD
        }
        | {f'function {each.name}' for each in model.functions}
    )
    if foreign:
        raise _refused('operators', 'be ONNX standard operators', foreign[:3], path)
    stated = max((each.version for each in model.opset_import), default=0)
    latest = onnx.defs.onnx_opset_version()
    if not 1 <= stated <= latest:
        raise _refused('opset', f'be from 1 to {latest}', stated, path)
    return model


def _metadata(model: Any, path: Path) -> dict[str, Any]:
    """Return the metadata, JSON decoded where they are JSON.

    Raises:
        CheckpointError: they are not those of an exported detector.
    """
    found = {prop.key: _decoded(prop.value) for prop in model.metadata_props}
    if found.get('content') != CONTENT:
        got = repr(found.get('content', 'no such metadata'))
        raise _refused('model', 'state that it is a detector', got, path)
    if not _plausible(found):
        stated = {key: found.get(key) for key in ('bands', 'mean', 'window_px')}
        raise _refused('metadata', 'state bands, their means and the window size', stated, path)
    return found


def _plausible(found: Mapping[str, Any]) -> bool:
    bands, mean, window_px = found.get('bands'), found.get('mean'), found.get('window_px')
    return (
        isinstance(bands, list)
        and bool(bands)
        and all(isinstance(band, str) for band in bands)
        and isinstance(mean, list)
        and len(mean) == len(bands)
        and all(isinstance(value, float) and np.isfinite(value) for value in mean)
        and isinstance(window_px, int)
        and 0 < window_px <= 4096
        and isinstance(found.get('pixel_scale', 1.0), float)
        and 0.1 <= found.get('pixel_scale', 1.0) <= 10
    )


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _require_signature(model: Any, num_bands: int, window_px: int, path: Path) -> None:
    """Refuse a graph whose input or outputs are not those that the metadata state."""
    shapes = {
        each.name: [side.dim_value for side in each.type.tensor_type.shape.dim]
        for each in model.graph.input
    }
    outputs = tuple(each.name for each in model.graph.output)
    if shapes != {INPUT: [0, num_bands, window_px, window_px]} or outputs != OUTPUTS:
        expected = f'map {INPUT} (batch, {num_bands}, {window_px}, {window_px}) to {OUTPUTS}'
        raise _refused('graph', expected, f'{shapes} to {outputs}', path)


def _provider(device: str) -> tuple[str, Any]:
    """Return the device, and onnxruntime's execution provider for it.

    Raises:
        ConfigError: onnxruntime has no provider for it.
    """
    import onnxruntime

    gpu = 'CUDAExecutionProvider' in onnxruntime.get_available_providers()
    kind, _, index = device.partition(':')
    if device == 'cpu' or (device == 'auto' and not gpu):
        return 'cpu', 'CPUExecutionProvider'
    if kind in ('cuda', 'auto') and gpu and (index or '0').isdecimal():
        number = int(index or '0')
        return f'cuda:{number}', ('CUDAExecutionProvider', {'device_id': number})
    remedy = 'Pass cpu, or install onnxruntime-gpu'
    raise ConfigError.mismatch('device', 'be there', repr(device), 'onnxruntime', remedy)


def _session(content: bytes, provider: Any, path: Path) -> Any:
    """Return the session of a model, on as many threads as OMP_NUM_THREADS says.

    Raises:
        CheckpointError: onnxruntime cannot run it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised, too
    threads = os.environ.get('OMP_NUM_THREADS', '')
    if threads.isdecimal():
        options.intra_op_num_threads = int(threads)
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=[provider], enable_fallback=0
        )
    except Exception as error:  # onnxruntime's errors come as classes of a private module
        raise _refused('model', 'run in onnxruntime', _reason(error), path) from error


def _telling(model: Any, names: Sequence[str]) -> bytes:
    """Return a model whose graph returns some values from within, too."""
    from onnx import ValueInfoProto

    model.graph.output.extend(ValueInfoProto(name=name) for name in names)
    content: bytes = model.SerializeToString()
    return content


def _reason(error: Exception) -> str:
    return repr(next(iter(str(error).strip().splitlines()), type(error).__name__))


def _refused(subject: str, expected: str, got: object, path: Path) -> Exception:
    return CheckpointError.mismatch(subject, expected, got, path, _REMEDY)
