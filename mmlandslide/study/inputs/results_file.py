"""`results.json` of a study, read whatever its schema."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlandslide.errors import LandslideError
from mmlandslide.evaluation.bootstrap import single_tiles
from mmlandslide.study.inputs.state_file import current_status
from mmlandslide.study.results import SCHEMA

_INTERVAL_KEYS = ('interval_unit', 'interval_groups', 'interval_tiles', 'interval_grouping_known')


def read_results(path: Path) -> dict[str, Any]:
    """Read the results of a study, in today's schema.

    Args:
        path: of the file.

    Raises:
        LandslideError: no results of a study, or of a later schema.
    """
    try:
        results = json.loads(path.read_text(encoding='utf-8'))
        return upgraded(results)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        got = f'{type(error).__name__} {str(error)!r}'
        expected = f'be those of a study, schema 1 to {SCHEMA}'
        remedy = 'Name a results.json that `mmlandslide study` wrote'
        raise LandslideError.mismatch('results', expected, got, path, remedy) from error


def upgraded(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return results in today's schema.

    Schema 1 states each stage as one command, which is taken apart here and nowhere else.

    Raises:
        ValueError, KeyError, TypeError: they are no such results.
    """
    if results['schema'] == SCHEMA:
        return dict(results)
    if results['schema'] != 1:
        raise ValueError(f'schema {results["schema"]!r}')
    cells = [
        {**cell, 'scenes': {}, 'runs': list(map(_run, cell['runs']))} for cell in results['cells']
    ]
    differences = [{**each, 'paired': True, 'scenes': {}} for each in results['differences']]
    return {
        **results,
        'schema': SCHEMA,
        'protocols': {},
        'cells': cells,
        'differences': differences,
    }


def renewed(results: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return results with today's facts of the protocols; scores and intervals stay.

    Args:
        results: of an earlier run, whose predictions are gone.
        facts: of the protocols, see `protocols.protocol_facts`.
    """
    protocols = {
        name: {**each, **_stated_intervals(each, results['protocols'].get(name))}
        for name, each in facts.items()
    }
    return {**results, 'protocols': protocols}


def _stated_intervals(now: Mapping[str, Any], then: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the intervals resample, which was single tiles where it was not stated."""
    if then is not None:
        return {key: then[key] for key in (*_INTERVAL_KEYS, 'limit')}
    alone = single_tiles(now['interval_tiles']).as_dict()
    return {key: alone[key] for key in _INTERVAL_KEYS}


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in run.items() if key != 'commands'}
    stages = [_stage(command, shlex.split(command)) for command in run['commands']]
    return {**kept, 'status': current_status(run['status']), 'stages': stages}


def _stage(command: str, words: Sequence[str]) -> dict[str, Any]:
    _, verb, host, config = words[:4]
    trained = 'pretrain' if host == 'mmpretrain' else 'detect'
    checkpoint = words[words.index('--checkpoint') + 1] if '--checkpoint' in words else None
    options = words[words.index('--cfg-options') + 1 :]
    return {
        'kind': 'test' if verb == 'test' else trained,
        'host': host,
        'config': config,
        'checkpoint': checkpoint,
        'work_dir': words[words.index('--work-dir') + 1],
        'options': dict(option.split('=', 1) for option in options),
        'command': command,
    }
