"""The host packages.

Which are installed, which versions fit, and how to live with a transformers that MMPretrain cannot
import. Imports no host and no torch; `registry.py` calls `prepare` before any model of a host is
imported.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mmlandslide import deferred_imports
from mmlandslide.errors import ConfigError

#: From this version on, MMPretrain 1.2's and 1.3's multi-modal modules fail while they are being
#: imported (4.51.3 works).
TRANSFORMERS_LIMIT = Version('4.52')

_CONSTRAINTS = {'openmmlab': 'constraints.txt', 'onedl': 'constraints-onedl.txt'}


def install_commands(root: Path) -> dict[str, str]:
    """Return the command that installs each stack with mmlandslide.

    Args:
        root: folder that holds the package; where that is a clone, its constraints are used.
    """
    if all((root / name).is_file() for name in (*_CONSTRAINTS.values(), 'pyproject.toml')):
        return {
            stack: f"pip install -c {name} -e '.[{stack}]'" for stack, name in _CONSTRAINTS.items()
        }
    return {stack: f"pip install 'mmlandslide[{stack}]'" for stack in _CONSTRAINTS}


#: Stack -> the command that installs it, as this installation can follow it.
INSTALL = install_commands(Path(__file__).parents[1])


@dataclass(frozen=True)
class Distribution:
    """One way to get a host.

    Attributes:
        name: what pip calls it.
        stack: `openmmlab` or `onedl`; the two exclude each other.
        fits: the versions that mmlandslide works with.
    """

    name: str
    stack: str
    fits: SpecifierSet


def _either(openmmlab: dict[str, str], onedl: dict[str, str]) -> tuple[Distribution, ...]:
    """Return the distributions of one host, OpenMMLab's first."""
    stacks = {'openmmlab': openmmlab, 'onedl': onedl}
    return tuple(
        Distribution(name, stack, SpecifierSet(fits))
        for stack, names in stacks.items()
        for name, fits in names.items()
    )


#: Import name -> the distributions that provide it.
HOSTS: dict[str, tuple[Distribution, ...]] = {
    'mmengine': _either({'mmengine': '>=0.10.4,<0.11'}, {'onedl-mmengine': '>=0.10.8,<0.11'}),
    'mmcv': _either(
        {'mmcv-lite': '>=2.1,<2.2', 'mmcv': '>=2.1,<2.2'}, {'onedl-mmcv': '>=2.3,<2.4'}
    ),
    'mmdet': _either({'mmdet': '>=3.3,<3.4'}, {'onedl-mmdetection': '>=3.4,<3.6'}),
    'mmpretrain': _either({'mmpretrain': '>=1.2,<1.3'}, {'onedl-mmpretrain': '>=1.3,<1.4'}),
    'mim': _either({'openmim': '>=0.3.9,<0.4'}, {'onedl-mim': '>=0.5,<0.6'}),
}
#: What a model cannot be built without; `mim` only starts runs.
NEEDED = ('mmengine', 'mmcv', 'mmdet', 'mmpretrain')


#: What `mim` calls a host -> its import name.
_MIM_NAMES = {'mmdet': 'mmdet', 'mmdetection': 'mmdet', 'mmpretrain': 'mmpretrain'}


def script(host: str, verb: str) -> Path | None:
    """Return the host's own script that `mim` runs, `None` where it is not found.

    Args:
        host: what `mim` calls it.
        verb: `train` or `test`.
    """
    spec = importlib.util.find_spec(_MIM_NAMES[host]) if host in _MIM_NAMES else None
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in (Path(folder, '.mim', 'tools'), Path(folder, 'tools')):
            if (path / f'{verb}.py').is_file():
                return path / f'{verb}.py'
    return None


def version_of(distribution: str) -> str | None:
    """Return the installed version of a distribution, `None` where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def installed(host: str) -> dict[Distribution, str]:
    """Return the installed distributions that provide an import name, with their versions."""
    versions = {distribution: version_of(distribution.name) for distribution in HOSTS[host]}
    return {
        distribution: version for distribution, version in versions.items() if version is not None
    }


def stack_in_use() -> str:
    """Return the stack that the installed hosts belong to.

    `onedl` where all of them do, else `openmmlab`.
    """
    stacks = {distribution.stack for host in HOSTS for distribution in installed(host)}
    return 'onedl' if stacks == {'onedl'} else 'openmmlab'


def misfit(host: str, found: dict[Distribution, str]) -> tuple[str, str, str] | None:
    """Say what is wrong with the distributions found for a host.

    Args:
        host: import name, a key of `HOSTS`.
        found: as `installed` returns it.

    Returns:
        What the host must be, what it is, and the remedy; `None` where it fits.
    """
    if not found:
        choices = ' or '.join(
            f'{distribution.name}{distribution.fits}' for distribution in HOSTS[host]
        )
        return f'be installed ({choices})', 'nothing', f'Run `{INSTALL[stack_in_use()]}`'
    if len({distribution.stack for distribution in found}) > 1:
        names = sorted(distribution.name for distribution in found)
        return (
            'come from one stack',
            ' and '.join(names),
            f'Start from an empty environment with `{INSTALL["openmmlab"]}`',
        )
    for distribution, version in found.items():
        if not distribution.fits.contains(version, prereleases=True):
            pip = f'pip install "{distribution.name}{distribution.fits}"'
            remedy = f'Run `{INSTALL[distribution.stack]}` or `{pip}`'
            return f'be {distribution.name}{distribution.fits}', version, remedy
    return None


def check_hosts() -> None:
    """Check that the hosts are there, of one stack, in versions that fit.

    Raises:
        ConfigError: one is missing, of a version that does not fit, or installed from both stacks.
    """
    for host in NEEDED:
        fault = misfit(host, installed(host))
        if fault is not None:
            expected, got, remedy = fault
            raise ConfigError.mismatch(
                f'host package {host!r}', expected, got, 'this environment', remedy
            )


def breaks_multimodal(transformers: str | None) -> bool:
    """Return whether MMPretrain's multi-modal modules fail to import with this transformers."""
    return transformers is not None and Version(transformers) >= TRANSFORMERS_LIMIT


def switch_off_multimodal() -> bool:
    """Keep MMPretrain from importing its multi-modal modules where transformers breaks them.

    Must run before `mmpretrain.models` or `mmpretrain.datasets` is imported; both read the switch
    once.

    Returns:
        Whether the switch was set.
    """
    if not breaks_multimodal(version_of('transformers')):
        return False
    vars(importlib.import_module('mmpretrain.utils.dependency'))['WITH_MULTIMODAL'] = False
    return True


def prepare() -> None:
    """Make the hosts ready for mmlandslide.

    `check_hosts`, `switch_off_multimodal`, then `deferred_imports.defer`.

    Raises:
        ConfigError: as `check_hosts`.
    """
    check_hosts()
    switch_off_multimodal()
    deferred_imports.defer()
