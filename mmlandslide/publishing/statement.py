"""What the card of a published detector states that neither a file nor a measurement holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmlandslide.study.trial import Trial


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
        known: scene -> measured `distance` and `AP50`, for the gate's warning; those of the scored
            scenes where none are given.
    """

    title: str
    protocol: Mapping[str, Any]
    training: Mapping[str, Any]
    data_licence: str
    limits: Sequence[str]
    commands: Sequence[str]
    known: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def of_card(card: Mapping[str, Any]) -> Statement:
    """Return what a card states, for a newer model of the same kind.

    Args:
        card: as `zoo.card.read_card` returns it.
    """
    return Statement(
        card['title'],
        {key: value for key, value in card['protocol'].items() if key != 'intervals'},
        card['training'],
        card['data_licence'],
        card['limits'],
        card['commands'],
    )


def of_trial(study: str, trial: Trial, protocol: Mapping[str, Any]) -> Statement:
    """Return what a study knows of a detector.

    Args:
        study: its name.
        trial: of the detector.
        protocol: its facts, as the study's results have them.
    """
    stage = trial.training
    name = f'{trial.condition.backbone}, {trial.condition.strategy}'
    leaking = bool(protocol.get('leaking'))
    return Statement(
        f'{name}, of the study {study!r}',
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
