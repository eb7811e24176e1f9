"""Which scenes a command line names, and which file each of them is written to."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmlandslide.errors import SceneError

if TYPE_CHECKING:
    from mmlandslide.scenes.detector import LandslideDetector
    from mmlandslide.scenes.inputs.options import InputOptions
    from mmlandslide.scenes.scene import Scene


def scenes(
    source: str | None, out: Path, detector: 'LandslideDetector', options: 'InputOptions'
) -> Iterator[tuple[Path, 'Scene']]:
    """Yield each scene with its output: one file for one scene, a folder for a folder of them."""
    if is_single(source, out):
        yield out, detector.open(source, options)
        return
    if _holds_several(source):
        _require_own_names(Path(str(source)))
    for scene in detector.open_all(source, options):
        yield out / f'{scene.name}.gpkg', scene


def is_single(source: str | None, out: Path) -> bool:
    """Return whether the output is one file: a layer, or a name with a suffix for one scene."""
    from mmlandslide.scenes.outputs.vector import PARTS

    if out.is_dir() or out.suffix.lower() in PARTS:
        return not out.is_dir()
    return bool(out.suffix) and not _holds_several(source)


def _holds_several(source: str | None) -> bool:
    """Return whether a source is a folder of tiles or of products."""
    from mmlandslide.scenes.inputs.formats.sentinel2 import product_roots

    folder = None if source is None else Path(source)
    return folder is not None and folder.is_dir() and len(product_roots(folder)) != 1


def _require_own_names(folder: Path) -> None:
    """Refuse a folder of tiles two of which would write the same files."""
    from mmlandslide.scenes.inputs.reader import tiles_in

    names = Counter(path.stem for path in tiles_in(folder))
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        remedy = 'Rename one of each, or move it elsewhere: their output would have one name'
        raise SceneError.mismatch(
            'tiles', 'have names that differ before the suffix', twice, folder, remedy
        )


def opened(
    source: str | None, detector: 'LandslideDetector', options: 'InputOptions'
) -> Iterator['Scene']:
    """Yield the scene of a source, or each of a folder of several."""
    if _holds_several(source):
        yield from detector.open_all(source, options)
    else:
        yield detector.open(source, options)
