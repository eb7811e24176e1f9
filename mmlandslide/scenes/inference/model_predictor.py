"""A trained PyTorch detector as a predictor: windows in stored units in, boxes in their px out.

PyTorch and its hosts are imported when a predictor is made, not with this module.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmlandslide.configs import native_scale, zoom_of_resize
from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.evaluation.calibration import calibrated, calibration_of
from mmlandslide.scenes.inference.predictor import WindowDetections

if TYPE_CHECKING:
    import torch
    from mmdet.structures import DetDataSample

logger = logging.getLogger(__name__)
_PREDICTED = ('bboxes', 'scores', 'side_stds')


class ModelPredictor:
    """MMDetection's detector of a config, with every parameter from a checkpoint.

    Args:
        config_path: of a detection config.
        checkpoint_path: of its training.
        device: such as `cpu` or `cuda:0`.
        amp: compute in half precision where that is safe: float16 on GPUs, bfloat16 on CPUs.
        accept: what the checkpoint may state otherwise than the config, see `gate.TERMS`.

    Attributes:
        config: the config.
        bands: names of the backbone's input bands.
        fill: the mean of each band, which normalisation makes zero.
        record: what the checkpoint states of its training, see `lineage.record`.
        notes: how the checkpoint differs from the config without being refused.
        zoom: factor by which windows are resized, as the config's test pipeline does.
        calibration: what makes scores probabilities, where the checkpoint carries it (see
            `mmlandslide calibrate`); `None` where it does not, and scores are the detector's own.

    Raises:
        MissingPathError: there is no such file.
        ConfigError: the config describes no detector over bands, or its test pipeline does more
            than zoom.
        CheckpointError: the checkpoint cannot be read safely.
        CheckpointMismatchError: it does not fill the model, or was trained on other bands.
    """

    def __init__(
        self,
        config_path: Path,
        checkpoint_path: Path,
        device: 'torch.device',
        amp: bool = False,
        accept: Sequence[str] = (),
    ) -> None:
        from mmlandslide.configs import read_config  # this loads the hosts and PyTorch: seconds
        from mmlandslide.models.finite_outputs import require_finite_outputs
        from mmlandslide.weights import gate
        from mmlandslide.weights.strict_load import fill

        if not config_path.is_file():
            raise MissingPathError.mismatch(
                'config', 'be a file', 'nothing', config_path, 'Check the path'
            )
        self.config = read_config(config_path)
        self.zoom = zoom_of(self.config, config_path)
        self.model = _built(self.config, config_path)
        self.bands: tuple[str, ...] = tuple(self.model.backbone.bands)
        terms = gate.terms_of(self.model, self.zoom, _classes(self.config))
        accept = [*accept, *gate.accepted(self.config.get(gate.OPTION, ()))]
        checkpoint, self.record, self.notes = gate.admit(checkpoint_path, terms, gate.TEST, accept)
        for note in self.notes:
            logger.warning(note)
        fill(self.model, checkpoint.get('state_dict', checkpoint), checkpoint_path)
        require_finite_outputs(self.model, checkpoint_path)
        self.calibration = calibration_of(self.record)
        self.device, self.amp = device, amp
        self.model.to(device)
        self.model.eval()
        if device.type == 'cpu':
            _lay_channels_last(self.model)
        self.fill: NDArray[np.float32] = self.model.data_preprocessor.mean.flatten().cpu().numpy()

    def predict(self, images: NDArray[np.float32]) -> Sequence[WindowDetections]:
        """Return what was detected in each of (B, C, h, w) windows, float32.

        Boxes (N, 4) and scores (N,), and the standard deviations (N, 4) of the boxes' sides from a
        head that predicts them.
        """
        found = [sample.pred_instances for sample in self.samples(images)]
        return [
            tuple(each[key].float().cpu().numpy() for key in _PREDICTED if key in each)
            for each in found
        ]

    def samples(self, images: NDArray[np.float32]) -> 'list[DetDataSample]':
        """Return MMDetection's sample of each of (B, C, h, w) windows.

        Its `pred_instances` are in the window's own pixels.

        Raises:
            CheckpointError: what the detector computes is not finite.
            ConfigError: the windows do not fit into the memory of the GPU.
        """
        import torch

        try:
            with torch.inference_mode():
                return self._samples(images)
        except torch.cuda.OutOfMemoryError as error:
            remedy = 'Lower --batch, or --window'
            raise ConfigError.mismatch(
                'batch', 'fit into the memory of the GPU', images.shape, self.device, remedy
            ) from error

    def _samples(self, images: NDArray[np.float32]) -> 'list[DetDataSample]':
        import torch
        from mmdet.structures import DetDataSample

        from mmlandslide.models.traceable_detector import zoomed

        height, width = images.shape[-2:]
        batch = torch.from_numpy(images).to(self.device, non_blocking=True)
        if self.device.type == 'cpu':  # small windows are laid out, and resized, in less time
            batch = batch.contiguous(memory_format=torch.channels_last)
        batch = zoomed(batch, self.zoom)
        scale = (batch.shape[-1] / width, batch.shape[-2] / height)
        meta = {
            'img_shape': tuple(batch.shape[-2:]),
            'ori_shape': (height, width),
            'scale_factor': scale,
            'bands': self.bands,
        }
        data = {'inputs': batch, 'data_samples': [DetDataSample(metainfo=meta) for _ in images]}
        half = torch.float16 if self.device.type == 'cuda' else torch.bfloat16
        with torch.autocast(self.device.type, half, enabled=self.amp):
            found: list[DetDataSample] = self.model.test_step(data)
        if self.calibration is not None:
            for each in found:
                scores = each.pred_instances.scores
                probable = calibrated(scores.float().cpu().numpy(), self.calibration)
                each.pred_instances.scores = torch.from_numpy(probable).to(scores)
        return found


def _lay_channels_last(model: 'torch.nn.Module') -> None:
    """Store convolutions as oneDNN computes them; features follow the layout of the weights.

    Saves 6 to 11 % of the time on CPUs (docs/speed.md), not measured on GPUs.
    """
    import torch

    model.to(memory_format=torch.channels_last)


def zoom_of(config: Mapping[str, Any], path: Path) -> float:
    """Return the factor by which the test pipeline resizes a tile with pixels of 10 m.

    Args:
        config: of a detector.
        path: of the config, for the error.

    Raises:
        ConfigError: the config has no test pipeline, or one that does more than resize and pack.
    """
    try:
        steps = list(config['test_dataloader']['dataset']['pipeline'])
    except (KeyError, TypeError) as error:
        remedy = 'Pass a detection config such as configs/det/faster_rcnn_r18.py'
        raise ConfigError.mismatch(
            'config', 'have test_dataloader.dataset.pipeline', 'none', path, remedy
        ) from error
    kinds = [str(step['type']).removeprefix('mmlandslide.') for step in steps]
    if kinds not in (['ResizeTile', 'PackDetection'], ['PackDetection']):
        expected = 'be an optional ResizeTile and PackDetection'
        remedy = 'Scenes are given to the model in no other way'
        raise ConfigError.mismatch('test pipeline', expected, kinds, path, remedy)
    resize = steps[0] if len(steps) == 2 else {'factor': 1.0}
    return zoom_of_resize(resize, native_scale(config))


def _classes(config: Any) -> list[str]:
    """Return the names of the config's test classes, none where it does not know them."""
    from mmlandslide.registry import DATASETS

    dataset = config['test_dataloader']['dataset']
    own = (dataset.get('metainfo') or {}).get('classes')
    kind = DATASETS.get(str(dataset.get('type')))
    return list(own or getattr(kind, 'METAINFO', {}).get('classes', ()))


def _built(config: Any, path: Path) -> Any:
    """Return the model of a config, its weights still random."""
    from mmengine.registry import DefaultScope

    from mmlandslide.registry import MODELS

    backbone = config.get('model', {}).get('backbone')
    if (
        not isinstance(backbone, Mapping)
        or 'bands' not in backbone
        or 'data_preprocessor' not in config['model']
    ):
        remedy = 'Pass a detection config such as configs/det/faster_rcnn_r18.py'
        raise ConfigError.mismatch(
            'config', 'describe a detector with bands', f'backbone {backbone}', path, remedy
        )
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet')):
        return MODELS.build({**config['model'], 'backbone': {**backbone, 'pretrained': None}})
