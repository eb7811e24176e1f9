"""A study's results as Markdown, beside the original study's numbers."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmlandslide.study.report import formatting, protocol_text
from mmlandslide.study.results import NOT_MEASURED
from mmlandslide.study.runs import RESAMPLED

#: Protocol whose tiles are the original's, so that its numbers may stand beside the study's.
ORIGINAL_PROTOCOL = 'study'
#: (backbone, strategy) -> AP50 and AP of the original study: 1440 train and 309 valid tiles, RGB,
#: measured on `valid`, one seed.
ORIGINAL: dict[tuple[str, str], tuple[str, str]] = {
    ('ResNet-18', 'ImageNet'): ('<.01', '<.001'),
    ('EfficientNet-B0', 'ImageNet'): ('.0125', '.0028'),
    ('ViT-Tiny', 'ImageNet'): ('.2894', '.0980'),
    ('ViT-Base', 'ImageNet'): ('.3205', '.1037'),
    ('ViT-Large', 'ImageNet'): ('.3094', '.1048'),
    ('ViT-Large', 'MAE fMoW'): ('.3200', '.1015'),
    ('ViT-Large', 'MAE'): ('.2593', '.0800'),
    ('Swin-Tiny', 'ImageNet'): ('.3544', '.1259'),
    ('Swin-Tiny', 'KD'): ('.3537', '.1251'),
    ('Swin-Tiny', 'MAE'): ('.3637', '.1304'),
    ('Swin-Base', 'ImageNet'): ('.3766', '.1327'),
    ('Swin-Base', 'KD'): ('.3442', '.1168'),
    ('Swin-Base', 'MAE'): ('.3853', '.1330'),
    ('ResNet-50', 'COCO'): ('.213', '.078'),
}


#: What stands with the original study's numbers; `mmlandslide grid --leaks` counts the tiles.
ORIGINAL_NOTE = (
    'As published: 1440 training tiles, RGB, measured on 309 validation tiles, one seed. '
    'Leaking: 302 of the 309 share an edge or corner with a training tile.'
)


def markdown(results: Mapping[str, Any]) -> str:
    """Return all tables.

    Args:
        results: as `results.collect` returns them.
    """
    parts = [f'## {markdown_text(results["name"])}', origin(results)]
    by_protocol = _by_protocol(results['cells'])
    for protocol, cells in by_protocol.items():
        title = markdown_text(protocol_text.protocol_name(results, protocol))
        parts += [
            f'### Protocol {title}',
            markdown_text(protocol_text.split_note(results, protocol)),
        ]
        parts += [_scores(cells), *_scenes(cells), _more(cells)]
        parts += filter(None, [markdown_text(protocol_text.limit_note(results, protocol))])
    parts += ['### Differences', *_differences(results)] if results['differences'] else []
    parts += (
        ['### The original study (leaking)', ORIGINAL_NOTE, _original()]
        if ORIGINAL_PROTOCOL in by_protocol
        else []
    )
    troubles = [
        (cell, run)
        for cell in results['cells']
        for run in cell['runs']
        if run['status'] != 'finished'
    ]
    parts += ['### Conditions without a score', _troubles(troubles)] if troubles else []
    parts += ['<details><summary>Commands</summary>', *_commands(results['cells']), '</details>']
    return '\n\n'.join(parts) + '\n'


def score_tables(results: Mapping[str, Any]) -> str:
    """Return the scores and the differences alone, for a page that has no room for more."""
    parts = []
    for protocol, cells in _by_protocol(results['cells']).items():
        name = markdown_text(protocol_text.protocol_name(results, protocol))
        note = markdown_text(protocol_text.split_note(results, protocol))
        parts += [f'Protocol {name}. {note}', _scores(cells), *_scenes(cells)]
    parts += _differences(results) if results['differences'] else []
    return '\n\n'.join(parts) + '\n'


def _by_protocol(cells: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    protocols = dict.fromkeys(cell['protocol'] for cell in cells)
    return {
        protocol: [cell for cell in cells if cell['protocol'] == protocol] for protocol in protocols
    }


def origin(results: Mapping[str, Any]) -> str:
    """Return revision, machines and packages, and how the scores are to be read."""
    machine, bootstrap = results['environment'], results['bootstrap']
    packages = ', '.join(f'{name} {version}' for name, version in machine['packages'].items())
    gpus, level = ', '.join(machine['gpus']) or 'none', formatting.percent(bootstrap['level'])
    return (
        f'Revision {", ".join(results["revisions"]) or "unknown"}. '
        f'Trained on {formatting.trained_on(results)}. '
        f'These tables were written on {machine["cores"]} cores {machine["cpu"]}, GPUs: {gpus}, '
        f'with Python {machine["python"]}, {packages}. '
        'Each score is the mean over seeds, ± their standard deviation where there are two or '
        f'more; in brackets the {level} interval of {bootstrap["resamples"]} resamples of '
        f'{" and ".join(bootstrap["over"])}.'
    )


def original(cell: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return AP50 and AP of the original study beside a condition of its tiles and all labels."""
    beside = cell['protocol'] == ORIGINAL_PROTOCOL and cell['label_fraction'] == 1
    return ORIGINAL.get((cell['backbone'], cell['strategy'])) if beside else None


def _scores(cells: Sequence[Mapping[str, Any]]) -> str:
    beside = cells[0]['protocol'] == ORIGINAL_PROTOCOL
    timed = any(map(formatting.cpu_hours, cells))
    rows = []
    for cell in cells:
        spent = [formatting.hours(cell)] if timed else []
        theirs = [' / '.join(original(cell) or ('',))] if beside else []
        ours = [' '.join(filter(None, formatting.score(cell, name))) for name in RESAMPLED]
        rows.append([*_name(cell), _seeds(cell), *ours, *spent, *theirs])
    head = [
        'backbone',
        'strategy',
        'labels',
        'seeds',
        *RESAMPLED,
        *(['CPU-hours'] if timed else []),
        *(['original AP50 / AP (leaking)'] if beside else []),
    ]
    return _table(head, rows)


def _name(cell: Mapping[str, Any]) -> list[str]:
    return [cell['backbone'], cell['strategy'], formatting.percent(cell['label_fraction'])]


def _seeds(cell: Mapping[str, Any]) -> str:
    return f'{sum(run["status"] == "finished" for run in cell["runs"])} of {len(cell["runs"])}'


def _scenes(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the table of the scores by scene, none where no scene is known."""
    rows = [
        [
            *_name(cell),
            scene,
            *(str(each[key]) for key in ('scored_tiles', 'interval_groups', 'true_boxes')),
            *(' '.join(filter(None, formatting.score(each, name))) for name in RESAMPLED),
        ]
        for cell in cells
        for scene, each in cell.get('scenes', {}).items()
    ]
    head = ['backbone', 'strategy', 'labels', 'scene', 'tiles', 'groups', 'boxes', *RESAMPLED]
    return [_table(head, rows)] if rows else []


def _more(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return the other scores, means over seeds.

    Precision, recall and F1 at the threshold where F1 is highest on these tiles.
    """
    scored = [cell for cell in cells if cell['scores']]
    known = formatting.known_scores(scored)
    rows = [
        [*_name(cell), *(formatting.number(formatting.mean(cell, name)) for name in known)]
        for cell in scored
    ]
    return (
        _table(['backbone', 'strategy', 'labels', *known.values()], rows)
        if rows
        else 'No condition has been scored yet.'
    )


def _differences(results: Mapping[str, Any]) -> list[str]:
    """Return the table of differences and, where it has verdicts, their limits."""
    rows = []
    for each in map(formatting.difference, results['differences']):
        note = protocol_text.claim_note(results, each)
        sides, seeds = ' - '.join(each['sides']), str(len(each['seeds']))
        verdicts = [_verdict(each[name], note) for name in RESAMPLED]
        rows.append([sides, each['place'], seeds, *verdicts])
        for scene, found in each.get('scenes', {}).items():
            verdicts = [_verdict(found[name], note) for name in RESAMPLED]
            rows.append([f'{sides}, scene {scene}', each['place'], seeds, *verdicts])
    table, caution = (
        _table(['difference', 'of', 'seeds', *RESAMPLED], rows),
        formatting.caution(results),
    )
    return [table, caution] if caution else [table]


def _verdict(found: Mapping[str, Any], note: str) -> str:
    if found['verdict'] == NOT_MEASURED:
        return NOT_MEASURED
    value = formatting.number(found['difference'], signed=True)
    return f'{value} {formatting.interval(found["interval"])}: {found["verdict"]}{note}'


def _original() -> str:
    rows = [[*name, *scores] for name, scores in ORIGINAL.items()]
    return _table(['backbone', 'strategy', 'AP50', 'AP'], rows)


def _troubles(troubles: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    rows = [
        [*_name(cell), cell['protocol'], *(str(run[key]) for key in ('seed', 'status', 'error'))]
        for cell, run in troubles
    ]
    return _table(['backbone', 'strategy', 'labels', 'protocol', 'seed', 'status', 'error'], rows)


def _commands(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the commands of each condition's first seed.

    The other seeds differ in `randomness.seed` and work dirs.
    """
    shown = []
    for cell in cells:
        commands = '\n'.join(stage['command'] for stage in cell['runs'][0]['stages'])
        fence = '`' * (2 + max(map(len, re.findall('`+', commands)), default=1))
        name = markdown_text(formatting.condition_name(cell))
        shown.append(f'{name}:\n\n{fence}\n{commands}\n{fence}')
    return shown


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table of plain text."""
    lines = [head, ['---'] * len(head), *([markdown_text(cell) for cell in row] for row in rows)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def markdown_text(text: str) -> str:
    """Return text that Markdown shows as it is: names come from a file.

    Brackets of intervals are no links, so they stay.
    """
    plain = html.escape(' '.join(text.split()), quote=False)
    return re.sub(r'([`*|\\]|!(?=\[)|\](?=[(\[]))', r'\\\1', plain)
