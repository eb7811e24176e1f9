import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inputs.options import InputOptions, dn_per_unit


@pytest.mark.parametrize(
    ('scale', 'number'),
    [
        ('dn', 1.0),
        ('reflectance', 10000.0),
        ('1e3', 1000.0),
        (255.0, 255.0),
        (None, None),
        ('landslide4sense', None),
    ],
)
def test_a_scale_is_a_name_or_a_number(scale, number):
    assert dn_per_unit(scale) == number


@pytest.mark.parametrize('scale', ['radiance', '-1', 'nan', 0, 'inf'])
def test_another_scale_is_refused(scale):
    with pytest.raises(
        ConfigError,
        match=rf'be one of .*reflectance.* or a positive number, got {scale!r} in the options',
    ):
        dn_per_unit(scale)


@pytest.mark.parametrize('offset', [float('nan'), float('inf')])
def test_an_offset_is_a_finite_number(offset):
    with pytest.raises(ConfigError, match=rf'dn_offset must be a finite number, got {offset}'):
        InputOptions(dn_offset=offset)


def test_a_kind_of_mask_needs_a_mask():
    with pytest.raises(
        ConfigError,
        match=r'cloud kind must belong to a cloud mask, got no mask .*Name the mask with --mask',
    ):
        InputOptions(cloud_kind='scl')
