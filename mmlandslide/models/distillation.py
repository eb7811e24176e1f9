"""Knowledge distillation.

A small student classifier learns from the logits of a large, frozen teacher.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample

from mmlandslide.errors import ConfigError
from mmlandslide.models.classifier import ImageClassifier
from mmlandslide.models.teacher import Teacher
from mmlandslide.registry import MODELS
from mmlandslide.weights.options import require_options


def soft_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return T^2 KL(teacher || student) of softened distributions (Hinton et al. 2015, section 2).

    The factor T^2 keeps the gradients as large as those of the hard loss whatever the temperature.

    Args:
        student: (B, K) logits.
        teacher: (B, K) logits.
        temperature: T, by which both are divided.
    """
    ours, theirs = (F.log_softmax(logits / temperature, dim=1) for logits in (student, teacher))
    return temperature**2 * F.kl_div(ours, theirs, reduction='batchmean', log_target=True)


@MODELS.register_module()
class DistilledClassifier(ImageClassifier):
    """A student trained on labels and on a teacher's logits (Hinton et al. 2015, arXiv 1503.02531).

    loss = (1 - w) * cross entropy + w * T^2 * KL. Both terms are logged with their factors, as
    `loss_hard` and `loss_soft`.

    The teacher is no part of this module: it is in no state dict, no optimiser and no `train()`,
    and moves with it from device to device. It is read when weights are initialised, and anew by a
    resumed training, which refuses another teacher than the one that it began with. A student
    alone, tested or carried into a detector, needs none. The tiles that the teacher has seen count
    as seen by the student.

    Args:
        teacher: `config` of the teacher's training (its file, from the folder of the run), and
            `checkpoint`: a file, or a work dir for its latest one. Its bands are a subset of the
            student's, by name.
        temperature: T.
        soft_weight: w in [0, 1].
        kwargs: the student, as `ImageClassifier` takes it.

    Raises:
        ConfigError: a temperature that is not positive, a weight outside [0, 1], or `teacher` has
            other keys.
    """

    def __init__(
        self,
        *,
        teacher: Mapping[str, Any],
        temperature: float = 5.0,
        soft_weight: float = 0.9,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value, holds, expected in (
            ('temperature', temperature, temperature > 0, 'be positive'),
            ('soft_weight', soft_weight, 0 <= soft_weight <= 1, 'lie in [0, 1]'),
        ):
            if not holds:
                raise ConfigError.mismatch(
                    name, expected, value, 'model', 'The study had temperature=5, soft_weight=0.9'
                )
        require_options(teacher, Teacher.read, 'model.teacher')
        self.temperature = temperature
        self.soft_weight = soft_weight
        self.teacher_cfg = dict(teacher)
        self._read_teacher: tuple[
            Teacher, ...
        ] = ()  # in a tuple, as a module would become a part of this one

    @property
    def teacher(self) -> Teacher:
        """Return the teacher, once `read_teacher` has read it."""
        assert self._read_teacher, (
            'an AttributeError while reading it here would be taken for a missing attribute'
        )
        return self._read_teacher[0]

    def read_teacher(self) -> Teacher:
        """Return the teacher, read on first use.

        Raises:
            MissingPathError: its config or its checkpoint is not there.
            CheckpointError: the checkpoint cannot be read safely.
            CheckpointMismatchError: the checkpoint is of another architecture than the config, or
                of another teacher than that with which this training began.
            ConfigError: its config is of no classifier; it has other classes than the student,
                bands that the student does not see, or normalises otherwise.
        """
        if not self._read_teacher:
            teacher = Teacher.read(**self.teacher_cfg)
            teacher.require_fit(self)
            device = next(self.parameters()).device
            self._read_teacher = (teacher.to(device),)
            self._inherit()
        return self.teacher

    def init_weights(self) -> None:
        """Initialise the student and read the teacher."""
        super().init_weights()
        self.read_teacher()

    def train(self, mode: bool = True) -> 'DistilledClassifier':
        """Set the student's mode; the teacher, where it has been read, keeps evaluating."""
        super().train(mode)
        if self._read_teacher:
            self._inherit()
        return self

    def _inherit(self) -> None:
        """Add the tiles of the teacher to those that the student has seen.

        Loading a checkpoint states them anew.
        """
        self.backbone.lineage = self._read_teacher[0].join(self.backbone.lineage)

    def _apply(self, fn: Any, recurse: bool = True) -> 'DistilledClassifier':
        """Move the teacher along wherever the student goes."""
        moved: tuple[Any, ...] = (super(), *self._read_teacher)
        for module in moved:
            module._apply(fn, recurse)
        return self

    def losses(
        self, inputs: torch.Tensor, data_samples: Sequence[DataSample]
    ) -> dict[str, torch.Tensor]:
        """Return `loss_hard` and `loss_soft`, whose sum is trained on.

        Args:
            inputs: (B, C, H, W), normalised.
            data_samples: B of them, with `gt_label` or, mixed, `gt_score`.
        """
        logits = self.head(self.extract_feat(inputs))  # (B, K)
        hard = self.head._get_loss(logits, data_samples)
        soft = soft_loss(
            logits, self.read_teacher().logits(inputs, self.backbone.bands), self.temperature
        )
        return {
            'loss_hard': (1 - self.soft_weight) * hard['loss'],
            'loss_soft': self.soft_weight * soft,
        }
