"""A study's results as Markdown, beside the original study's numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmlandslide.study.results import NOT_MEASURED, RESAMPLED

#: Protocol whose tiles are the original's, so that its numbers may stand beside ours.
ORIGINAL_PROTOCOL = 'study'
#: (backbone, strategy) -> AP50 and AP of the original study: 1440 train and 309 valid tiles, RGB, measured on `valid`, one seed.
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
_AXES = ('backbone', 'strategy', 'protocol', 'label_fraction')
_MORE = ('AP75', 'AP_lt8px', 'AP_8to16px', 'AP_16to32px', 'AP_ge32px', 'AR100', 'precision', 'recall', 'F1', 'fp_per_empty_tile')


def markdown(results: Mapping[str, Any]) -> str:
    """Return all tables.

    Args:
        results: as `results.collect` returns them.
    """
    parts = [f'## {results["name"]}', origin(results)]
    by_protocol = _by_protocol(results['cells'])
    for protocol, cells in by_protocol.items():
        parts += [f'### Protocol `{protocol}`', _scores(cells), _more(cells)]
    parts += ['### Differences', _differences(results['differences'])] if results['differences'] else []
    parts += ['### The original study', _original()] if ORIGINAL_PROTOCOL in by_protocol else []
    troubles = [(cell, run) for cell in results['cells'] for run in cell['runs'] if run['status'] != 'finished']
    parts += ['### Cells without a score', _troubles(troubles)] if troubles else []
    parts += ['<details><summary>Commands</summary>', *_commands(results['cells']), '</details>']
    return '\n\n'.join(parts) + '\n'


def score_tables(results: Mapping[str, Any]) -> str:
    """Return the scores and the differences alone, for a page that has no room for more."""
    parts = [_scores(cells) for cells in _by_protocol(results['cells']).values()]
    parts += [_differences(results['differences'])] if results['differences'] else []
    return '\n\n'.join(parts) + '\n'


def _by_protocol(cells: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    protocols = dict.fromkeys(cell['protocol'] for cell in cells)
    return {protocol: [cell for cell in cells if cell['protocol'] == protocol] for protocol in protocols}


def origin(results: Mapping[str, Any]) -> str:
    """Return what was run on what, and how the scores are to be read."""
    machine, bootstrap = results['environment'], results['bootstrap']
    packages = ', '.join(f'{name} {version}' for name, version in machine['packages'].items())
    return (
        f'Revision {", ".join(results["revisions"]) or "unknown"}; {machine["cores"]} cores {machine["cpu"]}, '
        f'GPUs: {", ".join(machine["gpus"]) or "none"}; Python {machine["python"]}, {packages}. Each score is the mean over seeds, '
        f'± their standard deviation where there are two or more; in brackets the {bootstrap["level"]:.0%} interval of '
        f'{bootstrap["resamples"]} resamples of {" and ".join(bootstrap["over"])}.'
    )


def _scores(cells: Sequence[Mapping[str, Any]]) -> str:
    beside = cells[0]['protocol'] == ORIGINAL_PROTOCOL
    rows = []
    for cell in cells:
        name = (cell['backbone'], cell['strategy'])
        original = [' / '.join(ORIGINAL.get(name, ('',)))] if beside else []
        rows.append(
            [*name, f'{cell["label_fraction"]:.0%}', _seeds(cell), *(_score(cell, score) for score in RESAMPLED), *original]
        )
    head = ['backbone', 'strategy', 'labels', 'seeds', *RESAMPLED, *(['original AP50 / AP'] if beside else [])]
    return _table(head, rows)


def _seeds(cell: Mapping[str, Any]) -> str:
    return f'{sum(run["status"] == "finished" for run in cell["runs"])} of {len(cell["runs"])}'


def _score(cell: Mapping[str, Any], name: str) -> str:
    if not cell['scores']:
        return NOT_MEASURED
    score = cell['scores'][name]
    spread = '' if score['std'] is None else f' ± {_number(score["std"])}'
    return f'{_number(score["mean"])}{spread} {_interval(score["interval"])}'


def _more(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return the other scores, means over seeds; precision, recall and F1 at the threshold where F1 is highest on these tiles."""
    scored = [cell for cell in cells if cell['scores']]
    rows = [
        [
            cell['backbone'],
            cell['strategy'],
            f'{cell["label_fraction"]:.0%}',
            *(_number(cell['scores'][name]['mean']) for name in _MORE),
        ]
        for cell in scored
    ]
    return _table(['backbone', 'strategy', 'labels', *_MORE], rows) if rows else 'No cell has been scored yet.'


def _differences(differences: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for each in differences:
        changed = [axis for axis in _AXES if each['of'][axis] != each['over'][axis]]
        names = [', '.join(_axis(axis, each[side][axis]) for axis in changed) for side in ('of', 'over')]
        place = ', '.join(_axis(axis, each['of'][axis]) for axis in _AXES if axis not in changed)
        rows.append([f'{names[0]} - {names[1]}', place, str(len(each['seeds'])), *(_verdict(each[name]) for name in RESAMPLED)])
    return _table(['difference', 'of', 'seeds', *RESAMPLED], rows)


def _axis(axis: str, value: Any) -> str:
    return f'{value:.0%} of labels' if axis == 'label_fraction' else str(value)


def _verdict(found: Mapping[str, Any]) -> str:
    if found['verdict'] == NOT_MEASURED:
        return NOT_MEASURED
    return f'{found["difference"]:+.4f} {_interval(found["interval"])}: {found["verdict"]}'


def _original() -> str:
    rows = [[*name, *scores] for name, scores in ORIGINAL.items()]
    return _table(['backbone', 'strategy', 'AP50', 'AP'], rows)


def _troubles(troubles: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    rows = [
        [*(_axis(axis, cell[axis]) for axis in _AXES), *(str(run[key]) for key in ('seed', 'status', 'error'))]
        for cell, run in troubles
    ]
    return _table([*_AXES[:3], 'labels', 'seed', 'status', 'error'], rows)


def _commands(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the commands of each cell's first seed; the other seeds differ in `randomness.seed` and work dirs."""
    shown = []
    for cell in cells:
        title = f'{cell["backbone"]}, {cell["strategy"]}, {cell["protocol"]}, {_axis("label_fraction", cell["label_fraction"])}'
        shown.append(f'{title}:\n\n```\n' + '\n'.join(cell['runs'][0]['commands']) + '\n```')
    return shown


def _number(value: float | None) -> str:
    return 'none' if value is None else f'{value:.4f}'.replace('0.', '.', 1)


def _interval(ends: Sequence[float]) -> str:
    return f'[{ends[0]:.4f}, {ends[1]:.4f}]'.replace('[0.', '[.').replace(' 0.', ' .')


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars within cells would end them."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |' for line in lines)
