import pytest

from mmlandslide.errors import BandError
from mmlandslide.scenes.inputs.formats.band_names import canonical, is_reflectance, require_known


@pytest.mark.parametrize(
    ('said', 'name'),
    [
        ('B01', 'B1'), ('b12', 'B12'), ('B8A', 'B8A'), ('B08', 'B8'), ('b8a', 'B8A'),
        ('DEM_m', 'DEM'), ('SRTM_m', 'DEM'),
        ('Elevation (m)', 'DEM'), ('dem', 'DEM'), ('slope_deg', 'slope'),
        ('Slope [degrees]', 'slope'),
        ('QA60', 'QA60'),
        (' B2 ', 'B2'), ('mars_DEM', 'mars_DEM'),
    ],
)  # fmt: skip
def test_bands_have_the_names_of_the_table_whatever_files_call_them(said, name):
    assert canonical(said) == name


def test_only_what_landslide4sense_took_of_sentinel2_counts_as_light():
    assert [is_reflectance(name) for name in ('B1', 'B10', 'B8A', 'DEM', 'mars_R')] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_an_unknown_name_is_refused_and_the_known_ones_listed():
    with pytest.raises(
        BandError,
        match=r"be known, got \['B13'\] in --band\. Name bands out of \['B1', .*'DEM', 'thermal'\]",
    ):
        require_known(['B1', 'B8A', 'thermal', 'B13'], ['thermal'], '--band')
