import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.options import dn_per_unit


@pytest.mark.parametrize(
    ('scale', 'number'),
    [('dn', 1.0), ('reflectance', 10000.0), ('1e3', 1000.0), (255.0, 255.0), (None, None), ('landslide4sense', None)],
)
def test_a_scale_is_a_name_or_a_number(scale, number):
    assert dn_per_unit(scale) == number


@pytest.mark.parametrize('scale', ['radiance', '-1', 'nan', 0, 'inf'])
def test_another_scale_is_refused(scale):
    with pytest.raises(ConfigError, match=rf'be one of .*reflectance.* or a positive number, got {scale!r} in the options'):
        dn_per_unit(scale)
