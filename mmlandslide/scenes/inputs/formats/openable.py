"""What GDAL is given to open for a path: the path itself, or a virtual raster that we built."""

from dataclasses import dataclass
from pathlib import Path

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes.inputs.formats import virtual_raster
from mmlandslide.scenes.inputs.formats.packages import gdal_name, local_path, read_start

_JPEG2000 = (b'\x00\x00\x00\x0cjP  ', b'\xff\x4f\xff\x51')
_TIFF = (b'II*\x00', b'MM\x00*', b'II+\x00', b'MM\x00+')
_START_BYTES = 256
_VRT_DEPTH = 4
#: Characters of a virtual raster that is built, those within it written out.
_MAX_BUILT = 2**24
_MAX_VRT_BYTES = 2**24
_CONVERT = 'Convert it with `gdal_translate`'
#: First bytes -> what a file of another format is, and what to do.
_OTHERS = {
    b'PK': ('an archive', 'Pass the .zip itself, or unpack it'),
    b'\x1f\x8b': ('an archive', 'Unpack it'),
    b'\x89PNG': ('PNG', _CONVERT),
    b'\xff\xd8\xff': ('JPEG', _CONVERT),
    b'\x89HDF': ('HDF5', _CONVERT),
    b'': ('an empty file', 'Download it again'),
}


@dataclass(frozen=True)
class Openable:
    """A file as GDAL may open it.

    Attributes:
        driver: of GDAL.
        name: a path, one in a .zip, or the text of a virtual raster.
        files: that are read.
    """

    driver: str
    name: str
    files: tuple[Path, ...]


def openable(path: Path) -> Openable:
    """Return how GDAL opens a file, by its first bytes.

    Raises:
        MissingPathError: no such file.
        SceneError: another format, a path on another machine, or a VRT that says what is not
            allowed.
    """
    return _openable(local_path(path), 0, {})


def _openable(path: Path, depth: int, known: dict[Path, Openable]) -> Openable:
    if path in known:
        return known[path]
    start = read_start(path, _START_BYTES)
    if start.startswith(_TIFF):
        found = Openable('GTiff', gdal_name(path), (path,))
    elif start.startswith(_JPEG2000):
        found = Openable('JP2OpenJPEG', gdal_name(path), (path,))
    elif start.lstrip(b'\xef\xbb\xbf \t\r\n')[:11].lower() == b'<vrtdataset':
        found = _virtual(path, depth, known)
    else:
        raise _other_format(path, start)
    known[path] = found
    return found


def _virtual(path: Path, depth: int, known: dict[Path, Openable]) -> Openable:
    if depth == _VRT_DEPTH:
        raise _too_large(path)
    root = virtual_raster.parse(read_start(path, _MAX_VRT_BYTES + 1), path)
    files, length = [path], 0

    def name_of(source: Path) -> str:
        nonlocal length
        inner = _openable(source, depth + 1, known)
        files.extend(inner.files)
        length += len(inner.name)
        if length > _MAX_BUILT:
            raise _too_large(path)
        return inner.name

    text = virtual_raster.rebuilt(root, path, name_of)
    if len(text) > _MAX_BUILT:
        raise _too_large(path)
    return Openable('VRT', text, tuple(dict.fromkeys(files)))


def _other_format(path: Path, start: bytes) -> LandslideError:
    """Return the error of a file that is no raster; not its bytes, it may be any of the machine."""
    got, remedy = next(
        (said for magic, said in _OTHERS.items() if start[: len(magic) or None] == magic),
        ('another format', _CONVERT),
    )
    return SceneError.mismatch('raster file', 'be GeoTIFF, JPEG 2000 or VRT', got, path, remedy)


def _too_large(path: Path) -> LandslideError:
    return SceneError.mismatch(
        'VRT',
        'be a mosaic, selection or warp of local GeoTIFF or JPEG 2000 files',
        'too many bytes or levels',
        path,
        'Build it with `gdalbuildvrt`, of files that are no VRT',
    )
