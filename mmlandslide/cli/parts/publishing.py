"""What `study --publish` prints of the folders that it writes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmlandslide.errors import LandslideError

if TYPE_CHECKING:
    from mmlandslide.study.plan import Plan


def publish(
    planned: 'Plan', results: dict[str, Any], folder: Path, tuning_tiles: Path | None
) -> None:
    """Publish finished trainings, and name the conditions without any."""
    from mmlandslide.publishing.folder import published  # these load torch: seconds
    from mmlandslide.study.zoo.publish import publish as publish_weights

    zoo = publish_weights(planned, results, folder)
    for condition in zoo.left_out:
        click.echo(f'left out: {condition}')
    click.echo(f'{folder / "model-index.yml"}: {len(zoo.weights)} files of weights')
    for model in published(planned, results, zoo, folder, tuning_tiles):
        if isinstance(model, LandslideError):
            click.echo(f'not for `detect --model`: {model}', err=True)
        else:
            click.echo(f'{model.folder}: `mmlandslide detect SCENE --model {model.folder}`')
