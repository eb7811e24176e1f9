"""Swin-T on Landslide4Sense, 14 bands, 200 epochs, taught by ViT-Large and by labels.

Not yet measured. The teacher is what `supervised_l4s_vit_l.py` trains; model.temperature and
model.soft_weight are the study's, 5 and .9.
"""

_base_ = ['./supervised_l4s_swin_t.py', './_base_/runtime_distillation.py']
from mmlandslide.recipes import teacher_from

model = dict(type='mmlandslide.DistilledClassifier', teacher=teacher_from('supervised_l4s_vit_l'))
