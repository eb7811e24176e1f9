"""Split files: text with one tile id per line, the same for all stages."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from mmlandslide.configs import located
from mmlandslide.datasets.storage.index import TileRef, require_inside
from mmlandslide.errors import ConfigError, DatasetError, MissingPathError

#: A split file of all 4844 tiles has 80 kB.
MAX_SPLIT_BYTES = 2**24
#: What a view does with tiles of its split file that the copy does not hold.
MISSING = ('refuse', 'skip')
_SHOWN, _SHOWN_LENGTH = 5, 60
_REMEDY = 'Write one tile id per line, such as train/12'


def select(refs: Iterable[TileRef], split_file: Path) -> list[TileRef]:
    """Return the tiles that a split file names, in its order.

    Args:
        refs: to choose from.
        split_file: as in `read_split`.

    Raises:
        LandslideError: see `read_split`.
    """
    known = {ref.tile_id: ref for ref in refs}
    return [known[tile_id] for tile_id in read_split(split_file, known)]


def read_split(split_file: Path, known: Collection[str], missing: str = 'refuse') -> list[str]:
    """Return the tile ids of a split file, in its order.

    Args:
        split_file: text, one tile id per line; `#` starts a comment. It names tiles only; nothing
            in it is opened as a path.
        known: ids of the tiles at hand.
        missing: of `MISSING`: `refuse` an id that is not known, or `skip` it.

    Raises:
        MissingPathError: no such file.
        DatasetError: an id that is not known (with `skip`: none is), one that stands there twice,
            no id at all, a file that is not UTF-8 or absurdly large, or a link that leads out of
            its folder.
        ConfigError: `missing` is none of `MISSING`.
    """
    if missing not in MISSING:
        where, remedy = 'the dataset', 'Name one of those'
        raise ConfigError.mismatch(
            'missing', f'be one of {list(MISSING)}', repr(missing), where, remedy
        )
    tile_ids = listed_ids(split_file)
    unknown = [tile_id for tile_id in tile_ids if tile_id not in known]
    if unknown and (missing == 'refuse' or len(unknown) == len(tile_ids)):
        raise DatasetError.mismatch(
            'split file',
            f'name tiles of this split, such as {next(iter(known), "train/1")}',
            f'{len(unknown)} unknown: {[tile_id[:_SHOWN_LENGTH] for tile_id in unknown[:_SHOWN]]}',
            split_file,
            'Take those lines out (a quarantined tile counts as unknown)',
        )
    return [tile_id for tile_id in tile_ids if tile_id in known]


def listed_ids(split_file: Path) -> list[str]:
    """Return the ids that a split file lists, known or not; errors as in `read_split`."""
    split_file = located(split_file)
    if not split_file.is_file():
        raise MissingPathError.mismatch('split file', 'exist', 'no file', split_file, _REMEDY)
    require_inside(split_file.parent, split_file.parent, [split_file])
    lines = (line.split('#')[0].strip() for line in _text(split_file).splitlines())
    tile_ids = [line for line in lines if line]
    if not tile_ids or len(set(tile_ids)) != len(tile_ids):
        twice = [tile_id for tile_id, times in Counter(tile_ids).items() if times > 1]
        shown = [tile_id[:_SHOWN_LENGTH] for tile_id in twice[:_SHOWN]]
        got = f'a tile twice: {shown}' if twice else 'no tile'
        expected = 'name at least one tile and none twice'
        raise DatasetError.mismatch('split file', expected, got, split_file, 'Correct its lines')
    return tile_ids


def _text(split_file: Path) -> str:
    """Return the text of a split file."""
    size = split_file.stat().st_size
    if size > MAX_SPLIT_BYTES:
        raise DatasetError.mismatch(
            'split file', f'have at most {MAX_SPLIT_BYTES} bytes', size, split_file, _REMEDY
        )
    try:
        return split_file.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise DatasetError.mismatch(
            'split file', 'be UTF-8 text', repr(str(error)), split_file, _REMEDY
        ) from error
