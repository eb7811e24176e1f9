"""A folder of the zoo: a detector exported, calibrated, scored as exported, with its card."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mmlandslide import __version__, zoo
from mmlandslide.configs import TILE_PX, native_scale, read_config
from mmlandslide.errors import LandslideError
from mmlandslide.evaluation import bootstrap
from mmlandslide.evaluation.calibration.fitting import fit_calibration
from mmlandslide.evaluation.results import Rules
from mmlandslide.files import write_atomic, write_json
from mmlandslide.publishing.scores import calibration_error, detect, scores_of
from mmlandslide.publishing.statement import Statement, of_trial
from mmlandslide.scenes.inference.domain.training_range import KEY as RANGE
from mmlandslide.scenes.inference.onnx.onnx_predictor import OnnxPredictor, parsed
from mmlandslide.study.plan import Plan
from mmlandslide.study.zoo.publish import Zoo
from mmlandslide.weights.lineage import add_to_record
from mmlandslide.zoo import stac_item
from mmlandslide.zoo.card import page
from mmlandslide.zoo.model import CARD, CARD_PAGE, ITEM, ONNX, SAFETENSORS


def write_model(
    folder: Path,
    config_path: Path,
    checkpoint: Path,
    weights: Path,
    stated: Statement,
    scored_config: Path,
    tuning_tiles: Path | None = None,
) -> zoo.Model:
    """Write a folder of the zoo; its name is the model's.

    Args:
        folder: to make; one that is there is replaced.
        config_path: of the detector, as it was trained.
        checkpoint: of its training.
        weights: its `.safetensors`.
        stated: for the card.
        scored_config: of its test, whose tiles it is scored on.
        tuning_tiles: list of ids of tiles, of the same data, that its probabilities are fitted on.

    Raises:
        SplitOverlapError: it was trained on a tile that it is scored or calibrated on, or both.
        LandslideError: as `export`, or the tiles cannot be read.
    """
    from mmlandslide.scenes.inference.onnx.export import (
        export,  # loads torch and the hosts: seconds
    )

    side_px = round(TILE_PX / native_scale(read_config(config_path)))
    scored = read_config(scored_config)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f'.{folder.name}.') as made:
        draft = Path(made, folder.name)
        draft.mkdir()
        known = stated.known
        export(config_path, checkpoint, draft / ONNX, window_px=side_px, native=True, known=known)
        shutil.copyfile(weights, draft / SAFETENSORS)
        if tuning_tiles is not None:
            _calibrate(draft, scored, tuning_tiles)
        card = _card(folder.name, scored, stated, draft)
        write_json(draft / CARD, card)
        write_atomic(draft / CARD_PAGE, page(card))
        write_json(draft / ITEM, stac_item.item(card))
        if folder.is_dir():
            shutil.rmtree(folder)
        draft.rename(folder)
    return zoo.open_folder(folder)


def _calibrate(draft: Path, config: Mapping[str, Any], tuning_tiles: Path) -> None:
    """Fit probabilities to the scores of an exported detector, and keep them in both files."""
    predictor = OnnxPredictor(draft / ONNX, 'cpu')
    predictor.calibration = None  # that of the checkpoint, if any, is replaced
    dataset = {**config['test_dataloader']['dataset'], 'split_file': str(tuning_tiles)}
    found = detect(predictor, dataset, 'tuning')
    grouping, rules = bootstrap.grouping_of(found.names), Rules(native_scale=native_scale(config))
    fitted = {'calibration': fit_calibration(found.results, grouping, rules)}
    _restate(draft / ONNX, 'training', {**predictor.metadata.get('training', {}), **fitted})
    add_to_record(draft / SAFETENSORS, fitted, draft / SAFETENSORS)


def _restate(onnx: Path, key: str, stated: Mapping[str, Any]) -> None:
    """Replace what an exported file states under a key."""
    model = parsed(onnx.read_bytes(), onnx)
    for each in model.metadata_props:
        if each.key == key:
            each.value = json.dumps(stated)
    write_atomic(onnx, model.SerializeToString())


def _card(name: str, config: Mapping[str, Any], stated: Statement, draft: Path) -> dict[str, Any]:
    predictor = OnnxPredictor(draft / ONNX, 'cpu')
    found = detect(predictor, config['test_dataloader']['dataset'], 'scored')
    whole, scenes, unit = scores_of(found)
    if predictor.training_range is not None and not stated.known:
        _state_known(predictor, scenes)
    calibration = predictor.calibration
    if calibration is not None:
        whole['D_ECE'] = round(calibration_error(found, calibration['iou_thr']), 4)
    return {
        'name': name,
        'title': stated.title,
        'files': {
            each: hashlib.sha256((draft / each).read_bytes()).hexdigest()
            for each in (ONNX, SAFETENSORS)
        },
        'bands': list(predictor.bands),
        'input': _input(predictor),
        'window_px': predictor.window_px,
        'protocol': {**stated.protocol, 'intervals': f'95 %, of resampled {unit}'},
        'scores': whole,
        'scenes': scenes,
        'calibration': None if calibration is None else _told(calibration, whole['D_ECE']),
        'training': dict(stated.training),
        'data_licence': stated.data_licence,
        'limits': list(stated.limits),
        'commands': list(stated.commands),
        'agreement': predictor.metadata.get('agreement'),
        'created': datetime.now(timezone.utc).date().isoformat(),
        'mmlandslide': __version__,
    }


def _told(calibration: Mapping[str, Any], scored_error: float) -> str:
    """Return in one line how a detector's probabilities came about, and how far they are off."""
    errors, method = calibration['held_out_D_ECE'], calibration['method']
    return (
        f'{method}, on {len(calibration["tile_ids"])} tuning tiles; D-ECE {errors[method]:.3f} '
        f'on those held out (scores as they are: {errors["raw"]:.3f}), {scored_error:.3f} on the '
        'scored tiles'
    )


def _state_known(predictor: OnnxPredictor, scenes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write into a file how far each scored scene is off, and its score, for the gate's warning."""
    known = {
        name: {'distance': each['distance'], 'AP50': round(each['AP50']['value'], 3)}
        for name, each in scenes.items()
        if 'distance' in each
    }
    _restate(predictor.path, RANGE, {**predictor.metadata[RANGE], 'known': known})


def _input(predictor: OnnxPredictor) -> str:
    side, pixel_m = predictor.window_px, 10 / predictor.pixel_scale
    tile = f'{side} x {side} px of {pixel_m:.3g} m'
    if predictor.bands != ('R', 'G', 'B'):
        return f'{tile}, in Landslide4Sense units'
    return (
        f'{tile}, 8 bit; scenes of B4, B3, B2 in any linear unit are stretched window by window, '
        'minimum to maximum of each band, and enlarged'
    )


def published(
    planned: Plan,
    results: Mapping[str, Any],
    weights: Zoo,
    folder: Path,
    tuning_tiles: Path | None = None,
) -> Iterator[zoo.Model | LandslideError]:
    """Write a folder of the zoo for each published detector of a study.

    Args:
        planned: the study.
        results: of it.
        weights: what `study.zoo.publish` wrote.
        folder: of the study's zoo.
        tuning_tiles: see `write_model`.

    Yields:
        The models, and for a detector that cannot be exported, calibrated or scored the error.
    """
    for trial in filter(planned.trains, planned.trials):
        stage = trial.training
        file = weights.weights.get(str(stage.work_dir))
        if file is None:
            continue
        protocol = results['protocols'][trial.condition.protocol]
        name = Path(stage.config).name
        try:
            yield write_model(
                folder / stage.name,
                stage.work_dir / name,
                stage.work_dir / stage.leaves[0],
                folder / file.file,
                of_trial(planned.specification.name, trial, protocol),
                trial.test.work_dir / name,
                tuning_tiles,
            )
        except LandslideError as error:
            yield error
