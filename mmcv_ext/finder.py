"""Finds `mmcv._ext` where mmcv has none that is compiled: the stand-in beside this file.

`mmlandslide_stand_in.pth` imports this at each start of Python, so it must cost nothing. A file in
mmcv's own folder would need no finder, but it would make a hollow package `mmcv` where no mmcv is
installed.
"""

import sys
from typing import Any


class StandInFinder:
    """The last finder in line: a compiled `mmcv._ext` is found before it is asked."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of the stand-in, `None` for any other module."""
        if name != 'mmcv._ext':
            return None
        from importlib.util import spec_from_file_location
        from pathlib import Path

        return spec_from_file_location(name, Path(__file__).with_name('_ext.py'))


if StandInFinder not in sys.meta_path:
    sys.meta_path.append(StandInFinder)
