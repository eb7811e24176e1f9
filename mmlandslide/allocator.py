"""How the C library treats the memory that a tensor leaves behind."""

import ctypes
import platform

#: Of glibc's malloc.h: free memory that is kept at the heap's end, bytes; blocks given by `mmap`.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_MOST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed for the next tensor, instead of giving it back each time.

    A block of a megabyte or more otherwise comes from the system, which clears its pages as they
    are touched: a tenth to a fifth of the time of inference on CPUs. The process stays as large as
    it was at its largest. It concerns the whole process, so programs call it, not libraries.

    Returns:
        Whether the C library is glibc and took it; elsewhere nothing changes.
    """
    if platform.libc_ver()[0] != 'glibc':
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_TRIM_THRESHOLD, _MOST)) and bool(mallopt(_M_MMAP_MAX, 0))
