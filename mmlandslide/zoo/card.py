"""The card of a model: what it looks at, how it was scored and on what, and its limits."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmlandslide.errors import CheckpointError

#: Keys that every card has, and of what type.
_KEYS: dict[str, type] = {
    'name': str,
    'title': str,
    'files': dict,
    'bands': list,
    'input': str,
    'window_px': int,
    'protocol': dict,
    'scores': dict,
    'training': dict,
    'data_licence': str,
    'limits': list,
    'commands': list,
    'created': str,
}
_LARGEST = 2**20
_REMEDY = 'Get the folder again, or make it with `mmlandslide study ... --publish`'


def read_card(path: Path) -> dict[str, Any]:
    """Return the content of a `card.json`.

    Raises:
        CheckpointError: it is no JSON, too large, or lacks what every card has.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError('more than 1 MiB')
        card = json.loads(path.read_text('utf-8'))
    except (ValueError, RecursionError) as error:
        got = repr(str(error))
        raise CheckpointError.mismatch('card', 'be JSON', got, path, _REMEDY) from error
    lacking = [
        key
        for key, kind in _KEYS.items()
        if not isinstance(card, dict) or not isinstance(card.get(key), kind)
    ]
    if lacking:
        raise CheckpointError.mismatch('card', f'have {[*_KEYS]}', f'no {lacking}', path, _REMEDY)
    return dict(card)


def page(card: Mapping[str, Any]) -> str:
    """Return a card as Markdown."""
    return '\n'.join(_lines(card)) + '\n'


def score_text(score: Mapping[str, Any]) -> str:
    """Return a score with its interval, such as `.243 [.212, .274]`."""
    low, high = score.get('interval') or (None, None)
    span = '' if low is None or high is None else f' [{_short(low)}, {_short(high)}]'
    return _short(score['value']) + span


def protocol_text(card: Mapping[str, Any]) -> str:
    """Return the protocol's name, with the word leaking where test tiles touch training tiles."""
    protocol = card['protocol']
    return f'{protocol["name"]}, leaking' if protocol.get('leaking') else str(protocol['name'])


def _short(value: float) -> str:
    return f'{value:.3f}'.replace('0.', '.', 1)


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    protocol, training = card['protocol'], card['training']
    yield from (f'# {card["name"]}', '', card['title'], '')
    yield from ('| | |', '|---|---|')
    yield f'| bands | {", ".join(card["bands"])} |'
    yield f'| input | {card["input"]} |'
    calibration = card.get('calibration') or "none: scores are the detector's own"
    files = (f'`{name}` {sha[:12]}' for name, sha in card['files'].items())
    yield f'| calibration | {calibration} |'
    yield f'| files, by SHA-256 | {", ".join(files)} |'
    yield from ('', '## Scores', '')
    yield f'Protocol: {protocol_text(card)}. {protocol["meaning"]}'
    yield from ('', '| scored on | tiles | boxes | AP50 | AP |', '|---|---|---|---|---|')
    for where, scores in {protocol['scored_on']: card['scores'], **card.get('scenes', {})}.items():
        cells = (score_text(scores[key]) if key in scores else '' for key in ('AP50', 'AP'))
        yield f'| {where} | {scores["tiles"]} | {scores["boxes"]} | {" | ".join(cells)} |'
    yield from ('', f'Intervals: {protocol["intervals"]}', '', '## Training', '')
    yield from (f'- {key}: {value}' for key, value in training.items())
    yield from ('', '## Data and licence', '', card['data_licence'], '', '## Limits', '')
    yield from (f'- {limit}' for limit in card['limits'])
    yield from ('', '## Commands', '', '```', *card['commands'], '```', '')
    yield f'Made on {card["created"]} with mmlandslide {card.get("mmlandslide", "")}.'
