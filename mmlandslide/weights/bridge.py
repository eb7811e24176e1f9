"""The bridge: carry weights from a checkpoint into a backbone, prove that they arrived, and refuse where they did not.

A backbone that silently stayed random is the worst bug this project can have; the study that it re-creates had exactly it.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log

from mmlandslide import bands as band_table
from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.files import read_checkpoint
from mmlandslide.weights import keymaps, lineage, stem
from mmlandslide.weights.references import resolve
from mmlandslide.weights.report import TransferReport, shapes

State = dict[str, torch.Tensor]
_DERIVED = ('relative_position_index', 'num_batches_tracked')


def load_pretrained(
    backbone: Any,
    checkpoint: str,
    source: str = 'auto',
    stem: str = 'rgb',
    source_bands: str | Sequence[str] | None = None,
    min_matched: float | None = None,
    made_by: str | None = None,
) -> TransferReport:
    """Carry the weights of a checkpoint into a backbone.

    Args:
        backbone: one of ours, with `bands`, `stem_name` and `new_by_design`.
        checkpoint: a file, a work dir (its latest checkpoint) or a URL.
        source: name of a key map, or `auto` to recognise it by its keys.
        stem: rule for bands that the checkpoint does not have, see `weights.stem.adapt`.
        source_bands: bands of the checkpoint's stem; where `None`, those that the checkpoint states, else red, green, blue for
            three channels and Landslide4Sense's for fourteen.
        min_matched: share of backbone values in [0, 1] that suffices; where `None`, every parameter must be accounted for.
        made_by: config whose training makes the checkpoint, for the error, see `references.resolve`.

    Returns:
        The report, which is also logged.

    Raises:
        MissingPathError: there is no such checkpoint.
        CheckpointError: the file cannot be read safely.
        CheckpointMismatchError: a parameter of the backbone would stay random, or the checkpoint is of a deeper one.
    """
    path = resolve(checkpoint, made_by)
    content = read_checkpoint(path)
    state = backbone_state(content)
    keymap = _keymap(state, source, path)
    found = _rename(state, keymap)
    own = lineage.record(content)
    bands = source_bands or own.get('bands')
    report = transfer(backbone, found, TransferReport(keymap.name, str(path), {}), stem, bands)
    report.lineage = {**lineage.inherited(own), 'checkpoint': str(path), 'source': keymap.name, 'carried': report.carried}
    _judge(report, min_matched)
    print_log(report.render(), logger='current')
    return report


def backbone_state(content: Mapping[str, Any]) -> State:
    """Return the tensors of a checkpoint's backbone, whatever they are nested in and prefixed with."""
    state: Any = content
    for nest in ('state_dict', 'model', 'model_state_dict'):
        if isinstance(state.get(nest), Mapping):
            state = state[nest]
            break
    tensors = {key.removeprefix('module.'): value for key, value in state.items() if isinstance(value, torch.Tensor)}
    inside = {key.removeprefix('backbone.'): value for key, value in tensors.items() if key.startswith('backbone.')}
    return inside or tensors


def _keymap(state: State, source: str, path: Path) -> keymaps.KeyMap:
    """Return the key map asked for, or the one that the keys show."""
    known = [keymap.name for keymap in keymaps.KEYMAPS]
    if source != 'auto':
        keymap = keymaps.by_name(source)
        if keymap is None:
            raise ConfigError.mismatch(
                'weights source', f"be 'auto' or one of {known}", repr(source), 'pretrained.source', 'Choose one of them'
            )
        return keymap
    keymap = keymaps.recognise(state.keys())
    if keymap is None:
        raise CheckpointMismatchError.mismatch(
            'checkpoint', f'have the keys of one of {known}', f'keys such as {list(state)[:3]}', path, 'Pass pretrained.source'
        )
    return keymap


def _rename(state: State, keymap: keymaps.KeyMap) -> State:
    """Return the tensors under our names and in our layout."""
    rename = keymaps.renamer(keymap)
    renamed = {ours: value for key, value in state.items() if (ours := rename(key)) is not None}
    if keymap.merging:
        renamed = {key: _channel_major(value) if '.downsample.' in key else value for key, value in renamed.items()}
    return renamed


def _channel_major(value: torch.Tensor) -> torch.Tensor:
    """Reorder patch merging's 4 C inputs from (0,0) (1,0) (0,1) (1,1) blocks to MMPretrain's channel-major unfold order."""
    blocks = value.reshape(*value.shape[:-1], 4, -1)[..., [0, 2, 1, 3], :]  # (..., 4, C)
    return blocks.transpose(-1, -2).flatten(-2)


def transfer(
    backbone: Any, found: State, report: TransferReport, stem_rule: str, source_bands: str | Sequence[str] | None
) -> TransferReport:
    """Copy every tensor that fits, resize and widen what can be, and note the fate of each parameter.

    Args:
        backbone: that receives.
        found: tensors under our names.
        report: that is filled.
        stem_rule: see `weights.stem.adapt`.
        source_bands: of the checkpoint's stem, `None` to go by their number.

    Returns:
        The report, filled; nothing has been refused yet.
    """
    ours = {name: value for name, value in backbone.state_dict().items() if not name.endswith(_DERIVED)}
    report.numel = {name: value.numel() for name, value in ours.items()}
    fitted: State = {}
    for name, value in ours.items():
        if name not in found:
            report.fate[name] = 'new by design' if name.startswith(tuple(backbone.new_by_design)) else 'missing'
            continue
        fate, tensor = _fit(backbone, name, found[name], value, stem_rule, source_bands)
        report.fate[name] = fate
        if fate == 'missing':
            report.wrong_shape[name] = shapes(found, name, tuple(value.shape))
        else:
            fitted[name] = tensor.to(value.dtype)
    report.unexpected = [name for name in found if name not in ours and not name.endswith(_DERIVED)]
    with torch.no_grad():
        for name, tensor in fitted.items():
            ours[name].copy_(tensor)
    return report


def _fit(
    backbone: Any, name: str, theirs: torch.Tensor, ours: torch.Tensor, rule: str, source_bands: str | Sequence[str] | None
) -> tuple[str, torch.Tensor]:
    """Return the fate of one tensor and what to copy."""
    if name == backbone.stem_name and theirs.ndim == 4:
        source = _source_bands(theirs.shape[1], source_bands)
        wide = stem.adapt(theirs, source, backbone.bands, rule)
        if wide.shape == ours.shape:
            return ('matched' if wide is theirs else 'widened'), wide
    if theirs.shape == ours.shape:
        return 'matched', theirs
    resize = _RESIZERS.get(name.rsplit('.', 1)[-1])
    resized = None if resize is None else resize(theirs, ours)
    return ('missing', theirs) if resized is None else ('resized', resized)


def _source_bands(count: int, stated: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the band names of a stem with `count` channels."""
    if stated is not None:
        return band_table.names(stated)
    by_count = {3: band_table.GROUPS['photograph'], len(band_table.LANDSLIDE4SENSE): band_table.LANDSLIDE4SENSE}
    return by_count.get(count, ())


def _resize_bias_table(theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor | None:
    """Return a relative position bias table ((2 w - 1)^2, heads) for another window, interpolated bicubically."""
    side, wanted = (round(table.shape[0] ** 0.5) for table in (theirs, ours))
    if theirs.shape[1:] != ours.shape[1:] or side**2 != theirs.shape[0] or wanted**2 != ours.shape[0]:
        return None
    grid = theirs.float().T.reshape(1, -1, side, side)
    return F.interpolate(grid, (wanted, wanted), mode='bicubic', align_corners=True).flatten(2)[0].T


def _resize_positions(theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor | None:
    """Return position embeddings (1, extra + h * w, D) for another square grid; extra tokens (class) stay as they are."""
    if theirs.ndim != 3 or theirs.shape[2] != ours.shape[2]:
        return None
    grids = [(extra, round((theirs.shape[1] - extra) ** 0.5), round((ours.shape[1] - extra) ** 0.5)) for extra in (1, 0)]
    for extra, side, wanted in grids:
        if side**2 + extra == theirs.shape[1] and wanted**2 + extra == ours.shape[1]:
            grid = theirs[:, extra:].float().transpose(1, 2).reshape(1, -1, side, side)
            grid = F.interpolate(grid, (wanted, wanted), mode='bicubic', align_corners=False)
            return torch.cat([theirs[:, :extra], grid.flatten(2).transpose(1, 2).to(theirs.dtype)], 1)
    return None


_RESIZERS = {
    'relative_position_bias_table': _resize_bias_table,
    'pos_embed': _resize_positions,
    'absolute_pos_embed': _resize_positions,
}


def _judge(report: TransferReport, min_matched: float | None) -> None:
    """Refuse a transfer that leaves parameters random, or that took the first blocks of a deeper model."""
    missing, left_over = report.names('missing'), report.left_over
    if min_matched is not None and report.carried >= min_matched:
        return
    if not missing and left_over:
        raise CheckpointMismatchError(
            f'checkpoint must be of this architecture, got {len(left_over)} parameters more than the backbone has, such as '
            f'{left_over[:3]}, in {report.path}. Use a checkpoint of this depth, or accept the loss with pretrained.min_matched.\n'
            f'{report.render()}'
        )
    if not missing:
        return
    expected = 'carry every backbone parameter' if min_matched is None else f'carry {min_matched:.2%} of the backbone'
    shown = [re.sub(r'^backbone\.', '', name) for name in missing[:3]]
    raise CheckpointMismatchError(
        f'checkpoint must {expected}, got {report.carried:.2%} with {len(missing)} parameters missing, such as {shown}, in '
        f'{report.path}. Use a checkpoint of this architecture, or accept the loss with pretrained.min_matched.\n{report.render()}'
    )
