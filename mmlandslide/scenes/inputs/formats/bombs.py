"""Files whose smallest readable part does not fit into memory, known before it is read."""

import struct
from pathlib import Path

from rasterio.enums import Interleaving
from rasterio.io import DatasetReader

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes.inputs.formats.packages import read_start

#: Of a strip, tile or block in memory, all its bands; a Sentinel-2 band as one block has 2**28.
MAX_BLOCK_BYTES = 2**29
_MAX_BANDS = 2**12
_MAX_TILES = 2**14
_HEAD_BYTES = 2**16
_SIZ = b'\xff\x4f\xff\x51'  # start of a JPEG 2000 codestream: SOC, then SIZ


def require_small_blocks(dataset: DatasetReader, path: Path) -> None:
    """Refuse a raster one block of which is absurdly large, packed or not.

    Raises:
        SceneError: its blocks, or its number of bands.
    """
    if dataset.count > _MAX_BANDS:
        raise _refusal(f'{dataset.count} bands', path)
    together = dataset.count if dataset.interleaving == Interleaving.pixel else 1
    for (height, width), dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        size_bytes = height * width * together * _BYTES.get(dtype, 16)
        if size_bytes > MAX_BLOCK_BYTES:
            raise _refusal(f'{height} x {width} px of {together} bands', path)
    if dataset.driver == 'JP2OpenJPEG':
        _require_small_tiles(path)


_BYTES = {'uint8': 1, 'int8': 1, 'uint16': 2, 'int16': 2, 'uint32': 4, 'int32': 4, 'float32': 4}


def _require_small_tiles(path: Path) -> None:
    """Refuse a JPEG 2000 file by its own words: OpenJPEG holds a tile of 4 bytes per value."""
    head = read_start(path, _HEAD_BYTES)
    start = head.find(_SIZ)
    if start < 0 or len(head) < start + 42:
        raise _refusal('no codestream in its first bytes', path)
    width, height, left, top, tile_width, tile_height = struct.unpack_from('>6I', head, start + 8)
    count = struct.unpack_from('>H', head, start + 40)[0]
    seen_bytes = min(tile_width, width - left) * min(tile_height, height - top) * count * 4
    if seen_bytes > 2 * MAX_BLOCK_BYTES:
        raise _refusal(f'a tile of {tile_height} x {tile_width} px, {count} bands', path)
    tiles = -(-(width - left) // max(tile_width, 1)) * -(-(height - top) // max(tile_height, 1))
    if tiles > _MAX_TILES:
        raise _refusal(f'{tiles} tiles', path)


def _refusal(got: str, path: Path) -> LandslideError:
    expected = f'have blocks of at most {MAX_BLOCK_BYTES // 2**20} MiB'
    remedy = 'Rewrite it with `gdal_translate -co TILED=YES -co INTERLEAVE=BAND`'
    return SceneError.mismatch('raster file', expected, got, path, remedy)
