"""The only place that knows the hosts' registries.

mmengine imports `mmlandslide.registry` by itself when a config names a type `mmlandslide.X`, and
each registry imports its locations when it is first asked. So a config needs no `custom_imports`.

From then on mmengine reads checkpoints as we do, see `weights.references.load_for_hosts`.
"""

import importlib
from typing import Any

from mmlandslide import hosts

hosts.prepare()  # before any import of a host, so that a missing one is named with its remedy

_mmengine = importlib.import_module('mmengine.registry')
_loader = importlib.import_module('mmengine.runner.checkpoint').CheckpointLoader


def _load_for_hosts(checkpoint: str, map_location: Any = None) -> Any:
    """Read a checkpoint by `weights.references.load_for_hosts`, imported on first use."""
    references = importlib.import_module('mmlandslide.weights.references')
    return references.load_for_hosts(checkpoint, map_location)


_loader.register_scheme(('', 'http://', 'https://'), _load_for_hosts, force=True)

SCOPE = 'mmlandslide'

DATASETS = _mmengine.Registry(
    'dataset',
    parent=_mmengine.DATASETS,
    scope=SCOPE,
    locations=[
        'mmlandslide.datasets.views.landslide4sense',
        'mmlandslide.datasets.views.masks',
        'mmlandslide.datasets.views.voc',
        'mmlandslide.datasets.views.labelled_images',
        'mmlandslide.datasets.views.image_folder',
    ],
)
TRANSFORMS = _mmengine.Registry(
    'transform',
    parent=_mmengine.TRANSFORMS,
    scope=SCOPE,
    locations=[
        'mmlandslide.datasets.transforms.geometry',
        'mmlandslide.datasets.transforms.neighbours',
        'mmlandslide.datasets.transforms.spectral',
        'mmlandslide.datasets.transforms.natural_images',
        'mmlandslide.datasets.transforms.formatting',
    ],
)
DATA_SAMPLERS = _mmengine.Registry(
    'data sampler',
    parent=_mmengine.DATA_SAMPLERS,
    scope=SCOPE,
    locations=['mmlandslide.engine.sampler'],
)
MODELS = _mmengine.Registry(
    'model',
    parent=_mmengine.MODELS,
    scope=SCOPE,
    locations=[
        'mmlandslide.models.preprocessors',
        'mmlandslide.models.backbones.band_backbone',
        'mmlandslide.models.backbones.swin_transformer',
        'mmlandslide.models.backbones.inverted_residuals',
        'mmlandslide.models.backbones.satmae',
        'mmlandslide.models.backbones.vision_transformer',
        'mmlandslide.models.simple_fpn',
        'mmlandslide.models.detection.uncertain_head',
        'mmlandslide.models.detection.rpn_head',
        'mmlandslide.models.detection.roi_extractor',
        'mmlandslide.models.self_supervision.swin_mae',
        'mmlandslide.models.classifier',
        'mmlandslide.models.distillation',
        'mmlandslide.models.self_supervision.mae',
        'mmlandslide.models.self_supervision.spark',
    ],
)
MODEL_WRAPPERS = _mmengine.Registry(
    'model_wrapper',
    parent=_mmengine.MODEL_WRAPPERS,
    scope=SCOPE,
    locations=['mmlandslide.engine.distributed'],
)
TASK_UTILS = _mmengine.Registry(
    'task util',
    parent=_mmengine.TASK_UTILS,
    scope=SCOPE,
    locations=[
        'mmlandslide.models.detection.roi_sampler',
        'mmlandslide.models.detection.assigners',
        'mmlandslide.models.detection.uncertain_head',
    ],
)
METRICS = _mmengine.Registry(
    'metric',
    parent=_mmengine.METRICS,
    scope=SCOPE,
    locations=['mmlandslide.evaluation.metric', 'mmlandslide.evaluation.tile_metric'],
)
HOOKS = _mmengine.Registry(
    'hook',
    parent=_mmengine.HOOKS,
    scope=SCOPE,
    locations=[
        'mmlandslide.engine.checkpoint_hook',
        'mmlandslide.engine.hooks',
        'mmlandslide.engine.visual.mae_hooks',
        'mmlandslide.engine.teacher_hook',
    ],
)
PARAM_SCHEDULERS = _mmengine.Registry(
    'parameter scheduler',
    parent=_mmengine.PARAM_SCHEDULERS,
    scope=SCOPE,
    locations=['mmlandslide.engine.warmup'],
)
VISUALIZERS = _mmengine.Registry(
    'visualizer',
    parent=_mmengine.VISUALIZERS,
    scope=SCOPE,
    locations=['mmlandslide.engine.visual.visualizer'],
)
VISBACKENDS = _mmengine.Registry(
    'vis_backend',
    parent=_mmengine.VISBACKENDS,
    scope=SCOPE,
    locations=['mmlandslide.engine.visual.csv_backend'],
)
LOOPS = _mmengine.Registry(
    'loop', parent=_mmengine.LOOPS, scope=SCOPE, locations=['mmlandslide.engine.loops']
)
RUNNERS = _mmengine.Registry(
    'runner', parent=_mmengine.RUNNERS, scope=SCOPE, locations=['mmlandslide.engine.runner']
)
