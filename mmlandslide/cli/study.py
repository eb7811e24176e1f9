"""`mmlandslide study`: backbones and pre-trainings compared by one resumable command."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mmlandslide import files
from mmlandslide.cli.parts.publishing import publish
from mmlandslide.errors import ConfigError
from mmlandslide.study.execute import Execution
from mmlandslide.study.inputs.results_file import read_results, renewed
from mmlandslide.study.inputs.state_file import LEAKAGE, Record
from mmlandslide.study.plan import Plan, plan
from mmlandslide.study.protocols import protocol_facts, require_apart
from mmlandslide.study.report import formatting, report
from mmlandslide.study.report.marked_pages import write_between
from mmlandslide.study.report.protocol_text import protocol_name, split_note
from mmlandslide.study.report.tables import markdown
from mmlandslide.study.results import collect
from mmlandslide.study.runs import RESAMPLED
from mmlandslide.study.specification import read
from mmlandslide.study.training_log import steps_done
from mmlandslide.study.trial import Stage

#: Exit code where the budget was spent and stages are left.
STOPPED = 3


def _seconds(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Return a duration such as `90s`, `25m` or `1h30m` in seconds."""
    if value is None:
        return None
    match = re.fullmatch(r'(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?', value.strip())
    if match is None or not any(match.groups()):
        raise click.BadParameter(
            f'{value!r} is no duration such as 90s, 25m or 1h30m', context, option
        )
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60.0 * minutes + seconds


@click.command('study')
@click.argument('study', metavar='STUDY.YAML', type=click.Path(path_type=Path))
@click.option(
    '--dry-run',
    is_flag=True,
    help='Print stages, commands and estimated steps; run and write nothing.',
)
@click.option(
    '--budget',
    metavar='DURATION',
    callback=_seconds,
    help='Stop in time, at a checkpoint: 90s, 25m, 1h30m.',
)
@click.option(
    '--markdown',
    'markdown_path',
    type=click.Path(path_type=Path),
    help='Tables; default: results.md beside results.json.',
)
@click.option(
    '--page',
    'pages',
    type=click.Path(path_type=Path),
    multiple=True,
    help='Markdown page whose tables are renewed, between `<!-- study: NAME, all -->` (or `scores`)'
    ' and `<!-- /study -->`; repeat.',
)
@click.option(
    '--publish',
    'zoo_path',
    metavar='FOLDER',
    type=click.Path(path_type=Path, file_okay=False),
    help='Write the weights of finished trainings to a folder of their own: safetensors and a '
    'model-index.yml.',
)
@click.option(
    '--archive',
    'archive_path',
    metavar='FOLDER',
    type=click.Path(path_type=Path, file_okay=False),
    help='Keep what each finished trial leaves there, without weights; a trial that it holds is '
    'not run again. So another machine carries a study on.',
)
@click.option(
    '--calibrate-on',
    'tuning_tiles',
    metavar='IDS.TXT',
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='With --publish: fit the probabilities of its detectors on these tiles, which neither '
    'trained nor score them.',
)
@click.option(
    '--strict-splits',
    is_flag=True,
    help='Refuse a protocol that scores tiles beside training tiles, instead of marking it.',
)
@click.option(
    '--results',
    'results_path',
    metavar='RESULTS.JSON',
    type=click.Path(path_type=Path),
    help='Run nothing: bring this file of an earlier run, and the report.html beside it, to what '
    'is known of the splits today, and renew tables and pages from it.',
)
def command(
    study: Path,
    dry_run: bool,
    budget: float | None,
    markdown_path: Path | None,
    pages: tuple[Path, ...],
    zoo_path: Path | None,
    tuning_tiles: Path | None,
    archive_path: Path | None,
    strict_splits: bool,
    results_path: Path | None,
) -> None:
    """Train and score every trial of a study through `mim`; write results, tables and a report.

    What is finished is skipped, what was stopped is resumed; a trial that fails is named, and the
    others run. Exits with 0 where every trial has a score, with 1 where one failed or a test tile
    was seen in training, with 3 where the budget was spent: start it again to continue.

    Example: mmlandslide study studies/cpu_l4s_rgb.yaml --budget 25m
    """
    _require_one_purpose(dry_run, results_path, zoo_path, pages)
    if tuning_tiles and not zoo_path:
        raise click.UsageError('--calibrate-on is for published detectors: add --publish')
    planned = plan(read(study))
    if strict_splits:
        require_apart(planned)
    if results_path:
        _renew(planned, results_path, markdown_path, [*pages], study.stem)
        return
    if dry_run:
        _show_plan(planned)
        return
    with _watching(planned) as watch:
        execution = Execution(planned, budget, archive=archive_path, watch=watch)
        complete = execution.run()
    root, results = planned.specification.root, collect(planned, execution.records)
    files.write_json(root / 'results.json', results)
    files.write_atomic(markdown_path or root / 'results.md', markdown(results))
    report.write(planned, execution.records, results, root / 'report.html')
    for page in pages:
        write_between(page, study.stem, results)
    _show_results(results, planned, execution.records)
    if zoo_path:
        publish(planned, results, zoo_path, tuning_tiles)
    if not complete and budget and not execution.progressed:
        got, remedy = f'{budget:g} s', 'Give more: the stage that ran has no checkpoint yet'
        expected = 'reach the next checkpoint or the end of a test'
        raise ConfigError.mismatch('--budget', expected, got, study, remedy)
    if not complete:
        raise SystemExit(STOPPED)
    if any(run['status'] != 'finished' for cell in results['cells'] for run in cell['runs']):
        raise SystemExit(1)


def _require_one_purpose(
    dry_run: bool, results_path: Path | None, zoo_path: Path | None, pages: tuple[Path, ...]
) -> None:
    """Refuse options that contradict each other."""
    if dry_run and (zoo_path or pages or results_path):
        remedy = 'leave it out, or --publish, --page and --results'
        raise click.UsageError(f'--dry-run writes nothing: {remedy}')
    if results_path and zoo_path:
        raise click.UsageError('--results runs nothing: leave it out, or --publish')


def _renew(
    planned: Plan, path: Path, markdown_path: Path | None, pages: list[Path], name: str
) -> None:
    """State today's knowledge of the splits in results whose predictions are gone."""
    results = renewed(read_results(path), protocol_facts(planned))
    files.write_json(path, results)
    if path.with_name('report.html').is_file():
        report.renew_note(path.with_name('report.html'), results)
    if markdown_path:
        files.write_atomic(markdown_path, markdown(results))
    for page in pages:
        write_between(page, name, results)
    for protocol in results['protocols']:
        click.echo(f'{protocol}: {split_note(results, protocol)}')


@contextmanager
def _watching(planned: Plan) -> Iterator[Callable[[Stage, Record], None]]:
    """Show two bars: stages of the study, steps of the stage that runs; yield what they follow."""
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as bars:
        stages, steps = (
            bars.add_task('stages', total=len(planned.stages)),
            bars.add_task('', total=1),
        )
        shown = ''

        def watch(stage: Stage, record: Record) -> None:
            nonlocal shown
            if stage.name != shown:
                shown = stage.name
                bars.reset(steps, total=stage.steps, description=f'{stage.kind} {stage.name}')
            bars.update(steps, completed=steps_done(stage))
            bars.update(stages, completed=len(planned.stages) - len(planned.left))
            if record.status in ('failed', LEAKAGE):
                console.print(
                    f'{record.status}: {stage.name}: {record.error}',
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )

        yield watch


def _show_plan(planned: Plan) -> None:
    """Print the stages in their order, each once."""
    title = Text(planned.specification.name)
    table = Table('stage', 'kind', 'steps', 'state', title=title, title_justify='left')
    to_do = planned.left
    for stage in planned.stages.values():
        state = 'to do' if stage.name in to_do else 'finished'
        table.add_row(Text(stage.name), stage.kind, str(stage.steps), state)
    console = Console()
    console.print(table)
    for stage in planned.stages.values():
        console.print(stage.shown, markup=False, highlight=False, soft_wrap=True)
    left = [stage for stage in to_do.values() if stage.kind != 'test']
    console.print(
        f'{len(planned.trials)} trials, {len(planned.stages)} stages; to do: {len(left)} '
        f'trainings, {sum(stage.steps for stage in left)} steps at most.',
        highlight=False,
        soft_wrap=True,
    )


def _show_results(results: dict[str, Any], planned: Plan, records: dict[str, Record]) -> None:
    """Print the scores, the time that they took, and how many stages are left."""
    table = Table(
        'backbone',
        'strategy',
        'protocol',
        'labels',
        'seeds',
        *RESAMPLED,
        title=Text(results['name']),
        title_justify='left',
    )
    for cell in results['cells']:
        done = sum(run['status'] == 'finished' for run in cell['runs'])
        scores = [formatting.number(formatting.mean(cell, name)) for name in RESAMPLED]
        protocol = protocol_name(results, cell['protocol'])
        names = map(Text, (cell['backbone'], cell['strategy'], protocol))
        labels = formatting.percent(cell['label_fraction'])
        table.add_row(*names, labels, f'{done} of {len(cell["runs"])}', *scores)
    console = Console()
    console.print(table)
    minutes = sum(records[name].seconds for name in planned.stages if name in records) / 60
    console.print(f'Stages took {minutes:.0f} minutes over all attempts.', highlight=False)
    left = len(planned.left)
    more = (
        f'{left} of {len(planned.stages)} stages are not done; start it again to continue.'
        if left
        else 'Every trial has a score.'
    )
    console.print(
        f'{planned.specification.root / "results.json"}: {more}',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
