import pytest
import torch

from mmlandslide.weights.state_dict import backbone_state, tensors_of

ONE = torch.ones(1)


@pytest.mark.parametrize(
    'prefix',
    ['', 'backbone.', 'module.', 'module.backbone.', '_orig_mod.module.', 'visual.', 'swin.'],
)
@pytest.mark.parametrize(
    'nest', [None, 'state_dict', 'model', 'model_state_dict', 'model_ema', 'state_dict_ema']
)
def test_nesting_and_prefixes_are_taken_off(prefix, nest):
    tensors = {f'{prefix}conv1.weight': ONE, 'epoch': 3}
    assert list(backbone_state({nest: tensors, 'meta': {}} if nest else tensors)) == [
        'conv1.weight'
    ]


def test_only_the_backbone_of_a_whole_model_is_taken():
    content = {'state_dict': {'backbone.a': ONE, 'decoder.a': ONE, 'mask_token': ONE}}
    assert list(backbone_state(content)) == ['a']


def test_the_weights_go_before_their_average_and_the_optimiser_is_left():
    content = {
        'model_ema': {'a': ONE * 2},
        'model': {'a': ONE},
        'optimizer': {'state': {0: {'exp_avg': ONE}}},
    }
    assert backbone_state(content) == {'a': ONE}


def test_the_student_is_taken_and_the_teacher_left():
    content = {'state_dict': {'teacher.backbone.a': ONE * 2, 'student.backbone.a': ONE}}
    assert backbone_state(content) == {'a': ONE}
    assert backbone_state({'teacher.backbone.a': ONE * 2, 'backbone.a': ONE}) == {'a': ONE}


def test_the_query_encoder_of_moco_is_taken_and_its_keys_left():
    content = {
        'state_dict': {
            'module.encoder_q.a': ONE,
            'module.encoder_k.a': ONE * 2,
            'module.queue': ONE,
        }
    }
    assert backbone_state(content) == {'a': ONE}
    assert backbone_state({'module.base_encoder.a': ONE, 'module.momentum_encoder.a': ONE * 2}) == {
        'a': ONE
    }


def test_the_image_tower_is_taken_and_the_texts_left():
    assert list(
        backbone_state({'module.visual.conv1.weight': ONE, 'module.transformer.a': ONE})
    ) == ['conv1.weight']


def test_a_model_within_a_model_is_found():
    assert tensors_of({'model': {'state_dict': {'a': ONE}}}) == {'a': ONE}


def test_a_dict_that_holds_itself_ends():
    content = {'a': ONE}
    content['model'] = content
    assert tensors_of(content) == {'a': ONE}
