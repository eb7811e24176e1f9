"""ResNet-18 on RGB Landslide4Sense, 100 epochs, taught by Swin-B and by labels: not yet measured.

The teacher is what `supervised_l4s_swin_b_b432.py` trains; model.temperature and model.soft_weight
are the study's, 5 and .9.
"""

_base_ = ['./supervised_l4s_r18_b432.py', './_base_/runtime_distillation.py']
from mmlandslide.recipes import teacher_from

model = dict(
    type='mmlandslide.DistilledClassifier', teacher=teacher_from('supervised_l4s_swin_b_b432')
)
