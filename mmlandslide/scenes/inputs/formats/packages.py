"""Paths of strangers: a folder or a .zip of files, and what is neither."""

import os
import re
import struct
import zipfile
from pathlib import Path

from mmlandslide.errors import ConfigError, LandslideError, MissingPathError, SceneError
from mmlandslide.files import DAMAGED_ZIP

#: Of a member: flags, method, check sum, size packed and unpacked.
_HEADER = struct.Struct('<6x2H4x3L4x')
#: Flag of sizes that come behind the content, and value of sizes of more than 4 GiB.
_SIZES_FOLLOW, _IN_EXTRA_FIELD = 8, 0xFFFFFFFF
#: Files that are looked at in a folder or archive, at most.
_MOST_FILES = 10**5
_REMOTE = re.compile(r'[a-z][a-z0-9+.-]+:/|/vsi[a-z0-9_]+/', re.IGNORECASE)


def local_path(path: str | Path) -> Path:
    """Return a path on this machine.

    Raises:
        ConfigError: it is no path.
        SceneError: it names another machine, or a file in one of GDAL's virtual file systems.
    """
    if not isinstance(path, str | os.PathLike):
        remedy = 'Pass a path, or an array of NumPy, PyTorch or xarray'
        raise ConfigError.mismatch(
            'source', 'be a path or an array', type(path).__name__, 'the options', remedy
        )
    if _REMOTE.match(str(path)):
        remedy = 'Download it first and pass the file; a product may stay a .zip'
        raise SceneError.mismatch('path', 'be local', str(path), 'the options', remedy)
    return Path(path)


def archive_of(path: Path) -> tuple[Path, str] | None:
    """Return the .zip that a path leads into and the name within, `''` for the archive itself.

    `None` for a path that leads into none.
    """
    for archive in (path, *path.parents):
        if archive.suffix.lower() == '.zip' and archive.is_file():
            return archive, '' if archive == path else path.relative_to(archive).as_posix()
    return None


def is_file(path: Path) -> bool:
    """Return whether there is such a file, in an archive or not."""
    inside = archive_of(path)
    if inside is None or not inside[1]:
        return path.is_file()
    return any(name == path for name in files_under(inside[0]))


def is_package(path: Path) -> bool:
    """Return whether a path is a folder, or a .zip or a folder in one."""
    return path.is_dir() or (archive_of(path) is not None and not is_file(path)) or _is_zip(path)


def _is_zip(path: Path) -> bool:
    inside = archive_of(path)
    return inside is not None and not inside[1]


def files_under(folder: Path) -> list[Path]:
    """Return all files in a folder or archive, at any depth, sorted.

    Raises:
        SceneError: an archive that cannot be read, names that lead out of it, or too many files.
    """
    inside = archive_of(folder)
    if inside is not None:
        return _members(*inside)
    found = []
    for path in folder.absolute().rglob('*'):
        found.append(path)
        if len(found) > _MOST_FILES:
            raise _too_many(folder)
    return sorted(path for path in found if path.is_file())


def _members(archive: Path, below: str) -> list[Path]:
    try:
        with zipfile.ZipFile(archive) as file:
            # `is_dir` fails on an empty name in Python 3.11.
            names = [name for name in file.namelist() if not name.endswith('/')]
    except DAMAGED_ZIP as error:
        raise SceneError.mismatch(
            'archive', 'be readable', repr(str(error)), archive, 'Download it again'
        ) from error
    if len(names) > _MOST_FILES:
        raise _too_many(archive)
    odd = [name for name in names if '..' in Path(name).parts or re.search(r'^/|[{}\\\0]', name)]
    if odd:
        raise SceneError.mismatch(
            'names in an archive', 'stay within it', repr(odd[0]), archive, 'Unpack it by hand'
        )
    paths = sorted(archive.absolute() / name for name in names)
    start = archive.absolute() / below
    return [path for path in paths if start in path.parents]


def _too_many(path: Path) -> LandslideError:
    remedy = 'Pass the folder of one product'
    return SceneError.mismatch('folder', f'hold at most {_MOST_FILES} files', 'more', path, remedy)


def read_start(path: Path, size_bytes: int) -> bytes:
    """Return the first bytes of a file, in an archive or not.

    Raises:
        MissingPathError: no such file.
        SceneError: an archive that cannot be read.
    """
    inside = archive_of(path)
    if inside is None or not inside[1]:
        return _start_of(path, size_bytes)
    try:
        with zipfile.ZipFile(inside[0]) as archive, archive.open(inside[1]) as member:
            _require_one_statement(inside[0], archive.getinfo(inside[1]))
            return member.read(size_bytes)
    except KeyError as error:
        raise MissingPathError.mismatch(
            'raster file', 'exist', 'no file', path, 'Check the path'
        ) from error
    except DAMAGED_ZIP as error:
        raise SceneError.mismatch(
            'archive', 'be readable', repr(str(error)), path, 'Unpack it, or download it again'
        ) from error


def _start_of(path: Path, size_bytes: int) -> bytes:
    try:
        if path.is_file():
            with path.open('rb') as file:
                return file.read(size_bytes)
    except OSError as error:
        said = repr(error.strerror)
        raise SceneError.mismatch(
            'raster file', 'be readable', said, path, 'Name another, or change its rights'
        ) from error
    raise MissingPathError.mismatch('raster file', 'exist', 'no file', path, 'Check the path')


def _require_one_statement(path: Path, entry: zipfile.ZipInfo) -> None:
    """Refuse a member of which its own header says something else than the archive's directory.

    GDAL goes by the one, Python by the other; where they differ, GDAL keeps the archive open.

    Raises:
        BadZipFile: they differ.
    """
    with path.open('rb') as file:
        file.seek(entry.header_offset)
        header = file.read(_HEADER.size)
    flags, method, *sizes = _HEADER.unpack(header)
    follows = flags & _SIZES_FOLLOW or _IN_EXTRA_FIELD in sizes
    if method != entry.compress_type or not (
        follows or sizes == [entry.CRC, entry.compress_size, entry.file_size]
    ):
        raise zipfile.BadZipFile(f'two statements of the size of {entry.filename!r}')


def gdal_name(path: Path) -> str:
    """Return the name under which GDAL opens a file, which may lie in a .zip."""
    inside = archive_of(path)
    if inside is None or not inside[1]:
        return str(path.absolute())
    return f'/vsizip/{{{inside[0].absolute()}}}/{inside[1]}'
