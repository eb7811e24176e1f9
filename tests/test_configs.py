"""Every config that a user can name, found by path.

It is sound, says what it does, and its model builds.
"""

import ast
import copy
import gc
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from config_faults import TOP_LEVEL, faults
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope

from mmlandslide.bands import GROUPS

CONFIGS = Path(__file__).parent.parent / 'configs'
BASES = sorted(path for path in CONFIGS.rglob('*.py') if path.parent.name == '_base_')
NAMED = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
#: Old names of configs, each for one release.
ALIASES = [path for path in NAMED if path.read_text().startswith('"""Old name of ')]
LEAVES = [path for path in NAMED if path not in ALIASES]

#: Content -> its word in the file's name: (type, size) of a backbone, and its patch where the
#: config names one.
BACKBONES_BY_NAME = {
    ('ResNet', 18): 'r18',
    ('ResNet', 50): 'r50',
    ('EfficientNet', 'b0'): 'efficientnet_b0',
    **{('EfficientNetLite', f'lite{size}'): f'efficientnet_lite{size}' for size in range(3)},
    ('MobileNetV2', None): 'mobilenet_v2',
    ('VisionTransformer', 'deit-tiny'): 'vit_t',
    ('VisionTransformer', 'base'): 'vit_b',
    ('VisionTransformer', 'large'): 'vit_l',
    ('SatMAEViT', 'base'): 'satmae_b',
    ('SatMAEViT', 'large'): 'satmae_l',
    ('VisionTransformer', 'base', 32): 'clip_b32',
    ('VisionTransformer', 'large', 14): 'clip_l14',
    ('SwinTransformer', 'nano'): 'demo',
    ('SwinTransformer', 'tiny'): 'swin_t',
    ('SwinTransformer', 'base'): 'swin_b',
}
BANDS_BY_NAME = {
    GROUPS['all']: [],
    GROUPS['rgb8']: ['rgb8'],
    GROUPS['rgb']: ['b432'],
    GROUPS['mars']: ['mars'],
}
#: Photographs have three bands; their data's own word says so.
DATA_BY_NAME = {
    'mmlandslide.Landslide4SenseClsDataset': ['l4s'],
    'mmlandslide.ImageFolderDataset': ['imagenet'],
    'mmlandslide.VOCTileDataset': ['windows'],
}
SWIN_MAE_SIZES = {'demo': ['demo'], 'swin_t': ['tiny'], 'swin_b': []}
DELTAS_BY_NAME = {
    'mmlandslide.NormalizedWasserstein': 'nwd',
    'mmlandslide.ReceptiveFieldAssigner': 'rfla',
    'mmlandslide.UncertainBBoxHead': 'kl',
}
#: Type of a model -> the words before those of its bands.
MODELS_BY_NAME = {
    'CascadeRCNN': lambda cfg: ['cascade_rcnn', backbone_word(cfg), *small(cfg)],
    'RTMDet': lambda cfg: ['rtmdet', backbone_word(cfg)],
    'DINO': lambda cfg: ['dino', backbone_word(cfg)],
    'FasterRCNN': lambda cfg: [
        'faster_rcnn',
        backbone_word(cfg),
        *small(cfg),
        *delta(cfg),
    ],
    'mmlandslide.SwinMAE': lambda cfg: ['swin_mae', *SWIN_MAE_SIZES[backbone_word(cfg)]],
    'mmlandslide.SparK': lambda cfg: ['spark', backbone_word(cfg)],
    'mmlandslide.MAE': lambda cfg: ['mae', backbone_word(cfg)],
    'mmlandslide.ImageClassifier': lambda cfg: ['supervised', *data_words(cfg), backbone_word(cfg)],
    'mmlandslide.DistilledClassifier': lambda cfg: [
        'kd',
        backbone_word(loaded(teacher_of(cfg))),
        'to',
        backbone_word(cfg),
    ],
}

pytestmark = pytest.mark.filterwarnings('ignore')


def named(path):
    return str(path.relative_to(CONFIGS))


every_leaf = pytest.mark.parametrize('path', LEAVES, ids=named)


@cache
def loaded(path):
    return Config.fromfile(path)


def built(path):
    """Return a config's model.

    Its weights are drawn as its layers do, and nothing pre-trained is read.
    """
    cfg = loaded(path)
    gc.collect()  # models hold themselves in circles, and those with a ViT-L take 1.2 GB each
    with DefaultScope.overwrite_default_scope(cfg.default_scope), torch.random.fork_rng():
        return MODELS.build(copy.deepcopy(cfg.model)).eval()


def views(cfg):
    """Return a config's datasets, pipelines built and no file looked at, by the key of their loader."""
    keys = [key for key in cfg if key.endswith('_dataloader')]
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return {
            key: DATASETS.build(dict(copy.deepcopy(cfg[key].dataset), lazy_init=True))
            for key in keys
        }


def backbone_word(cfg):
    backbone = cfg.model.backbone
    size = backbone.get('arch', backbone.get('depth'))
    kind = (backbone.type.removeprefix('mmlandslide.'), size)
    return BACKBONES_BY_NAME.get(
        (*kind, backbone.get('patch_size')), BACKBONES_BY_NAME.get(kind, f'unnamed {kind}')
    )


def data_words(cfg):
    return DATA_BY_NAME.get(cfg.train_dataloader.dataset.type, [])


def small(cfg):
    narrow = cfg.model.neck.get('out_channels') == 64 and backbone_word(cfg) != 'demo'
    return ['small'] if narrow else []


def delta(cfg):
    rpn, head = cfg.model.train_cfg.rpn.assigner, cfg.model.roi_head.bbox_head
    kinds = [rpn.type, rpn.get('iou_calculator', {}).get('type'), head.type]
    return [word for kind, word in DELTAS_BY_NAME.items() if kind in kinds]


def augmented(cfg):
    kinds = {step.type for step in cfg.train_dataloader.dataset.pipeline}
    words = {'mmlandslide.Mosaic': 'augmented', 'mmlandslide.RandomShiftAcross': 'across'}
    return [word for kind, word in words.items() if kind in kinds]


def strides_of(model):
    """Return the strides of a detector's levels; DINO has no priors, and names none."""
    head = getattr(model, 'rpn_head', model.bbox_head if hasattr(model, 'bbox_head') else None)
    generator = getattr(head, 'prior_generator', None)
    return [4, 8, 16, 32] if generator is None else [stride for stride, _ in generator.strides]


def teacher_of(cfg):
    """Return the config of a student's teacher."""
    return CONFIGS.parent / cfg.model.teacher.config


def name_of(path):
    """Return the name that a config's content asks for."""
    cfg = loaded(path)
    bands = (
        []
        if data_words(cfg) == ['imagenet']
        else ['dynahead']
        if views(cfg)['train_dataloader'].name == 'dynahead'
        else BANDS_BY_NAME[views(cfg)['train_dataloader'].bands]
    )
    protocol = [cfg.protocol] if cfg.protocol else []
    return '_'.join([*MODELS_BY_NAME[cfg.model.type](cfg), *bands, *augmented(cfg), *protocol])


def pretrained_by(path):
    """Return the config whose training a config starts from.

    `None` where that is a file, a package's weights, or nothing.
    """
    made_by = (loaded(path).model.backbone.get('pretrained') or {}).get('made_by')
    return made_by and CONFIGS.parent / made_by


def bands_of(cfg):
    return views(cfg)['train_dataloader'].bands


def tiles_of(path):
    """Return what names the tiles that a training sees.

    `None` where they are ImageNet's photographs, none of them a tile.
    """
    data = loaded(path).train_dataloader.dataset
    if data.type == 'mmlandslide.ImageFolderDataset':
        return None
    return [data.get(key) for key in ('data_root', 'split', 'folder', 'split_file')] + [
        loaded(path).protocol
    ]


def test_there_are_configs_of_both_stages():
    assert {path.parent.name for path in LEAVES} >= {'det', 'pretrain'}


@pytest.mark.parametrize('path', ALIASES, ids=named)
def test_an_old_name_is_one_line_that_leads_to_the_new_one(path):
    docstring, line = path.read_text().strip().split('\n\n')
    new = re.fullmatch(r"_base_ = '\./(\w+\.py)'", line)[1]
    assert docstring == f'"""Old name of {new}, for one release."""'
    assert loaded(path).to_dict() == loaded(path.with_name(new)).to_dict()


@every_leaf
def test_every_type_resolves_and_every_key_is_read(path):
    assert faults(loaded(path)) == []


@every_leaf
def test_a_leaf_is_one_sentence(path):
    text = path.read_text()
    docstring, first, *rest = ast.parse(text).body
    code = [
        line for line in text.splitlines()[docstring.end_lineno :] if line.split('#')[0].strip()
    ]
    assert isinstance(docstring.value.value, str)
    assert first.targets[0].id == '_base_'
    assert len(rest) <= 2
    assert len(code) <= 15
    assert all(
        node.targets[0].id in TOP_LEVEL for node in rest if not isinstance(node, ast.ImportFrom)
    )


@every_leaf
def test_the_file_name_says_what_the_config_holds(path):
    assert path.stem == name_of(path)


@every_leaf
def test_the_docstring_counts_as_the_config_does(path):
    cfg, sentence = loaded(path), ast.get_docstring(ast.parse(path.read_text()))
    for count in re.findall(r'(\d+) epochs', sentence):
        assert int(count) == cfg.train_cfg.max_epochs
    for count in re.findall(r'(\d+) bands', sentence):
        assert int(count) == len(views(cfg)['train_dataloader'].bands)


@every_leaf
def test_the_schedule_ends_with_the_training(path):
    cfg = loaded(path)
    assert [step.begin for step in cfg.param_scheduler] == [
        0,
        *(step.end for step in cfg.param_scheduler[:-1]),
    ]
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_epochs
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size


@every_leaf
def test_the_model_builds_and_all_its_parts_see_the_same_bands(path):
    model = built(path)
    bands = {key: view.bands for key, view in views(loaded(path)).items()}
    assert bands == dict.fromkeys(bands, model.backbone.bands)
    assert model.data_preprocessor.bands == model.backbone.bands
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, len(model.backbone.bands), 64, 64))
    assert features[0].isfinite().all()
    if path.parent.name == 'det':
        strides = strides_of(model)
        assert [level.shape[-1] for level in features] == [-(-64 // stride) for stride in strides]


@every_leaf
def test_a_backbone_starts_from_a_pretraining_of_its_own_kind(path):
    source = pretrained_by(path)
    if source:
        ours, theirs = loaded(path), loaded(source)
        assert source in LEAVES
        assert ours.model.backbone.pretrained.checkpoint == f'work_dirs/{source.stem}'
        assert backbone_word(theirs) == backbone_word(ours)
        assert theirs.model.backbone.get('window_size') == ours.model.backbone.get('window_size')
        assert bands_of(theirs) in (
            bands_of(ours),
            GROUPS['rgb8'],
        )  # other bands widen the stem of photographs


@every_leaf
def test_weights_that_no_config_makes_are_a_file_or_in_a_package(path):
    pretrained = loaded(path).model.backbone.get('pretrained')
    if pretrained and not pretrained.get('made_by'):
        assert re.fullmatch(r'data/weights/[^/]+|package://\w+/.+', pretrained.checkpoint)


def test_the_configs_that_say_pretrained_name_their_pretraining():
    saying = {
        path.stem
        for path in LEAVES
        if 'pre-trained' in ast.get_docstring(ast.parse(path.read_text()))
    }
    naming = {path.stem for path in LEAVES if loaded(path).model.backbone.get('pretrained')}
    assert saying == naming != set()


@every_leaf
def test_pretraining_sees_the_tiles_that_train_the_detector_and_no_other(path):
    source = pretrained_by(path)
    if source:
        assert tiles_of(source) in (None, tiles_of(path))


@every_leaf
def test_a_teacher_has_seen_the_tiles_of_its_student_in_the_same_bands(path):
    if 'teacher' in loaded(path).model:
        teacher = teacher_of(loaded(path))
        assert teacher in LEAVES
        assert loaded(path).model.teacher.checkpoint == f'work_dirs/{teacher.stem}'
        assert tiles_of(teacher) == tiles_of(path)
        assert set(bands_of(loaded(teacher))) <= set(bands_of(loaded(path)))


@every_leaf
def test_a_dumped_config_is_the_same_when_it_is_read_again(path, tmp_path):
    loaded(path).dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == loaded(path).to_dict()


@pytest.mark.parametrize('stage', ['det', 'pretrain'])
def test_a_top_level_key_has_one_owner(stage):
    owners = {}
    for path in (path for path in BASES if path.parents[1].name == stage):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Name)
                and isinstance(node.ctx, ast.Store)
                and not node.id.startswith('_')
            ):
                owners.setdefault(node.id, set()).add(path.stem.split('_')[0])
    assert {key: kinds for key, kinds in owners.items() if len(kinds) > 1} == {}
    assert set(owners) <= TOP_LEVEL


BROKEN = {
    'train_dataloader.dataset.data_rot': "train_dataloader = dict(dataset=dict(data_rot='data'))",
    'train_dataloader.num_worker': 'train_dataloader = dict(num_worker=0)',
    'model.backbone.drop_path_rat': 'model = dict(backbone=dict(drop_path_rat=0.2))',
    'model.backbone.pretrained.stemm': "model = dict(backbone=dict(pretrained=dict(stemm='zero')))",
    'model.neck.type': "model = dict(neck=dict(type='FPM'))",
    'model.rpn_head.anchor_generator.ratio': 'model = dict(rpn_head=dict(anchor_generator=dict(ratio=[1.0])))',
    'model.roi_head.bbox_roi_extractor.roi_layer.output': (
        'model = dict(roi_head=dict(bbox_roi_extractor=dict(roi_layer=dict(output=7))))'
    ),
    'model.train_cfg.rpn_proposal.nms_prre': 'model = dict(train_cfg=dict(rpn_proposal=dict(nms_prre=1000)))',
    'model.train_cfg.rcnn.sampler.nums': 'model = dict(train_cfg=dict(rcnn=dict(sampler=dict(nums=64))))',
    'model.test_cfg.rcnn.nms.iou': 'model = dict(test_cfg=dict(rcnn=dict(nms=dict(iou=0.5))))',
    'optim_wrapper.clip_grad.max': 'optim_wrapper = dict(clip_grad=dict(max=1.0))',
    'optim_wrapper.optimizer.learning_rate': 'optim_wrapper = dict(optimizer=dict(learning_rate=1.0))',
    'optim_wrapper.paramwise_cfg.custom_keys.norm.decay': (
        'optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(norm=dict(decay=0.0))))'
    ),
    'param_scheduler.ends': "param_scheduler = [dict(type='LinearLR', ends=3)]",
    'default_hooks.checkpoint.intervall': 'default_hooks = dict(checkpoint=dict(intervall=2))',
    'default_hooks.chekpoint': 'default_hooks = dict(chekpoint=dict(interval=2))',
    'env_cfg.mp': 'env_cfg = dict(mp=dict())',
    'test_evaluator.score': 'test_evaluator = dict(score=0.5)',
    'train_cfg.epochs': 'train_cfg = dict(epochs=3)',
    'train_pipeline': 'train_pipeline = []',
    'work_dir': "work_dir = 'elsewhere'",
}


@pytest.mark.parametrize(('where', 'line'), BROKEN.items(), ids=list(BROKEN))
def test_the_sweep_finds_a_mistyped_key(where, line, tmp_path):
    broken = tmp_path / 'broken.py'
    broken.write_text(f"_base_ = '{CONFIGS / 'det' / 'faster_rcnn_swin_t.py'}'\n{line}\n")
    assert where in {fault.split(':')[0] for fault in faults(Config.fromfile(broken))}
