"""Where in a checkpoint the tensors of a backbone are."""

import re
from collections.abc import Mapping
from typing import Any

import torch

State = dict[str, torch.Tensor]

#: Keys under which trainers put the model; of weights and their moving average, the weights.
_NESTS = (
    'state_dict',
    'model',
    'model_state_dict',
    'model_ema',
    'state_dict_ema',
    'ema_state_dict',
)
#: How deep such keys are followed; a file may hold a dict that holds itself.
_DEEPEST = 3
#: What `DistributedDataParallel` and `torch.compile` put before every name.
_WRAPPERS = re.compile(r'(?:module\.|_orig_mod\.)+')
#: What stands before a backbone's names inside a whole model: MMPretrain's and MMDetection's, then
#: open_clip's, then HuggingFace's. The student of a distillation is the one that has learned, as is
#: the query encoder of MoCo (v1 and v2, then v3).
_WHOLES = (
    'student.',
    'encoder_q.',
    'base_encoder.',
    'backbone.',
    'visual.',
    'vision_model.',
    'vit.',
    'swin.',
    'resnet.',
)


def tensors_of(content: Mapping[str, Any]) -> State:
    """Return a checkpoint's model tensors, un-nested and without wrappers' prefixes.

    Args:
        content: as `checkpoint_file.read_checkpoint` returns it.
    """
    state: Any = content
    for _ in range(_DEEPEST):
        state = next((state[key] for key in _NESTS if isinstance(state.get(key), Mapping)), state)
    return {
        _WRAPPERS.sub('', str(key), count=1): value
        for key, value in state.items()
        if isinstance(value, torch.Tensor)
    }


def backbone_state(content: Mapping[str, Any]) -> State:
    """Return the tensors of a checkpoint's backbone, whatever they are nested in and prefixed with.

    Args:
        content: as `checkpoint_file.read_checkpoint` returns it.
    """
    state = tensors_of(content)
    for whole in _WHOLES:
        inside = {
            key.removeprefix(whole): value for key, value in state.items() if key.startswith(whole)
        }
        state = inside or state
    return state
