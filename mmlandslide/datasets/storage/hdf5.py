"""What makes it unsafe to read the values of an HDF5 dataset, found out before they are read.

HDF5 loads a filter that it does not know from a plugin folder and runs it, and it inflates a chunk
to the end of its stream, however long that is. So only HDF5's own filters pass, once each, and a
chunk must inflate to what the dataset says.
"""

import math
import mmap
import re
import zlib
from itertools import islice
from pathlib import Path

import h5py
from h5py import h5z

#: What every dataset must do, for the error.
SAFE = (
    'be stored as it is or with gzip or lzf, shuffle and fletcher32, '
    'in chunks that hold what they should'
)

_KNOWN = {h5z.FILTER_DEFLATE, h5z.FILTER_LZF, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
_PACKERS = (h5z.FILTER_DEFLATE, h5z.FILTER_LZF)
_MAX_CHUNKS = 2**16
_HEAP, _BLOCK_BYTES = re.compile(b'GCOL'), 2**22
_MAX_HEAPS = 64  # they hold texts of any length, such as attributes; each has 4 kB or more


def is_virtual(path: Path) -> bool:
    """Return whether a file holds a virtual dataset, from its bytes alone.

    HDF5 2.0 crashes or hangs as it opens one whose list of sources is broken, before it can be
    asked what it is. A dataset's layout names its class, 3 for virtual, and then the address of the
    global heap that holds the list.

    Args:
        path: of an HDF5 file, not empty.
    """
    if not _has_heap(path):
        return False
    with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        heaps = [found.start() for found in islice(_HEAP.finditer(content), _MAX_HEAPS + 1)]
        named = any(content.find(b'\x03' + heap.to_bytes(8, 'little')) >= 0 for heap in heaps)
        return named or len(heaps) > _MAX_HEAPS


def _has_heap(path: Path) -> bool:
    """Return whether a file holds the signature of a global heap; most hold none."""
    edge, before = len(_HEAP.pattern) - 1, b''
    with path.open('rb') as file:
        while block := file.read(_BLOCK_BYTES):
            if _HEAP.search(block) or _HEAP.search(before + block[:edge]):
                return True
            before = block[-edge:]
    return False


def hazard(dataset: h5py.Dataset) -> str | None:
    """Say why a dataset must not be read.

    Args:
        dataset: of numbers, whose shape and chunks are sane.

    Returns:
        What is wrong, `None` where nothing is.
    """
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    strange = [code for code in filters if code not in _KNOWN]
    if strange:
        return f'filter {strange[0]}'
    packers = [code for code in filters if code in _PACKERS]
    if len(packers) > 1 or len(set(filters)) < len(filters):
        return f'filters {filters}, one upon another'
    return _chunk_hazard(dataset, filters.index(packers[0])) if packers else None


def _chunk_hazard(dataset: h5py.Dataset, position: int) -> str | None:
    """Say what is wrong with a compressed dataset's chunks.

    `position` is the compression's among the filters.
    """
    count = math.prod(
        -(-side // chunk) for side, chunk in zip(dataset.shape, dataset.chunks, strict=True)
    )
    if count > _MAX_CHUNKS:
        return f'{count} chunks'
    whole_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    for selection in dataset.iter_chunks():
        offset = tuple(part.start for part in selection)
        stored_bytes = dataset.id.get_chunk_info_by_coord(offset).size
        if stored_bytes > 2 * whole_bytes + 1024:
            return f'{stored_bytes} bytes stored for a chunk of {whole_bytes}'
        if stored_bytes and _overflows(dataset, offset, position, whole_bytes):
            return f'a chunk that inflates to more than its {whole_bytes} bytes'
    return None


def _overflows(
    dataset: h5py.Dataset, offset: tuple[int, ...], position: int, whole_bytes: int
) -> bool:
    """Return whether a gzip chunk inflates to more than it should.

    Lzf grows by its nature to 90 times at most.
    """
    if dataset.compression != 'gzip':
        return False
    skipped, stored = dataset.id.read_direct_chunk(offset)
    return (
        not skipped >> position & 1
        and len(zlib.decompressobj().decompress(stored, whole_bytes + 5)) > whole_bytes + 4
    )
