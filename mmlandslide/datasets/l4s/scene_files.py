"""The files of each scene: its mosaic and its landslides as whole objects."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmlandslide.datasets.boxes import BoxRule
from mmlandslide.datasets.l4s.box_objects import objects_from_boxes
from mmlandslide.datasets.l4s.copies import HDF5, TileCopy
from mmlandslide.datasets.l4s.mask_objects import objects_from_masks
from mmlandslide.datasets.l4s.mosaic import Mosaic, write_mosaic
from mmlandslide.datasets.l4s.objects import write_objects
from mmlandslide.datasets.l4s_grid import SCENES


@dataclass(frozen=True)
class SceneFiles:
    """What was written of one scene.

    Attributes:
        mosaic: its rasters.
        objects_path: its landslides; `None` where no tile is labelled.
        objects: how many.
        joined: of these, that lie in several tiles.
        cut: of these, that reach a missing tile or the scene's end.
    """

    mosaic: Mosaic
    objects_path: Path | None
    objects: int
    joined: int
    cut: int


def write_scenes(
    copy: TileCopy,
    folder: Path,
    rule: BoxRule,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Iterator[SceneFiles]:
    """Write the scenes that a copy holds tiles of, and yield what was written.

    Args:
        copy: of the tiles.
        folder: for `scene_a.tif`, `scene_a_mask.tif`, `scene_a_landslides.gpkg` and so on.
        rule: what counts as a landslide: on whole objects of masks, or on boxes where masks are
            not there.
        progress: wraps the numbers while tiles are read.

    Raises:
        TileError: a broken tile or one of another size.
        StorageError: a file cannot be written.
    """
    find = objects_from_masks if copy.form == HDF5 else objects_from_boxes
    for scene in SCENES.values():
        if not any(number in copy.images for number in scene.numbers):
            continue
        mosaic = write_mosaic(copy, scene, folder, progress)
        labelled = any(number in copy.truths for number in scene.numbers)
        found = find(copy, scene, rule) if labelled else []
        path = folder / f'scene_{scene.name.lower()}_landslides.gpkg' if labelled else None
        if path is not None:
            write_objects(found, copy.tile_px, path)
        joined = sum(len(each.numbers) > 1 for each in found)
        yield SceneFiles(mosaic, path, len(found), joined, sum(each.cut for each in found))
