"""A frozen encoder: preprocessor and backbone of a config, without gradients."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from mmlandslide.devices import device_named
from mmlandslide.errors import CheckpointError, ConfigError
from mmlandslide.registry import MODELS
from mmlandslide.weights import bridge, gate
from mmlandslide.weights.transfer.report import TransferReport

#: Backbones whose four stages all give features; others give the outputs that their config names.
_FOUR_STAGES = ('ResNet', 'SwinTransformer')


class FrozenEncoder:
    """Preprocessor and backbone of a config, in evaluation mode and without gradients.

    Args:
        cfg: a pre-training or detection config of mmlandslide.
        stage: `all` stages concatenated, or the `last` alone. A ResNet and a Swin give their four
            stages, other backbones the outputs that the config names.
        seed: of the random weights.
        device: to compute on.

    Raises:
        ConfigError: the config has no mmlandslide backbone or preprocessor, or there is no such
            device.
    """

    def __init__(
        self, cfg: Mapping[str, Any], stage: str = 'all', seed: int = 0, device: str = 'cpu'
    ) -> None:
        backbone_cfg, preprocessor_cfg = model_parts(cfg)
        self.stage, self.device = stage, device_named(device)
        self.notes: list[str] = []
        self.pretrained = dict(backbone_cfg.pop('pretrained', None) or {})
        if backbone_cfg['type'].removeprefix('mmlandslide.') in _FOUR_STAGES:
            backbone_cfg['out_indices'] = (0, 1, 2, 3)
        with (
            DefaultScope.overwrite_default_scope(cfg.get('default_scope')),
            torch.random.fork_rng(),
        ):
            torch.manual_seed(seed)
            self.backbone = MODELS.build(_mapped(backbone_cfg))
            with _without_info():
                self.backbone.init_weights()
            self.preprocessor = MODELS.build(preprocessor_cfg)
        for module in (self.backbone, self.preprocessor):
            module.to(self.device)
            module.train(False)

    def load(self, checkpoint: str) -> TransferReport:
        """Load a checkpoint into the backbone, by the config's own rules (`stem`, `source`).

        Args:
            checkpoint: as `bridge.load_pretrained` takes it.

        Returns:
            The report, not yet shown; `notes` then says what the probe feeds otherwise.

        Raises:
            LandslideError: as `bridge.load_pretrained` does.
        """
        options = {
            name: value
            for name, value in self.pretrained.items()
            if name not in ('checkpoint', 'made_by')
        }
        with _without_info():
            report = bridge.load_pretrained(self.backbone, checkpoint, **options)
        fed = SimpleNamespace(backbone=self.backbone, data_preprocessor=self.preprocessor)
        self.notes = gate.inherited_notes(report.record, gate.terms_of(fed), report.path)
        return report

    @torch.no_grad()
    def __call__(self, inputs: torch.Tensor, grid_hw: tuple[int, int]) -> np.ndarray:
        """Return the features of the cells of tiles, each stage's map averaged over the cell.

        Args:
            inputs: (B, C, H, W) as a view gives them.
            grid_hw: cells in height and width.

        Returns:
            (B, cells, D) float32, row by row from above.

        Raises:
            ConfigError: several cells are requested and the tiles would be padded, or the backbone
                has no feature maps.
            CheckpointError: the features are not finite.
        """
        batch = self.preprocessor({'inputs': inputs})['inputs']
        outputs = self.backbone(batch)
        outputs = outputs[-1:] if self.stage == 'last' else outputs
        if grid_hw != (1, 1):
            _require_cells(tuple(inputs.shape[-2:]), tuple(batch.shape[-2:]), outputs)
        maps = [output if output.ndim == 4 else output[..., None, None] for output in outputs]
        # Averages of whole pixels where a map is finer than the grid, copies of one pixel where it
        # is coarser.
        pooled = torch.cat(
            [F.adaptive_avg_pool2d(each.float(), grid_hw) for each in maps], 1
        )  # (B, D, h, w)
        if not bool(torch.isfinite(pooled).all()):
            got, where = 'NaN or infinite values', 'model.backbone'
            remedy = 'Probe another checkpoint, on tiles in the units that it was trained on'
            raise CheckpointError.mismatch('features', 'be finite', got, where, remedy)
        return pooled.flatten(2).transpose(1, 2).cpu().numpy()


def model_parts(cfg: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the backbone and the preprocessor of a config, as dicts of their own.

    Raises:
        ConfigError: it lacks one of them.
    """
    model = cfg.get('model') or {}
    preprocessor = model.get('data_preprocessor', cfg.get('data_preprocessor'))
    found = {'backbone': model.get('backbone'), 'data_preprocessor': preprocessor}
    backbone, preprocessor = (_part(cfg, name, part) for name, part in found.items())
    return backbone, preprocessor


def _part(cfg: Mapping[str, Any], name: str, part: Any) -> dict[str, Any]:
    """Return a part of a config's model, a dict of its own."""
    if isinstance(part, Mapping) and str(part.get('type')).startswith('mmlandslide.'):
        return dict(part)
    got = repr(part.get('type')) if isinstance(part, Mapping) else 'none'
    where = getattr(cfg, 'filename', None) or 'the config'
    remedy = 'Name a config such as those in configs/pretrain or configs/det'
    raise ConfigError.mismatch(
        f'model.{name}', "be an mmlandslide class ('mmlandslide....')", got, where, remedy
    )


def _require_cells(
    input_hw: tuple[int, ...], batch_hw: tuple[int, ...], outputs: Sequence[torch.Tensor]
) -> None:
    if input_hw != batch_hw:
        raise ConfigError.mismatch(
            'input',
            'need no padding for a probe of cells',
            f'{input_hw} padded to {batch_hw} px',
            'the tiles',
            'Pass --input-px',
        )
    flat = [tuple(output.shape) for output in outputs if output.ndim != 4]
    if flat:
        raise ConfigError.mismatch(
            'backbone',
            'give maps for a probe of cells',
            f'features of shape {flat[0]}',
            'model.backbone',
            'Probe with --level tile',
        )


def _mapped(backbone_cfg: dict[str, Any]) -> dict[str, Any]:
    """Return a backbone's config.

    A ViT gives the map of its patches, not a class token or all tokens in a row.
    """
    return (
        {**backbone_cfg, 'out_type': 'featmap'}
        if backbone_cfg['type'].endswith('VisionTransformer')
        else backbone_cfg
    )


@contextmanager
def _without_info() -> Iterator[None]:
    """Keep mmengine from printing each parameter that it initialises, and the bridge its report."""
    logger = MMLogger.get_current_instance()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
