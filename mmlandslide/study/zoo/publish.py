"""A study's model zoo: weights of finished trainings as safetensors, and an index of them."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from mmlandslide.errors import CheckpointError
from mmlandslide.files import remove_leftovers, write_atomic
from mmlandslide.study.plan import Plan
from mmlandslide.study.report.formatting import condition_name
from mmlandslide.study.trial import Stage, Trial
from mmlandslide.study.zoo import model_index
from mmlandslide.study.zoo.model_index import Weights
from mmlandslide.weights import architecture, lineage
from mmlandslide.weights.bridge import keymap_of
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.inspection import sha256
from mmlandslide.weights.state_dict import State, backbone_state, tensors_of
from mmlandslide.weights.transfer.layout import translate

#: What a checkpoint states of itself that its weights need wherever they go.
_STATED = (
    *('version', 'config', 'bands', 'units', 'statistics', 'input_zoom'),
    *('tile_ids', 'calibration'),
)


@dataclass(frozen=True)
class Zoo:
    """What was published.

    Attributes:
        weights: work dir of a training -> its file.
        left_out: conditions without weights, one line each with the reason.
    """

    weights: dict[str, Weights]
    left_out: tuple[str, ...]


def publish(plan: Plan, results: Mapping[str, Any], folder: Path) -> Zoo:
    """Write the index, and the weights of each condition's first seed and its pre-trainings.

    What is not finished is left out.
    A file's name holds its digest: what stands from before and is the same is left alone, so that
    to publish twice changes nothing. The index is written last; files of earlier trainings stay,
    and are in it no more.

    Args:
        plan: of the study.
        results: as `results.collect` returns them.
        folder: of this study's zoo alone; made where it is missing.

    Raises:
        CheckpointError: a checkpoint cannot be read safely, or holds values that are not finite.
        CheckpointMismatchError: a checkpoint holds no mmlandslide backbone.
    """
    for names in ('*.safetensors', '*.yml'):
        remove_leftovers(folder, names)
    weights = {str(stage.work_dir): _weights(stage, folder) for stage in _chosen(plan)}
    for name, text in model_index.files(results, weights).items():
        _write(folder / name, text.encode())
    return Zoo(weights, tuple(_left_out(results, weights)))


def _chosen(plan: Plan) -> Iterator[Stage]:
    """Yield the trainings to publish, each once: of every condition's first seed."""
    trials = [trial for trial in plan.trials if trial.seed == plan.specification.seeds[0]]
    yield from {stage.name: stage for trial in trials for stage in _trained(trial)}.values()


def _trained(trial: Trial) -> list[Stage]:
    """Return a trial's finished pre-trainings, and its detector where that has a score."""
    scored = all(stage.finished for stage in trial.stages)
    return [
        stage
        for stage in trial.stages[:-1]
        if (scored if stage.kind == 'detect' else stage.finished)
    ]


def _left_out(results: Mapping[str, Any], weights: Collection[str]) -> Iterator[str]:
    for cell in results['cells']:
        run = cell['runs'][0]
        trained = [stage['work_dir'] for stage in run['stages'] if stage['kind'] == 'detect']
        if run['status'] == 'finished' and not {*trained} <= {*weights}:
            where = f'its weights are not in {trained[0]}'
            yield f'{condition_name(cell)}, seed {run["seed"]}: {where}'
        if run['status'] != 'finished':
            why = ': '.join(filter(None, (run['status'], run['error'])))
            yield f'{condition_name(cell)}, seed {run["seed"]}: {why}'


def _weights(stage: Stage, folder: Path) -> Weights:
    """Publish one training: a detector whole, of a pre-training the encoder."""
    path = stage.work_dir / stage.leaves[0]
    content = read_checkpoint(path)
    own, encoder = lineage.stated(content, path), backbone_state(content)
    kind = architecture.deduce(translate(encoder, keymap_of(encoder, 'auto', path)).found, path)[
        'type'
    ]
    state = (
        tensors_of(content)
        if stage.kind == 'detect'
        else {f'backbone.{name}': value for name, value in encoder.items()}
    )
    _refuse_broken(state, path)
    written = _write_weights(state, _record(own, content), stage.name, folder)
    datasets = sorted({tile.rpartition(':')[0] for tile in lineage.tiles_seen(own)} - {''})
    return Weights(*written, kind, tuple(datasets))


def _write_weights(
    state: State, record: Mapping[str, Any], name: str, folder: Path
) -> tuple[str, str]:
    """Write a file of weights; return its name and its SHA-256."""
    # Its own storage for each: safetensors refuses those that share one. One key of metadata: the
    # order of several is random.
    apart = {
        key: value.clone(memory_format=torch.contiguous_format) for key, value in state.items()
    }
    content = save(apart, {lineage.METADATA_KEY: json.dumps(record, default=str)})
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f'{name}-{digest[:8]}.safetensors'
    _write(path, content)
    return path.name, digest


def _write(path: Path, content: bytes) -> None:
    """Write a file, unless it holds that already."""
    if not path.is_file() or sha256(path) != hashlib.sha256(content).hexdigest():
        write_atomic(path, content)


def _record(own: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file states of itself.

    The checkpoint's own record without where a training stood, and its classes.
    """
    found = {key: own[key] for key in _STATED if key in own}
    classes = _nested(content, 'meta', 'dataset_meta').get('classes')
    named = {'classes': list(classes)} if isinstance(classes, list | tuple) else {}
    return {**found, **named, 'lineage': lineage.without_folders(own.get('lineage', {}))}


def _nested(owner: Any, *keys: str) -> Mapping[str, Any]:
    """Return a mapping within mappings; an empty one where there is none."""
    for key in keys:
        owner = owner.get(key) if isinstance(owner, Mapping) else None
    return owner if isinstance(owner, Mapping) else {}


def _refuse_broken(state: State, path: Path) -> None:
    broken = [
        name
        for name, value in state.items()
        if value.is_floating_point() and not bool(value.isfinite().all())
    ]
    if broken:
        got = (
            f'NaN or infinite values in {len(broken)} of {len(state)} tensors such as {broken[:3]}'
        )
        remedy = 'Delete the work dir to train it again, or take the condition out of the study'
        raise CheckpointError.mismatch('weights', 'be finite to be published', got, path, remedy)
