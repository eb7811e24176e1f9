import pytest
import torch
import torch.nn.functional as F
from tiny_classifiers import batch, classifier, parts

from mmlandslide.errors import ConfigError
from mmlandslide.models.classifier import ImageClassifier
from mmlandslide.recipes import balanced


def test_the_loss_is_the_cross_entropy_of_its_logits():
    model, (inputs, labelled) = classifier(), batch(1, 0, 1)
    expected = F.cross_entropy(model(inputs), torch.tensor([1, 0, 1]))
    torch.testing.assert_close(model.loss(inputs, labelled)['loss'], expected)


def test_both_classes_weigh_the_same_whatever_their_share():
    # Three of four tiles hold a landslide: each weighs .5 / .75, the other one .5 / .25. Chance,
    # log 2 a tile, stays log 2.
    model, (inputs, labelled) = classifier(head={'loss': balanced(0.75)}), batch(1, 1, 1, 0)
    torch.nn.init.zeros_(model.head.fc.weight)
    model.loss(inputs, labelled)['loss'].backward()
    assert model.loss(inputs, labelled)['loss'].item() == pytest.approx(
        torch.tensor(2.0).log().item(), abs=1e-4
    )
    assert model.head.fc.bias.grad.abs().max() < 1e-4  # no pull to either side


def test_a_batch_of_tiles_goes_through_the_preprocessor():
    model, (inputs, labelled) = classifier(bands=('B4', 'slope')), batch(1, 0, channels=2)
    data = model.data_preprocessor({'inputs': inputs, 'data_samples': labelled})
    found = model(**data, mode='predict')
    assert [sample.pred_score.sum().item() for sample in found] == pytest.approx([1, 1])


def test_mixing_trains_on_shares_and_only_in_training():
    model, (inputs, labelled) = classifier(num_classes=3, mixing={'mixup': 0.8}), batch(0, 1, 2, 0)
    torch.manual_seed(1)
    mixed = model.loss(inputs, labelled)['loss']
    torch.manual_seed(1)
    images, targets = model.mixing(inputs, torch.eye(3)[torch.tensor([0, 1, 2, 0])])
    torch.testing.assert_close(mixed, F.cross_entropy(model(images), targets))
    assert torch.equal(model(inputs), model(inputs))


def test_a_preprocessor_of_the_same_bands_in_another_order_is_refused():
    swapped = {'type': 'mmlandslide.TilePreprocessor', 'bands': ('B3', 'B4')}
    with pytest.raises(
        ConfigError,
        match=r"have the backbone's bands \('B4', 'B3'\) in this order, got \('B3', 'B4'\)",
    ):
        ImageClassifier(**{**parts(('B4', 'B3')), 'data_preprocessor': swapped})
