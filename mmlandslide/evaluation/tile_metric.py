"""The tile classifier's metric in MMPretrain's test loop."""

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
    """Accuracy, precision, recall, F1 and AUROC of `any landslide in the tile?`.

    Writes `metrics.json`. Of each data sample it reads `img_id`, `gt_label` (1,) and `pred_score`
    (2,), whose second entry is the probability of a landslide. The keys it returns are those that
    `mmlandslide.evaluation.tile_metric.tile_scores` describes. What the set does not define is
    `float('nan')` in the returned dict and `null` in the file.

    Args:
        score_thr: a tile counts as found where its probability is above it.
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
            results: tile id, label and score, of all processes.

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
        remedy = 'Test on a labelled dataset, such as mmlandslide.Landslide4SenseClsDataset, and end its pipeline with PackTile'
        raise ConfigError.mismatch(
            'a data sample',
            f'carry {list(_NEEDED)}',
            f'none of {missing}',
            'the test pipeline',
            remedy,
        )
    score = sample['pred_score']
    if len(score) != 2:
        raise ConfigError.mismatch(
            'the classifier', 'have 2 classes', len(score), 'model.head', 'Set num_classes=2'
        )
    return str(sample['img_id']), int(sample['gt_label']), float(score[1])


def tile_scores(
    labels: NDArray[np.integer], scores: NDArray[np.floating], score_thr: float = 0.5
) -> dict[str, float]:
    """Score a classifier of `any landslide in the tile?`.

    Args:
        labels: (N,), 1 = the tile holds a landslide, 0 = it holds none.
        scores: (N,), probability of 1.
        score_thr: a tile counts as found where its score is above it.

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
        'AUROC': auroc(labels, scores),
        'base_rate': _ratio(num_true, len(labels)),
        'majority': _ratio(max(num_true, len(labels) - num_true), len(labels)),
    }


def auroc(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> float:
    """Return the area under the receiver operating characteristic, NaN where there is no pair.

    It is the share of pairs of a tile with and one without landslide in which the former scores
    higher, ties counting half (Hanley and McNeil 1982).

    Args:
        labels: (N,), 1 or 0.
        scores: (N,); any scale on which more means surer.
    """
    positive, negative = scores[labels == 1], np.sort(scores[labels != 1])
    below, up_to = (np.searchsorted(negative, positive, side) for side in ('left', 'right'))
    return _ratio(int((below + up_to).sum()), 2 * len(positive) * len(negative))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float('nan')
