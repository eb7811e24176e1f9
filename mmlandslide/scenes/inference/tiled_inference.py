"""Tiled inference over a whole scene: block after block, shared by processes, resumable."""

from collections.abc import Callable

from mmlandslide.errors import StorageError
from mmlandslide.scenes.inference.blocks import BlockResult, Blocks
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.grid import Grid
from mmlandslide.scenes.inference.job import InferenceJob
from mmlandslide.scenes.inference.merge import merge
from mmlandslide.scenes.inference.predictor import SymmetricPredictor
from mmlandslide.scenes.inference.ranks import WorkerRank
from mmlandslide.scenes.inference.sliding_window import predict_blocks


def predict(
    job: InferenceJob,
    blocks: Blocks,
    worker: WorkerRank = WorkerRank(),  # noqa: B008 (frozen)
    advance: Callable[[int], None] = lambda windows: None,
) -> Detections | None:
    """Detect landslides in a scene, or in one process's share of its blocks.

    Args:
        job: scene, predictor and settings.
        blocks: storage of finished blocks; those that it has already are not computed again.
        worker: rank of this process.
        advance: called with the number of windows of this process that are done since the last
            call.

    Returns:
        The merged detections, sorted by descending score, in the process that writes; `None` in
        the others.

    Raises:
        StorageError: a finished block cannot be written, or another process's cannot be seen.
        LandslideError: as `predict_blocks`, `merge` and `InferenceJob.require_expectable`.
    """
    settings, grid = job.settings, job.grid
    job.require_expectable()
    # Settings that cannot be are refused here, not after hours.
    merge(Detections.none(), grid, settings.method, settings.iou_thr, settings.join)
    viewed = SymmetricPredictor(job.predictor, settings.tta, settings.iou_thr)
    todo = []
    for block in grid.blocks[worker.rank :: worker.size]:
        if blocks.read(block.index) is None:
            todo.append(block)
        else:
            advance(len(block))
    for block, result in predict_blocks(
        job.scene, viewed, grid, todo, settings.window_score_thr, settings.batch_size, advance
    ):
        blocks.write(block.index, result)
    worker.wait()
    if not worker.writes:
        return None
    return merged(job, blocks, settings.score_thr)


def merged(job: InferenceJob, blocks: Blocks, score_thr: float) -> Detections:
    """Return the merged detections of finished blocks, from a score on.

    Args:
        job: scene, predictor and settings.
        blocks: storage of all blocks of the job.
        score_thr: detections with a lower score are dropped before merging.

    Raises:
        StorageError: a block is not there.
    """
    settings, grid = job.settings, job.grid
    everything = Detections.concatenate([each.detections for each in finished(blocks, grid)])
    kept = everything[everything.scores >= score_thr]
    return merge(kept, grid, settings.method, settings.iou_thr, settings.join)


def finished(blocks: Blocks, grid: Grid) -> list[BlockResult]:
    """Return the results of all blocks of a grid.

    Raises:
        StorageError: one of them is not there.
    """
    everything = [blocks.read(block.index) for block in grid.blocks]
    seen = [block for block in everything if block is not None]
    if len(seen) < len(everything):
        got = f'{len(seen)} of {len(everything)}'
        raise StorageError.mismatch(
            'finished blocks',
            'be seen by the first process',
            got,
            blocks,
            'Write to a folder that all machines share',
        )
    return seen
