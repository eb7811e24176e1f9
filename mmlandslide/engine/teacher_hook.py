"""The hook that looks at a teacher before anything is learned from it."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmlandslide.evaluation.tile_metric import TileMetric
from mmlandslide.registry import HOOKS
from mmlandslide.weights.lineage import classes_of


@HOOKS.register_module()
class TeacherHook(Hook):
    """Reads a student's teacher before the training, and warns where it never learned.

    The teacher is tested on the student's validation tiles. One whose accuracy is not above that of
    giving all tiles the more frequent label, or whose AUROC is at chance, has nothing to say, and
    the student would learn to say as little. One of more classes than two is not tested, which is
    said.

    Args:
        least_auroc: at or below which the AUROC counts as chance.
    """

    def __init__(self, least_auroc: float = 0.55) -> None:
        self.least_auroc = least_auroc

    def before_train(self, runner: Runner) -> None:
        """Read the teacher and test it.

        Raises:
            ConfigError: the teacher was trained on classes of other names than the student's tiles
                have, or in another order.
            LandslideError: see `DistilledClassifier.read_teacher`.
        """
        model: Any = runner.model.module if is_model_wrapper(runner.model) else runner.model
        teacher = model.read_teacher()
        teacher.require_classes(classes_of(runner.train_dataloader.dataset))
        num_classes = model.head.num_classes
        if runner.val_loop is None or num_classes != 2:
            why = (
                'the config has no validation'
                if runner.val_loop is None
                else f'it has {num_classes} classes and not 2'
            )
            runner.logger.warning(f'The teacher {teacher.path} was not tested: {why}')
            return
        found = teacher_scores(model, runner.val_loop.dataloader)
        scores = (
            f'accuracy {found["accuracy"]:.3f}, AUROC {found["AUROC"]:.3f}, '
            f'{found["majority"]:.3f} by the majority alone'
        )
        runner.logger.info(f'The teacher {teacher.path} on the validation tiles: {scores}')
        if found['accuracy'] <= found['majority'] or found['AUROC'] <= self.least_auroc:
            runner.logger.warning(
                f'The teacher {teacher.path} never learned ({scores}). '
                f'Train it longer with `mim train mmpretrain {teacher.config}`, '
                'or name another one in model.teacher.checkpoint.'
            )


@torch.no_grad()
def teacher_scores(student: Any, dataloader: Any) -> dict[str, float]:
    """Return a teacher's scores on labelled tiles, as `evaluation.tile_metric` names them.

    Args:
        student: a `DistilledClassifier`.
        dataloader: of tiles with `gt_label`; of several processes, each has its share.
    """
    metric = TileMetric()
    for batch in dataloader:
        data = student.data_preprocessor(batch, False)
        probabilities = student.teacher.logits(data['inputs'], student.backbone.bands).softmax(1)
        metric.process(
            batch,
            [
                {'img_id': sample.img_id, 'gt_label': sample.gt_label, 'pred_score': scores}
                for sample, scores in zip(data['data_samples'], probabilities, strict=True)
            ],
        )
    found: dict[str, float] = metric.evaluate(len(dataloader.dataset))
    return found
