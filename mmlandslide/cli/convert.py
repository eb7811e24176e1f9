"""`mmlandslide convert`: a checkpoint of any known source as a backbone file."""

from pathlib import Path

import click

from mmlandslide.errors import CheckpointMismatchError


@click.command('convert')
@click.argument('checkpoint')
@click.option(
    '--out',
    'out_path',
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help='A .safetensors file.',
)
@click.option(
    '--bands',
    help='Bands or groups that the stem is to have, comma-separated; default: those it has.',
)
@click.option(
    '--source-bands',
    help='Bands of the checkpoint, comma-separated, where neither it nor their number tells.',
)
@click.option(
    '--stem',
    default='rgb',
    show_default=True,
    help='Rule for bands that it lacks: rgb, mean, zero or nearest.',
)
@click.option(
    '--arch',
    help='Architecture that it must have, such as swin_base; default: inferred from its shapes.',
)
@click.option(
    '--source',
    default='auto',
    show_default=True,
    help='Source of the checkpoint, where its keys do not tell.',
)
def command(
    checkpoint: str,
    out_path: Path,
    bands: str | None,
    source_bands: str | None,
    stem: str,
    arch: str | None,
    source: str,
) -> None:
    """Convert a checkpoint of any known source into its backbone; report every parameter.

    CHECKPOINT is a file, a work dir (its latest checkpoint) or a URL. Exits with 1, and writes
    nothing, where a parameter would be missing or is not accounted for. The file loads with
    `pretrained=dict(checkpoint='backbone.safetensors')`.

    Example: mmlandslide convert swin_base.pth --out backbone.safetensors --bands all
    """
    if out_path.suffix != '.safetensors':
        raise click.BadParameter(
            f'must end in .safetensors, got {out_path.name!r}', param_hint='--out'
        )
    from mmlandslide.weights.conversion import convert  # loads torch and the hosts: seconds

    try:
        report = convert(
            checkpoint, out_path, _listed(bands), _listed(source_bands), stem, arch, source
        )
    except CheckpointMismatchError as error:
        sentence, _, report = str(error).partition('\n')
        click.echo(report, err=True)
        raise CheckpointMismatchError(sentence) from error
    click.echo(report)
    click.echo(f'wrote {out_path} ({out_path.stat().st_size:,} bytes)')


def _listed(bands: str | None) -> tuple[str, ...] | None:
    """Return the names of a comma-separated list."""
    return None if bands is None else tuple(name.strip() for name in bands.split(','))
