"""What a reader must know of a protocol before its scores: leakage, intervals, limit."""

from collections.abc import Mapping
from typing import Any

from mmlandslide.evaluation.label_noise import ASSUMPTION
from mmlandslide.study.protocols import LEAKING
from mmlandslide.study.report.formatting import interval

_LIMITED = ('AP50', 'AP25', 'AP')


def is_leaking(results: Mapping[str, Any], protocol: str) -> bool:
    """Return whether scored tiles of a protocol lie beside training tiles.

    False also where that is not known, which `split_note` states.
    """
    return bool(results['protocols'].get(protocol, {}).get('leaking'))


def protocol_name(results: Mapping[str, Any], protocol: str) -> str:
    """Return a protocol's name, with the word `leaking` where it leaks."""
    return f'{protocol} ({LEAKING})' if is_leaking(results, protocol) else protocol


def claim_note(results: Mapping[str, Any], difference: Mapping[str, Any]) -> str:
    """Return what stands behind a verdict: ` (leaking)` where one of its protocols leaks."""
    protocols = {difference[side]['protocol'] for side in ('of', 'over')}
    return f' ({LEAKING})' if any(is_leaking(results, each) for each in protocols) else ''


def split_note(results: Mapping[str, Any], protocol: str) -> str:
    """Return how a protocol's scored tiles lie to its training tiles, and what is resampled."""
    facts = results['protocols'].get(protocol)
    if facts is None:
        return 'Nothing is stated of where the scored tiles lie; intervals resample single tiles.'
    return f'{_leakage(facts)} {_resampling(facts)}'


def _leakage(facts: Mapping[str, Any]) -> str:
    if facts['leaking'] is None:
        return (
            'Whether scored tiles lie beside training tiles is unknown: no grouping states where '
            'they lie.'
        )
    if not facts['leaking']:
        return 'No scored tile shares an edge or corner with a tile that a stage trains on.'
    return (
        f'{LEAKING.capitalize()}: {facts["leaking_tiles"]} of the {facts["score_tiles"]} scored '
        'tiles share an edge or corner with a tile that a stage trains on, so that its scores '
        'measure interpolation between neighbours, not landslides elsewhere.'
    )


def _resampling(facts: Mapping[str, Any]) -> str:
    tiles, groups = facts['interval_tiles'], facts['interval_groups']
    if facts['interval_grouping_known']:
        return f'Intervals resample {facts["interval_unit"]}: {groups} groups of {tiles} tiles.'
    gone = ' The predictions that groups need were not kept.' if facts['grouping'] else ''
    return (
        f'Intervals resample the {tiles} tiles one by one, and are too narrow where neighbours '
        f'resemble each other.{gone}'
    )


def limit_note(results: Mapping[str, Any], protocol: str) -> str:
    """Return between which scores a perfect finder would lie; empty where it is not known."""
    limit = results['protocols'].get(protocol, {}).get('limit')
    if not limit:
        return ''
    ends = ', '.join(f'{name} {interval(limit[name])}' for name in _LIMITED if name in limit)
    return f'The limit on these boxes: {ends}. {ASSUMPTION}'
