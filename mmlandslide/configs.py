"""A config of mmengine's: read from its file, and what it says of a detector's input."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmlandslide.errors import ConfigError

if TYPE_CHECKING:
    from mmengine.config import Config


#: Where the wheel keeps `configs/` and `studies/`, as the hosts do, and where a clone does.
_SHIPPED = (Path(__file__).parent / '.mim', Path(__file__).parents[1])


def shipped() -> Path:
    """Return the folder of the configs that came with this installation, or with this clone."""
    return next(root / 'configs' for root in _SHIPPED if (root / 'configs').is_dir())


def located(path: str | Path) -> Path:
    """Return a file of `configs/` or `studies/`, that of the installation where there is no other.

    Args:
        path: as a config names it, from the folder of the run.
    """
    path = Path(path)
    if path.exists() or path.is_absolute() or path.parts[:1] not in (('configs',), ('studies',)):
        return path
    return next((own for root in _SHIPPED if (own := root / path).is_file()), path)


def read_config(path: str | Path, subject: str = 'config') -> 'Config':
    """Return a config.

    Args:
        path: of its file, which is there.
        subject: what is read, for the error.

    Raises:
        ConfigError: it is none.
    """
    from mmengine.config import Config

    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is a program: it may fail in any way
        got = repr(f'{type(error).__name__}: {error}')
        raise ConfigError.mismatch(
            subject, 'be a config of mmengine', got, path, 'Correct it, or pass another'
        ) from error


#: Side of a tile of Landslide4Sense: a config that resizes a tile to `size_px` shows a pixel of
#: 10 m at `size_px` / 128.
TILE_PX = 128


def native_scale(config: Mapping[str, Any]) -> float:
    """Return how many pixels of 10 m one pixel of a data set shows, from its evaluator."""
    evaluator = config.get('test_evaluator') or config.get('val_evaluator')
    stated = evaluator.get('native_scale', 1.0) if isinstance(evaluator, Mapping) else 1.0
    return float(stated)


def zoom_of_resize(resize: Mapping[str, Any], scale: float) -> float:
    """Return by how much `ResizeTile` magnifies a pixel of 10 m.

    Args:
        resize: its config, with `size_px` or `factor`.
        scale: see `native_scale`.
    """
    size_px = resize.get('size_px')
    return float(size_px / TILE_PX if size_px else resize['factor'] / scale)


def input_zoom(config: Mapping[str, Any], loader: str) -> float | None:
    """Return by how much a detector's data loader magnifies a pixel of 10 m.

    Args:
        config: of a training.
        loader: key of the data loader, such as `train_dataloader`.

    Returns:
        The zoom, `None` where the loader feeds no detector or has no pipeline of its own.
    """
    dataset = (config.get(loader) or {}).get('dataset')
    steps = dataset.get('pipeline') if isinstance(dataset, Mapping) else None
    if not isinstance(steps, Sequence) or not all(isinstance(step, Mapping) for step in steps):
        return None
    kinds = [str(step.get('type')).removeprefix('mmlandslide.') for step in steps]
    if 'PackDetection' not in kinds:
        return None
    if 'ResizeTile' not in kinds:
        return 1 / native_scale(config)
    return zoom_of_resize(steps[kinds.index('ResizeTile')], native_scale(config))
