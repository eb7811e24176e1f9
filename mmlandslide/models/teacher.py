"""The classifier that a student learns from: read whole, frozen, evaluating."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from torch import nn

from mmlandslide import bands as band_table
from mmlandslide.configs import located, read_config
from mmlandslide.errors import CheckpointMismatchError, ConfigError, MissingPathError
from mmlandslide.models.classifier import ImageClassifier
from mmlandslide.registry import MODELS
from mmlandslide.weights import gate, lineage
from mmlandslide.weights.references import resolve
from mmlandslide.weights.strict_load import fill


class Teacher(nn.Module):
    """A classifier whose weights never change.

    Args:
        classifier: an mmlandslide classifier, its weights loaded.
        config: that it was trained by, for errors.
        path: of its checkpoint.
        seen: tiles that its training and pre-training saw, as `<name>:<tile id>`.
        classes: names of what it tells apart, in their order; none where that is not known.
    """

    def __init__(
        self,
        classifier: Any,
        config: str,
        path: Path,
        seen: Sequence[str],
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.classifier = classifier.requires_grad_(False)
        self.config, self.path, self.seen, self.classes = config, path, sorted(seen), list(classes)
        self.digest = digest(classifier)
        self.train(False)

    @classmethod
    def read(cls, config: str, checkpoint: str) -> 'Teacher':
        """Build a config's classifier and fill all of it from a checkpoint.

        Args:
            config: file of the teacher's training.
            checkpoint: a file, or a work dir for its latest one.

        Raises:
            MissingPathError: one of them is not there; where it is the config's own work dir, the
                error says what makes it.
            ConfigError: the config cannot be read, or is of no mmlandslide classifier.
            CheckpointError: the checkpoint cannot be read safely, or holds values that are not
                finite.
            CheckpointMismatchError: the checkpoint is of another architecture.
        """
        stated, config = config, str(located(config))
        if not Path(config).is_file():
            remedy = (
                'Run from the folder that holds configs/, '
                'or give the whole path in model.teacher.config'
            )
            raise MissingPathError.mismatch(
                "the teacher's config", 'be a file', 'nothing', config, remedy
            )
        subject = "the teacher's checkpoint"
        path, classifier = resolve(checkpoint, made_by=stated, subject=subject), built(config)
        remedy = (
            f'Pass a checkpoint that {config} trained, or name the config that trained this one'
        )
        content, own, notes = gate.admit(path, gate.terms_of(classifier), subject=subject)
        for note in notes:
            print_log(note, 'current', logging.WARNING)
        fill(classifier, content.get('state_dict', content), path, subject, remedy)
        return cls(
            classifier, config, path, sorted(lineage.tiles_seen(own)), own.get('classes', ())
        )

    def train(self, mode: bool = True) -> 'Teacher':
        """Stay in evaluation mode, whatever is asked for."""
        self.classifier.eval()
        return self

    def require_fit(self, student: Any) -> None:
        """Refuse a student that this teacher cannot teach.

        Args:
            student: an mmlandslide classifier.

        Raises:
            ConfigError: it has other classes than the student, bands that the student does not see,
                or normalises otherwise.
            CheckpointMismatchError: the student's training began with another teacher.
        """
        ours, theirs = student.head.num_classes, self.classifier.head.num_classes
        where = f'{self.config} (model.teacher.config)'
        if ours != theirs:
            expected = f'have the {ours} classes of the student'
            raise ConfigError.mismatch(
                'the teacher',
                expected,
                theirs,
                where,
                'Name a teacher that was trained on the same classes',
            )
        bands, seen = self.classifier.backbone.bands, student.backbone.bands
        if not set(bands) <= set(seen):
            expected = f'see no other bands than the student, {list(seen)}'
            raise ConfigError.mismatch(
                'the teacher',
                expected,
                list(bands),
                where,
                'Name a teacher of these bands or of some of them',
            )
        if normalisation(self.classifier, bands) != normalisation(student, bands):
            got = normalisation(self.classifier, bands)
            expected = f'normalise its bands as the student does, {normalisation(student, bands)}'
            raise ConfigError.mismatch(
                'the teacher', expected, got, where, 'Give both the same data_preprocessor'
            )
        self._require_the_same(student.backbone.lineage)

    def require_classes(self, names: Sequence[str]) -> None:
        """Refuse classes of other names, or in another order, where both are known.

        Args:
            names: of the classes of the student's tiles.

        Raises:
            ConfigError: they differ from those that the teacher's checkpoint states.
        """
        if names and self.classes and list(names) != self.classes:
            remedy = 'Name a teacher that was trained on the same classes'
            raise ConfigError.mismatch(
                "the teacher's classes",
                f"be those of the student's tiles, {list(names)}",
                self.classes,
                self.path,
                remedy,
            )

    def _require_the_same(self, known: Mapping[str, Any]) -> None:
        before = known.get('teacher')
        if isinstance(before, Mapping) and before.get('digest') != self.digest:
            remedy = (
                f'Name its checkpoint, once {before.get("checkpoint")}, '
                'in model.teacher.checkpoint, or begin in another work dir'
            )
            raise CheckpointMismatchError.mismatch(
                "the teacher's weights",
                f'be those with which this training began ({str(before.get("digest"))[:8]})',
                self.digest[:8],
                self.path,
                remedy,
            )

    def join(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return a student's lineage with the tiles of its teacher, and which teacher that is.

        Args:
            known: the lineage of the student so far.
        """
        seen = sorted({*known.get('tile_ids', ()), *self.seen})
        return {
            **known,
            'tile_ids': seen,
            'teacher': {'checkpoint': str(self.path), 'digest': self.digest},
        }

    @torch.no_grad()
    def logits(self, inputs: torch.Tensor, bands: Sequence[str]) -> torch.Tensor:
        """Return the teacher's logits, (B, K), without a gradient.

        Args:
            inputs: (B, C, H, W), normalised for the student.
            bands: C names.
        """
        wanted = self.classifier.backbone.bands
        if tuple(wanted) != tuple(bands):
            inputs = inputs[:, band_table.positions(wanted, bands, 'the student')]
        return self.classifier(inputs, mode='tensor')


def built(config: str) -> ImageClassifier:
    """Return a config's classifier with random weights; torch's random stream stays untouched.

    Args:
        config: file of its training.

    Raises:
        ConfigError: the config cannot be read, or is of no mmlandslide classifier.
    """
    cfg, subject = read_config(config, "the teacher's config"), "the teacher's model"
    expected, remedy = (
        'be an mmlandslide classifier',
        'Name the config of a classifier, such as configs/pretrain/supervised_l4s_swin_b.py',
    )
    model = cfg.get('model')
    if not isinstance(model, Mapping) or not isinstance(model.get('backbone'), Mapping):
        got = f'no backbone among {list(model)}' if isinstance(model, Mapping) else repr(model)
        raise ConfigError.mismatch(subject, expected, got, config, remedy)
    model['backbone']['pretrained'] = None
    with (
        DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')),
        torch.random.fork_rng(),
    ):
        classifier = MODELS.build(model)
    if not isinstance(classifier, ImageClassifier) or not hasattr(classifier.head, 'num_classes'):
        raise ConfigError.mismatch(subject, expected, type(classifier).__name__, config, remedy)
    return classifier


def normalisation(classifier: Any, bands: Sequence[str]) -> dict[str, Any]:
    """Return how a classifier normalises bands.

    Mean and standard deviation of each, and the limit.
    """
    preprocessor = classifier.data_preprocessor
    at = band_table.positions(bands, preprocessor.bands, 'data_preprocessor')
    mean, std = (
        [round(each, 5) for each in values.flatten()[at].tolist()]
        for values in (preprocessor.mean, preprocessor.std)
    )
    return {'mean': mean, 'std': std, 'clip_std': preprocessor.clip_std}


def digest(model: nn.Module) -> str:
    """Return a digest of all that a model's state holds."""
    found = hashlib.blake2b(digest_size=16)
    for name, value in model.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
