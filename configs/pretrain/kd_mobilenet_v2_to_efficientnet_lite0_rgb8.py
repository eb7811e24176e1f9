"""EfficientNet-Lite0 on windows of RGB tiles, 100 epochs, taught by MobileNetV2 and by labels.

Not yet measured. The teacher is what `supervised_windows_mobilenet_v2_rgb8.py` trains;
model.temperature and model.soft_weight are the study's, 5 and .9.
"""

_base_ = ['./supervised_windows_efficientnet_lite0_rgb8.py', './_base_/runtime_distillation.py']
from mmlandslide.recipes import teacher_from

model = dict(
    type='mmlandslide.DistilledClassifier',
    teacher=teacher_from('supervised_windows_mobilenet_v2_rgb8'),
)
