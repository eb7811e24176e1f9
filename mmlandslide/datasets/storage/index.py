"""Finds the tiles of a Landslide4Sense folder and pairs image and mask by tile id."""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsorted

from mmlandslide.errors import ConfigError, DatasetError, MissingPathError

SPLITS = ('train', 'validation', 'test')
_ALIASES = {'val': 'validation', 'valid': 'validation'}
#: Layout A is the challenge's own (and Kaggle's), layout B that of HuggingFace
#: `ibm-nasa-geospatial/Landslide4sense`.
LAYOUTS: dict[str, dict[str, tuple[str, str]]] = {
    'A': {
        split: (f'{folder}/img', f'{folder}/mask')
        for split, folder in zip(SPLITS, ('TrainData', 'ValidData', 'TestData'), strict=True)
    },
    'B': {split: (f'images/{split}', f'annotations/{split}') for split in SPLITS},
}
#: Environment variable: folders, separated as in `PATH`, that links inside a data root may lead
#: into.
LINKS_INTO = 'MMLANDSLIDE_LINKS_INTO'
_SHOWN = 5


@dataclass(frozen=True)
class TileRef:
    """Where one tile lies.

    Attributes:
        tile_id: `<split>/<number>`, such as `train/12`.
        image_path: of its bands.
        mask_path: of its landslide mask; `None` where it is not labelled.
    """

    tile_id: str
    image_path: Path
    mask_path: Path | None = None


@dataclass(frozen=True)
class Pairing:
    """What lies in the folders of one split.

    Attributes:
        refs: one per tile image, in the order of their numbers.
        orphan_masks: tile id -> mask without image.
        ignored: files in the folders that are no tile by their name.
    """

    refs: list[TileRef]
    orphan_masks: dict[str, Path]
    ignored: list[Path] = field(default_factory=list)

    @property
    def files(self) -> dict[str, tuple[Path | None, Path | None]]:
        """Tile id -> paths of image and mask, lone masks included."""
        paired: dict[str, tuple[Path | None, Path | None]] = {
            ref.tile_id: (ref.image_path, ref.mask_path) for ref in self.refs
        }
        return paired | {tile_id: (None, path) for tile_id, path in self.orphan_masks.items()}

    @property
    def labelled(self) -> bool:
        """Whether any tile has a mask; a split without any is unlabelled, which is no fault."""
        return any(ref.mask_path for ref in self.refs)

    @property
    def unmasked(self) -> list[TileRef]:
        """Tiles without a mask in a split whose other tiles have one."""
        return [ref for ref in self.refs if ref.mask_path is None] if self.labelled else []


def split_named(name: str) -> str:
    """Return the canonical name of a split (`val` and `valid` are `validation`).

    Raises:
        ConfigError: no such split.
    """
    split = _ALIASES.get(name, name)
    if split not in SPLITS:
        raise ConfigError.mismatch(
            'split', f'be one of {list(SPLITS)}', repr(name), 'the dataset', 'Name one of those'
        )
    return split


def layout(data_root: Path) -> str:
    """Return which published layout a folder has, `A` or `B`.

    Raises:
        MissingPathError: no such folder, or it holds neither layout.
    """
    if name := _layout(data_root):
        return name
    below = [*data_root.glob('*/'), *data_root.glob('*/*/')]
    fits = [each for each in (*below, *data_root.absolute().parents[:2]) if _layout(each)]
    folders = sorted(path.name for path in below if path.parent == data_root)[:_SHOWN]
    raise MissingPathError.mismatch(
        'data root',
        'hold TrainData/img or images/train (or another split of these)',
        f'folders {folders}' if data_root.is_dir() else 'no folder',
        data_root,
        f'Name {fits[0]}, which does'
        if fits
        else 'Put Landslide4Sense there as data/README.md says, '
        f'or write simulated tiles with `mmlandslide synth --out {data_root}`',
    )


def _layout(root: Path) -> str | None:
    held = (
        name
        for name, splits in LAYOUTS.items()
        if any((root / at).is_dir() for at, _ in splits.values())
    )
    return next(held, None)


def pair(data_root: Path, split: str) -> Pairing:
    """List a split's images and masks and pair them by number, never by sort order.

    Args:
        data_root: folder in layout A or B.
        split: name or alias of the split.

    Returns:
        The pairing, faults included; empty where the split has no folder.

    Raises:
        MissingPathError: as in `layout`.
        DatasetError: a link leads out of the data root, see `require_inside`.
        ConfigError: no such split.
    """
    split = split_named(split)
    images, masks = LAYOUTS[layout(data_root)][split]
    image_paths, mask_paths = (
        _numbered(data_root, images, 'image'),
        _numbered(data_root, masks, 'mask'),
    )
    refs = [
        TileRef(f'{split}/{number}', image_paths[number], mask_paths.get(number))
        for number in natsorted(image_paths)
    ]
    orphans = {
        f'{split}/{number}': mask_paths[number]
        for number in natsorted(mask_paths)
        if number not in image_paths
    }
    folders = [data_root / below for below in (images, masks)]
    used = {*image_paths.values(), *mask_paths.values()}
    return Pairing(refs, orphans, _others(folders, used))


def find_tiles(data_root: Path, split: str, leave_out: Collection[str] = ()) -> list[TileRef]:
    """Return a split's tiles in the order of their numbers, or refuse a faulty pairing.

    Args:
        data_root: folder in layout A or B.
        split: name or alias of the split.
        leave_out: tile ids that are known to be faulty.

    Raises:
        MissingPathError: as in `layout`.
        DatasetError: no tile, a mask without image, or an image without mask among labelled ones.
        ConfigError: no such split.
    """
    return sound_tiles(pair(data_root, split), data_root, split, leave_out)


def sound_tiles(
    pairing: Pairing, data_root: Path, split: str, leave_out: Collection[str] = ()
) -> list[TileRef]:
    """Return the tiles of a pairing but those that are known to be faulty.

    Args:
        pairing: files of the split.
        data_root: that holds them.
        split: name or alias of the split.
        leave_out: tile ids that are known to be faulty.

    Raises:
        DatasetError: no tile, a mask without image, or an image without mask among labelled ones.
    """
    alone = {ref.tile_id: ref.image_path for ref in pairing.unmasked}
    unpaired = [
        path
        for tile_id, path in {**pairing.orphan_masks, **alone}.items()
        if tile_id not in leave_out
    ]
    if unpaired:
        raise unpaired_error(unpaired[0], len(unpaired))
    refs = [ref for ref in pairing.refs if ref.tile_id not in leave_out]
    if not refs:
        where = data_root / LAYOUTS[layout(data_root)][split_named(split)][0]
        expected, remedy = 'hold at least one image_N.h5', 'Put its tiles there or name another'
        raise DatasetError.mismatch(f'split {split!r}', expected, 'none', where, remedy)
    return refs


def unpaired_error(path: Path, count: int = 1) -> DatasetError:
    """Return the error for an image without mask or a mask without image.

    Args:
        path: of the file that stands alone.
        count: of such files in the split.
    """
    other = 'image' if path.name.startswith('mask') else 'mask'
    more = f' ({count} such files in this split)' if count > 1 else ''
    return DatasetError(
        f'tile file must have its {other}, got none{more} in {path}. '
        f'Add the {other}, or run `mmlandslide prepare --quarantine` to go on without the tile.'
    )


def require_inside(root: Path, folder: Path, files: Iterable[Path] = ()) -> None:
    """Refuse links that lead out of the data root, and names that cannot be printed.

    The root itself may be a link, and links may lead from place to place within it. Those that lead
    elsewhere, such as into a download cache, must be allowed by naming that place in the
    environment variable `LINKS_INTO`.

    Args:
        root: that a user has named.
        folder: below it.
        files: in the folder.

    Raises:
        DatasetError: a link leads to a place that is not allowed, or a file's name holds what
            cannot be printed.
    """
    allowed = [root, *map(Path, filter(None, os.environ.get(LINKS_INTO, '').split(os.pathsep)))]
    homes = [home.resolve() for home in allowed]
    for path in (folder, *files):
        if not path.name.isprintable():
            remedy = 'Rename the file or take it out'
            raise DatasetError.mismatch(
                'file name', 'be printable', repr(path.name), folder, remedy
            )
        if path != folder and not path.is_symlink():
            continue
        target = Path(os.path.realpath(path))
        if not any(target.is_relative_to(home) for home in homes):
            remedy = (
                'Put what it leads to there itself, '
                f'or allow links into {target.parent} with the variable {LINKS_INTO}'
            )
            raise DatasetError.mismatch(
                'path', f'lead to a place inside {homes[0]}', target, path, remedy
            )


def stamp(path: Path | None) -> list[str | int] | None:
    """Return what changes with a file's content, `None` where there is no file.

    Name, size, the time that a copy may keep (mtime), and two that it cannot (ctime, inode): a file
    that was replaced by one of the same size and time is another file.
    """
    if path is None or not path.exists():
        return None
    status = path.stat()
    return [
        path.name,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
    ]


def ignored_text(ignored: Sequence[Path]) -> str:
    """Return count and names of files that no tile was read from."""
    more = f' and {len(ignored) - _SHOWN} more' if len(ignored) > _SHOWN else ''
    return f'{len(ignored)} others: {", ".join(path.name for path in ignored[:_SHOWN])}{more}'


def _others(folders: Iterable[Path], used: Collection[Path]) -> list[Path]:
    """Return the files of some folders that are not used, hidden ones apart."""
    found = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    others = (path for path in found if path not in used and path.name[0] != '.')
    return natsorted((path for path in others if path.name.isprintable()), key=str)


def _numbered(data_root: Path, below: str, stem: str) -> dict[str, Path]:
    """Return number -> path of the files `<stem>_<number>.h5` in a folder below the data root."""
    folder = data_root / below
    if not folder.is_dir():
        return {}
    found = {_number(path): path for path in folder.glob(f'{stem}_*.h5') if _number(path)}
    require_inside(data_root, folder, found.values())
    return found


def _number(path: Path) -> str:
    match = re.fullmatch(r'(?:image|mask)_(\d+)\.h5', path.name)
    return match[1] if match else ''
