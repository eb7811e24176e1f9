import pytest
import torch

from mmlandslide.weights.transfer.resize import resized


def test_positions_of_the_same_grid_lose_only_the_class_token():
    theirs = torch.randn(1, 17, 3)
    assert torch.equal(resized('pos_embed', theirs, torch.empty(1, 16, 3)), theirs[:, 1:])


def test_a_class_token_is_not_made_up():
    assert resized('pos_embed', torch.randn(1, 16, 3), torch.empty(1, 17, 3)) is None


@pytest.mark.parametrize(
    ('name', 'theirs', 'ours'),
    [
        ('pos_embed', (1, 17, 3), (1, 17, 4)),
        ('pos_embed', (1, 13, 3), (1, 17, 3)),
        ('pos_embed', (17, 3), (1, 26, 3)),
        ('attn.relative_position_bias_table', (9, 3), (25, 4)),
        ('attn.relative_position_bias_table', (10, 3), (25, 3)),
        ('norm.weight', (9,), (25,)),
    ],
)
def test_what_is_no_square_table_of_that_width_is_not_resized(name, theirs, ours):
    assert resized(name, torch.randn(theirs), torch.empty(ours)) is None


def test_a_level_table_stays_level():
    table = resized('relative_position_bias_table', torch.full((9, 2), 5.0), torch.empty(25, 2))
    torch.testing.assert_close(table, torch.full((25, 2), 5.0))
