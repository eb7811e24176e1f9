"""What can be wrong with the file of a tile or of its mask."""

from pathlib import Path

from mmlandslide.errors import TileError

HDF5 = ('.h5', '.hdf5')


class UnreadableTileError(TileError):
    """The file is cut off, is of another format, or keeps its values elsewhere."""


class TileKeyError(UnreadableTileError):
    """The HDF5 file has no dataset of that name."""


class TileShapeError(TileError):
    """The array has other dimensions, bands or more values than a tile can have."""


class TileDtypeError(TileError):
    """The array has a type that would lose or change values."""


class NonFiniteTileError(TileError):
    """The image holds NaN or infinite values."""


class NoDataTileError(TileError):
    """A band holds no data, or a value that means so contradicts the file's own."""


class MaskError(TileError):
    """The mask has another size than its image, or values other than landslide and not."""


def again(path: Path) -> str:
    """Return what to do about a broken file.

    `prepare` lists those of Landslide4Sense, which are HDF5.
    """
    check = ', or run `mmlandslide prepare --check` for a list of all such files'
    return f'Download the file again{check if path.suffix.lower() in HDF5 else ""}'
