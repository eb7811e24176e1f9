"""A predictor is run over a scene.

What is found is returned as a layer of the map, or written with the record of the run.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import geopandas as gpd

from mmlandslide import __version__
from mmlandslide.scenes.inference.blocks import BlockFolder, Blocks, BlocksInMemory
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.predictor import Predictor
from mmlandslide.scenes.inference.ranks import Place
from mmlandslide.scenes.inference.run_key import digest
from mmlandslide.scenes.inference.tiled_inference import Settings, finished, search
from mmlandslide.scenes.outputs import commit, run_record, writer
from mmlandslide.scenes.outputs.vector import to_geodataframe
from mmlandslide.scenes.scene import Scene

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

    def find(
        self, scene: Scene, settings: Settings, advance: Advance = lambda windows: None
    ) -> gpd.GeoDataFrame:
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

        Finished blocks are kept beside the output until it is written: after a kill, the same call
        goes on from them. Several processes share the blocks through that folder; the first one
        writes.

        Args:
            scene: with the bands of the predictor.
            out: a `.gpkg`, in the scene's reference system; `.geojson` (RFC 7946), `.qml` (style
                for QGIS), `.png` (quick look), `.stac.json` and `.run.json` are written beside it.
            settings: how to search.
            overwrite: replace these files where they are there.
            place: of this process.
            advance: called with the number of windows that are done since the last call.
            arguments: of the command line, for the record.
            report: write `.html` too, a page with a map to zoom into.

        Returns:
            The files; none in a process that does not write.

        Raises:
            ConfigError: a file is there already and must stay, or is read; another run writes
                there; or a setting cannot be.
            StorageError: the disk is full, or nobody may write there; nothing half-written stays.
            LandslideError: as `search`.
        """
        writers, started = writer.writers_for(scene, report), time.monotonic()
        blocks = BlockFolder(out, self._decisive(scene, settings))
        free = overwrite or blocks.placing
        writer.require_free(out, writers, free, scene.inputs)
        with commit.alone(out) if place.writes else nullcontext():
            gap = self._begin(scene, out, blocks) if place.writes else None
            place.wait()
            found = search(scene, self.predictor, settings, blocks, place, advance)
            if found is None:
                return []
            run = {
                'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
                'seconds': round(time.monotonic() - started, 1),
                'processes': place.size,
                'device': self.device,
                'arguments': list(arguments),
                'digest': self._digest(scene, settings),
                'optical_without_dem_fraction': gap,
                **self._facts(scene, settings, blocks, found),
            }
            writer.require_free(out, writers, free, scene.inputs)  # hours have passed
            result = writer.Result(to_geodataframe(found, scene), scene, run)
            paths = writer.write(result, out, writers, blocks.while_placing())
            blocks.remove()
        return paths

    def has_written(
        self, scene: Scene, out: Path, settings: Settings, report: bool = False
    ) -> bool:
        """Return whether `write` with the same arguments, and nothing changed since, has left all its files there."""
        recorded = None
        with suppress(OSError, ValueError, TypeError, KeyError):
            recorded = json.loads(out.with_suffix('.run.json').read_text('utf-8'))['digest']
        return writer.complete(out, writer.writers_for(scene, report)) and recorded == self._digest(
            scene, settings
        )

    def _decisive(self, scene: Scene, settings: Settings) -> dict[str, Any]:
        """Return all that decides what finished blocks hold."""
        grid = settings.grid(scene)
        return {
            'version': __version__,
            'model': self.model,
            'scene': scene,
            'settings': settings.decisive,
            'grid': grid,
        }

    def _digest(self, scene: Scene, settings: Settings) -> str:
        """Return a digest of all that decides what is found."""
        return digest(
            {**self._decisive(scene, settings), 'merge': (settings.method, settings.join)}
        )

    def _begin(self, scene: Scene, out: Path, blocks: BlockFolder) -> float | None:
        """Clear what killed runs have left.

        Return, and tell, how much of the scene lacks elevation.
        """
        commit.clear_leftovers(out)
        blocks.clear_leftovers()
        gap = run_record.optical_without_dem_fraction(scene)
        run_record.warn_of_gaps(scene.name, gap)
        return gap

    def _facts(
        self, scene: Scene, settings: Settings, blocks: Blocks, found: Detections
    ) -> dict[str, Any]:
        """Return what the record says of scene, search and model."""
        grid = settings.grid(scene)
        searched = finished(blocks, grid)
        return {
            'detections': len(found),
            'windows': len(grid),
            'windows_searched': sum(block.windows for block in searched),
            'valid_share': sum(block.valid_px for block in searched) / (scene.height * scene.width),
            'settings': asdict(settings),
            'model': self.model,
            'scene': run_record.scene_facts(scene),
            'versions': run_record.versions(),
        }
