import copy

import pytest
import torch
import torch.nn.functional as F
from tiny_classifiers import ARCH, batch, classifier, student, write_teacher

from mmlandslide.errors import CheckpointMismatchError, ConfigError
from mmlandslide.models.backbones.vision_transformer import VisionTransformer
from mmlandslide.models.distillation import soft_loss


def taught(tmp_path, **options):
    model = student(write_teacher(tmp_path), **options)
    model.init_weights()
    return model


def test_the_soft_loss_of_two_tiles_is_that_worked_out_by_hand():
    # T = 2: of logits log 3 and 0 the student makes sqrt(3) : 1, the teacher 1 : 1; over the second
    # tile they agree.
    ours, theirs = torch.tensor([[3.0, 1.0], [5.0, 5.0]]).log(), torch.zeros(2, 2)
    p = 3**0.5 / (3**0.5 + 1)
    kl = 0.5 * (torch.tensor(0.5 / p).log() + torch.tensor(0.5 / (1 - p)).log())
    torch.testing.assert_close(soft_loss(ours, theirs, 2.0), 4 * kl / 2)


def test_a_student_that_says_the_same_has_no_soft_loss():
    logits = torch.randn(3, 5)
    assert soft_loss(logits, logits + 7, 5.0).abs() < 1e-5  # a constant is nothing to a softmax


def test_both_losses_are_the_formula(tmp_path):
    model, (inputs, labelled) = taught(tmp_path, temperature=3.0, soft_weight=0.25), batch(1, 0, 1)
    ours, theirs = model(inputs), model.teacher.classifier(inputs)
    hard = F.cross_entropy(ours, torch.tensor([1, 0, 1]))
    soft = 9 * F.kl_div(F.log_softmax(ours / 3, 1), F.softmax(theirs / 3, 1), reduction='batchmean')
    found = model.loss(inputs, labelled)
    torch.testing.assert_close(found, {'loss_hard': 0.75 * hard, 'loss_soft': 0.25 * soft})
    torch.testing.assert_close(model.parse_losses(found)[0], 0.75 * hard + 0.25 * soft)


def test_without_weight_on_the_teacher_a_student_trains_as_a_classifier(tmp_path):
    model, (inputs, labelled) = taught(tmp_path, soft_weight=0.0), batch(1, 0)
    plain = classifier()
    plain.load_state_dict(model.state_dict())
    for each in (model, plain):
        sum(each.loss(inputs, labelled).values()).backward()
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_with_all_weight_on_the_teacher_labels_do_not_matter(tmp_path):
    model = taught(tmp_path, soft_weight=1.0)
    one, two = (sum(model.loss(*batch(*labels)).values()) for labels in ((0, 0), (1, 1)))
    assert one == two > 0


def test_the_teacher_gets_no_gradient_keeps_evaluating_and_is_no_part_of_the_student(tmp_path):
    model = taught(tmp_path).train()
    sum(model.loss(*batch(1, 0)).values()).backward()
    teacher = model.teacher.classifier
    assert all(each.grad is None and not each.requires_grad for each in teacher.parameters())
    assert not any(module.training for module in teacher.modules())
    assert set(model.state_dict()) == set(classifier().state_dict())
    assert len(list(model.parameters())) == len(list(classifier().parameters()))


def test_the_teacher_moves_with_the_student(tmp_path):
    model = taught(tmp_path).double()
    assert model.teacher.classifier.head.fc.weight.dtype == torch.float64
    assert model.loss(batch(1, 0)[0].double(), batch(1, 0)[1])['loss_soft'].dtype == torch.float64


def test_a_student_inherits_the_tiles_of_its_teacher_also_after_a_checkpoint_was_loaded(tmp_path):
    model = taught(tmp_path)
    assert model.backbone.lineage['tile_ids'] == [
        'landslide4sense:train/1',
        'landslide4sense:train/9',
    ]
    model.backbone.lineage = {'tile_ids': ['landslide4sense:train/5']}  # as the runner sets it
    assert model.train().backbone.lineage['tile_ids'] == [
        f'landslide4sense:train/{number}' for number in (1, 5, 9)
    ]


def test_a_student_is_tested_without_its_teacher():
    model = student({'config': 'absent.py', 'checkpoint': 'absent.pth'})
    assert model.eval()(batch(1)[0]).shape == (1, 2)


def test_a_resumed_student_refuses_another_teacher(tmp_path):
    known = taught(tmp_path / 'one').backbone.lineage
    model = student(write_teacher(tmp_path / 'two', seed=1))
    model.backbone.lineage = copy.deepcopy(known)
    with pytest.raises(
        CheckpointMismatchError,
        match=r'be those with which this training began.*model\.teacher\.checkpoint',
    ):
        model.loss(*batch(1, 0))


def test_a_resumed_student_goes_on_with_its_teacher(tmp_path):
    one = taught(tmp_path)
    two = student(one.teacher_cfg)
    two.load_state_dict(one.state_dict())
    two.backbone.lineage = copy.deepcopy(one.backbone.lineage)
    for name, value in one.loss(*batch(1, 0)).items():
        assert torch.equal(two.loss(*batch(1, 0))[name], value)


def test_the_backbone_of_a_student_is_carried_whole_into_a_detectors(tmp_path):
    model = taught(tmp_path)
    torch.save(
        {'state_dict': model.state_dict(), 'meta': {'mmlandslide': {'bands': None}}},
        tmp_path / 'student.pth',
    )
    options = {'arch': ARCH, 'img_size': 32, 'out_type': 'featmap'}
    backbone = VisionTransformer(
        bands='all', pretrained={'checkpoint': str(tmp_path / 'student.pth')}, **options
    )
    backbone.init_weights()
    assert backbone.lineage['carried'] == 1
    assert all(
        torch.equal(value, model.backbone.state_dict()[name])
        for name, value in backbone.state_dict().items()
    )


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({'temperature': 0.0}, r'temperature must be positive, got 0\.0'),
        (
            {'teacher': {'chekpoint': 'a.pth', 'config': 'a.py'}},
            r"teacher must have no other keys than \['config', 'checkpoint'\], got",
        ),
        ({'soft_weight': 1.5}, r'soft_weight must lie in \[0, 1\], got 1\.5'),
    ],
)
def test_an_option_that_has_no_meaning_is_refused(tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        student(**{'teacher': write_teacher(tmp_path), **options})
