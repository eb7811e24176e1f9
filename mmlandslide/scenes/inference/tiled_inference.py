"""A whole scene is searched.

What decides the result, who does which block, and what is left of an interrupted run.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from mmlandslide.errors import ConfigError, StorageError
from mmlandslide.scenes.inference.blocks import Blocks, Searched
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.grid import Grid
from mmlandslide.scenes.inference.merge import merge
from mmlandslide.scenes.inference.predictor import Predictor, SymmetricPredictor
from mmlandslide.scenes.inference.ranks import Place
from mmlandslide.scenes.inference.sliding_window import sweep
from mmlandslide.scenes.scene import Scene

#: Longest side of a block's windows laid side by side without overlap, and of a window: a block is
#: in memory, with all its bands.
_BLOCK_PX, _LARGEST_PX = 1024, 4096


@dataclass(frozen=True)
class Settings:
    """How a scene is searched.

    Attributes:
        window_px: side of the windows in px of the scene.
        overlap_px: of neighbouring windows; objects up to this size are whole in the window that
            owns them.
        origin_rc: see `Grid`.
        score_thr: detections below are dropped.
        tta: one of `predictor.VIEWS`.
        method: one of `merge.METHODS`.
        iou_thr: overlap above which two boxes show one object.
        join: join the parts of objects that windows have cut.
        batch_size: windows that are searched at once; it does not decide what is found.
    """

    window_px: int = 128
    overlap_px: int = 32
    origin_rc: tuple[int, int] = (0, 0)
    score_thr: float = 0.3
    tta: str = 'none'
    method: str = 'nms'
    iou_thr: float = 0.5
    join: bool = False
    batch_size: int = 8

    def grid(self, scene: Scene) -> Grid:
        """Return the windows over a scene, fewer of them in a block the larger they are.

        Raises:
            ConfigError: they cannot be laid, or are too large for the memory.
        """
        if self.window_px > _LARGEST_PX:
            remedy = 'Pass for example 128: a scene of any size is searched in such windows'
            raise ConfigError.mismatch(
                'window',
                f'be at most {_LARGEST_PX} px',
                f'{self.window_px} px',
                'the settings',
                remedy,
            )
        block_windows = min(8, max(1, _BLOCK_PX // max(1, self.window_px)))
        return Grid(
            scene.height,
            scene.width,
            self.window_px,
            self.overlap_px,
            self.origin_rc,
            block_windows,
        )

    @property
    def decisive(self) -> dict[str, Any]:
        """What decides the content of a block."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ('batch_size', 'method', 'join')
        }


def search(
    scene: Scene,
    predictor: Predictor,
    settings: Settings,
    blocks: Blocks,
    place: Place,
    advance: Callable[[int], None] = lambda windows: None,
) -> Detections | None:
    """Search a scene, or one process's share of it.

    Args:
        scene: with the bands of the predictor.
        predictor: that searches windows.
        settings: how.
        blocks: where finished blocks are kept; those that are there already are not searched again.
        place: of this process.
        advance: called with the number of windows of this process that are done since the last
            call.

    Returns:
        The merged detections in one order, in the process that writes; `None` in the others.

    Raises:
        StorageError: a finished block cannot be written, or another process's cannot be seen.
        LandslideError: as `sweep` and `merge`.
    """
    grid = settings.grid(scene)
    merge(
        Detections.none(), grid, settings.method, settings.iou_thr, settings.join
    )  # refuses what cannot be before hours pass
    viewed = SymmetricPredictor(predictor, settings.tta, settings.iou_thr)
    todo = []
    for block in grid.blocks[place.rank :: place.size]:
        if blocks.read(block.index) is None:
            todo.append(block)
        else:
            advance(len(block))
    for block, searched in sweep(
        scene, viewed, grid, todo, settings.score_thr, settings.batch_size, advance
    ):
        blocks.write(block.index, searched)
    place.wait()
    if not place.writes:
        return None
    found = Detections.concatenated([block.found for block in finished(blocks, grid)])
    return merge(found, grid, settings.method, settings.iou_thr, settings.join)


def finished(blocks: Blocks, grid: Grid) -> list[Searched]:
    """Return all blocks of a grid.

    Raises:
        StorageError: one of them is not there.
    """
    everything = [blocks.read(block.index) for block in grid.blocks]
    seen = [block for block in everything if block is not None]
    if len(seen) < len(everything):
        got = f'{len(seen)} of {len(everything)}'
        raise StorageError.mismatch(
            'finished blocks',
            'be seen by the first process',
            got,
            blocks,
            'Write to a folder that all machines share',
        )
    return seen
