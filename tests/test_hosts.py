import subprocess
import sys

import pytest

from mmlandslide import hosts
from mmlandslide.errors import ConfigError


def test_the_hosts_of_this_environment_fit():
    hosts.check_hosts()


def test_importing_the_registries_checks_the_hosts():
    code = (
        'from mmlandslide import hosts; hosts.version_of = lambda name: "1.0"\n'
        'import mmlandslide.registry'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert 'ConfigError: host package' in done.stderr


def test_a_missing_mmengine_is_told_in_our_words():
    code = (
        'import sys; sys.modules["mmengine"] = None\n'
        'from mmlandslide import hosts; hosts.version_of = lambda name: None\n'
        'import mmlandslide.registry'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert "ConfigError: host package 'mmengine' must be installed" in done.stderr


@pytest.mark.parametrize(
    ('versions', 'command'),
    [
        ({}, "pip install -c constraints.txt -e '.[openmmlab]'"),
        ({'mmcv-lite': '2.1.0'}, "pip install -c constraints.txt -e '.[openmmlab]'"),
        ({'onedl-mmcv': '2.3.6'}, "pip install -c constraints-onedl.txt -e '.[onedl]'"),
    ],
)
def test_the_remedy_installs_the_stack_that_is_in_use(monkeypatch, versions, command):
    monkeypatch.setattr(hosts, 'version_of', versions.get)
    assert hosts.misfit('mmengine', {})[2] == f'Run `{command}`'


def test_a_host_that_does_not_fit_is_an_error_with_the_remedy(monkeypatch):
    monkeypatch.setattr(hosts, 'version_of', {'mmengine': '0.10.7', 'mmcv': '1.7.2'}.get)
    with pytest.raises(
        ConfigError,
        match=r"host package 'mmcv' must be mmcv<2.2,>=2.1, got 1.7.2 in this environment. Run `pip",
    ):
        hosts.check_hosts()


def test_mim_is_not_needed_to_build_a_model(monkeypatch):
    versions = {'mmengine': '0.10.7', 'mmcv-lite': '2.1.0', 'mmdet': '3.3.0', 'mmpretrain': '1.2.0'}
    monkeypatch.setattr(hosts, 'version_of', versions.get)
    hosts.check_hosts()


@pytest.mark.parametrize(
    ('version', 'breaks'), [(None, False), ('4.51.3', False), ('4.53.0', True), ('5.23.0', True)]
)
def test_a_transformers_newer_than_4_52_breaks_multimodal_models(version, breaks):
    assert hosts.breaks_multimodal(version) is breaks


def test_multimodal_models_are_switched_off_only_where_transformers_breaks_them(monkeypatch):
    from mmpretrain.utils import dependency

    monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', True)
    monkeypatch.setattr(hosts, 'version_of', {'transformers': '4.51.3'}.get)
    assert (hosts.switch_off_multimodal(), dependency.WITH_MULTIMODAL) == (False, True)
    monkeypatch.setattr(hosts, 'version_of', {'transformers': '5.23.0'}.get)
    assert (hosts.switch_off_multimodal(), dependency.WITH_MULTIMODAL) == (True, False)


def test_advice_fits_an_installation_without_a_clone(tmp_path):
    assert hosts.install_commands(tmp_path)['openmmlab'] == "pip install 'mmlandslide[openmmlab]'"
    for name in ('constraints.txt', 'constraints-onedl.txt', 'pyproject.toml'):
        (tmp_path / name).touch()
    assert '-e' in hosts.install_commands(tmp_path)['openmmlab']
