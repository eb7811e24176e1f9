"""SparK of EfficientNet-Lite0, at the taps of the detector."""

_base_ = './model_spark.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmlandslide.EfficientNetLite',
        arch='lite0',
        bands='all',
        out_indices=(2, 3, 4, 5),
    )
)
