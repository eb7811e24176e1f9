"""Build hook: an editable install carries the same stand-in for mmcv's operators as the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StandInHook(BuildHookInterface[Any]):
    """Adds `mmcv/_ext.py` to an editable install; `force-include` reaches the built wheel only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the file and its place in site-packages; `version` is `editable` or `standard`."""
        if version == 'editable':
            build_data['force_include_editable'][f'{self.root}/mmcv_ext/_ext.py'] = 'mmcv/_ext.py'
