"""Finding the published statistics in a config."""

import pytest

from mmlandslide.bands import PUBLISHED_MEAN, PUBLISHED_STD
from mmlandslide.datasets.checks.published_statistics import in_config


@pytest.mark.parametrize(
    ('text', 'place'),
    [
        ("model = dict(data_preprocessor=dict(mean='published'))", 'model.data_preprocessor.mean'),
        (f'pre = dict(mean={list(PUBLISHED_MEAN)})', 'pre.mean'),
        (
            f'steps = [dict(std={[round(value, 2) for value in PUBLISHED_STD[1:4]]})]',
            r'steps\[0\].std',
        ),
    ],
)
def test_published_statistics_are_found_by_name_and_by_number(tmp_path, text, place):
    (tmp_path / 'c.py').write_text(text)
    (finding,) = in_config(tmp_path / 'c.py')
    assert finding.fault == 'published-statistics'
    assert finding.message.startswith(f'{place} must be those of stored values'.replace('\\', ''))


@pytest.mark.parametrize(
    'text',
    [
        'pre = dict(mean=None)',
        'pre = dict(mean=[0.9257], std=[0.141])',
        "pre = dict(mode='published')",
    ],
)
def test_other_statistics_are_let_through(tmp_path, text):
    (tmp_path / 'c.py').write_text(text)
    assert in_config(tmp_path / 'c.py') == []
