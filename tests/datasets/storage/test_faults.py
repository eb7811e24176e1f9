"""The table of faults."""

import pytest

from mmlandslide.datasets.storage.faults import ERROR, FAULTS, WARNING, Finding


def test_each_fault_has_its_code_for_key_and_one_of_two_severities():
    assert all(
        fault.code == code and fault.severity in (ERROR, WARNING) for code, fault in FAULTS.items()
    )


@pytest.mark.parametrize(
    ('code', 'is_error'),
    [('nan', True), ('all-zero-band', False), ('duplicate-across-splits', False)],
)
def test_a_finding_is_an_error_as_its_fault_is(code, is_error):
    assert Finding(code, 'train/12', 'image_12.h5', 'said').is_error is is_error


def test_a_finding_knows_its_split():
    assert Finding('nan', 'train/12', 'image_12.h5', 'said').split == 'train'
