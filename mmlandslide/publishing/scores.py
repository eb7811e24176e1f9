"""An exported detector scored on labelled tiles, by itself: no PyTorch looks at a tile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.datasets import l4s_grid
from mmlandslide.errors import SplitOverlapError
from mmlandslide.evaluation import bootstrap
from mmlandslide.evaluation.calibration.reliability import reliability
from mmlandslide.evaluation.matching import hits
from mmlandslide.evaluation.results import TileResult
from mmlandslide.scenes.inference.domain.training_range import describe
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.study import statistics


@dataclass(frozen=True, eq=False)
class Detected:
    """What a detector finds on labelled tiles.

    Attributes:
        results: by tile, whose ids are `<data set>:<tile id>`.
        distances: (T,) from the training range; none where the detector states none.
    """

    results: Sequence[TileResult]
    distances: NDArray[np.float64]

    @property
    def names(self) -> list[str]:
        """Ids of the tiles."""
        return [each.tile_id for each in self.results]


def detect(predictor: OnnxPredictor, dataset: Mapping[str, Any], purpose: str) -> Detected:
    """Return what a detector finds on the tiles of a data set.

    Args:
        predictor: that takes tiles of their size.
        dataset: its config.
        purpose: what the tiles are for, for the error.

    Raises:
        SplitOverlapError: the detector was trained, or its probabilities were fitted, on one.
        LandslideError: the tiles cannot be read.
    """
    from mmlandslide.registry import DATASETS

    data = DATASETS.build({**dataset, 'pipeline': []})
    infos = [data.get_data_info(index) for index in range(len(data))]
    names = [f'{data.name}:{info["img_id"]}' for info in infos]
    _require_unseen(names, predictor, purpose)
    results, distances = [], []
    for name, info in zip(names, infos, strict=True):
        image = np.asarray(data.load_image(info), np.float32)
        [(boxes, scores)] = predictor.predict(image[None])
        labels, size = np.zeros(len(scores), np.int64), (info['height'], info['width'])
        true = info['boxes_xyxy'], info['labels']
        results.append(TileResult(name, boxes, scores, labels, *true, size))
        if predictor.training_range is not None:
            known = np.asarray(np.isfinite(image).all(axis=0))[None]
            described = describe(image[None], known, predictor.training_range.scale)
            distances.append(float(predictor.training_range.distances(described)[0]))
    return Detected(results, np.array(distances))


def _require_unseen(names: Sequence[str], predictor: OnnxPredictor, purpose: str) -> None:
    """Refuse tiles that the training, or the fit of the probabilities, has seen."""
    training = predictor.metadata.get('training')
    trained = training.get('tile_ids') if isinstance(training, Mapping) else ()
    for by, seen in (
        ('the training', trained),
        ('the calibration', (predictor.calibration or {}).get('tile_ids')),
    ):
        both = sorted(set(seen or ()) & set(names))
        if both:
            got, remedy = f'{len(both)} such as {both[:3]}', 'Name another list of tiles'
            raise SplitOverlapError.mismatch(
                f'{purpose} tiles', f'be none of {by}', got, predictor.path, remedy
            )


def scores_of(found: Detected) -> tuple[dict[str, Any], dict[str, dict[str, Any]], str]:
    """Score what a detector has found.

    Returns:
        Scores over all tiles; those of each scene of Landslide4Sense, with the median `distance`
        from the training range; and what was resampled for their intervals.
    """
    grouping, everywhere = bootstrap.grouping_of(found.names), _scores(found.results)
    if not grouping.known:
        return everywhere, {}, grouping.unit
    of_scene = np.array(
        [l4s_grid.position_of(l4s_grid.tile_number(each)).scene for each in found.names]
    )
    scenes = {}
    for scene in sorted(set(of_scene)):
        rows = np.flatnonzero(of_scene == scene)
        scenes[f'scene {scene}'] = _scores([found.results[row] for row in rows.tolist()])
        if len(found.distances):
            distance = round(float(np.median(found.distances[rows])), 2)
            scenes[f'scene {scene}']['distance'] = distance
    return everywhere, scenes, grouping.unit


def _scores(results: Sequence[TileResult]) -> dict[str, Any]:
    """Return AP50 and AP of tiles with 95 % intervals over their groups."""
    matched = statistics.match(results)
    grouping = bootstrap.grouping_of(list(matched.tile_ids))
    whole = statistics.average_precisions(matched, np.ones((1, len(results)), np.int64))
    drawn = statistics.average_precisions(matched, bootstrap.draw(grouping).counts)
    found = {
        key: {
            'value': round(float(whole[key][0]), 4),
            'interval': [round(edge, 4) for edge in bootstrap.interval(drawn[key])],
        }
        for key in ('AP50', 'AP')
    }
    boxes = sum(len(each.true_labels) for each in results)
    return {**found, 'tiles': len(results), 'boxes': boxes}


def calibration_error(found: Detected, iou_thr: float) -> float:
    """Return the D-ECE of a detector's probabilities: by how much they are off on average.

    Args:
        found: by a calibrated detector.
        iou_thr: IoU at which a detection is a hit.
    """
    scores = np.concatenate([each.scores for each in found.results]).astype(np.float64)
    hit = np.concatenate([hits(each, iou_thr) for each in found.results])
    return float(reliability(scores, hit).d_ece)
