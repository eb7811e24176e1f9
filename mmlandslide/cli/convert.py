"""`mmlandslide convert`.

Any known source of weights -> one file that every backbone of ours, and MMPretrain, reads.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mmlandslide import __version__
from mmlandslide import bands as band_table
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
    help='What bands get that it lacks: rgb, mean, zero or nearest.',
)
@click.option(
    '--arch', help='Architecture that it must be, such as swin_base; default: told from its shapes.'
)
@click.option(
    '--source',
    default='auto',
    show_default=True,
    help='Source, where it is not to be told from the keys.',
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
    """Convert a checkpoint of any known source into the backbone that it holds, and report on every parameter.

    CHECKPOINT is a file, a work dir (its latest checkpoint) or a URL. Exits with 1, and writes
    nothing, where a parameter would be missing or is not accounted for. The file loads with
    `pretrained=dict(checkpoint='backbone.safetensors')`.

    Example: mmlandslide convert swin_base_patch4_window7_224.pth --out backbone.safetensors --bands all
    """
    if out_path.suffix != '.safetensors':
        raise click.BadParameter(
            f'must end in .safetensors, got {out_path.name!r}', param_hint='--out'
        )
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


def convert(
    checkpoint: str,
    out_path: Path,
    bands: Sequence[str] | None = None,
    source_bands: tuple[str, ...] | None = None,
    stem: str = 'rgb',
    arch: str | None = None,
    source: str = 'auto',
) -> str:
    """Write the backbone that a checkpoint holds as safetensors, under our names with `backbone.` before them.

    The metadata hold our record as JSON: `bands`, `source`, `sha256` of the input, and what the
    weights have seen.

    Args:
        checkpoint: as `references.resolve` takes it.
        out_path: of the file.
        bands: that the stem is to have, see `bands.names`; where `None`, those that it has.
        source_bands: as `bridge.load_pretrained` takes them.
        stem: the same.
        arch: one of `architecture.NAMED` that it must be; where `None`, told from the shapes.
        source: as `bridge.load_pretrained` takes it.

    Returns:
        The bridge's report as text.

    Raises:
        LandslideError: as `bridge.load_pretrained`, or a band is not known; nothing is written.
    """
    from safetensors.torch import save_file  # these load torch and the hosts: seconds

    from mmlandslide.files import replacing
    from mmlandslide.registry import MODELS
    from mmlandslide.weights import architecture, bridge, inspection, lineage
    from mmlandslide.weights import stem as stems
    from mmlandslide.weights.references import resolve

    path = resolve(checkpoint)
    translation, own = bridge.read(path, source)
    cfg = (
        architecture.deduce(translation.found, path)
        if arch is None
        else architecture.of_name(arch, translation.found, path)
    )
    cfg = {**cfg, 'type': f'mmlandslide.{cfg["type"]}'}
    first, stated = (
        translation.found.get(MODELS.get(cfg['type']).stem_name),
        source_bands or own.get('bands'),
    )
    # The bridge refuses a stem of another shape.
    has = (
        _grouped(cfg, stated)
        if first is None or first.ndim != 4
        else stems.source_bands(first.shape[1], stated, path)
    )
    bands = has if bands is None else _known(bands, has)
    backbone = MODELS.build({**cfg, 'bands': bands})
    report = bridge.carry(backbone, translation, own, path, stem, source_bands)
    record = {
        'version': __version__,
        'bands': backbone.bands,
        'source': report.source,
        'sha256': inspection.sha256(path),
        'config': own.get('config'),
        'lineage': report.lineage,
    }
    state = {
        f'backbone.{name}': backbone.state_dict()[name].contiguous()
        for name in report.numel
        if report.is_carried(name)
    }
    with replacing(out_path) as temporary:
        save_file(
            state,
            temporary,
            {'format': 'pt', lineage.METADATA_KEY: json.dumps(record, default=str)},
        )
    return report.render()


def _grouped(cfg: Mapping[str, Any], stated: Sequence[str] | None) -> Sequence[str]:
    """Return the bands of a backbone without one stem of all bands.

    Those stated, else those of its groups.
    """
    return (
        stated
        or tuple(dict.fromkeys(name for group in cfg.get('groups', ()) for name in group))
        or ('all',)
    )


def _known(bands: Sequence[str], has: Sequence[str]) -> tuple[str, ...]:
    """Return the names of bands asked for, each of them in the band table or of the checkpoint."""
    asked = band_table.names(bands)
    band_table.positions(
        asked, tuple(dict.fromkeys((*band_table.BANDS, *band_table.names(has)))), '--bands'
    )
    return asked


def _listed(bands: str | None) -> tuple[str, ...] | None:
    """Return the names of a comma-separated list."""
    return None if bands is None else tuple(name.strip() for name in bands.split(','))
