"""The only place that knows the hosts' registries.

mmengine imports `mmlandslide.registry` by itself when a config names a type `mmlandslide.X`, and each registry imports its
locations when it is first asked. So a config needs no `custom_imports`.
"""

from mmengine.registry import DATA_SAMPLERS as _DATA_SAMPLERS
from mmengine.registry import DATASETS as _DATASETS
from mmengine.registry import HOOKS as _HOOKS
from mmengine.registry import METRICS as _METRICS
from mmengine.registry import MODELS as _MODELS
from mmengine.registry import RUNNERS as _RUNNERS
from mmengine.registry import TRANSFORMS as _TRANSFORMS
from mmengine.registry import VISBACKENDS as _VISBACKENDS
from mmengine.registry import VISUALIZERS as _VISUALIZERS
from mmengine.registry import Registry

from mmlandslide import hosts

hosts.prepare()

SCOPE = 'mmlandslide'

DATASETS = Registry(
    'dataset',
    parent=_DATASETS,
    scope=SCOPE,
    locations=['mmlandslide.datasets.landslide4sense', 'mmlandslide.datasets.masks', 'mmlandslide.datasets.voc'],
)
TRANSFORMS = Registry(
    'transform', parent=_TRANSFORMS, scope=SCOPE, locations=['mmlandslide.datasets.transforms', 'mmlandslide.datasets.packing']
)
DATA_SAMPLERS = Registry('data sampler', parent=_DATA_SAMPLERS, scope=SCOPE, locations=['mmlandslide.engine.sampler'])
MODELS = Registry(
    'model',
    parent=_MODELS,
    scope=SCOPE,
    locations=['mmlandslide.models.preprocessors', 'mmlandslide.models.backbones', 'mmlandslide.models.swin_mae'],
)
METRICS = Registry('metric', parent=_METRICS, scope=SCOPE, locations=['mmlandslide.evaluation.metric'])
HOOKS = Registry('hook', parent=_HOOKS, scope=SCOPE, locations=['mmlandslide.engine.hooks', 'mmlandslide.engine.mae_hooks'])
VISUALIZERS = Registry('visualizer', parent=_VISUALIZERS, scope=SCOPE, locations=['mmlandslide.engine.visualizer'])
VISBACKENDS = Registry('vis_backend', parent=_VISBACKENDS, scope=SCOPE, locations=['mmlandslide.engine.csv_backend'])
RUNNERS = Registry('runner', parent=_RUNNERS, scope=SCOPE, locations=['mmlandslide.engine.runner'])
