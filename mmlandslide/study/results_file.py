"""`results.json` of a study, read whatever its schema."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlandslide.errors import LandslideError
from mmlandslide.study.execute import current_status
from mmlandslide.study.results import SCHEMA


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
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
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
    cells = [{**cell, 'runs': list(map(_run, cell['runs']))} for cell in results['cells']]
    return {**results, 'schema': SCHEMA, 'cells': cells}


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
