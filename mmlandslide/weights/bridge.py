"""The bridge carries weights from a checkpoint into a backbone, or refuses.

A backbone that silently stayed random is the worst bug this project can have; the study that it
re-creates had exactly it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.weights import architecture, lineage
from mmlandslide.weights.checkpoint_file import read_checkpoint
from mmlandslide.weights.finite import require_finite
from mmlandslide.weights.references import resolve
from mmlandslide.weights.sources import keymaps
from mmlandslide.weights.sources.keymap import KeyMap
from mmlandslide.weights.state_dict import State, backbone_state
from mmlandslide.weights.transfer import stem
from mmlandslide.weights.transfer.layout import Translation, translate
from mmlandslide.weights.transfer.report import TransferReport, shapes
from mmlandslide.weights.transfer.resize import resized

_DERIVED = ('relative_position_index', 'num_batches_tracked')


def load_pretrained(
    backbone: Any,
    checkpoint: str,
    source: str = 'auto',
    stem: str = 'rgb',
    source_bands: str | Sequence[str] | None = None,
    min_matched: float | None = None,
    made_by: str | None = None,
    published_at: str | None = None,
) -> TransferReport:
    """Carry the weights of a checkpoint into a backbone.

    Args:
        backbone: one of ours, with `bands`, `stem_name` and `new_by_design`.
        checkpoint: a file, a work dir (its latest checkpoint) or a URL.
        source: name of a key map, or `auto` to recognise it by its keys.
        stem: rule for bands that the checkpoint does not have, see `weights.transfer.stem.adapt`.
        source_bands: bands of the checkpoint's stem; where `None`, those that the checkpoint
            states, else red, green, blue for three channels and Landslide4Sense's for fourteen.
        min_matched: share of backbone values in (0, 1] that suffices; where `None`, every parameter
            must be carried. What the checkpoint has more than the backbone is refused either way.
        made_by: config whose training makes the checkpoint, for the error, see
            `references.resolve`.
        published_at: address of the checkpoint, likewise.

    Returns:
        The report, which is also logged.

    Raises:
        MissingPathError: there is no such checkpoint.
        CheckpointError: the file cannot be read safely, or holds values that are not finite.
        CheckpointMismatchError: a parameter of the backbone would stay random, or the checkpoint is
            of a deeper one.
        ConfigError: `min_matched` is outside (0, 1], or there is no such source or rule.
    """
    if min_matched is not None and not (
        isinstance(min_matched, int | float) and 0 < min_matched <= 1
    ):
        raise ConfigError.mismatch(
            'min_matched',
            'lie in (0, 1]',
            repr(min_matched),
            'pretrained.min_matched',
            'Leave it out, so that nothing stays random',
        )
    path = resolve(checkpoint, made_by, published_at)
    translation, own = read(path, source)
    report = carry(backbone, translation, own, path, stem, source_bands, min_matched)
    print_log(report.render(), logger='current')
    return report


def read(path: Path, source: str = 'auto') -> tuple[Translation, dict[str, Any]]:
    """Return a checkpoint's backbone under mmlandslide's names, and the checkpoint's record.

    Args:
        path: of the checkpoint.
        source: name of a key map, or `auto` to recognise it by its keys.

    Raises:
        CheckpointError: the file cannot be read safely, or holds values that are not finite.
        CheckpointMismatchError: it is of no known source.
    """
    content = read_checkpoint(path)
    state, own = backbone_state(content), lineage.stated(content, path)
    keymap = keymap_of(state, source, path)
    translation = translate(state, keymap)
    origin = (
        keymaps.by_name(str(own.get('source'))) if own.get('version') else None
    )  # of a file that `mmlandslide convert` wrote
    if origin is not None and not any(
        name.startswith(origin.new_by_design) for name in translation.found
    ):
        translation.keymap = replace(
            keymap, new_by_design=(*keymap.new_by_design, *origin.new_by_design)
        )
    require_finite(translation.found, path)
    return translation, own


def carry(
    backbone: Any,
    translation: Translation,
    own: Mapping[str, Any],
    path: Path,
    stem_rule: str = 'rgb',
    source_bands: str | Sequence[str] | None = None,
    min_matched: float | None = None,
) -> TransferReport:
    """Carry what `read` returned into a backbone, and refuse where it does not fit.

    Arguments as `load_pretrained`'s.
    """
    report = transfer(backbone, translation, str(path), stem_rule, source_bands or own.get('bands'))
    report.record = dict(own)
    report.lineage = {
        **lineage.inherited(own),
        'checkpoint': str(path),
        'source': report.source,
        'carried': report.carried,
    }
    _judge(report, type(backbone).__name__, architecture.described(translation.found), min_matched)
    return report


def keymap_of(state: State, source: str, path: Path) -> KeyMap:
    """Return the key map asked for, or the one that the keys show.

    Args:
        state: the backbone's tensors under the source's names, see `state_dict.backbone_state`.
        source: name of a key map, or `auto`.
        path: of the checkpoint, for the error.

    Raises:
        ConfigError: no key map has that name.
        CheckpointMismatchError: the keys are of no known source, or not of the one asked for.
    """
    known = [keymap.name for keymap in keymaps.KEYMAPS]
    if source != 'auto':
        keymap = keymaps.by_name(source)
        if keymap is None:
            raise ConfigError.mismatch(
                'weights source',
                f"be 'auto' or one of {known}",
                repr(source),
                f'what is asked of {path}',
                'Choose one of them with pretrained.source, or --source',
            )
        if not keymap.fits(
            state.keys()
        ):  # another source's layout would be reordered without a word
            raise CheckpointMismatchError.mismatch(
                'checkpoint',
                f'have the keys of {source!r}',
                f'keys such as {list(state)[:3]}',
                path,
                "Leave the source to 'auto'",
            )
        return keymap
    keymap = keymaps.recognise(state.keys())
    if keymap is None:
        raise CheckpointMismatchError.mismatch(
            'checkpoint',
            f'have the keys of one of {known}',
            f'keys such as {list(state)[:3]}',
            path,
            'Use a checkpoint of one of these, or rename its keys to those of one',
        )
    return keymap


def transfer(
    backbone: Any,
    translation: Translation,
    path: str,
    stem_rule: str,
    source_bands: str | Sequence[str] | None,
) -> TransferReport:
    """Copy each tensor that fits, resize or widen what can be, and note each parameter's status.

    Args:
        backbone: that receives.
        translation: the checkpoint's tensors under our names.
        path: of the checkpoint.
        stem_rule: see `weights.transfer.stem.adapt`.
        source_bands: of the checkpoint's stem, `None` to go by their number.

    Returns:
        The report; nothing has been refused yet.
    """
    found, keymap = translation.found, translation.keymap
    fresh = (*backbone.new_by_design, *keymap.new_by_design)
    ours = {
        name: value for name, value in backbone.state_dict().items() if not name.endswith(_DERIVED)
    }
    report = TransferReport(
        keymap.name,
        path,
        {name: value.numel() for name, value in ours.items()},
        dropped=translation.dropped,
    )
    fitted: State = {}
    for name, value in ours.items():
        if name not in found:
            report.status[name] = 'new by design' if name.startswith(fresh) else 'missing'
            continue
        bands = _stem_bands(backbone, name, found[name], source_bands, path)
        status, tensor = _fit(name, found[name], value, bands, backbone.bands, stem_rule)
        report.status[name] = status
        if status == 'missing':
            report.wrong_shape[name] = shapes(found, name, tuple(value.shape))
        else:
            fitted[name] = tensor.to(value.dtype)
    extra = [name for name in found if name not in ours and not name.endswith(_DERIVED)]
    report.spare = [name for name in extra if keymap.is_spare(name)]
    report.unexpected = [
        *(name for name in extra if not keymap.is_spare(name)),
        *translation.clashing,
    ]
    with torch.no_grad():
        for name, tensor in fitted.items():
            ours[name].copy_(tensor)
    return report


def _stem_bands(
    backbone: Any, name: str, theirs: torch.Tensor, stated: str | Sequence[str] | None, path: str
) -> tuple[str, ...] | None:
    """Return the source bands of a stem tensor, `None` where the tensor's axes are no bands."""
    return (
        stem.source_bands(theirs.shape[1], stated, path)
        if name == backbone.stem_name and theirs.ndim == 4
        else None
    )


def _fit(
    name: str,
    theirs: torch.Tensor,
    ours: torch.Tensor,
    source: Sequence[str] | None,
    target: Sequence[str],
    rule: str,
) -> tuple[str, torch.Tensor]:
    """Return the status of one tensor and what to copy.

    `source` are its bands where it is the stem.
    """
    if source is not None:
        wide = stem.adapt(theirs, source, target, rule)
        if wide.shape == ours.shape:
            return ('matched' if wide is theirs else 'widened'), wide
    if theirs.shape == ours.shape:
        return 'matched', theirs
    other = resized(name, theirs, ours)
    return ('missing', theirs) if other is None else ('resized', other)


def _judge(report: TransferReport, kind: str, held: str, min_matched: float | None) -> None:
    """Refuse a transfer that leaves parameters random or keys of the checkpoint unaccounted for.

    Args:
        report: of the transfer.
        kind: of the backbone.
        held: what the checkpoint is of, see `architecture.described`.
        min_matched: as `load_pretrained` takes it.
    """
    missing, more = report.names('missing'), report.unexpected
    enough = not missing if min_matched is None else report.carried >= min_matched
    if enough and not more:
        return
    remedy = 'Use a checkpoint of this architecture'
    if report.carried == 0 and not held.startswith(f'{kind}('):
        expected, got = f'be of a {kind}', f'0.00% of it from {report.source!r}'
    elif enough:
        expected = 'be of this architecture'
        got = f'{len(more)} parameters more than the backbone has, such as {more[:3]}, from {held}'
    else:
        remedy += ', or accept the loss with pretrained.min_matched'
        share = 'every backbone parameter'
        if min_matched is not None:
            share = f'{min_matched:.2%} of the backbone'
        expected = f'carry {share}'
        shown = [re.sub(r'^backbone\.', '', name) for name in missing[:3]]
        lost = f'{len(missing)} parameters missing, such as {shown}'
        got = f'{report.carried:.2%} with {lost}, from {held}'
    raise CheckpointMismatchError(
        f'checkpoint must {expected}, got {got} in {report.path}. {remedy}.\n{report.render()}'
    )
