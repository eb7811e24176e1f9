"""A predictor is run over a scene: what is found is returned as a layer of the map, or written with the record of the run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import geopandas as gpd

from mmlandslide import __version__
from mmlandslide.scenes import outputs, record
from mmlandslide.scenes.blocks import BlockFolder, BlocksInMemory
from mmlandslide.scenes.predictor import Predictor
from mmlandslide.scenes.processes import Place
from mmlandslide.scenes.scene import Scene
from mmlandslide.scenes.search import Settings, search
from mmlandslide.scenes.vector import to_geodataframe

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
        report: bool = False,
    ) -> list[Path]:
        """Search a scene and write what is found.

        Finished blocks are kept beside the output until it is written: after a kill, the same call goes on from them. Several
        processes share the blocks through that folder; the first one writes.

        Args:
            scene: with the bands of the predictor.
            out: a `.gpkg`, in the scene's reference system; `.geojson` (RFC 7946), `.qml` (style for QGIS), `.png` (quick look),
                `.stac.json` and `.run.json` are written beside it.
            settings: how to search.
            overwrite: replace these files where they are there.
            place: of this process.
            advance: called with the number of windows that are done since the last call.
            arguments: of the command line, for the record.
            report: write `.html` too, a page with a map to zoom into.

        Returns:
            The files; none in a process that does not write.

        Raises:
            ConfigError: a file is there already and must stay, or a setting cannot be.
            StorageError: the disk is full, or nobody may write there; nothing half-written stays.
            LandslideError: as `search`.
        """
        writers, started = outputs.writers_for(scene, report), time.monotonic()
        outputs.require_free(out, writers, overwrite)
        decisive = {'version': __version__, 'model': self.model, 'scene': scene, 'settings': settings.decisive}
        blocks = BlockFolder(out, decisive)
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
