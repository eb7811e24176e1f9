import pytest

from mmlandslide import hosts, installation, library_probes
from mmlandslide.installation import Finding
from mmlandslide.library_probes import Probe

GOOD = Probe(output=['13.0', ['NVIDIA H200']])
BROKEN = Probe(error='ImportError: libfoo.so.1: cannot open shared object file')


def found(host: str, **versions: str) -> dict[hosts.Distribution, str]:
    wanted = {name.replace('_', '-'): version for name, version in versions.items()}
    return {each: wanted[each.name] for each in hosts.HOSTS[host] if each.name in wanted}


def test_torch_is_reported_with_its_cuda_build_and_devices():
    assert installation.torch_finding('2.15.0', GOOD) == Finding(
        'torch', '2.15.0 (CUDA 13.0 build, NVIDIA H200)'
    )
    assert installation.torch_finding('2.15.0', Probe(output=['None', []])) == Finding(
        'torch', '2.15.0 (CPU build, no GPU)'
    )


def test_a_torch_that_does_not_load_is_a_fault_with_its_own_words():
    finding = installation.torch_finding('2.15.0', BROKEN)
    assert finding.fault
    assert 'libfoo.so.1' in finding.remedy


def test_torchvision_for_another_torch_is_a_fault():
    finding = installation.torchvision_finding('0.26.0', ['numpy', 'torch==2.11.0'], '2.15.0', GOOD)
    assert finding.fault
    assert 'it needs torch==2.11.0, torch is 2.15.0' in finding.remedy


@pytest.mark.parametrize('requires', [['torch==2.15.0'], ['torch>=2.14'], []])
def test_torchvision_that_fits_is_none_also_for_a_local_torch_version(requires):
    assert installation.torchvision_finding('0.29.2', requires, '2.15.0+cpu', GOOD) == Finding(
        'torchvision', '0.29.2'
    )


def test_torchvision_whose_operators_do_not_load_is_a_fault():
    probe = Probe(error='RuntimeError: operator torchvision::nms does not exist')
    assert (
        'torchvision::nms' in installation.torchvision_finding('0.29.2', [], '2.15.0', probe).remedy
    )


def test_an_opencv_that_does_not_import_is_to_be_replaced_by_the_headless_one():
    finding = installation.opencv_finding(
        {'opencv-python': '5.0.0'}, Probe(error='ImportError: libGL.so.1')
    )
    assert finding.fault
    assert 'opencv-python-headless' in finding.remedy


def test_a_missing_host_is_a_fault_that_names_the_extra():
    finding = installation.host_finding('mmdet', {})
    assert finding.fault
    assert 'mmdet<3.4,>=3.3 or onedl-mmdetection' in finding.remedy
    assert "-e '.[openmmlab]'" in finding.remedy


def test_a_host_of_a_wrong_version_is_a_fault_that_names_the_right_one():
    finding = installation.host_finding('mmdet', found('mmdet', mmdet='2.28.2'))
    assert finding.fault
    assert finding.value == 'mmdet 2.28.2'
    assert 'be mmdet<3.4,>=3.3' in finding.remedy


def test_hosts_of_both_stacks_together_are_a_fault():
    finding = installation.host_finding(
        'mmdet', found('mmdet', mmdet='3.3.0', onedl_mmdetection='3.5.1')
    )
    assert finding.fault
    assert 'come from one stack' in finding.remedy


@pytest.mark.parametrize(
    ('host', 'version'), [('mmcv', {'mmcv_lite': '2.1.0'}), ('mmcv', {'onedl_mmcv': '2.3.6'})]
)
def test_either_stack_fits(host, version):
    assert not installation.host_finding(host, found(host, **version)).fault


def test_the_stand_in_is_reported_with_its_operators():
    finding = installation.ops_finding(
        Probe(output=['stand-in', ['nms', 'roi_align_backward', 'roi_align_forward']])
    )
    assert finding == Finding('mmcv.ops', 'torchvision stand-in: nms, roi_align')


def test_a_compiled_mmcv_is_reported_as_such():
    assert installation.ops_finding(Probe(output=['compiled', []])) == Finding(
        'mmcv.ops', 'compiled mmcv._ext'
    )


@pytest.mark.parametrize(
    ('error', 'value'),
    [
        ("ModuleNotFoundError: No module named 'mmcv._ext'", 'none'),
        ('ImportError: _ext.so: undefined symbol: _ZN3c10', 'compiled for another torch'),
        ('ended by signal 11', 'compiled for another torch'),
        ("ModuleNotFoundError: No module named 'mmcv'", 'cannot be imported'),
    ],
)
def test_each_way_in_which_mmcv_ops_fail_has_its_name(error, value):
    finding = installation.ops_finding(Probe(error=error))
    assert (finding.value, finding.fault) == (value, True)
    assert error in finding.remedy


def test_mim_spells_mmdetection_as_each_stack_does():
    assert (
        '`mim train mmdet`'
        in installation.mim_finding(found('mim', openmim='0.3.9'), '80.1', True).value
    )
    assert (
        '`mim train mmdetection`'
        in installation.mim_finding(found('mim', onedl_mim='0.5.1'), '84.0', False).value
    )


def test_openmim_without_pkg_resources_is_a_fault():
    finding = installation.mim_finding(found('mim', openmim='0.3.9'), '84.0', False)
    assert finding.fault
    assert 'setuptools 84.0' in finding.value
    assert 'setuptools<81' in finding.remedy


def test_a_new_transformers_is_a_note_and_an_old_one_is_nothing():
    note = installation.transformers_finding('5.23.0')
    assert 'switches' in note.remedy
    assert not note.fault
    assert installation.transformers_finding('4.51.3') == Finding('transformers', '4.51.3')
    assert installation.transformers_finding(None).remedy == ''


def test_models_that_do_not_import_are_a_fault():
    assert installation.models_finding(BROKEN).fault
    assert not installation.models_finding(GOOD).fault


@pytest.mark.parametrize('code', ['pass', 'print("Segmentation fault")'])
def test_a_probe_that_answers_nothing_sensible_is_an_error(code):
    assert 'an answer that is no JSON' in library_probes.run_probe(code).error


def test_a_probe_returns_what_the_program_printed_or_its_last_words():
    assert library_probes.run_probe('print("noise"); print("[1]")') == Probe(output=[1])
    assert library_probes.run_probe('raise ValueError("so")') == Probe(error='ValueError: so')
    assert library_probes.run_probe('import os; os.kill(os.getpid(), 11)') == Probe(
        error='ended by signal 11'
    )


def test_programs_share_a_process_until_one_fails_and_none_is_lost_by_it():
    same = 'import builtins, os; old = getattr(builtins, "x", 0); builtins.x = 1; print([old])'
    crash = 'import os; os.kill(os.getpid(), 11)'
    programs = {'a': same, 'b': same, 'c': crash, 'd': same, 'e': '1 / 0', 'f': same}
    found = library_probes.run_probes(programs)
    assert [found[name].output for name in 'abdf'] == [[0], [1], [0], [0]]  # new after c and e
    assert (found['c'].error, found['e'].error[:17]) == ('ended by signal 11', 'ZeroDivisionError')


@pytest.mark.slow
def test_this_environment_has_no_fault():
    assert [finding for finding in installation.examine() if finding.fault] == []


def test_files_of_another_proj_are_a_fault_that_names_the_variables():
    probe = Probe(error='CRSError: The EPSG code is unknown. PROJ: proj_create_from_database')
    assert 'Unset PROJ_DATA and PROJ_LIB' in installation.maps_finding(probe).remedy


def test_an_install_without_torch_and_hosts_is_the_light_one(monkeypatch):
    monkeypatch.setattr(hosts, 'version_of', lambda name: None)
    monkeypatch.setattr(hosts, 'installed', lambda host: {})
    monkeypatch.setattr(installation, 'run_probes', lambda names: dict.fromkeys(names, Probe()))
    names = [finding.name for finding in installation.examine()]
    assert names == ['install', 'python', 'numpy', 'maps']
