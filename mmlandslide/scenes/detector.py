"""A trained detector for whole scenes: from files or arrays to a layer of the map."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd

from mmlandslide.errors import ConfigError
from mmlandslide.scenes import run
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inference.model_predictor import ModelPredictor
from mmlandslide.scenes.inputs.formats.arrays import is_array
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.inputs.tile_scene import array_scene
from mmlandslide.scenes.run import Advance
from mmlandslide.scenes.scene import Scene

if TYPE_CHECKING:
    from mmdet.structures import DetDataSample


class LandslideDetector:
    """Detects landslides in scenes with a trained detector.

    `LandslideDetector(config, checkpoint)(scene)`.

    Args:
        config: a detection config.
        checkpoint: of its training: a file, a work dir (its latest checkpoint) or a URL.
        device: such as `cpu` or `cuda:0`; `auto` takes a GPU where there is one.
        amp: compute in half precision where that is safe.

    Raises:
        MissingPathError: there is no such file.
        ConfigError: the device is not there, or as in `ModelPredictor`.
        CheckpointError: as in `ModelPredictor`.
    """

    def __init__(
        self, config: str | Path, checkpoint: str | Path, device: str = 'auto', amp: bool = False
    ) -> None:
        from mmlandslide.devices import device_named  # these load PyTorch: seconds
        from mmlandslide.weights.inspection import sha256
        from mmlandslide.weights.references import resolve

        path = resolve(str(checkpoint))
        chosen = device_named(device)
        self.predictor = ModelPredictor(Path(config), path, chosen, amp)
        self.device = str(chosen)
        self.model = {
            'config': str(config),
            'config_text': self.predictor.config.pretty_text,
            'checkpoint': str(path),
            'sha256': sha256(path),
            'amp': amp,
        }

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
        return run.predict(self.job(scene, _settings(settings)), advance)

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
            out: a `.gpkg`.
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
        job = self.job(self.open(source, options), _settings(settings))
        return run.write(job, Path(out), overwrite, advance=advance, report=report)

    def job(self, scene: Scene, settings: Settings) -> InferenceJob:
        """Return the job of detecting landslides in an open scene."""
        return InferenceJob(scene, self.predictor, settings, self.model, self.device)

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
            return array_scene(source, self.bands, options)
        return open_scene(source, self.bands, options)

    def _sample(self, scene: Scene, settings: dict[str, Any]) -> 'DetDataSample':
        score_thr = _settings({'score_thr': 0.0, **settings}).score_thr
        values, valid = scene.read((0, 0, scene.height, scene.width))
        values[:, ~valid] = self.predictor.fill[:, None]
        [sample] = self.predictor.samples(values[None])
        sample.pred_instances = sample.pred_instances[sample.pred_instances.scores >= score_thr]
        return sample.cpu()


def _settings(given: dict[str, Any]) -> Settings:
    """Return the settings that differ from the defaults.

    Raises:
        ConfigError: an unknown one.
    """
    known = asdict(Settings())
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError.mismatch(
            'settings',
            f'be among {sorted(known)}',
            unknown,
            'LandslideDetector',
            'Correct their names',
        )
    return replace(Settings(), **given)
