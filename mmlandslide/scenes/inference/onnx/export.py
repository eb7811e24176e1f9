"""A whole trained detector as one ONNX file, checked against PyTorch before it gets its name.

The graph takes tiles as they are stored and returns their boxes: resizing as in the config's test
pipeline, normalisation, backbone, neck, proposals, heads and both suppressions, of ONNX's standard
operators only.
"""

import importlib.util
import inspect
import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide import __version__, rng
from mmlandslide.bands import LANDSLIDE4SENSE, divisors, positions
from mmlandslide.configs import native_scale
from mmlandslide.errors import ConfigError, LandslideError
from mmlandslide.files import write_atomic
from mmlandslide.scenes.inference.domain.training_range import trained_on
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.scenes.inference.onnx.agreement import Agreement, compare
from mmlandslide.scenes.inference.onnx.onnx_predictor import (
    CONTENT,
    INPUT,
    OUTPUTS,
    OnnxPredictor,
    parsed,
)

FORMATS = ('onnx',)
#: Number of tiles on which ONNX and PyTorch are compared.
NUM_TILES = 100
_PACKAGES = ('onnx', 'onnxruntime')
_OPSET = 16  # the first whose RoiAlign knows half-pixel coordinates
_BATCHES = (1, 3, 8)


@dataclass(frozen=True)
class Exported:
    """An exported file, and how exact it is.

    Attributes:
        path: of the file.
        input_shape: (bands, height, width) of a tile.
        agreement: of ONNX with PyTorch on `num_tiles` tiles.
        num_tiles: number of tiles that were compared.
    """

    path: Path
    input_shape: tuple[int, int, int]
    agreement: Agreement
    num_tiles: int


def export(
    config_path: Path,
    checkpoint_path: Path,
    out: Path,
    format_: str = 'onnx',
    window_px: int = 128,
    num_tiles: int = NUM_TILES,
    accept: Sequence[str] = (),
    native: bool = False,
    known: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> Exported:
    """Write a detector for programs without PyTorch, such as `OnnxPredictor`.

    The graph takes any number of tiles of one size, `tiles` (batch, bands, H, W) float32 in stored
    units (Landslide4Sense's, for its bands), and returns `boxes` (N, 4) xyxy in px of their tile,
    `scores` (N,) and `tile` (N,) int64, the index of each box's tile. The file's metadata name the
    bands in their order, divisors, statistics, classes, config, checkpoint and training.

    Args:
        config_path: of a detection config.
        checkpoint_path: of its training.
        out: of the file; an older one is replaced.
        format_: one of `FORMATS`.
        window_px: height and width of the tiles.
        num_tiles: number of tiles on which ONNX and PyTorch are compared.
        accept: what the checkpoint may state otherwise than the config, see `gate.TERMS`.
        native: the tiles have the pixels of the training's own, not of 10 m; RGB tiles do.
        known: scenes whose distance from the training range and score are known, see
            `TrainingRange`.

    Raises:
        ConfigError: an unknown format, a package is missing, or the graph and PyTorch disagree;
            nothing is written.
        LandslideError: as `ModelPredictor` and `TraceableDetector`.
        OSError: the file cannot be written.
    """
    require_format(format_)
    import torch

    predictor = ModelPredictor(config_path, checkpoint_path, torch.device('cpu'), accept=accept)
    pixel_scale = 1 / native_scale(predictor.config) if native else 1.0
    predictor.zoom /= pixel_scale
    tiles = [*probes(predictor, window_px, num_tiles)]
    content = described(
        traced(predictor, tiles[0], config_path),
        {
            **facts(predictor, config_path, checkpoint_path, window_px),
            'pixel_scale': pixel_scale,
            **trained_on(predictor.config, predictor.fill, known),
        },
    )
    agreement = compare(predictor, _runnable(content, config_path), tiles)
    if not agreement.close:
        raise _unfit('exported graph', agreement.expected, str(agreement), config_path)
    write_atomic(out, described(content, {'agreement': str(agreement)}))
    shape = (len(predictor.bands), window_px, window_px)
    return Exported(out, shape, agreement, sum(map(len, tiles)))


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


def probes(
    predictor: ModelPredictor, window_px: int, num_tiles: int
) -> Iterator[NDArray[np.float32]]:
    """Yield batches of 1, 3 and 8 tiles, together at least `num_tiles`, to compare detectors on.

    The first tiles are noise about the bands' statistics, of a fifth and four times their standard
    deviation, too; the others are simulated ground where the bands are Landslide4Sense's, else
    noise. None is constant: on such a tile all positions have equal scores, and which of them are
    kept is nobody's choice.
    """
    preprocessor = predictor.model.data_preprocessor
    mean, std = preprocessor.mean.numpy(), preprocessor.std.numpy()
    draws, shape = rng.generator(0, 'export'), (len(predictor.bands), window_px, window_px)
    simulated, done = set(predictor.bands) <= set(LANDSLIDE4SENSE), 0
    sizes = iter(_BATCHES)
    while done < num_tiles:
        size = min(next(sizes, _BATCHES[-1]), num_tiles - done)
        tiles = (mean + std * draws.standard_normal((size, *shape))).astype(np.float32)
        if done == 1:
            tiles[0], tiles[-1] = (
                mean + factor * (tile - mean) for factor, tile in ((0.2, tiles[0]), (4, tiles[-1]))
            )
        elif done > 1 and simulated:
            tiles = np.stack([_ground(predictor, window_px, done + row) for row in range(size)])
        yield tiles
        done += size


def _ground(predictor: ModelPredictor, window_px: int, seed: int) -> NDArray[np.float32]:
    """Return a simulated tile (bands, window_px, window_px)."""
    from mmlandslide.datasets.simulation.synthetic import simulate_tile  # needs SciPy and h5py

    image = simulate_tile(seed, 'export', max(window_px, 16))[0].transpose(2, 0, 1)
    bands = positions(predictor.bands, LANDSLIDE4SENSE)
    return image[bands, :window_px, :window_px].astype(np.float32)


def traced(predictor: ModelPredictor, tiles: NDArray[np.float32], where: Path) -> bytes:
    """Return a detector's graph as the bytes of an ONNX model for any number of tiles.

    Args:
        predictor: a detector with its weights.
        tiles: (B, bands, H, W) that the graph is traced with.
        where: the config, for the error.

    Raises:
        ConfigError: the detector has an operator that ONNX lacks, or as `TraceableDetector`.
    """
    import torch

    from mmlandslide.models.traceable_detector import TraceableDetector

    detector, example = TraceableDetector(predictor.model, predictor.zoom), torch.from_numpy(tiles)
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
            path = Path(folder, 'model.onnx')
            # The exporter warns of constants in the trace: the comparison that follows decides.
            warnings.simplefilter('ignore')
            detector(example)  # fills caches of attention masks, then constants of the trace
            torch.onnx.export(
                detector,
                (example,),
                path,
                input_names=[INPUT],
                output_names=list(OUTPUTS),
                dynamic_axes={INPUT: {0: 'batch'}, **{name: {0: 'count'} for name in OUTPUTS}},
                opset_version=_OPSET,
                **_exporter(torch.onnx.export),
            )
            return path.read_bytes()
    except LandslideError:
        raise
    # The exporter raises errors of a dozen classes, and of the layers that it traces.
    except Exception as error:
        reason = repr(next(iter(str(error).strip().splitlines()), type(error).__name__))
        raise _unfit('model', 'have operators of ONNX only', reason, where) from error


def _exporter(function: Any) -> dict[str, Any]:
    """Return the option that chooses the exporter by tracing, where torch has several."""
    return {'dynamo': False} if 'dynamo' in inspect.signature(function).parameters else {}


def _runnable(content: bytes, where: Path) -> OnnxPredictor:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, where.with_suffix('.onnx').name)
        path.write_bytes(content)
        return OnnxPredictor(path)


def _unfit(subject: str, expected: str, got: str, where: Path) -> Exception:
    return ConfigError.mismatch(
        subject, expected, got, where, 'Nothing is written; run the detector in PyTorch'
    )


def facts(
    predictor: ModelPredictor, config_path: Path, checkpoint_path: Path, window_px: int
) -> dict[str, Any]:
    """Return the metadata of an exported detector, see `OnnxPredictor`."""
    import torch

    from mmlandslide.weights.inspection import sha256
    from mmlandslide.weights.lineage import without_folders

    preprocessor = predictor.model.data_preprocessor
    return {
        'content': CONTENT,
        'bands': predictor.bands,
        'units': 'stored: raw value / divisor',
        'divisors': divisors(predictor.bands),
        'mean': preprocessor.mean.flatten().tolist(),
        'std': preprocessor.std.flatten().tolist(),
        'clip_std': preprocessor.clip_std,
        'window_px': window_px,
        'zoom': predictor.zoom,
        'classes': ['landslide'],
        'config': config_path.name,
        'config_text': predictor.config.pretty_text,
        'checkpoint': checkpoint_path.name,
        'sha256': sha256(checkpoint_path),
        'training': {
            **predictor.record,
            'lineage': without_folders(predictor.record.get('lineage', {})),
        },
        'mmlandslide': __version__,
        'torch': torch.__version__,
    }


def described(content: bytes, metadata: dict[str, Any]) -> bytes:
    """Return a model with more metadata, what is no text as JSON."""
    import onnx

    model = parsed(content, Path('the export'))
    texts = {
        key: fact if isinstance(fact, str) else json.dumps(fact, default=str)
        for key, fact in metadata.items()
    }
    for key, text in texts.items():
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=text))
    return bytes(model.SerializeToString())
