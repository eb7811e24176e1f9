import platform
import subprocess
import sys

import pytest

from mmlandslide.allocator import keep_freed_memory

# 64 MiB, above every limit of glibc's own, taken and left ten times; a page fault is 4 KiB.
FAULTS = """
import resource, sys, numpy as np
from mmlandslide.allocator import keep_freed_memory
if sys.argv[1] == 'kept':
    assert keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.empty(2**26, np.uint8).fill(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='the switch is of glibc')
def test_a_second_block_costs_no_page_faults_where_memory_is_kept():
    faults = {
        kind: int(subprocess.check_output([sys.executable, '-c', FAULTS, kind]))
        for kind in ('kept', 'given back')
    }
    assert faults['kept'] < 0.3 * faults['given back']  # one block of ten


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, 'libc_ver', lambda: ('musl', '1.2'))
    assert not keep_freed_memory()
