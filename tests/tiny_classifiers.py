"""Classifiers on a one-block ViT, the teachers written as a training leaves them."""

import torch
from mmpretrain.structures import DataSample

from mmlandslide.models.classifier import ImageClassifier
from mmlandslide.models.distillation import DistilledClassifier

ARCH = {'embed_dims': 16, 'num_layers': 1, 'num_heads': 2, 'feedforward_channels': 32}


def parts(bands='all', num_classes=2, head=None):
    """Return the configs of a classifier at 32 px."""
    vit = {
        'type': 'mmlandslide.VisionTransformer',
        'arch': ARCH,
        'img_size': 32,
        'out_type': 'avg_featmap',
        'bands': bands,
    }
    loss = {'type': 'mmpretrain.CrossEntropyLoss'}
    head = {
        'type': 'mmpretrain.LinearClsHead',
        'num_classes': num_classes,
        'in_channels': 16,
        'loss': loss,
        **(head or {}),
    }
    return {
        'backbone': vit,
        'head': head,
        'data_preprocessor': {'type': 'mmlandslide.TilePreprocessor', 'bands': bands},
    }


def classifier(bands='all', num_classes=2, head=None, **options):
    """Return an initialised classifier."""
    model = ImageClassifier(**parts(bands, num_classes, head), **options)
    model.init_weights()
    return model


def samples(*labels):
    return [
        DataSample(metainfo={'img_id': str(index)}).set_gt_label(label)
        for index, label in enumerate(labels)
    ]


def batch(*labels, channels=14, seed=0):
    return torch.randn(
        len(labels), channels, 32, 32, generator=torch.Generator().manual_seed(seed)
    ), samples(*labels)


SEEN = {
    'tile_ids': ['landslide4sense:train/1'],
    'lineage': {'tile_ids': ['landslide4sense:train/9']},
}
TEXT = """model = dict(
    type='mmlandslide.ImageClassifier',
    backbone=dict(type='mmlandslide.VisionTransformer', arch={arch}, img_size=32,
                  out_type='avg_featmap', bands={bands}, pretrained=dict(checkpoint='work_dirs/absent')),
    head=dict(type='LinearClsHead', num_classes={num_classes}, in_channels=16),
    data_preprocessor=dict(type='mmlandslide.TilePreprocessor', bands={bands}, clip_std={clip_std}),
)
"""


def write_config(folder, bands='all', num_classes=2, clip_std=None):
    folder.mkdir(parents=True, exist_ok=True)
    text = TEXT.format(arch=ARCH, bands=repr(bands), num_classes=num_classes, clip_std=clip_std)
    (folder / 'teacher.py').write_text(text)
    return str(folder / 'teacher.py')


def write_teacher(folder, bands='all', num_classes=2, seed=0, **options):
    """Write config and checkpoint of a teacher; return what `model.teacher` names."""
    config = write_config(folder, bands, num_classes, **options)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = classifier(bands, num_classes)
    torch.save(
        {'state_dict': model.state_dict(), 'meta': {'mmlandslide': SEEN}}, folder / 'epoch_1.pth'
    )
    return {'config': config, 'checkpoint': str(folder)}


def student(teacher, **options):
    """Return a student of its teacher's architecture, with its layers' own initial weights."""
    cfg = {**parts(), **options}
    return DistilledClassifier(teacher=teacher, **cfg)
