"""Frozen features of an encoder on the tiles of a data set, with what part of each place is landslide."""

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from mmlandslide import rng
from mmlandslide.datasets.storage.tiles import image_hw
from mmlandslide.datasets.views.view import TileView
from mmlandslide.devices import device_named
from mmlandslide.errors import ConfigError, DatasetError
from mmlandslide.evaluation.probing import Samples
from mmlandslide.registry import MODELS
from mmlandslide.weights import bridge
from mmlandslide.weights.report import TransferReport

#: Backbones of four stages, all of which are features; of others, those that the config takes out.
_FOUR_STAGES = ('ResNet', 'SwinTransformer')


@dataclass(frozen=True)
class Grid:
    """The places of a tile that have a feature vector and a label each.

    Attributes:
        cell_px: side of a place in the tile's own px; `None` for one place, the whole tile.
    """

    cell_px: int | None = None

    def shape_hw(self, tile_hw: tuple[int, int]) -> tuple[int, int]:
        """Return how many places a tile has in height and width."""
        if self.cell_px is None:
            return 1, 1
        height, width = tile_hw
        return max(1, round(height / self.cell_px)), max(1, round(width / self.cell_px))


@dataclass(frozen=True)
class Places:
    """The places of a data set's tiles.

    Attributes:
        features: (N, D) float32.
        share: (N,) float32 in [0, 1], of the place that is landslide.
        tiles: (N,) int, position of the tile in its view.
        where: folder of the tiles.
    """

    features: np.ndarray
    share: np.ndarray
    tiles: np.ndarray
    where: str

    def labelled(self, above: float) -> Samples:
        """Return the places with a label each: landslide where its share is above a bound."""
        return Samples(self.features, self.share > above, self.tiles, self.where)


class FrozenEncoder:
    """Preprocessor and backbone of a config, in evaluation mode and without gradients.

    Args:
        cfg: a pre-training or detection config of ours.
        stage: `all` stages side by side, or the `last` alone. A ResNet and a Swin give their four
            stages, other backbones the outputs that the config takes.
        seed: of the random weights.
        device: to compute on.

    Raises:
        ConfigError: the config has no backbone or no preprocessor of ours, or there is no such
            device.
    """

    def __init__(
        self, cfg: Mapping[str, Any], stage: str = 'all', seed: int = 0, device: str = 'cpu'
    ) -> None:
        backbone_cfg, preprocessor_cfg = parts(cfg)
        self.stage, self.device = stage, device_named(device)
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
        """Carry a checkpoint into the backbone, by the config's own rules (`stem`, `source`).

        Args:
            checkpoint: as `bridge.load_pretrained` takes it.

        Returns:
            The report, not yet shown.

        Raises:
            LandslideError: as `bridge.load_pretrained` does.
        """
        options = {
            name: value
            for name, value in self.pretrained.items()
            if name not in ('checkpoint', 'made_by')
        }
        with _without_info():
            return bridge.load_pretrained(self.backbone, checkpoint, **options)

    @torch.no_grad()
    def __call__(self, inputs: torch.Tensor, grid_hw: tuple[int, int]) -> np.ndarray:
        """Return the features of the places of tiles, each stage's map averaged over the place.

        Args:
            inputs: (B, C, H, W) as a view gives them.
            grid_hw: places in height and width.

        Returns:
            (B, places, D) float32, rows of places from above.

        Raises:
            ConfigError: several places are asked for and the tiles would be padded, or the backbone
                has no maps.
        """
        batch = self.preprocessor({'inputs': inputs})['inputs']
        outputs = self.backbone(batch)
        outputs = outputs[-1:] if self.stage == 'last' else outputs
        if grid_hw != (1, 1):
            _require_places(tuple(inputs.shape[-2:]), tuple(batch.shape[-2:]), outputs)
        maps = [output if output.ndim == 4 else output[..., None, None] for output in outputs]
        # Averages of whole pixels where a map is finer than the grid, copies of one pixel where it
        # is coarser.
        pooled = torch.cat(
            [F.adaptive_avg_pool2d(each.float(), grid_hw) for each in maps], 1
        )  # (B, D, h, w)
        return pooled.flatten(2).transpose(1, 2).cpu().numpy()


def parts(cfg: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the backbone and the preprocessor of a config, as dicts of their own.

    Raises:
        ConfigError: it lacks one of them.
    """
    model = cfg.get('model') or {}
    preprocessor = model.get('data_preprocessor', cfg.get('data_preprocessor'))
    return _ours(cfg, 'backbone', model.get('backbone')), _ours(
        cfg, 'data_preprocessor', preprocessor
    )


def _ours(cfg: Mapping[str, Any], name: str, part: Any) -> dict[str, Any]:
    """Return a part of a config's model, a dict of its own."""
    if isinstance(part, Mapping) and str(part.get('type')).startswith('mmlandslide.'):
        return dict(part)
    got = repr(part.get('type')) if isinstance(part, Mapping) else 'none'
    where = getattr(cfg, 'filename', None) or 'the config'
    remedy = 'Name a config such as those in configs/pretrain or configs/det'
    raise ConfigError.mismatch(
        f'model.{name}', "be one of ours ('mmlandslide....')", got, where, remedy
    )


def places(
    encoder: FrozenEncoder,
    view: TileView,
    grid: Grid,
    seed: int = 0,
    at_most: int | None = None,
    batch_size: int = 16,
) -> Places:
    """Return features and landslide share of the places of all tiles.

    Args:
        encoder: of the features.
        view: of the tiles, with masks or boxes.
        grid: places of a tile.
        seed: of the choice among places.
        at_most: places in all, evenly over tiles; `None` for every place.
        batch_size: tiles of one size that are computed at a time.

    Raises:
        DatasetError: a tile has neither mask nor boxes.
        ConfigError: as `FrozenEncoder` does.
    """
    quota = None if at_most is None else max(1, at_most // len(view))
    rows = []
    for positions, inputs in _batches(view, batch_size):
        shares = [landslide_share(view, position, grid) for position in positions]
        features = encoder(inputs, shares[0].shape)
        for position, feature, share in zip(positions, features, shares, strict=True):
            kept = _kept(share.size, quota, seed, view.get_data_info(position)['img_id'])
            rows.append((feature[kept], share.ravel()[kept], np.full(len(kept), position)))
    features, share, tiles = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Places(features, share, tiles, str(Path(view.get_data_info(0)['img_path']).parent))


def landslide_share(view: TileView, position: int, grid: Grid) -> np.ndarray:
    """Return what part of each place of a tile is landslide.

    Of its mask, or of its boxes where it has no mask.

    Returns:
        (h, w) float32 in [0, 1].

    Raises:
        DatasetError: the tile has neither.
    """
    mask = torch.from_numpy(_landslide(view, view.get_data_info(position)).astype(np.float32))
    height, width = mask.shape
    return F.adaptive_avg_pool2d(mask[None], grid.shape_hw((height, width)))[0].numpy()


def _landslide(view: TileView, info: Mapping[str, Any]) -> np.ndarray:
    """Return a tile's landslide pixels, (H, W) of 0 and 1, in its own frame."""
    store = getattr(view, 'store', None)
    if store is None and 'boxes_xyxy' in info:
        found = np.zeros(image_hw(Path(info['img_path'])), np.uint8)
        for left, top, right, bottom in np.rint(info['boxes_xyxy']).astype(int):
            found[top:bottom, left:right] = 1
        return found
    mask = None if store is None else store.mask(info['img_id'])
    if mask is None:
        raise DatasetError.mismatch(
            'tile',
            'have a mask or boxes',
            f'none for {info["img_id"]}',
            info['img_path'],
            'Probe on a split that is labelled',
        )
    return mask


def _batches(view: TileView, batch_size: int) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Yield positions and tiles (B, C, H, W), neighbours of one size together."""
    pairs = ((position, view[position]['inputs']) for position in range(len(view)))
    for _, same in itertools.groupby(pairs, key=lambda pair: pair[1].shape):
        while taken := list(itertools.islice(same, batch_size)):
            yield [position for position, _ in taken], torch.stack([inputs for _, inputs in taken])


def _kept(num_places: int, quota: int | None, seed: int, tile_id: str) -> np.ndarray:
    """Return which places of a tile are kept.

    All, or as many as the quota by a draw of the tile's own.
    """
    if quota is None or quota >= num_places:
        return np.arange(num_places)
    return np.sort(rng.generator(seed, 'places', tile_id).choice(num_places, quota, replace=False))


def _require_places(
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
