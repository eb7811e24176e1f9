"""The second wall: what GDAL may open, and where it may look, while a stranger's file is read.

The first wall reads virtual rasters by itself, see `virtual_raster`. This one holds for whatever
slips through: GDAL forgets all drivers but those that scenes need, and every file system that leads
to a network answers that there is no such file.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import rasterio
import rasterio._env

from mmlandslide.errors import LandslideError, SceneError

#: Drivers that scenes need; `MEM` holds what is warped.
DRIVERS = ('VRT', 'GTiff', 'JP2OpenJPEG', 'MEM')
OPTIONS = {
    # Neither side files (.aux.xml may name any file or URL as overview) nor code.
    'GDAL_DISABLE_READDIR_ON_OPEN': 'EMPTY_DIR',
    'GDAL_VRT_ENABLE_PYTHON': 'NO',
    'GDAL_CACHEMAX': 2**28,
    # No file of this name exists on any network: /vsicurl/, /vsis3/, /vsiwebhdfs/, ...
    'CPL_VSIL_CURL_ALLOWED_FILENAME': 'none',
    'CPL_ALLOW_VSISTDIN': 'NO',
    'VRT_ALLOW_MEM_DRIVER': 'NO',
}
_LOCK = threading.Lock()


@contextmanager
def walls(opens: bool = True) -> Iterator[None]:
    """Keep GDAL's options and drivers to those of scenes; all drivers are back afterwards.

    Options hold for this thread, drivers for the process: of several threads the last one brings
    them back. On systems where GDAL's own functions are out of reach the options alone hold.

    Args:
        opens: whether GDAL may open files meanwhile, as it does where a virtual raster is read;
            else the drivers do not matter and stay.
    """
    with rasterio.Env(**OPTIONS):
        if not opens:
            yield
            return
        _Drivers.enter()
        try:
            yield
        finally:
            _Drivers.leave()


@contextmanager
def reading(path: Path, opens: bool = True) -> Iterator[None]:
    """Read within GDAL's walls, and turn its errors into one that names the file.

    Args:
        path: of the file.
        opens: whether GDAL may open files meanwhile.

    Raises:
        SceneError: the file cannot be read.
    """
    try:
        with walls(opens):
            yield
    except LandslideError:
        raise
    # GDAL's errors come as classes of rasterio, of its private modules and of Python.
    except Exception as error:
        reason = ' '.join(str(error.__cause__ or error).split())
        raise SceneError.mismatch(
            'raster file', 'be readable', repr(reason), path, 'Download it again'
        ) from error


class _Drivers:
    """GDAL's list of drivers, cut short while anybody reads."""

    readers = 0
    all: tuple[int, ...] = ()

    @classmethod
    def enter(cls) -> None:
        library = _library()
        with _LOCK:
            if library is not None and cls.readers == 0:
                cls.all = _registered(library)
                for driver in cls.all:
                    if library.GDALGetDriverShortName(driver).decode() not in DRIVERS:
                        library.GDALDeregisterDriver(driver)
            cls.readers += 1

    @classmethod
    def leave(cls) -> None:
        library = _library()
        with _LOCK:
            cls.readers -= 1
            if library is not None and cls.readers == 0:
                for driver in _registered(library):
                    library.GDALDeregisterDriver(driver)
                for driver in cls.all:  # GDAL asks them in this order
                    library.GDALRegisterDriver(driver)


def _registered(library: ctypes.CDLL) -> tuple[int, ...]:
    return tuple(library.GDALGetDriver(index) for index in range(library.GDALGetDriverCount()))


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """Return the GDAL that rasterio uses, or `None` where its functions cannot be found."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(rasterio._env.__file__)
        library.GDALGetDriver.argtypes, library.GDALGetDriver.restype = (
            [ctypes.c_int],
            ctypes.c_void_p,
        )
        library.GDALGetDriverCount.restype = ctypes.c_int
        library.GDALGetDriverShortName.argtypes = [ctypes.c_void_p]
        library.GDALGetDriverShortName.restype = ctypes.c_char_p
        for name in ('GDALDeregisterDriver', 'GDALRegisterDriver'):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        return library
    return None
