"""What is installed, whether it fits together, and what to do where it does not.

Two installs exist: the light one, which finds landslides in scenes, and the one that trains, which
adds torch and the hosts.
"""

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util

from packaging.requirements import Requirement
from packaging.version import Version

from mmlandslide import hosts
from mmlandslide.library_probes import Probe, run_probes

COMPILED_MMCV = (
    'Run `pip uninstall mmcv`, then `pip install mmcv-lite==2.1.0`, '
    'or compile mmcv again for this torch (below 2.14)'
)
_OPENCV = (
    'opencv-python',
    'opencv-python-headless',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)
#: What users of each install run, by the name of its row.
_PROBES = {
    'maps': 'import rasterio, rasterio.crs, pyogrio, geopandas, onnxruntime; '
    'rasterio.crs.CRS.from_epsg(32633).linear_units; geopandas.GeoSeries([], crs=32633); '
    'print("null")',
    'torch': 'import torch, json; c = torch.cuda; print(json.dumps([str(torch.version.cuda), '
    '[c.get_device_name(i) for i in range(c.device_count())]]))',
    'torchvision': 'from mmlandslide.deferred_imports import defer; defer(); '
    'import torchvision; torchvision.ops.nms; import torch; '
    'torch.ops.torchvision.nms; print("null")',
    'cv2': 'import cv2; print("null")',
    'mmcv.ops': 'import json, mmcv.ops, mmcv._ext as e; s = hasattr(e, "MMLANDSLIDE_STAND_IN"); '
    'print(json.dumps(["stand-in" if s else "compiled", list(e.ops_in_force()) if s else []]))',
    'models': 'import mmlandslide.registry, mmdet.models, mmpretrain.models; print("null")',
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table.

    Attributes:
        name: what was looked at.
        value: what was found.
        remedy: what the user does about it; empty where there is nothing to do.
        fault: whether mmlandslide cannot work like this. A remedy without a fault is a note.
    """

    name: str
    value: str
    remedy: str = ''
    fault: bool = False


def torch_finding(version: str | None, probe: Probe) -> Finding:
    """Report torch, the CUDA that it was built with and the devices it sees."""
    if version is None or probe.error:
        return Finding(
            'torch',
            version or 'not installed',
            f'Reinstall torch: {probe.error or "it is missing"}',
            fault=True,
        )
    cuda, devices = probe.output or ['None', []]
    build = 'CPU build' if cuda == 'None' else f'CUDA {cuda} build'
    named = ', '.join(map(str, devices)) if isinstance(devices, list) and devices else 'no GPU'
    return Finding('torch', f'{version} ({build}, {named})')


def torchvision_finding(
    version: str | None, requires: Sequence[str], torch_version: str | None, probe: Probe
) -> Finding:
    """Report torchvision; a fault where it does not belong to the installed torch.

    Args:
        version: of torchvision, `None` where it is not installed.
        requires: requirements that torchvision's metadata states.
        torch_version: of torch.
        probe: whether its compiled operators load.
    """
    pair = next((Requirement(text) for text in requires if Requirement(text).name == 'torch'), None)
    fits = (
        torch_version is None
        or pair is None
        or pair.specifier.contains(Version(torch_version).public, prereleases=True)
    )
    if version is not None and fits and not probe.error:
        return Finding('torchvision', version)
    wanted = pair if pair is not None else 'the torch that it was built with'
    reason = probe.error or f'it needs {wanted}, torch is {torch_version}'
    remedy = f'Install the pair that belongs together, `pip install torch torchvision`: {reason}'
    return Finding('torchvision', version or 'not installed', remedy, fault=True)


def opencv_finding(versions: dict[str, str], probe: Probe) -> Finding:
    """Report OpenCV.

    Where it does not import, the usual reason is a machine without a graphics library.
    """
    value = ', '.join(f'{name} {version}' for name, version in versions.items()) or 'not installed'
    if not probe.error:
        return Finding('opencv', value)
    remedy = f'Run `pip install opencv-python-headless` in its place: {probe.error}'
    return Finding('opencv', value, remedy, fault=True)


def host_finding(host: str, found: dict[hosts.Distribution, str]) -> Finding:
    """Report one host package by import name."""
    value = (
        ', '.join(f'{distribution.name} {version}' for distribution, version in found.items())
        or 'not installed'
    )
    fault = hosts.misfit(host, found)
    if fault is None:
        return Finding(host, value)
    expected, _, remedy = fault
    return Finding(host, value, f'Must {expected}. {remedy}', fault=True)


def ops_finding(probe: Probe) -> Finding:
    """Report which implementation of mmcv's operators is in force."""
    if probe.output is not None and probe.output[0] == 'compiled':
        return Finding('mmcv.ops', 'compiled mmcv._ext')
    if probe.output is not None:
        names = probe.output[1] if isinstance(probe.output[1], list) else []
        families = sorted({re.sub('_(forward|backward).*', '', str(name)) for name in names})
        return Finding('mmcv.ops', f'torchvision stand-in: {", ".join(families)}')
    if "'mmcv._ext'" in probe.error:
        again = 'pip install --force-reinstall --no-deps -e .'
        remedy = f'Install mmlandslide again, it carries a stand-in (`{again}`): {probe.error}'
        return Finding('mmcv.ops', 'none', remedy, fault=True)
    if (
        'undefined symbol' in probe.error
        or 'DLL load failed' in probe.error
        or 'signal' in probe.error
    ):
        return Finding(
            'mmcv.ops', 'compiled for another torch', f'{COMPILED_MMCV}: {probe.error}', fault=True
        )
    remedy = f'Repair the hosts named above first: {probe.error}'
    return Finding('mmcv.ops', 'cannot be imported', remedy, fault=True)


def models_finding(probe: Probe) -> Finding:
    """Report whether the models of both hosts can be imported together with mmlandslide."""
    if probe.error:
        remedy = f'Repair what is named above first: {probe.error}'
        return Finding('models', 'cannot be imported', remedy, fault=True)
    return Finding('models', 'mmdet and mmpretrain import')


def mim_finding(
    found: dict[hosts.Distribution, str], setuptools: str | None, has_pkg_resources: bool
) -> Finding:
    """Report mim, and how it wants MMDetection to be spelled on this stack.

    Args:
        found: installed distributions of mim.
        setuptools: its version, for the value.
        has_pkg_resources: whether that module, which openmim imports, is there; setuptools 82
            dropped it.
    """
    finding = host_finding('mim', found)
    if finding.fault:
        return finding
    if {distribution.stack for distribution in found} == {'onedl'}:
        return Finding('mim', f'{finding.value}: `mim train mmdetection`, `mim train mmpretrain`')
    value = f'{finding.value}: `mim train mmdet`, `mim train mmpretrain`'
    if has_pkg_resources:
        return Finding('mim', value)
    remedy = 'openmim imports pkg_resources: run `pip install "setuptools<81"`, which has it'
    return Finding(
        'mim', f'{value}; setuptools {setuptools or "not installed"}', remedy, fault=True
    )


def transformers_finding(version: str | None) -> Finding:
    """Report transformers.

    No need of ours, but newer ones break MMPretrain's multi-modal modules.
    """
    if not hosts.breaks_multimodal(version):
        return Finding('transformers', version or 'not installed (not needed)')
    older = f'pip install "transformers<{hosts.TRANSFORMERS_LIMIT}"'
    remedy = (
        "mmlandslide switches MMPretrain's multi-modal models off, which this version breaks; "
        f'to have them, `{older}`'
    )
    return Finding('transformers', str(version), remedy)


def maps_finding(probe: Probe) -> Finding:
    """Report whether what reads scenes and writes maps works; PROJ's data often are another's."""
    if not probe.error:
        return Finding('maps', 'rasterio, pyogrio, geopandas and onnxruntime work')
    remedy = f'Run `pip install --force-reinstall mmlandslide`: {probe.error}'
    if 'proj' in probe.error.lower() or 'crs' in probe.error.lower():
        remedy = (
            'Unset PROJ_DATA and PROJ_LIB, which lead to the files of another program '
            f'(QGIS, conda): {probe.error}'
        )
    return Finding('maps', 'cannot be used', remedy, fault=True)


def is_for_training() -> bool:
    """Return whether any part of the install that trains is there."""
    return any(map(hosts.version_of, ('torch', 'torchvision'))) or any(
        hosts.installed(host) for host in hosts.NEEDED
    )


def examine() -> list[Finding]:
    """Look at this environment.

    Returns:
        The findings in the order of dependence: the first fault is the one to repair first.
    """
    training = is_for_training()
    names = list(_PROBES) if training else ['maps']
    probes = run_probes({name: _PROBES[name] for name in names})
    return [
        Finding('install', 'for training' if training else 'light: scenes, no training'),
        Finding('python', platform.python_version()),
        Finding('numpy', str(hosts.version_of('numpy'))),
        maps_finding(probes['maps']),
        *(_training_findings(probes) if training else []),
    ]


def _training_findings(probes: dict[str, Probe]) -> list[Finding]:
    """Report what the training install needs besides."""
    versions = {
        name: hosts.version_of(name)
        for name in ('torch', 'torchvision', 'setuptools', 'transformers')
    }
    requires = metadata.requires('torchvision') or [] if versions['torchvision'] else []
    opencv = {name: version for name in _OPENCV if (version := hosts.version_of(name)) is not None}
    return [
        torch_finding(versions['torch'], probes['torch']),
        torchvision_finding(
            versions['torchvision'], requires, versions['torch'], probes['torchvision']
        ),
        opencv_finding(opencv, probes['cv2']),
        *(host_finding(host, hosts.installed(host)) for host in hosts.NEEDED),
        mim_finding(
            hosts.installed('mim'),
            versions['setuptools'],
            util.find_spec('pkg_resources') is not None,
        ),
        ops_finding(probes['mmcv.ops']),
        transformers_finding(versions['transformers']),
        models_finding(probes['models']),
    ]
