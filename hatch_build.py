"""Build hook: the stand-in for mmcv's operators in an editable install, studies in the wheel."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: File -> its place in site-packages. pyproject.toml says the same for the built wheel.
STAND_IN = {
    'mmcv_ext/finder.py': '_mmlandslide_stand_in/__init__.py',
    'mmcv_ext/_ext.py': '_mmlandslide_stand_in/_ext.py',
    'mmcv_ext/mmlandslide_stand_in.pth': 'mmlandslide_stand_in.pth',
}


class StandInHook(BuildHookInterface[Any]):
    """Adds the stand-in to an editable install; `force-include` reaches the built wheel only.

    The wheel gets the studies without the archives of their trials, which are megabytes.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files and their places; `version` is `editable` or `standard`."""
        root = Path(self.root)
        for path in sorted(root.glob('studies/**/*')) if version == 'standard' else ():
            inner = path.relative_to(root)
            if path.is_file() and 'archives' not in inner.parts:
                build_data['force_include'][str(path)] = f'mmlandslide/.mim/{inner.as_posix()}'
        if version == 'editable':
            for file, place in STAND_IN.items():
                build_data['force_include_editable'][f'{self.root}/{file}'] = place
