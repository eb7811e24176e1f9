"""What is wrong with a config: types that nothing resolves and keys that nothing reads, by path.

mmengine merges a mistyped key without a word. Here each dict has an owner that says which keys it
reads: the signature of its `type` (and of what that hands its `**kwargs` on to), or the function
that takes it; a dict without an owner is a fault.
"""

import inspect
from functools import reduce

import mmcv.ops
from mmcv.cnn.bricks.transformer import FFN
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models import layers
from mmengine import registry as host
from mmengine.hub import get_config
from mmengine.runner import LogProcessor, Runner
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

import mmlandslide.registry  # noqa: F401 (registers our scope)
from mmlandslide.models.batch_augments import BatchMixing
from mmlandslide.models.teacher import Teacher
from mmlandslide.weights.bridge import load_pretrained

#: Key -> the registry of the types below it; `model.` goes before the plain key. Other keys keep
#: that of the dict around them.
KINDS = {
    **dict.fromkeys(('train_cfg', 'val_cfg', 'test_cfg'), host.LOOPS),
    **dict.fromkeys(('val_evaluator', 'test_evaluator'), host.METRICS),
    **dict.fromkeys(('default_hooks', 'custom_hooks'), host.HOOKS),
    **dict.fromkeys(('model.train_cfg', 'model.test_cfg'), host.TASK_UTILS),
    **dict.fromkeys(
        (
            'model.anchor_generator',
            'model.bbox_coder',
            'model.assigner',
            'model.iou_calculator',
            'model.sampler',
        ),
        host.TASK_UTILS,
    ),
    **dict.fromkeys(('model.roi_layer', 'model.nms'), mmcv.ops),
    'model.match_costs': host.TASK_UTILS,
    'model': host.MODELS,
    'optim_wrapper': host.OPTIM_WRAPPERS,
    'init_cfg': host.WEIGHT_INITIALIZERS,
    'optimizer': host.OPTIMIZERS,
    'param_scheduler': host.PARAM_SCHEDULERS,
    'visualizer': host.VISUALIZERS,
    'vis_backends': host.VISBACKENDS,
    'dataset': host.DATASETS,
    'pipeline': host.TRANSFORMS,
    'sampler': host.DATA_SAMPLERS,
    'collate_fn': host.FUNCTIONS,
}
#: Read by what builds a type, not by the type.
BUILDERS = {
    host.OPTIM_WRAPPERS: {'constructor', 'paramwise_cfg'},
    host.PARAM_SCHEDULERS: {'convert_to_iter_based'},
    host.HOOKS: {'momentum'},  # `EMAHook` hands it on to the average
    mmcv.ops: {'split_thr', 'class_agnostic'},
}
#: Dicts whose keys are names of the config's own, and those whose values are such dicts.
FREE = {'default_hooks', 'custom_keys', 'nodata', 'substitutes'}


def parameters(function):
    """Return the names that a callable takes.

    A class that hands `**kwargs` on takes those of its next base too.
    """
    names = set()
    for owner in _initialisers(function):
        own = inspect.signature(owner).parameters.values()
        names |= {
            each.name
            for each in own
            if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        }
        if not any(each.kind is each.VAR_KEYWORD for each in own):
            break
    return names - {'self'}


def _initialisers(function):
    if not inspect.isclass(function):
        return [function]
    return [
        vars(base)['__init__']
        for base in function.__mro__
        if base is not object and '__init__' in vars(base)
    ]


#: Keys that a config may have at the top. `work_dir` follows from the file's name, `launcher` and
#: `cfg` come from the script.
TOP_LEVEL = parameters(Runner) - {'cfg', 'work_dir', 'launcher', 'experiment_name'} | {
    'runner_type',
    'allow_overlap',
    'protocol',
}
#: Dict without a `type` -> the keys that its reader takes.
OWNERS = {
    **dict.fromkeys(
        ('train_dataloader', 'val_dataloader', 'test_dataloader'),
        parameters(DataLoader) | {'num_batch_per_epoch'},
    ),
    'pretrained': parameters(load_pretrained) - {'backbone'},
    'mixing': parameters(BatchMixing),
    'teacher': parameters(Teacher.read),
    'layer_cfgs': parameters(TransformerEncoderLayer),
    'log_processor': parameters(LogProcessor),
    'custom_cfg': {'data_src', 'method_name', 'window_size', 'log_name', 'reset'},
    'randomness': parameters(Runner.set_randomness),
    'clip_grad': parameters(clip_grad_norm_) - {'parameters'} | {'type'},
    'auto_scale_lr': {'enable', 'base_batch_size'},
    'encoder': parameters(layers.DeformableDetrTransformerEncoder),
    'decoder': parameters(layers.DinoTransformerDecoder),
    'encoder.layer_cfg': parameters(layers.DeformableDetrTransformerEncoderLayer),
    'decoder.layer_cfg': parameters(layers.DetrTransformerDecoderLayer),
    'self_attn_cfg': parameters(MultiScaleDeformableAttention),
    'cross_attn_cfg': parameters(MultiScaleDeformableAttention),
    'ffn_cfg': parameters(FFN),
    'positional_encoding': parameters(layers.SinePositionalEncoding),
    'dn_cfg': parameters(layers.CdnQueryGenerator),
    'group_cfg': {'dynamic', 'num_groups', 'num_dn_queries'},
    'env_cfg': {
        'mp_cfg',
        'dist_cfg',
        'cudnn_benchmark',
        'resource_limit',
        'keep_freed_memory',
        'channels_last',
    },
    'mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'dist_cfg': {'backend', 'timeout', 'init_backend'},
    'paramwise_cfg': {
        'custom_keys',
        'norm_decay_mult',
        'bias_decay_mult',
        'bias_lr_mult',
        'flat_decay_mult',
        'bypass_duplicate',
    },
    'custom_keys.': {'lr_mult', 'decay_mult'},
}
#: What MMDetection's detectors read of their `train_cfg` and `test_cfg` is what its own configs say
#: there.
DETECTORS = [
    get_config(f'mmdet::{name}.py').model
    for name in (
        '_base_/models/faster-rcnn_r50_fpn',
        'rtmdet/rtmdet_tiny_8xb32-300e_coco',
        'dino/dino-4scale_r50_8xb2-12e_coco',
    )
]


def faults(cfg):
    """Return one `path: what is wrong` a fault, none for a sound config."""
    found = [f'{key}: no such top-level key' for key in cfg if key not in TOP_LEVEL]
    for key in set(cfg) & TOP_LEVEL:
        found += _walk(cfg[key], (key,), KINDS.get(key), cfg.default_scope)
    return found


def _walk(value, path, registry, scope):
    """Return the faults of a value and of what it holds."""
    if isinstance(value, list | tuple):
        return [fault for item in value for fault in _walk(item, path, registry, scope)]
    if not isinstance(value, dict):
        return []
    found = _of_dict(value, path, registry, scope)
    for key, item in value.items():
        named = KINDS.get(f'{path[0]}.{key}', KINDS.get(key, registry))
        kind = registry if path[-1] in FREE else named
        found += _walk(item, (*path, key), kind, scope)
    return found


def _of_dict(value, path, registry, scope):
    """Return the faults of one dict's own keys."""
    where = '.'.join(path)
    if 'type' in value and path[-1] != 'clip_grad':
        kind = resolve(value['type'], registry, scope)
        if kind is None:
            return [f'{where}.type: {value["type"]} is in no registry']
        read = parameters(kind) | BUILDERS.get(registry, set()) | {'type', '_scope_'}
    else:
        read = _read_untyped(path)
        if read is None:
            return [f'{where}: nobody reads this dict without a type']
    return [
        f'{where}.{key}: no such key' for key in value if path[-1] not in FREE and key not in read
    ]


def resolve(name, registry, scope):
    """Return the class or function that a type names, `None` where there is none."""
    if registry in (None, mmcv.ops):
        return getattr(registry, name, None)
    with registry.switch_scope_and_registry(scope) as scoped:
        return scoped.get(name)


def _read_untyped(path):
    """Return the keys that the reader of a dict without a type takes.

    `None` where it has no reader.
    """
    if path[-1] in FREE:
        return set()
    if path[0] == 'model' and path[1] in ('train_cfg', 'test_cfg'):
        inner = [reduce(lambda cfg, key: cfg.get(key, {}), path[1:], each) for each in DETECTORS]
        return {key for each in inner for key in each}
    parent = f'{path[-2]}.' if len(path) > 1 else ''
    return OWNERS.get(path[-1], OWNERS.get(parent + path[-1], OWNERS.get(parent)))
