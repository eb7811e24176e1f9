"""A trained detector's backbone and neck as an ONNX file, checked against PyTorch.

The proposals and the heads behind them stay out: how many boxes they pass on depends on the
picture, tile by tile, and the graph that a trace of them makes is exact for the traced tile alone.
What is inside is exact: magnification as in the config's test pipeline, normalisation, padding,
backbone, neck. So a user feeds tiles as they are stored.
"""

import importlib.util
import inspect
import json
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide import __version__, rng
from mmlandslide.bands import LANDSLIDE4SENSE, divisors, positions
from mmlandslide.datasets.simulation.synthetic import simulate_tile
from mmlandslide.errors import ConfigError
from mmlandslide.files import write_atomic
from mmlandslide.scenes.inference.model_predictor import ModelPredictor

if TYPE_CHECKING:
    import torch

    from mmlandslide.models.traceable_detector import FeatureExtractor

FORMATS = ('onnx',)
INPUT = 'tiles'
#: Greatest |difference| / (1 + |value|) of a feature between ONNX and PyTorch.
TOLERANCE = 1e-4
_PACKAGES = ('onnx', 'onnxruntime')
_OPSET = 17  # the first with LayerNormalization
_BATCHES = (1, 3)


@dataclass(frozen=True)
class Exported:
    """What a file holds, and how exact it was found to be.

    Attributes:
        path: of the file.
        input_shape: (bands, height, width) of a tile.
        outputs: name -> (channels, height, width) of a map of features.
        num_tiles: that were compared.
        difference: greatest |difference| between ONNX and PyTorch of any feature.
    """

    path: Path
    input_shape: tuple[int, int, int]
    outputs: dict[str, tuple[int, int, int]]
    num_tiles: int
    difference: float


def export(
    config_path: Path, checkpoint_path: Path, out: Path, format_: str = 'onnx', window_px: int = 128
) -> Exported:
    """Write the backbone and neck of a detector for other programs.

    The graph takes any number of tiles of one size, `tiles` (batch, bands, H, W) float32 in stored
    units (Landslide4Sense's, for its bands), and returns the levels of the neck as `p2`, `p3`, ...,
    a map of stride 2^k in px that the model sees being `pk`. The file's metadata name the bands in
    their order, the divisors that make stored units of raw values, the config and the checkpoint.

    Args:
        config_path: of a detection config.
        checkpoint_path: of its training.
        out: of the file; an older one is replaced.
        format_: one of `FORMATS`.
        window_px: height and width of the tiles.

    Returns:
        What was written.

    Raises:
        ConfigError: an unknown format, a package is missing, or the model cannot be exported
            exactly; nothing is written.
        LandslideError: as `ModelPredictor`.
        OSError: the file cannot be written.
    """
    import torch

    from mmlandslide.models.traceable_detector import FeatureExtractor

    require_format(format_)
    predictor = ModelPredictor(config_path, checkpoint_path, torch.device('cpu'))
    extractor = FeatureExtractor(predictor.model, predictor.zoom)
    bands = predictor.bands
    batches = list(probes(predictor, window_px))
    names = [
        f'p{int(stride).bit_length() - 1}'
        for stride, _ in predictor.model.rpn_head.prior_generator.strides
    ]
    content = traced(extractor, torch.from_numpy(batches[0]), names, config_path)
    difference, shapes = compared(content, extractor, batches, config_path)
    described = _described(
        content,
        {**_facts(predictor, config_path, checkpoint_path, window_px), 'difference': difference},
    )
    write_atomic(out, described)
    outputs = dict(zip(names, shapes, strict=True))
    return Exported(
        out, (len(bands), window_px, window_px), outputs, sum(map(len, batches)), difference
    )


def require_format(format_: str) -> None:
    """Refuse a format that is not known, or whose packages are missing.

    Raises:
        ConfigError: either of these.
    """
    if format_ not in FORMATS:
        raise ConfigError.mismatch(
            'format', f'be one of {list(FORMATS)}', repr(format_), '--format', 'Name one of those'
        )
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        remedy = f'Install them with `pip install {" ".join(missing)}`'
        raise ConfigError.mismatch(
            'environment', f'have {" and ".join(_PACKAGES)}', f'none of {missing}', 'Python', remedy
        )


def probes(predictor: ModelPredictor, window_px: int) -> Iterator[NDArray[np.float32]]:
    """Yield batches of tiles on which exactness is checked.

    They are noise about the bands' statistics, among it a tile of zeros and one of values far out,
    and simulated ground where the bands are Landslide4Sense's.
    """
    preprocessor, shape = (
        predictor.model.data_preprocessor,
        (len(predictor.bands), window_px, window_px),
    )
    mean, std = preprocessor.mean.numpy(), preprocessor.std.numpy()
    draws = rng.generator(0, 'export')
    for size in _BATCHES:
        tiles = (mean + std * draws.standard_normal((size, *shape))).astype(np.float32)
        if size > 1:
            tiles[0], tiles[1] = 0, mean + 20 * (tiles[1] - mean)
        yield tiles
    if set(predictor.bands) <= set(LANDSLIDE4SENSE):
        ground = simulate_tile(0, 'export', max(window_px, 16))[0].transpose(2, 0, 1)[
            :, :window_px, :window_px
        ]
        yield ground[positions(predictor.bands, LANDSLIDE4SENSE)].astype(np.float32)[None]


def traced(
    extractor: 'FeatureExtractor', tiles: 'torch.Tensor', names: Sequence[str], where: Path
) -> bytes:
    """Return the graph of some tiles as the bytes of an ONNX model for any number of tiles.

    Args:
        extractor: to trace.
        tiles: (B, bands, H, W).
        names: of the outputs.
        where: the config, for the error.

    Raises:
        ConfigError: ONNX has no operator for something that the model does.
    """
    import torch

    options: dict[str, Any] = {
        'dynamic_axes': {name: {0: 'batch'} for name in (INPUT, *names)},
        'opset_version': _OPSET,
    }
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        options['dynamo'] = (
            False  # the newer exporter needs onnxscript, and gives this model nothing
        )
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
            path = Path(folder, 'model.onnx')
            warnings.simplefilter(
                'ignore'
            )  # of constants in the trace: the comparison that follows decides
            extractor(
                tiles
            )  # fills the caches of attention masks, which are then constants of the trace
            torch.onnx.export(
                extractor, (tiles,), path, input_names=[INPUT], output_names=list(names), **options
            )
            return path.read_bytes()
    except (
        Exception
    ) as error:  # the exporter raises errors of a dozen classes, and of the layers it traces
        raise _unfit('model', 'have operators of ONNX only', _reason(error), where) from error


def compared(
    content: bytes,
    extractor: 'FeatureExtractor',
    batches: Sequence[NDArray[np.float32]],
    where: Path,
) -> tuple[float, list[tuple[int, int, int]]]:
    """Compare a graph in onnxruntime with PyTorch, level by level.

    Args:
        content: of an ONNX model.
        extractor: that it was made of.
        batches: of tiles (B, bands, H, W), of several sizes B.
        where: the config, for the error.

    Returns:
        The greatest |difference|, and the shape (C, h, w) of each level.

    Raises:
        ConfigError: they differ by more than `TOLERANCE`, or the graph does not run.
    """
    import onnxruntime
    import torch

    differences, shapes = [], []
    try:
        session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])
        found = [session.run(None, {INPUT: tiles}) for tiles in batches]
    except Exception as error:  # onnxruntime's errors come as classes of a private module
        raise _unfit('exported graph', 'run in onnxruntime', _reason(error), where) from error
    for tiles, levels in zip(batches, found, strict=True):
        with torch.no_grad():
            expected = [level.numpy() for level in extractor(torch.from_numpy(tiles))]
        shapes = [level.shape[1:] for level in expected]
        for ours, level in zip(expected, levels, strict=True):
            apart = np.abs(level - ours) if level.shape == ours.shape else np.array(np.inf)
            if not (apart <= TOLERANCE * (1 + np.abs(ours))).all():
                got = f'a difference of {apart.max():.3g}'
                raise _unfit(
                    'exported graph',
                    f'agree with PyTorch within {TOLERANCE:g} of 1 + |value|',
                    got,
                    where,
                )
            differences.append(float(apart.max()))
    return max(differences), shapes


def _unfit(subject: str, expected: str, got: str, where: Path) -> Exception:
    return ConfigError.mismatch(
        subject, expected, got, where, 'Nothing is written; run the detector in PyTorch'
    )


def _reason(error: Exception) -> str:
    return repr(next(iter(str(error).strip().splitlines()), type(error).__name__))


def _facts(
    predictor: ModelPredictor, config_path: Path, checkpoint_path: Path, window_px: int
) -> dict[str, Any]:
    import torch

    from mmlandslide.weights.inspection import sha256

    return {
        'content': 'backbone and neck',
        'bands': predictor.bands,
        'units': 'stored: raw value / divisor',
        'divisors': divisors(predictor.bands),
        'window_px': window_px,
        'zoom': predictor.zoom,
        'config': str(config_path),
        'config_text': predictor.config.pretty_text,
        'checkpoint': str(checkpoint_path),
        'sha256': sha256(checkpoint_path),
        'mmlandslide': __version__,
        'torch': torch.__version__,
    }


def _described(content: bytes, facts: dict[str, Any]) -> bytes:
    """Return a model with facts in its metadata, what is no text as JSON."""
    import onnx

    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    onnx.helper.set_model_props(
        model,
        {key: fact if isinstance(fact, str) else json.dumps(fact) for key, fact in facts.items()},
    )
    return bytes(model.SerializeToString())
