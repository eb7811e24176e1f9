"""`mmlandslide doctor`: check the installation and the data folder."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmlandslide import installation
from mmlandslide.configs import shipped
from mmlandslide.datasets.checks.data_folder import dataset_findings
from mmlandslide.installation import Finding
from mmlandslide.scenes.outputs import rehearsal


def table(findings: Sequence[Finding]) -> Table:
    """Return the findings as a table, faults marked."""
    shown = Table('', 'found', 'what to do', title='mmlandslide doctor', title_justify='left')
    for finding in findings:
        mark = 'fault: ' if finding.fault else ''
        # Text, not str: rich would take the brackets of `mmlandslide[openmmlab]` for markup.
        cells = (
            Text(cell, overflow='fold')
            for cell in (finding.name, finding.value, mark + finding.remedy)
        )
        shown.add_row(*cells, style='red' if finding.fault else None)
    return shown


@click.command('doctor')
@click.option(
    '--data',
    type=click.Path(path_type=Path),
    default=Path('data'),
    show_default=True,
    help='Folder of data sets.',
)
@click.option('--configs', is_flag=True, help='Print the folder of the installed configs, no more.')
def command(data: Path, configs: bool) -> None:
    """Check the installation, name each fault with its remedy; exit code 1 where there is one.

    Example: mmlandslide doctor

    Without a clone: mim train mmpretrain "$(mmlandslide doctor --configs)/pretrain/swin_mae.py"
    """
    if configs:
        click.echo(shipped())
        return
    findings = [*installation.examine(), *rehearsal.findings()]
    if installation.is_for_training():  # data sets concern nobody else
        findings += dataset_findings(data)
    console = Console()
    console.print(table(findings))
    faults = sum(finding.fault for finding in findings)
    console.print(f'{faults} fault{"s" * (faults > 1)}' if faults else 'All is well.')
    if faults:
        raise SystemExit(1)
