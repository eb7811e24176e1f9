"""A trained detector for whole scenes: from files or arrays to a layer of the map."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import torch
from mmdet.structures import DetDataSample

from mmlandslide.errors import ConfigError
from mmlandslide.scenes import outputs, record
from mmlandslide.scenes.blocks import BlockFolder, BlocksInMemory
from mmlandslide.scenes.model import ModelPredictor
from mmlandslide.scenes.options import InputOptions
from mmlandslide.scenes.predictor import Predictor
from mmlandslide.scenes.processes import Place
from mmlandslide.scenes.reader import open_scene
from mmlandslide.scenes.scene import Scene
from mmlandslide.scenes.search import Settings, search
from mmlandslide.scenes.tile_scene import scene_of
from mmlandslide.scenes.vector import to_geodataframe
from mmlandslide.weights.inspection import sha256
from mmlandslide.weights.references import resolve

Advance = Callable[[int], None]


@dataclass(frozen=True)
class SceneDetector:
    """Any predictor, for whole scenes.

    Attributes:
        predictor: that searches windows.
        model: what the predictor is, for the run record: decides, with the settings, what is found.
        device: that it computes on, for the run record.
    """

    predictor: Predictor
    model: dict[str, Any]
    device: str = 'cpu'

    def find(self, scene: Scene, settings: Settings, advance: Advance = lambda windows: None) -> gpd.GeoDataFrame:
        """Return what is found in a scene, see `vector.to_geodataframe`; nothing is written.

        Raises:
            LandslideError: as `search`.
        """
        found = search(scene, self.predictor, settings, BlocksInMemory(), Place(), advance)
        assert found is not None, 'a process that is alone is the one that returns'
        return to_geodataframe(found, scene)

    def write(
        self,
        scene: Scene,
        out: Path,
        settings: Settings,
        overwrite: bool = False,
        place: Place = Place(),  # noqa: B008 (frozen)
        advance: Advance = lambda windows: None,
        arguments: Sequence[str] = (),
    ) -> list[Path]:
        """Search a scene and write what is found.

        Finished blocks are kept beside the output until it is written: after a kill, the same call goes on from them. Several
        processes share the blocks through that folder; the first one writes.

        Args:
            scene: with the bands of the predictor.
            out: a `.gpkg`, in the scene's reference system; `.geojson` (RFC 7946) and `.run.json` are written beside it.
            settings: how to search.
            overwrite: replace these files where they are there.
            place: of this process.
            advance: called with the number of windows that are done since the last call.
            arguments: of the command line, for the record.

        Returns:
            The files; none in a process that does not write.

        Raises:
            ConfigError: a file is there already and must stay, or a setting cannot be.
            StorageError: the disk is full, or nobody may write there; nothing half-written stays.
            LandslideError: as `search`.
        """
        writers, started = outputs.writers_for(scene), time.monotonic()
        outputs.require_free(out, writers, overwrite)
        blocks = BlockFolder(out, {'model': self.model, 'scene': repr(scene), 'settings': settings.decisive})
        if place.writes:
            blocks.clear_leftovers()
        place.wait()
        found = search(scene, self.predictor, settings, blocks, place, advance)
        if found is None:
            return []
        run = {
            'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'seconds': round(time.monotonic() - started, 1),
            'detections': len(found),
            'windows': len(settings.grid(scene)),
            'processes': place.size,
            'device': self.device,
            'arguments': list(arguments),
            'settings': asdict(settings),
            'model': self.model,
            'scene': record.scene_facts(scene),
            'versions': record.versions(),
        }
        paths = outputs.write(outputs.Result(to_geodataframe(found, scene), scene, run), out, writers)
        blocks.remove()
        return paths


class LandslideDetector:
    """Finds landslides in scenes with a trained detector: `LandslideDetector(config, checkpoint)(scene)`.

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

    def __init__(self, config: str | Path, checkpoint: str | Path, device: str = 'auto', amp: bool = False) -> None:
        path = resolve(str(checkpoint))
        chosen = device_named(device)
        self.predictor = ModelPredictor(Path(config), path, chosen, amp)
        model = {
            'config': str(config),
            'config_text': self.predictor.config.pretty_text,
            'checkpoint': str(path),
            'sha256': sha256(path),
            'amp': amp,
        }
        self.detector = SceneDetector(self.predictor, model, str(chosen))

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that it looks at."""
        return self.predictor.bands

    def __call__(
        self,
        source: str | Path | np.ndarray | Scene,
        *,
        as_: str = 'geodataframe',
        options: InputOptions = InputOptions(),  # noqa: B008 (frozen)
        advance: Advance = lambda windows: None,
        **settings: Any,
    ) -> gpd.GeoDataFrame | DetDataSample:
        """Find landslides.

        Args:
            source: what `open_scene` opens, an open scene, or an array (C, H, W) in stored units with the bands of the detector.
            as_: `geodataframe`, see `vector.to_geodataframe`, or `sample`: the whole source in one look, as MMDetection's
                `DetDataSample` with `pred_instances` in its own pixels; for tiles.
            options: what the files do not say themselves.
            advance: called with the number of windows that are done since the last call.
            settings: fields of `Settings` that differ from the defaults.

        Raises:
            ConfigError: an unknown form or setting.
            LandslideError: as `open_scene` and `search`.
        """
        if as_ not in ('geodataframe', 'sample'):
            remedy = 'Name one of those'
            raise ConfigError.mismatch('as_', "be one of ['geodataframe', 'sample']", repr(as_), 'LandslideDetector', remedy)
        scene = self.open(source, options)
        if as_ == 'sample':
            return self._sample(scene, settings)
        return self.detector.find(scene, _settings(settings), advance)

    def write(
        self,
        source: str | Path | np.ndarray | Scene,
        out: str | Path,
        *,
        overwrite: bool = False,
        options: InputOptions = InputOptions(),  # noqa: B008 (frozen)
        advance: Advance = lambda windows: None,
        **settings: Any,
    ) -> list[Path]:
        """Find landslides and write GeoPackage, GeoJSON and run record, as `mmlandslide detect` does, see `SceneDetector.write`.

        Args:
            source: as in a call.
            out: a `.gpkg`.
            overwrite: replace the files where they are there.
            options: as in a call.
            advance: as in a call.
            settings: as in a call.

        Returns:
            The files.

        Raises:
            LandslideError: as in a call, or as `SceneDetector.write`.
        """
        scene = self.open(source, options)
        return self.detector.write(scene, Path(out), _settings(settings), overwrite, advance=advance)

    def open(self, source: str | Path | np.ndarray | Scene, options: InputOptions = InputOptions()) -> Scene:  # noqa: B008
        """Open a source with the bands of the detector.

        Raises:
            LandslideError: as `open_scene`.
        """
        if isinstance(source, Scene):
            return source
        if not isinstance(source, np.ndarray):
            return open_scene(source, self.bands, options)
        if source.ndim != 3 or len(source) != len(self.bands):
            expected = f'be (C, H, W) with the {len(self.bands)} bands {self.bands}'
            raise ConfigError.mismatch('array', expected, f'shape {source.shape}', 'LandslideDetector', 'Select those bands')
        return scene_of(source, self.bands, self.bands, options)

    def _sample(self, scene: Scene, settings: dict[str, Any]) -> DetDataSample:
        score_thr = _settings({'score_thr': 0.0, **settings}).score_thr
        values, valid = scene.read((0, 0, scene.height, scene.width))
        values[:, ~valid] = self.predictor.fill[:, None]
        [sample] = self.predictor.samples(values[None])
        sample.pred_instances = sample.pred_instances[sample.pred_instances.scores >= score_thr]
        return sample.cpu()


def device_named(name: str) -> torch.device:
    """Return a device, the first GPU for `auto` where there is one.

    Raises:
        ConfigError: there is no such device.
    """
    if name == 'auto':
        return torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = repr(str(error).splitlines()[0])
        raise ConfigError.mismatch('device', f'be there, not {name!r}', reason, 'this machine', 'Pass cpu, or auto') from error
    return device


def _settings(given: dict[str, Any]) -> Settings:
    """Return the settings that differ from the defaults.

    Raises:
        ConfigError: an unknown one.
    """
    known = asdict(Settings())
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError.mismatch('settings', f'be among {sorted(known)}', unknown, 'LandslideDetector', 'Correct their names')
    return replace(Settings(), **given)
