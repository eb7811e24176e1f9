"""A job is run: its detections become a layer of the map, or files with the record of the run."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np

from mmlandslide.evaluation.calibration.block_expectation import blocks_model_of
from mmlandslide.scenes.inference.blocks import BlockFolder, Blocks, BlocksInMemory
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.domain import training_range
from mmlandslide.scenes.inference.job import InferenceJob
from mmlandslide.scenes.inference.ranks import WorkerRank
from mmlandslide.scenes.inference.run_key import digest
from mmlandslide.scenes.inference.tiled_inference import finished, merged
from mmlandslide.scenes.inference.tiled_inference import predict as predict_tiled
from mmlandslide.scenes.outputs import commit, run_record, writer
from mmlandslide.scenes.outputs.selection import Selection
from mmlandslide.scenes.outputs.vector import PROBABILITY, SCORE, to_geodataframe

Advance = Callable[[int], None]


def predict(job: InferenceJob, advance: Advance = lambda windows: None) -> gpd.GeoDataFrame:
    """Return the detections of a scene, see `vector.to_geodataframe`; nothing is written.

    Args:
        job: scene, predictor and settings.
        advance: called with the number of windows that are done since the last call.

    Raises:
        LandslideError: as `tiled_inference.predict`.
    """
    found = predict_tiled(job, BlocksInMemory(), advance=advance)
    assert found is not None, 'a process that is alone is the one that returns'
    return _layer(found, job, training_range.measure(job))


def write(
    job: InferenceJob,
    out: Path,
    overwrite: bool = False,
    worker: WorkerRank = WorkerRank(),  # noqa: B008 (frozen)
    advance: Advance = lambda windows: None,
    arguments: Sequence[str] = (),
    report: bool = False,
    selection: Selection = Selection(),  # noqa: B008 (frozen)
) -> list[Path]:
    """Detect landslides in a scene and write layers, style, pictures and records.

    Finished blocks are kept beside the output until it is written: after a kill, the same call
    resumes from them. Several processes share the blocks through that folder; the first one
    writes.

    Args:
        job: scene, predictor and settings.
        out: a `.gpkg`, `.parquet` or `.shp`, in the scene's reference system, or a `.geojson` (RFC
            7946); `.geojson` (not beside a `.shp`), `.qml` (style for QGIS), `.png` (quick look),
            `.stac.json` and `.run.json` are written beside it.
        overwrite: replace these files where they are there.
        worker: rank of this process.
        advance: called with the number of windows that are done since the last call.
        arguments: of the command line, for the record.
        report: write `.html` too, a page with a map to zoom into.
        selection: which detections are kept.

    Returns:
        The files; none in a process that does not write.

    Raises:
        ConfigError: a file is there already and must stay, or is read; another run writes there;
            the suffix is none of those; or a setting cannot be.
        StorageError: the disk is full, or nobody may write there; nothing half-written stays.
        LandslideError: as `tiled_inference.predict`.
    """
    writers, started = _writers(job, out, report), time.monotonic()
    blocks = BlockFolder(out, job.block_key)
    free = overwrite or blocks.committing
    writer.require_free(out, writers, free, job.scene.inputs)
    with commit.exclusive_lock(out) if worker.writes else nullcontext():
        gap = _begin(job, out, blocks) if worker.writes else None
        worker.wait()
        found = predict_tiled(job, blocks, worker, advance)
        if found is None:
            return []
        off = training_range.measure(job)
        layer = selection.apply(_layer(found, job, off))
        record = {
            'created': datetime.now(timezone.utc).isoformat(timespec='seconds'),
            'seconds': round(time.monotonic() - started, 1),
            'processes': worker.size,
            'device': job.device,
            'arguments': list(arguments),
            'digest': _key(job, selection),
            'optical_without_dem_fraction': gap,
            **_facts(job, blocks, found),
            'training_range': off,
            'selection': selection.as_dict(),
            'detections': len(layer),
        }
        writer.require_free(out, writers, free, job.scene.inputs)  # hours have passed
        result = writer.Result(
            layer,
            job.scene,
            record,
            merged(job, blocks, 0.0) if job.settings.expected else None,
            blocks_model_of(job.calibration or {}) or {},
        )
        paths = writer.write(result, out, writers, blocks.while_committing())
        blocks.remove()
    return paths


def _key(job: InferenceJob, selection: Selection) -> str:
    """Return the digest of all that decides what is written."""
    asked = selection.as_dict()
    return digest({'result': job.result_key, 'selection': asked}) if asked else job.result_key


def has_written(
    job: InferenceJob,
    out: Path,
    report: bool = False,
    selection: Selection = Selection(),  # noqa: B008 (frozen)
) -> bool:
    """Return whether `write` of the same job has left all its files there."""
    recorded = None
    with suppress(OSError, ValueError, TypeError, KeyError):
        recorded = json.loads(out.with_suffix('.run.json').read_text('utf-8'))['digest']
    return writer.complete(out, _writers(job, out, report)) and recorded == _key(job, selection)


def _writers(job: InferenceJob, out: Path, report: bool) -> dict[str, writer.Writer]:
    return writer.writers_for(job.scene, report, job.settings.expected, out.suffix)


def checked(job: InferenceJob) -> list[str]:
    """Return how a scene is read, and how far it is from the training, in lines.

    Nothing is detected. A scene that cannot be read, or whose values contradict what they are said
    to be, has been refused when it was opened.

    Args:
        job: of the scene.

    Raises:
        SceneError: a file cannot be read.
    """
    scene, off = job.scene, training_range.measure(job)
    place = 'no map' if scene.crs is None else f'{scene.gsd_m:.3g} m, {scene.crs.to_string()[:60]}'
    taken = 'unknown' if scene.acquired is None else f'{scene.acquired:%Y-%m-%d %H:%M} UTC'
    return [
        f'{scene.name}: {scene.width} x {scene.height} px, {place}; taken: {taken}',
        f'bands {" ".join(scene.bands)}, from {len(scene.inputs)} files',
        f'{100 * run_record.valid_fraction(scene):.0f} % with data; {len(job.grid)} windows',
        *(_range_lines(job, off) if off is not None else ['no window to compare with training']),
    ]


def range_lines(job: InferenceJob, out: Path) -> list[str]:
    """Return how far a written scene is off from the training, and what to beware of.

    Args:
        job: that was written.
        out: its layer.

    Returns:
        One line or two; none where the detector states no training range.
    """
    off = json.loads(out.with_suffix('.run.json').read_text('utf-8'))['training_range']
    return [] if off is None else _range_lines(job, off)


def _range_lines(job: InferenceJob, off: Mapping[str, Any]) -> list[str]:
    line = f'distance from the training range {off["distance"]:.2f} (its edge is 1)'
    warning = training_range.warning(job, off)
    return [line] if warning is None else [line, f'warning: {warning}']


def _layer(found: Detections, job: InferenceJob, off: Mapping[str, Any] | None) -> gpd.GeoDataFrame:
    """Return the layer of detections, with how far their scene is off from the training."""
    layer = to_geodataframe(found, job.scene, PROBABILITY if job.calibration else SCORE)
    layer.insert(len(layer.columns) - 1, 'range_distance', off['distance'] if off else np.nan)
    return layer


def _begin(job: InferenceJob, out: Path, blocks: BlockFolder) -> float | None:
    """Clear what killed runs have left; return, and warn of, the share that lacks elevation."""
    commit.clear_leftovers(out)
    blocks.clear_leftovers()
    gap = run_record.optical_without_dem_fraction(job.scene)
    run_record.warn_of_gaps(job.scene.name, gap)
    return gap


def _facts(job: InferenceJob, blocks: Blocks, found: Detections) -> dict[str, Any]:
    """Return what the record says of scene, windows and model."""
    results = finished(blocks, job.grid)
    return {
        'detections': len(found),
        'windows': len(job.grid),
        'windows_searched': sum(block.windows for block in results),
        'valid_share': sum(block.valid_px for block in results)
        / (job.scene.height * job.scene.width),
        'masked_share': job.scene.masked_share,
        'settings': asdict(job.settings),
        'model': job.model,
        'probability': run_record.probability_meaning(job.calibration),
        'scene': run_record.scene_facts(job.scene),
        'versions': run_record.versions(),
    }
