"""How a runner takes a checkpoint: through the gate, with every difference that it tells named."""

from pathlib import Path
from typing import Any

from mmengine.runner import BaseLoop

from mmlandslide.engine.checkpoints import require_position
from mmlandslide.engine.record import (
    bare,
    changed_on_resume,
    settings_of,
    terms_of_runner,
    tile_ids_of,
)
from mmlandslide.weights import gate
from mmlandslide.weights.lineage import with_weights
from mmlandslide.weights.strict_load import fill, fill_but


def admitted(runner: Any, path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a checkpoint for a runner's test, resume or `load_from`; log what differs.

    A resumed runner takes over the tiles that the checkpoint has seen.

    Args:
        runner: a `LandslideRunner`, its loop built.
        path: of the file.

    Returns:
        Its content, without config text, its weights under `state_dict`, and its record.

    Raises:
        CheckpointError: it cannot be read safely, a value is not finite, or a training cannot be
            resumed from it.
        CheckpointMismatchError: its record states other input or classes than the model's.
    """
    training = isinstance(runner._train_loop, BaseLoop)
    loop, loader = (
        (runner._train_loop, 'train_dataloader')
        if training
        else (runner._test_loop, 'test_dataloader')
    )
    purpose = gate.RESUME if runner._resume else gate.START if training else gate.TEST
    terms, accept = terms_of_runner(runner, loop, loader), runner.cfg.get(gate.OPTION, ())
    checkpoint, record, notes = gate.admit(path, terms, purpose, accept)
    if isinstance(checkpoint.get('meta'), dict):
        checkpoint['meta'].pop('config', None)  # mmengine's resume would execute it
    if runner._resume:
        require_position(checkpoint, path)
        runner.resumed_tiles = sorted(record.get('tile_ids') or ())
        notes += _changed(runner, record)
    for note in notes:
        runner.logger.warning(note)
    return with_weights(checkpoint), record


def _changed(runner: Any, record: dict[str, Any]) -> list[str]:
    """Return one line for each setting, and one for the tiles, that a resumed run has changed."""
    lines = (
        changed_on_resume(record['settings'], settings_of(runner.cfg))
        if 'settings' in record
        else []
    )
    before, now = set(record.get('tile_ids') or ()), set(tile_ids_of(runner._train_loop))
    if before and before != now:
        lines.append(
            f'{len(now - before)} training tiles are new to the checkpoint, which has seen '
            f'{len(before - now)} others: all {len(before | now)} count as seen from here on'
        )
    return lines


def fill_model(runner: Any, state: Any, path: Path) -> None:
    """Load weights into a runner's model: all, but for what a fresh training may start at random.

    Args:
        runner: whose config may name modules in `start_random`.
        state: name -> tensor.
        path: of the checkpoint.

    Raises:
        ConfigError: `start_random` names what the model does not have.
        CheckpointMismatchError: keys or shapes differ from the model's.
    """
    training = isinstance(runner._train_loop, BaseLoop) and not runner._resume
    skipped = runner.cfg.get('start_random', ()) if training else ()
    if not skipped:
        fill(bare(runner.model), state, path)
        return
    random = fill_but(bare(runner.model), state, path, skipped)
    runner.logger.warning(f'Start at random, not from {path}: {random}')
