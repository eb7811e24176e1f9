"""A checkpoint of any known source, converted into one backbone file that MMPretrain reads too."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from mmlandslide import __version__
from mmlandslide import bands as band_table
from mmlandslide.files import replacing
from mmlandslide.registry import MODELS
from mmlandslide.weights import architecture, bridge, inspection, lineage
from mmlandslide.weights.references import resolve
from mmlandslide.weights.state_dict import State
from mmlandslide.weights.transfer import stem as stems


def convert(
    checkpoint: str,
    out_path: Path,
    bands: Sequence[str] | None = None,
    source_bands: tuple[str, ...] | None = None,
    stem: str = 'rgb',
    arch: str | None = None,
    source: str = 'auto',
) -> str:
    """Write a checkpoint's backbone as safetensors, under mmlandslide's names after `backbone.`.

    The metadata hold our record as JSON: `bands`, `source`, `sha256` of the input, and what the
    weights have seen.

    Args:
        checkpoint: as `references.resolve` takes it.
        out_path: of the file.
        bands: that the stem is to have, see `bands.names`; where `None`, those that it has.
        source_bands: as `bridge.load_pretrained` takes them.
        stem: the same.
        arch: one of `architecture.NAMED` that it must be; where `None`, inferred from the shapes.
        source: as `bridge.load_pretrained` takes it.

    Returns:
        The bridge's report as text.

    Raises:
        LandslideError: as `bridge.load_pretrained`, or a band is not known; nothing is written.
    """
    path = resolve(checkpoint)
    translation, own = bridge.read(path, source)
    cfg = (
        architecture.deduce(translation.found, path)
        if arch is None
        else architecture.of_name(arch, translation.found, path)
    )
    cfg = {**cfg, 'type': f'mmlandslide.{cfg["type"]}'}
    has = _bands_of(cfg, translation.found, source_bands or own.get('bands'), path)
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


def _bands_of(
    cfg: Mapping[str, Any], found: State, stated: Sequence[str] | None, path: Path
) -> Sequence[str]:
    """Return the bands of the checkpoint's stem; the bridge refuses a stem of another shape."""
    first = found.get(MODELS.get(cfg['type']).stem_name)
    if first is None or first.ndim != 4:
        return _grouped(cfg, stated)
    return stems.source_bands(first.shape[1], stated, path)


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
    """Return the requested band names, each of them in the band table or the checkpoint."""
    requested = band_table.names(bands)
    band_table.positions(
        requested, tuple(dict.fromkeys((*band_table.BANDS, *band_table.names(has)))), '--bands'
    )
    return requested
