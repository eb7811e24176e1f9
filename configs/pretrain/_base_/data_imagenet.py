"""ImageNet-1k as `data/imagenet/{train,val}/<class>/*.JPEG`, 224 px, red, green and blue.

Trained on `train`, measured on `val`.
"""

_dataset = dict(type='mmlandslide.ImageFolderDataset', data_root='data/imagenet')
_pipeline = [dict(type='mmlandslide.CenterCrop', size_px=224), dict(type='mmlandslide.PackTile')]
_augmented = [
    dict(type='mmlandslide.RandomResizedCrop', size_px=224),
    dict(type='mmlandslide.RandomMirror'),
    dict(type='mmlandslide.ColorJitter'),
    dict(type='mmlandslide.PackTile'),
]
_loader = dict(
    batch_size=256, num_workers=8, persistent_workers=True, collate_fn=dict(type='default_collate')
)
train_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=True),
    dataset=dict(**_dataset, folder='train', pipeline=_augmented),
)
val_dataloader = dict(
    **_loader,
    sampler=dict(type='mmlandslide.TileSampler', shuffle=False, round_up=False),
    dataset=dict(**_dataset, folder='val', pipeline=_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, 5), collect_device='gpu')
test_evaluator = val_evaluator
del _pipeline, _dataset, _augmented, _loader
