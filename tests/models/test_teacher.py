import pytest
import torch
from tiny_classifiers import batch, classifier, student, write_config, write_teacher

from mmlandslide.errors import (
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    MissingPathError,
)
from mmlandslide.models.teacher import Teacher


def test_a_teacher_is_its_checkpoint_to_the_last_parameter(tmp_path):
    teacher = Teacher.read(**write_teacher(tmp_path))
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    assert all(
        torch.equal(value, saved[name]) for name, value in teacher.classifier.state_dict().items()
    )
    assert teacher.seen == ['landslide4sense:train/1', 'landslide4sense:train/9']


def test_a_teacher_stays_frozen_and_in_evaluation(tmp_path):
    teacher = Teacher.read(**write_teacher(tmp_path)).train()
    assert not any(module.training for module in teacher.classifier.modules())
    assert not teacher.logits(
        batch(1, 0)[0].requires_grad_(), teacher.classifier.backbone.bands
    ).requires_grad


def test_reading_a_teacher_leaves_the_stream_of_random_numbers(tmp_path):
    named = write_teacher(tmp_path)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    Teacher.read(**named)
    assert torch.equal(torch.rand(1), expected)


def test_a_teacher_of_some_bands_picks_them_by_name(tmp_path):
    teacher = Teacher.read(**write_teacher(tmp_path, bands=('B4', 'B2')))
    inputs = batch(1, 0, channels=3)[0]
    expected = teacher.classifier(inputs[:, [2, 0]])
    assert torch.equal(teacher.logits(inputs, ('B2', 'B3', 'B4')), expected)


def test_a_missing_checkpoint_says_which_command_makes_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / 'configs' / 'pretrain')
    wanted = (
        r"the teacher's checkpoint must be a file or a work dir.*"
        r'Make it with `mim train mmpretrain configs/pretrain/teacher\.py`'
    )
    with pytest.raises(MissingPathError, match=wanted):
        Teacher.read('configs/pretrain/teacher.py', 'work_dirs/teacher')


def test_a_missing_config_says_where_to_run_from(tmp_path):
    with pytest.raises(
        MissingPathError,
        match=r"teacher's config must be a file, got nothing in .*absent\.py.*model\.teacher\.config",
    ):
        Teacher.read(str(tmp_path / 'absent.py'), str(tmp_path))


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    named = write_teacher(tmp_path, num_classes=3)
    write_config(tmp_path, num_classes=2)
    with pytest.raises(
        CheckpointMismatchError,
        match=r"teacher's checkpoint must fill the model exactly.*2 of another shape.*head",
    ):
        Teacher.read(**named)


def test_a_checkpoint_that_carries_code_is_refused(tmp_path):
    named = write_teacher(tmp_path)
    torch.save({'state_dict': classifier()}, tmp_path / 'epoch_1.pth')
    with pytest.raises(CheckpointError, match='hold tensors and plain types only'):
        Teacher.read(**named)


@pytest.mark.parametrize(
    ('teacher', 'said'),
    [
        (
            {'num_classes': 3},
            r'have the 2 classes of the student, got 3 in .*teacher\.py \(model\.teacher\.config\)',
        ),
        (
            {'bands': ('B4', 'R')},
            r"must see no other bands than the student, \['B1'.*got \['B4', 'R'\]",
        ),
        (
            {'bands': ('B4', 'B3'), 'clip_std': 5.0},
            r"must normalise its bands as the student does.*'clip_std': None.*'clip_std': 5\.0",
        ),
    ],
)
def test_a_teacher_that_cannot_teach_a_student_is_refused(tmp_path, teacher, said):
    with pytest.raises(ConfigError, match=said):
        Teacher.read(**write_teacher(tmp_path, **teacher)).require_fit(classifier())


def test_a_teacher_of_some_of_the_students_bands_fits(tmp_path):
    Teacher.read(**write_teacher(tmp_path, bands='rgb')).require_fit(classifier())


def test_two_teachers_are_told_apart_by_their_weights_alone(tmp_path):
    one, same, other = (
        Teacher.read(**write_teacher(tmp_path / str(at), seed=seed))
        for at, seed in enumerate((0, 0, 1))
    )
    assert one.digest == same.digest != other.digest


@pytest.mark.parametrize(
    ('text', 'got'),
    [
        (
            'model = dict(type="mmlandslide.TilePreprocessor", bands="all")',
            r"got no backbone among \['type', 'bands'\]",
        ),
        ('a = 1', 'got None'),
        (
            'model = dict(type="mmlandslide.SwinMAE", '
            'backbone=dict(type="mmlandslide.SwinTransformer", arch="nano", bands="all"),'
            'data_preprocessor=dict(type="mmlandslide.TilePreprocessor", bands="all"))',
            'got SwinMAE',
        ),
    ],
)
def test_a_config_of_no_classifier_is_refused_also_by_a_student(tmp_path, text, got):
    named = write_teacher(tmp_path)
    (tmp_path / 'teacher.py').write_text(text)
    with pytest.raises(
        ConfigError,
        match=rf"the teacher's model must be an mmlandslide classifier, {got} in .*teacher\.py",
    ):
        student(named).init_weights()


def test_a_config_that_is_none_is_refused(tmp_path):
    named = write_teacher(tmp_path)
    (tmp_path / 'teacher.py').write_text('model = dict(')
    with pytest.raises(
        ConfigError,
        match=r"the teacher's config must be a config of mmengine, got .*SyntaxError.* in .*teacher\.py",
    ):
        Teacher.read(**named)


def test_a_teacher_that_has_diverged_is_refused(tmp_path):
    named = write_teacher(tmp_path)
    checkpoint = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    checkpoint['state_dict']['head.fc.bias'][0] = torch.nan
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')
    with pytest.raises(
        CheckpointError,
        match=r"the teacher's weights must be finite, got NaN .* such as \['head\.fc\.bias'\]",
    ):
        Teacher.read(**named)


def test_classes_are_compared_by_name_where_both_are_known(tmp_path):
    teacher = Teacher.read(**write_teacher(tmp_path))
    teacher.require_classes(['no landslide', 'landslide'])  # its checkpoint states none
    teacher.classes = ['landslide', 'no landslide']
    with pytest.raises(
        ConfigError,
        match=r"be those of the student's tiles, \['no land.*got \['landslide', 'no landslide'\]",
    ):
        teacher.require_classes(['no landslide', 'landslide'])
