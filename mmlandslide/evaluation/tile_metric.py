"""Metric of a tile classifier in MMPretrain's test loop, and its AUROC."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError
from mmlandslide.files import write_json
from mmlandslide.registry import METRICS

_NEEDED = ('img_id', 'gt_label', 'pred_score')


@METRICS.register_module()
class TileMetric(BaseMetric):
    """Accuracy, precision, recall, F1 and AUROC of a binary tile classifier (landslide / none).

    Writes `metrics.json`. Of each data sample it reads `img_id`, `gt_label` (1,) and `pred_score`
    (2,), whose second entry is the probability of a landslide. The keys it returns are those that
    `mmlandslide.evaluation.tile_metric.tile_scores` describes. What the set does not define is
    `float('nan')` in the returned dict and `null` in the file.

    Args:
        score_thr: a tile counts as detected where its probability is above it.
        out_dir: where the file goes; `None` = `work_dir`, which the runner sets; nothing is written
            where that is `None` too.
        prefix: put before each key, with a slash, in what the training loop sees; the file keeps
            the plain keys.

    Raises:
        ConfigError: a threshold outside [0, 1).
    """

    default_prefix = ''  # None would warn, on each start, that keys are plain

    def __init__(
        self, score_thr: float = 0.5, out_dir: str | Path | None = None, prefix: str | None = None
    ) -> None:
        if not 0 <= score_thr < 1:
            raise ConfigError.mismatch(
                'score_thr',
                'lie in [0, 1)',
                score_thr,
                'TileMetric',
                'Give a probability, such as 0.5',
            )
        # 'gpu' means over the process group, gloo on CPUs; 'cpu' goes through pickles in a folder
        # that all machines must share.
        super().__init__(collect_device='gpu', prefix=prefix)
        self.score_thr = score_thr
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.work_dir: Path | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep label and score of each tile of a batch.

        Args:
            data_batch: not used.
            data_samples: the model's outputs as dicts, with the keys that the class names.

        Raises:
            ConfigError: a key is missing, or the classifier has another number of classes than two.
        """
        self.results.extend(_tile_result(sample) for sample in data_samples)

    def compute_metrics(self, results: list[tuple[str, int, float]]) -> dict[str, float]:
        """Score the gathered results, each tile once, and write the file.

        A distributed sampler repeats tiles so that all processes have the same number; the first
        result of a tile counts.

        Args:
            results: identity of the tile (id and file), label and score, of all processes.

        Returns:
            Name -> value, NaN where not defined.
        """
        tiles = {tile_id: (label, score) for tile_id, label, score in reversed(results)}
        labels, scores = (np.array(values) for values in zip(*tiles.values(), strict=True))
        metrics = tile_scores(labels, scores, self.score_thr)
        out_dir = self.out_dir or self.work_dir
        if out_dir is not None:
            write_json(Path(out_dir) / 'metrics.json', metrics)
        return metrics


def _tile_result(sample: dict[str, Any]) -> tuple[str, int, float]:
    missing = [key for key in _NEEDED if key not in sample]
    if missing:
        remedy = (
            'Test on a labelled dataset, such as mmlandslide.Landslide4SenseClsDataset, '
            'and end its pipeline with PackTile'
        )
        got, where = f'none of {missing}', 'the test pipeline'
        raise ConfigError.mismatch('a data sample', f'carry {list(_NEEDED)}', got, where, remedy)
    score = sample['pred_score']
    if len(score) != 2:
        raise ConfigError.mismatch(
            'the classifier', 'have 2 classes', len(score), 'model.head', 'Set num_classes=2'
        )
    identity = f'{sample["img_id"]} of {sample.get("img_path", "")}'
    return identity, int(sample['gt_label']), float(score[1])


def tile_scores(
    labels: NDArray[np.integer], scores: NDArray[np.floating], score_thr: float = 0.5
) -> dict[str, float]:
    """Score a binary tile classifier (landslide / none).

    Args:
        labels: (N,), 1 = the tile holds a landslide, 0 = it holds none.
        scores: (N,), probability of 1.
        score_thr: a tile counts as detected where its score is above it.

    Returns:
        `accuracy`, `precision`, `recall` and `F1` at the threshold, `AUROC` over all of them,
        `base_rate` (share of tiles with a landslide) and `majority` (the accuracy of giving all
        tiles the more frequent label); NaN where the set does not define one.
    """
    true, found = labels == 1, scores > score_thr
    hits, num_true, num_found = (int(which.sum()) for which in (true & found, true, found))
    return {
        'accuracy': _ratio(int((true == found).sum()), len(labels)),
        'precision': _ratio(hits, num_found),
        'recall': _ratio(hits, num_true),
        'F1': _ratio(2 * hits, num_true + num_found),
        'AUROC': float(auroc(true, scores)),
        'base_rate': _ratio(num_true, len(labels)),
        'majority': _ratio(max(num_true, len(labels) - num_true), len(labels)),
    }


def auroc(
    positive: NDArray[np.bool_],
    scores: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> NDArray[np.float64]:
    """Return the area under the receiver operating characteristic.

    It is the share of pairs of a positive and a negative sample in which the former scores higher,
    ties counting half (Hanley and McNeil 1982). Equal to scikit-learn's, for many weightings at
    once.

    Args:
        positive: (N,) bool.
        scores: (N,); any scale on which a landslide scores higher.
        weights: (..., N), how often each sample counts; once each where `None`.

    Returns:
        (...) in [0, 1]; NaN where one class has no weight.
    """
    positive = np.asarray(positive, np.bool_)
    _, level = np.unique(scores, return_inverse=True)
    order = np.argsort(level, kind='stable')
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    counts = np.ones(len(scores)) if weights is None else weights
    above, below = (
        np.add.reduceat(np.where(wanted, counts, 0.0)[..., order], starts, axis=-1)
        for wanted in (positive, ~positive)
    )  # (..., levels) each
    outscored = np.cumsum(below, axis=-1) - below / 2
    with np.errstate(invalid='ignore'):
        area: NDArray[np.float64] = (above * outscored).sum(-1) / (above.sum(-1) * below.sum(-1))
    return area


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')
