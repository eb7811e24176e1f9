"""`mmlandslide models`: the detectors that come with the package."""

from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from mmlandslide import zoo
from mmlandslide.zoo import hub
from mmlandslide.zoo.card import page, protocol_text, score_text


@click.command('models')
@click.argument('name', required=False)
@click.option(
    '--push', metavar='TARGET', help='Copy NAME to a folder, or user/repository of the Hub.'
)
@click.option('--pull', metavar='SOURCE', help='Fetch a model from a folder, or user/repository.')
@click.option(
    '--out', type=click.Path(path_type=Path), help='The folder that --pull makes; then --model OUT.'
)
def command(name: str | None, push: str | None, pull: str | None, out: Path | None) -> None:
    """List the detectors of the zoo, or show the card of one.

    NAME is one of the list, or a folder that `study --publish` made. Nothing is fetched but by
    --pull.

    Example: mmlandslide models mobilenet_v2_rgb
    """
    if (pull is None) != (out is None) or (push and not name) or (pull and (name or push)):
        raise click.UsageError('pass NAME, NAME with --push, or --pull with --out')
    if pull is not None and out is not None:
        click.echo(f'fetched {hub.pull(pull, out).name} into {out}')
        return
    if name is None:
        Console().print(_listed())
        return
    model = zoo.find(name)
    if push is not None:
        click.echo(f'pushed {model.name} to {hub.push(model, push)}')
        return
    Console().print(Markdown(page(model.card)))


def _listed() -> Table:
    table = Table('name', 'bands', 'scored on', 'AP50', 'trained on', title_justify='left')
    for name in zoo.names():
        card = zoo.find(name).card
        where = f'{card["protocol"]["scored_on"]} ({protocol_text(card)})'
        shown = f'{name} (default)' if name == zoo.DEFAULT else name
        trained = str(card['training']['tiles'])
        score = score_text(card['scores']['AP50'])
        table.add_row(shown, ' '.join(card['bands']), where, score, trained)
    return table
