"""Facts of each protocol: its tiles and their grouping, leakage, the limit of a perfect finder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmlandslide.datasets.l4s.leaks import find_leaks
from mmlandslide.datasets.l4s_grid import tile_number
from mmlandslide.errors import ConfigError, DatasetError
from mmlandslide.evaluation.bootstrap import L4S_BLOCKS, grouping_of
from mmlandslide.evaluation.label_noise import noise_limit
from mmlandslide.evaluation.results import Rules
from mmlandslide.study.plan import Plan
from mmlandslide.study.runs import Run
from mmlandslide.study.trial import Condition

#: The word that stands wherever a score, or a claim on it, rests on such a protocol.
LEAKING = 'leaking'


@dataclass(frozen=True)
class Leakage:
    """Scored tiles of a protocol that share an edge or corner with a training tile.

    Attributes:
        tiles: how many; `None` where the place of the tiles is not known.
        stages: names of the trainings, pre-trainings too, that see such neighbours.
    """

    tiles: int | None
    stages: tuple[str, ...] = ()

    @property
    def leaking(self) -> bool | None:
        """Whether there are any; `None` where the place of the tiles is not known."""
        return None if self.tiles is None else self.tiles > 0

    def as_dict(self) -> dict[str, Any]:
        """Return what `results.json` states of it."""
        return {
            'leaking': self.leaking,
            'leaking_tiles': self.tiles,
            'leaking_stages': list(self.stages),
        }


def leakage_of(plan: Plan, protocol: str) -> Leakage:
    """Return the leakage of a protocol, over all trainings of its conditions.

    Args:
        plan: of the study.
        protocol: name of the protocol. Places are known where its grouping is `l4s_blocks`.

    Raises:
        DatasetError: an id beyond those of the Landslide4Sense training tiles.
    """
    if plan.specification.protocols[protocol].grouping != L4S_BLOCKS:
        return Leakage(None)
    scored = _numbers(plan.specification.protocols[protocol].score.ids)
    if not scored:  # the official validation and test tiles have no known place
        return Leakage(None)
    trainings = {
        stage.name: stage.tile_ids
        for trial in plan.trials
        for stage in trial.stages[:-1]
        if trial.condition.protocol == protocol
    }
    found = {name: _numbers(ids) for name, ids in trainings.items()}
    beside = tuple(name for name, trained in found.items() if _count(trained, scored))
    return Leakage(_count({each for trained in found.values() for each in trained}, scored), beside)


def require_apart(plan: Plan) -> None:
    """Refuse a study in which a protocol leaks.

    Raises:
        ConfigError: a scored tile shares an edge or corner with a training tile.
        DatasetError: see `leakage_of`.
    """
    for name, protocol in plan.specification.protocols.items():
        found = leakage_of(plan, name)
        if found.tiles:
            expected = 'score no tile beside one that a stage trains on'
            got = (
                f'{found.tiles} of {len(protocol.score.ids)} that are, such as in {found.stages[0]}'
            )
            remedy = 'Take a split by place, such as configs/splits/block_train.txt and block_score'
            where = plan.specification.name
            raise ConfigError.mismatch(f'protocol {name!r}', expected, got, where, remedy)


def protocol_facts(
    plan: Plan, done: Mapping[Condition, Sequence[Run]] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what `results.json` states of each protocol.

    Args:
        plan: of the study.
        done: condition -> its finished runs, for the limit of a perfect finder.
    """
    facts = {}
    for name, protocol in plan.specification.protocols.items():
        runs = [run for each, runs in (done or {}).items() if each.protocol == name for run in runs]
        facts[name] = {
            'train_file': protocol.train.file,
            'train_tiles': len(protocol.train.ids),
            'score_file': protocol.score.file,
            'score_tiles': len(protocol.score.ids),
            'grouping': protocol.grouping,
            **grouping_of(protocol.score.ids, protocol.grouping).as_dict(),
            **leakage_of(plan, name).as_dict(),
            'limit': _limit(runs[0]) if runs else None,
        }
    return facts


def _limit(run: Run) -> dict[str, list[float]] | None:
    """Return between which scores a perfect finder would lie, see `label_noise.ASSUMPTION`.

    `None` where the test states no size of a native pixel.
    """
    native_scale = run.details.get('rules', {}).get('native_scale')
    if native_scale is None or not run.matched.num_true.sum():
        return None
    found = noise_limit(run.tiles, Rules(native_scale=native_scale))
    return {name: list(ends) for name, ends in found.items()}


def _count(trained: Iterable[int], scored: Iterable[int]) -> int:
    # A pre-training may have seen a scored tile itself; the runner ends such a test as leakage.
    training = {*trained} - {*scored}
    return find_leaks(sorted(training), sorted(scored)).by_edge_or_corner if training else 0


def _numbers(tile_ids: Iterable[str]) -> set[int]:
    """Return the numbers of those tiles that are Landslide4Sense training tiles."""
    names = {tile_id for tile_id in tile_ids if tile_id.partition('/')[0] == 'train'}
    try:
        return {tile_number(name) for name in names}
    except DatasetError as error:
        remedy = 'Leave out grouping: l4s_blocks where the tiles are of other data'
        raise DatasetError(f'{error} {remedy}.') from error
