import pytest
import torch

from mmlandslide.errors import ConfigError
from mmlandslide.models.batch_augments import BatchMixing, one_hot, with_rectangle

LABELS = torch.tensor([0, 1, 2, 1])


def batch():
    """Return images whose pixels are the image's number, and one-hot labels of as many classes."""
    return torch.arange(4.0).view(4, 1, 1, 1).expand(4, 2, 8, 8).clone(), torch.eye(4)


def drawn(seed, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BatchMixing(**options)(*batch())


def test_one_hot_labels_are_shares_of_one():
    assert one_hot(LABELS, 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_without_mixing_nothing_changes():
    images, targets = BatchMixing()(*batch())
    assert torch.equal(images, batch()[0])
    assert torch.equal(targets, batch()[1])


@pytest.mark.parametrize(
    'options', [{'mixup': 0.8}, {'cutmix': 1.0}, {'mixup': 0.8, 'cutmix': 1.0}]
)
@pytest.mark.parametrize('seed', range(5))
def test_an_image_and_its_label_are_mixed_in_the_same_share(options, seed):
    images, targets = drawn(seed, **options)
    # Image k holds k, so the mean of a mixed image is the mean of the numbers by their shares: just
    # what its target says.
    torch.testing.assert_close(images.mean((1, 2, 3)), targets @ torch.arange(4.0))
    torch.testing.assert_close(targets.sum(1), torch.ones(4))


def test_mixup_blends_and_cutmix_puts_a_rectangle_in():
    blended, cut = drawn(3, mixup=0.8)[0], drawn(3, cutmix=1.0)[0]
    assert all(len(image.unique()) == 1 for image in blended)
    assert set(cut.unique().tolist()) <= {0, 1, 2, 3}
    assert any(len(image.unique()) == 2 for image in cut)


def test_the_same_seed_mixes_alike():
    one, two, other = drawn(1, mixup=0.8), drawn(1, mixup=0.8), drawn(2, mixup=0.8)
    assert torch.equal(one[0], two[0])
    assert not torch.equal(one[0], other[0])


def test_a_rectangle_covers_what_it_says():
    mixed, share = with_rectangle(
        torch.zeros(1, 1, 10, 10), torch.ones(1, 1, 10, 10), 0.64
    )  # side .6: 6 x 6 px at most
    assert mixed.mean().item() == pytest.approx(1 - share)
    assert 0.64 <= share < 1


def test_a_rectangle_of_nothing_leaves_the_image():
    assert with_rectangle(torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8), 1.0)[1] == 1


@pytest.mark.parametrize('asked', [{'mixup': -1.0}, {'cutmix': float('nan')}])
def test_a_parameter_below_nothing_is_refused(asked):
    with pytest.raises(
        ConfigError, match=rf'{next(iter(asked))} must be 0 or more, got (-1\.0|nan)'
    ):
        BatchMixing(**asked)
