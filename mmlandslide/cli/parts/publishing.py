"""Folders of the zoo out of trained detectors: exported, scored as exported, with their cards."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from mmlandslide import __version__, zoo
from mmlandslide.configs import TILE_PX, native_scale, read_config
from mmlandslide.datasets import l4s_grid
from mmlandslide.errors import LandslideError, SplitOverlapError
from mmlandslide.evaluation import bootstrap
from mmlandslide.evaluation.results import TileResult
from mmlandslide.files import write_atomic, write_json
from mmlandslide.scenes.inference.domain.training_range import KEY, describe
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor
from mmlandslide.study import statistics
from mmlandslide.study.plan import Plan
from mmlandslide.study.trial import Trial
from mmlandslide.study.zoo.publish import Zoo
from mmlandslide.zoo import stac_item
from mmlandslide.zoo.card import page


@dataclass(frozen=True)
class Statement:
    """What a card states that no file holds.

    Attributes:
        title: one line.
        protocol: `name`, `scored_on`, `meaning` and whether it is `leaking`.
        training: label -> text; `tiles` among them.
        data_licence: of the tiles, as far as it is known.
        limits: of the detector.
        commands: that made it.
        known: scene -> measured `distance` and `AP50`, for the gate's warning.
    """

    title: str
    protocol: Mapping[str, Any]
    training: Mapping[str, Any]
    data_licence: str
    limits: Sequence[str]
    commands: Sequence[str]
    known: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def write_model(
    folder: Path,
    config_path: Path,
    checkpoint: Path,
    weights: Path,
    stated: Statement,
    scored_config: Path,
) -> zoo.Model:
    """Write a folder of the zoo; its name is the model's.

    Args:
        folder: to make; one that is there is replaced.
        config_path: of the detector, as it was trained.
        checkpoint: of its training.
        weights: its `.safetensors`.
        stated: for the card.
        scored_config: of its test, whose tiles it is scored on.

    Raises:
        SplitOverlapError: it was trained on a tile that it is scored on.
        LandslideError: as `export`, or the scored tiles cannot be read.
    """
    from mmlandslide.scenes.inference.onnx.export import (
        export,  # loads torch and the hosts: seconds
    )

    config = read_config(config_path)
    side_px = round(TILE_PX / native_scale(config))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f'.{folder.name}.') as made:
        draft = Path(made, folder.name)
        draft.mkdir()
        onnx = draft / 'model.onnx'
        export(config_path, checkpoint, onnx, window_px=side_px, native=True, known=stated.known)
        shutil.copyfile(weights, draft / 'model.safetensors')
        card = _card(folder.name, onnx, read_config(scored_config), stated, draft)
        write_json(draft / 'card.json', card)
        write_atomic(draft / 'card.md', page(card))
        write_json(draft / 'item.json', stac_item.item(card))
        if folder.is_dir():
            shutil.rmtree(folder)
        draft.rename(folder)
    return zoo.open_folder(folder)


def _card(
    name: str, onnx: Path, config: Mapping[str, Any], stated: Statement, draft: Path
) -> dict[str, Any]:
    predictor = OnnxPredictor(onnx, 'cpu')
    whole, scenes, unit = scored(predictor, config)
    if predictor.training_range is not None and not stated.known:
        _state_known(onnx, scenes)
    calibration = predictor.calibration
    return {
        'name': name,
        'title': stated.title,
        'files': {
            each.name: hashlib.sha256(each.read_bytes()).hexdigest()
            for each in (onnx, draft / 'model.safetensors')
        },
        'bands': list(predictor.bands),
        'input': _input(predictor),
        'window_px': predictor.window_px,
        'protocol': {**stated.protocol, 'intervals': f'95 %, of resampled {unit}'},
        'scores': whole,
        'scenes': scenes,
        'calibration': None if calibration is None else calibration['method'],
        'training': dict(stated.training),
        'data_licence': stated.data_licence,
        'limits': list(stated.limits),
        'commands': list(stated.commands),
        'agreement': predictor.metadata.get('agreement'),
        'created': datetime.now(timezone.utc).date().isoformat(),
        'mmlandslide': __version__,
    }


def _state_known(onnx: Path, scenes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write into a file how far each scored scene is off, and its score, for the gate's warning."""
    from mmlandslide.scenes.inference.onnx.onnx_predictor import parsed

    known = {
        name: {'distance': each['distance'], 'AP50': round(each['AP50']['value'], 3)}
        for name, each in scenes.items()
        if 'distance' in each
    }
    model = parsed(onnx.read_bytes(), onnx)
    for stated in model.metadata_props:
        if stated.key == KEY:
            stated.value = json.dumps({**json.loads(stated.value), 'known': known})
    write_atomic(onnx, model.SerializeToString())


def _input(predictor: OnnxPredictor) -> str:
    side, pixel_m = predictor.window_px, 10 / predictor.pixel_scale
    tile = f'{side} x {side} px of {pixel_m:.3g} m'
    if predictor.bands != ('R', 'G', 'B'):
        return f'{tile}, in Landslide4Sense units'
    return (
        f'{tile}, 8 bit; scenes of B4, B3, B2 in any linear unit are stretched window by window, '
        'minimum to maximum of each band, and enlarged'
    )


def scored(
    predictor: OnnxPredictor, config: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]], str]:
    """Score an exported detector on the tiles that its config tests on.

    Args:
        predictor: that takes tiles of their size.
        config: with `test_dataloader`.

    Returns:
        Scores over all tiles; those of each scene of Landslide4Sense, with the median `distance`
        from the training range; and what was resampled for their intervals.
    """
    from mmlandslide.registry import DATASETS

    data = DATASETS.build({**config['test_dataloader']['dataset'], 'pipeline': []})
    results, distances = [], []
    for index in range(len(data)):
        info = data.get_data_info(index)
        image = np.asarray(data.load_image(info), np.float32)
        [(boxes, scores)] = predictor.predict(image[None])
        results.append(_result(info, boxes, scores))
        if predictor.training_range is not None:
            known = np.asarray(np.isfinite(image).all(axis=0))[None]
            described = describe(image[None], known, predictor.training_range.scale)
            distances.append(float(predictor.training_range.distances(described)[0]))
    names = [f'{data.name}:{each.tile_id}' for each in results]
    _require_unseen(names, predictor)
    grouping = bootstrap.grouping_of(names)
    everywhere = _scores(results, names)
    if not grouping.known:
        return everywhere, {}, grouping.unit
    of_scene = np.array([l4s_grid.position_of(l4s_grid.tile_number(each)).scene for each in names])
    scenes = {}
    for scene in sorted(set(of_scene)):
        rows = np.flatnonzero(of_scene == scene)
        scenes[f'scene {scene}'] = _scores([results[i] for i in rows], [names[i] for i in rows])
        if distances:
            scenes[f'scene {scene}']['distance'] = round(
                float(np.median(np.array(distances)[rows])), 2
            )
    return everywhere, scenes, grouping.unit


def _require_unseen(names: Sequence[str], predictor: OnnxPredictor) -> None:
    """Refuse scores on tiles of the training."""
    training = predictor.metadata.get('training')
    seen = set(training.get('tile_ids') or ()) if isinstance(training, Mapping) else set()
    both = sorted(seen & set(names))
    if both:
        got, remedy = f'{len(both)} such as {both[:3]}', 'Name the split of the test'
        raise SplitOverlapError.mismatch(
            'scored tiles', 'be none of the training', got, predictor.path, remedy
        )


def _result(info: Mapping[str, Any], boxes: Any, scores: Any) -> TileResult:
    labels = np.zeros(len(scores), np.int64)
    size = (info['height'], info['width'])
    return TileResult(
        info['img_id'], boxes, scores, labels, info['boxes_xyxy'], info['labels'], size
    )


def _scores(results: Sequence[TileResult], names: Sequence[str]) -> dict[str, Any]:
    """Return AP50 and AP of tiles with 95 % intervals over their groups."""
    matched = statistics.match(results)
    by_id = dict(zip((each.tile_id for each in results), names, strict=True))
    grouping = bootstrap.grouping_of([by_id[tile_id] for tile_id in matched.tile_ids])
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


def published(
    planned: Plan, results: Mapping[str, Any], weights: Zoo, folder: Path
) -> Iterator[zoo.Model | LandslideError]:
    """Write a folder of the zoo for each published detector of a study.

    Args:
        planned: the study.
        results: of it.
        weights: what `study.zoo.publish` wrote.
        folder: of the study's zoo.

    Yields:
        The models, and for a detector that cannot be exported or scored the error.
    """
    for trial in planned.trials:
        stage = trial.training
        file = weights.weights.get(str(stage.work_dir))
        if file is None:
            continue
        protocol = results['protocols'][trial.condition.protocol]
        stated = _stated(planned, trial, protocol)
        name = Path(stage.config).name
        try:
            yield write_model(
                folder / stage.name,
                stage.work_dir / name,
                stage.work_dir / stage.leaves[0],
                folder / file.file,
                stated,
                trial.test.work_dir / name,
            )
        except LandslideError as error:
            yield error


def _stated(planned: Plan, trial: Trial, protocol: Mapping[str, Any]) -> Statement:
    """Return what a study knows of a detector for its card."""
    stage = trial.training
    name = f'{trial.condition.backbone}, {trial.condition.strategy}'
    leaking = bool(protocol.get('leaking'))
    return Statement(
        f'{name}, of the study {planned.specification.name!r}',
        {
            'name': trial.condition.protocol,
            'scored_on': Path(str(protocol.get('score_file'))).name,
            'leaking': leaking,
            'meaning': f'Trained on {protocol.get("train_file")}'
            + (', whose tiles touch those that are scored' if leaking else ''),
        },
        {'tiles': f'{len(stage.tile_ids)} tiles', 'steps': stage.steps, 'seed': trial.seed},
        'Not known to the study: that of the data set which the config names.',
        ['Scores hold for tiles like those that were scored; see the study.'],
        [' '.join(stage.command)],
    )
