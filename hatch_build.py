"""Build hook: an editable install carries the same stand-in for mmcv's operators as the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: File -> its place in site-packages. pyproject.toml says the same for the built wheel.
STAND_IN = {
    'mmcv_ext/finder.py': '_mmlandslide_stand_in/__init__.py',
    'mmcv_ext/_ext.py': '_mmlandslide_stand_in/_ext.py',
    'mmcv_ext/mmlandslide_stand_in.pth': 'mmlandslide_stand_in.pth',
}


class StandInHook(BuildHookInterface[Any]):
    """Adds the stand-in to an editable install; `force-include` reaches the built wheel only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files and their places; `version` is `editable` or `standard`."""
        if version == 'editable':
            for file, place in STAND_IN.items():
                build_data['force_include_editable'][f'{self.root}/{file}'] = place
