"""One gate for every checkpoint: its values and its record, checked before any model takes it.

Weights of other bands, statistics or classes fill every parameter and give wrong results in
silence. So a checkpoint states what its model was fed and trained to tell apart, and every reader
(test, resume, detection in scenes, export, teacher, `load_from`) compares it here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from mmlandslide import __version__
from mmlandslide import bands as band_table
from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.finite import require_finite, trained_tensors
from mmlandslide.weights.lineage import stated

TEST, RESUME, START = 'test', 'resume', 'start'

#: What a record states -> how a message names it.
TERMS = {
    'bands': 'the bands',
    'units': 'the units',
    'statistics': 'the normalisation',
    'input_zoom': 'the input zoom',
    'classes': 'the classes',
}
#: What may differ where a training continues and learns the difference: a message is enough.
_HARMLESS = {
    TEST: (),
    RESUME: ('input_zoom',),
    START: ('statistics', 'input_zoom', 'classes'),
}
#: The config key that names terms which may differ nevertheless.
OPTION = 'accept_checkpoint'
_DIGITS = 5
_NOTHING: tuple[Any, ...] = (None, [])


def terms_of(
    model: Any, input_zoom: float | None = None, classes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a model is fed and what it tells apart, in the plain types of a record.

    Args:
        model: with `backbone` and `data_preprocessor`; what it lacks is not stated.
        input_zoom: by how much its pipeline magnifies a pixel of 10 m.
        classes: names in their order.

    Returns:
        Those of `TERMS` that are known.
    """
    preprocessor = getattr(model, 'data_preprocessor', None)
    bands = getattr(getattr(model, 'backbone', None), 'bands', None)
    found: dict[str, Any] = {}
    if bands is not None:
        found |= {'bands': list(bands), 'units': _units(bands)}
    if hasattr(preprocessor, 'bands') and hasattr(preprocessor, 'clip_std'):
        found['statistics'] = _statistics(preprocessor)
    if input_zoom is not None:
        found['input_zoom'] = round(float(input_zoom), _DIGITS)
    if classes:
        found['classes'] = list(classes)
    return found


def _units(bands: Sequence[str]) -> list[str | None]:
    """Return the unit of each band's stored values, `None` for a band outside the table."""
    known = [band_table.BANDS.get(name) for name in bands]
    return [None if band is None else f'{band.unit} / {band.divisor:g}' for band in known]


def _statistics(preprocessor: Any) -> dict[str, Any]:
    rounded = {
        name: [round(each, _DIGITS) for each in getattr(preprocessor, name).flatten().tolist()]
        for name in ('mean', 'std')
    }
    clip = preprocessor.clip_std
    return {**rounded, 'clip_std': None if clip is None else float(clip)}


def admit(
    path: Path,
    terms: Mapping[str, Any],
    purpose: str = TEST,
    accept: Collection[str] = (),
    subject: str = 'checkpoint',
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Read a checkpoint and refuse it where its values or its record do not fit a model.

    Args:
        path: of the file.
        terms: of the model, see `terms_of`.
        purpose: `TEST` (also detection, export, probing, a teacher), `RESUME` or `START` (another
            training continues from the weights).
        accept: names of `TERMS` that may differ.
        subject: what the checkpoint is, for the error.

    Returns:
        Its content, its record, and messages, one line each: what differs without harm, what was
        accepted, and what the record cannot tell.

    Raises:
        MissingPathError: there is no such file.
        CheckpointError: it cannot be read safely, or a value is not finite.
        CheckpointMismatchError: the record states other terms than the model's.
        ConfigError: `accept` names something else than terms.
    """
    accept = accepted(accept)
    content = read_checkpoint(path)
    require_finite(trained_tensors(content), path, _weights_of(subject))
    record = stated(content, path)
    notes = [*_silent(record, terms, path), *_newer(record, path)]
    for name in _differing(record, terms):
        message = f'{record[name]} in {path}, not {terms[name]}'
        if name in accept or name in _HARMLESS[purpose]:
            notes.append(f'{subject} states other {TERMS[name][4:]}: {message}')
            continue
        raise CheckpointMismatchError.mismatch(
            subject,
            f'have {TERMS[name]} {terms[name]}',
            record[name],
            path,
            f'Use the config and data that it was trained with, or accept it: --accept {name} of '
            f"detect and export, {OPTION}=['{name}'] of a config",
        )
    return content, record, notes


def _weights_of(subject: str) -> str:
    return (
        'weights' if subject == 'checkpoint' else f'{subject.removesuffix(" checkpoint")} weights'
    )


def accepted(accept: Collection[str]) -> Collection[str]:
    """Return the names of terms that a config or an option accepts.

    Raises:
        ConfigError: one is none of `TERMS`.
    """
    names = (accept,) if isinstance(accept, str) else tuple(accept)
    unknown = [name for name in names if name not in TERMS]
    if unknown:
        raise ConfigError.mismatch(
            OPTION, f'name some of {list(TERMS)}', unknown, 'the config', 'Name those, as a list'
        )
    return names


def _differing(record: Mapping[str, Any], terms: Mapping[str, Any]) -> Iterable[str]:
    """Yield the terms that both state, and differently."""
    return (
        name
        for name in TERMS
        if record.get(name) not in _NOTHING
        and terms.get(name) not in _NOTHING
        and _plain(record[name]) != _plain(terms[name])
    )


def inherited_notes(
    record: Mapping[str, Any], terms: Mapping[str, Any], path: Path | str
) -> list[str]:
    """Return how a backbone's pre-training differs from the model that takes over its weights.

    None of it is a fault: the bridge puts bands in their places by name, and the training that
    follows learns the rest.

    Args:
        record: of the checkpoint.
        terms: of the model, see `terms_of`.
        path: of the checkpoint.

    Returns:
        One line each; statistics and units are those of the bands that both have.
    """
    before, now = (_on_common(each, record, terms) for each in (record, terms))
    names = [name for name in _differing(before, now) if name != 'classes']
    return [
        *_newer(record, Path(path)),
        *(
            f'pre-training had other {TERMS[name][4:]}: {before[name]} in {path}, not {now[name]}'
            for name in names
        ),
    ]


def _on_common(
    stated: Mapping[str, Any], record: Mapping[str, Any], terms: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what one side states, units and statistics of the bands that both sides have."""
    bands, found = list(stated.get('bands') or ()), dict(stated)
    at = [bands.index(name) for name in terms.get('bands') or () if name in bands]
    at = [each for each in at if bands[each] in (record.get('bands') or ())]
    statistics = dict(found.get('statistics') or {})
    for owner, names in ((found, ('units',)), (statistics, ('mean', 'std'))):
        for name in names:
            if len(owner.get(name) or ()) == len(bands):
                owner[name] = [owner[name][each] for each in at]
    return {**found, 'statistics': statistics or None}


def _plain(value: Any) -> Any:
    """Return a value with tuples as lists, to be compared."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _silent(record: Mapping[str, Any], terms: Mapping[str, Any], path: Path) -> list[str]:
    """Return a message of what the model has and the record does not state, if anything."""
    unstated = [name for name in TERMS if name in terms and record.get(name) in _NOTHING]
    unstated += [] if 'tile_ids' in record or 'lineage' in record else ['tile_ids']
    if not unstated:
        return []
    origin = f'of mmlandslide {record["version"]}' if record.get('version') else 'of other origin'
    return [f'{path} is {origin} and does not state {", ".join(unstated)}: not compared']


def _newer(record: Mapping[str, Any], path: Path) -> list[str]:
    try:
        newer = Version(str(record.get('version') or '0')) > Version(__version__)
    except InvalidVersion:
        newer = True
    text = f'{path} is of mmlandslide {record.get("version")!s:.40}, this is {__version__}'
    return [f'{text}: what a later version states is not understood'] if newer else []
