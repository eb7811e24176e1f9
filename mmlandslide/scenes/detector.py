"""A trained detector for whole scenes: from files or arrays to a layer of the map."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np

from mmlandslide import zoo
from mmlandslide.errors import ConfigError
from mmlandslide.scenes import run
from mmlandslide.scenes.inference.domain.rgb8 import (
    REFLECTANCE,
    RGB8,
    Rgb8Predictor,
    has_pixels_of_tiles,
)
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.scenes.inference.predictor import Predictor
from mmlandslide.scenes.inputs.formats.arrays import is_array, placed_array
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene, open_scenes
from mmlandslide.scenes.inputs.tile_scene import array_scene
from mmlandslide.scenes.run import Advance
from mmlandslide.scenes.scene import Scene

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample


class LandslideDetector:
    """Detects landslides in scenes with a trained detector.

    `LandslideDetector(config, checkpoint)(scene)`, or without PyTorch
    `LandslideDetector('mobilenet_v2_rgb')(scene)`.

    Args:
        model: a detection config; or a name of the zoo (see `mmlandslide models`), a folder of that
            form, or a `.onnx` file that `mmlandslide export` wrote.
        checkpoint: of the config's training: a file, a work dir (its latest checkpoint) or a URL;
            none with an exported detector.
        device: such as `cpu` or `cuda:0`; `auto` takes a GPU where there is one.
        amp: automatic mixed precision, in PyTorch only.
        accept: what the checkpoint may state otherwise than the config, see `gate.TERMS`; in
            PyTorch only.

    Raises:
        MissingPathError: there is no such file.
        ConfigError: the device is not there, model and checkpoint do not go together, or as in
            `ModelPredictor`.
        CheckpointError: as in `ModelPredictor` or `OnnxPredictor`.
    """

    def __init__(
        self,
        model: str | Path,
        checkpoint: str | Path | None = None,
        device: str = 'auto',
        amp: bool = False,
        accept: Sequence[str] = (),
    ) -> None:
        path = _named(model)
        _require_pair(path, checkpoint, amp)
        _require_own_terms(path, accept)
        self.predictor: OnnxPredictor | ModelPredictor
        if checkpoint is None:
            self.predictor = OnnxPredictor(path, device)
            self.device = self.predictor.device
            self.model = {'onnx': str(path), 'sha256': self.predictor.sha256}
            self.defaults = _defaults(round(self.predictor.window_px / self.predictor.pixel_scale))
        else:
            self.predictor, self.model = _in_pytorch(path, checkpoint, device, amp, accept)
            self.device, self.defaults = str(self.predictor.device), Settings()

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the model's input bands."""
        return self.predictor.bands

    def __call__(
        self,
        source: Any,
        *,
        as_: str = 'geodataframe',
        options: InputOptions = InputOptions(),  # noqa: B008 (frozen)
        advance: Advance = lambda windows: None,
        **settings: Any,
    ) -> 'gpd.GeoDataFrame | DetDataSample':
        """Detect landslides.

        Args:
            source: what `open_scene` opens, an open scene, or an array (C, H, W) with the bands of
                the detector, in Landslide4Sense units where it holds floats: NumPy's, a tensor, or
                an xarray `DataArray`, which keeps its names and its place on the map. What is NaN
                or masked is no data.
            as_: `geodataframe`, see `vector.to_geodataframe`, or `sample`: the whole source in one
                forward pass, as MMDetection's `DetDataSample` with `pred_instances` in its own
                pixels; for tiles.
            options: what the files do not say themselves.
            advance: called with the number of windows that are done since the last call.
            settings: fields of `Settings` that differ from the defaults.

        Raises:
            ConfigError: an unknown form or setting.
            LandslideError: as `open_scene` and `run.predict`.
        """
        if as_ not in ('geodataframe', 'sample'):
            remedy = 'Name one of those'
            raise ConfigError.mismatch(
                'as_',
                "be one of ['geodataframe', 'sample']",
                repr(as_),
                'LandslideDetector',
                remedy,
            )
        scene = self.open(source, options)
        if as_ == 'sample':
            return self._sample(scene, settings)
        return run.predict(self.job(scene, self.settings(settings)), advance)

    def write(
        self,
        source: Any,
        out: str | Path,
        *,
        overwrite: bool = False,
        report: bool = False,
        options: InputOptions = InputOptions(),  # noqa: B008 (frozen)
        advance: Advance = lambda windows: None,
        **settings: Any,
    ) -> list[Path]:
        """Detect landslides and write the files that `mmlandslide detect` writes, see `run.write`.

        Args:
            source: as in a call.
            out: a `.gpkg`, `.parquet`, `.shp` or `.geojson`.
            overwrite: replace the files where they are there.
            report: write `.html` too, a page with a map to zoom into.
            options: as in a call.
            advance: as in a call.
            settings: as in a call.

        Returns:
            The files.

        Raises:
            LandslideError: as in a call, or as `run.write`.
        """
        job = self.job(self.open(source, options), self.settings(settings))
        return run.write(job, Path(out), overwrite, advance=advance, report=report)

    def job(self, scene: Scene, settings: Settings) -> InferenceJob:
        """Return the job of detecting landslides in an open scene; errors as in `write`."""
        predictor, window_px = self._predictor_for(scene)
        if settings.window_px == self.defaults.window_px != window_px:
            settings = replace(settings, window_px=window_px, overlap_px=window_px // 4)
        return InferenceJob(scene, predictor, settings, self.model, self.device)

    def _predictor_for(self, scene: Scene) -> tuple[Predictor, int]:
        """Return the predictor of a scene's bands and pixels, and the side of its windows."""
        own, side_px = self.predictor, self.defaults.window_px
        scale = own.pixel_scale if isinstance(own, OnnxPredictor) else 1.0
        if scene.bands == REFLECTANCE and own.bands == RGB8:
            return Rgb8Predictor(own, scale), side_px
        if scale == 1.0:
            return own, side_px
        if has_pixels_of_tiles(scene, scale):
            return own, round(side_px * scale)
        return Rgb8Predictor(own, scale, stretched=False), side_px

    def open(
        self,
        source: Any,
        options: InputOptions = InputOptions(),  # noqa: B008
    ) -> Scene:
        """Open a source with the bands of the detector.

        Raises:
            LandslideError: as `open_scene`.
        """
        if isinstance(source, Scene):
            return source
        if is_array(source):
            return array_scene(source, self._bands_of_array(source), options)
        bands, otherwise = self._openings
        return open_scene(source, bands, options, otherwise)

    def open_all(self, source: str | Path | None, options: InputOptions) -> Iterator[Scene]:
        """Open one scene, or each product or tile of a folder, with the bands of the detector.

        Raises:
            LandslideError: as `open_scenes`.
        """
        bands, otherwise = self._openings
        return open_scenes(source, bands, options, otherwise)

    @property
    def _openings(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Bands to open a scene with, and those to open it with otherwise."""
        return (REFLECTANCE, RGB8) if self.bands == RGB8 else (self.bands, ())

    def _bands_of_array(self, source: Any) -> tuple[str, ...]:
        """Return the bands of an array: what has 8 bits is a picture."""
        first, otherwise = self._openings
        return otherwise if otherwise and placed_array(source).values.dtype == np.uint8 else first

    def settings(self, given: Mapping[str, Any]) -> Settings:
        """Return the detector's default settings with some replaced.

        Args:
            given: fields of `Settings`.

        Raises:
            ConfigError: an unknown one.
        """
        known = asdict(self.defaults)
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise ConfigError.mismatch(
                'settings',
                f'be among {sorted(known)}',
                unknown,
                'LandslideDetector',
                'Correct their names',
            )
        return replace(self.defaults, **given)

    def _sample(self, scene: Scene, settings: dict[str, Any]) -> 'DetDataSample':
        if isinstance(self.predictor, OnnxPredictor):
            raise ConfigError.mismatch(
                'as_',
                'be geodataframe for an exported detector',
                repr('sample'),
                'LandslideDetector',
                'Pass a config and a checkpoint for samples of MMDetection',
            )
        score_thr = self.settings({'score_thr': 0.0, **settings}).score_thr
        values, valid = scene.read((0, 0, scene.height, scene.width))
        values[:, ~valid] = self.predictor.fill[:, None]
        [sample] = self.predictor.samples(values[None])
        sample.pred_instances = sample.pred_instances[sample.pred_instances.scores >= score_thr]
        return sample.cpu()


def _named(model: str | Path) -> Path:
    """Return the file that a model's name, its folder or its own path means."""
    path = Path(model)
    if path.suffix in ('.onnx', '.py') or path.is_file():
        return path
    return zoo.find(str(model)).onnx


def _require_pair(model: Path, checkpoint: str | Path | None, amp: bool) -> None:
    """Refuse a config without checkpoint, and an exported detector with one or with AMP."""
    exported = model.suffix == '.onnx'
    if exported == (checkpoint is not None):
        expected = 'be none for a .onnx' if exported else 'be given for a config'
        remedy = 'Pass either a .onnx alone, or a config and its checkpoint'
        raise ConfigError.mismatch('checkpoint', expected, checkpoint, model, remedy)
    if exported and amp:
        remedy = 'Leave --amp away, or run the config and its checkpoint'
        raise ConfigError.mismatch('amp', 'be off for a .onnx', 'on', model, remedy)


def _require_own_terms(model: Path, accept: Sequence[str]) -> None:
    """Refuse to accept terms of an exported detector, which goes without a config."""
    if accept and model.suffix == '.onnx':
        remedy = 'Leave --accept away: the file brings its own bands and statistics'
        raise ConfigError.mismatch('accept', 'be none for a .onnx', [*accept], model, remedy)


def _in_pytorch(
    config: Path, checkpoint: str | Path, device: str, amp: bool, accept: Sequence[str]
) -> tuple[ModelPredictor, dict[str, Any]]:
    """Return a predictor in PyTorch and its identity for the run record."""
    from mmlandslide.devices import device_named  # these load PyTorch: seconds
    from mmlandslide.weights.inspection import sha256
    from mmlandslide.weights.references import resolve

    path = resolve(str(checkpoint))
    predictor = ModelPredictor(config, path, device_named(device), amp, accept)
    return predictor, {
        'config': str(config),
        'config_text': predictor.config.pretty_text,
        'checkpoint': str(path),
        'sha256': sha256(path),
        'amp': amp,
    }


def _defaults(window_px: int) -> Settings:
    """Return the default settings for windows of one size, a quarter of which overlaps."""
    return replace(Settings(), window_px=window_px, overlap_px=window_px // 4)
