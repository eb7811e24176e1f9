"""Masks of clouds: what their values mean by their kind, and which kind a file is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling

from mmlandslide.errors import ConfigError, SceneError
from mmlandslide.scenes.frame import GeoBox, Window
from mmlandslide.scenes.inputs.checks.coverage import require_cover
from mmlandslide.scenes.inputs.formats.gdal import reading
from mmlandslide.scenes.inputs.formats.packages import local_path
from mmlandslide.scenes.inputs.options import PRODUCT_MASK, InputOptions
from mmlandslide.scenes.inputs.rasters import RasterFile

#: Probabilities from here on are clouds where the user names no other threshold, in percent.
DEFAULT_THRESHOLD = 50.0
#: Sets of values that a mask without a kind may hold.
_YES_NO = ({0.0, 1.0}, {0.0, 255.0}, {0.0, 100.0})
#: Side of the picture of a mask in which its values are looked at, in pixels.
_LOOK_PX = 1024

_Test = Callable[[np.ndarray, float], np.ndarray]


def _bits(bits: int) -> _Test:
    """Return the test for masks that set one of some bits where the ground is not seen."""
    return lambda values, threshold: (np.nan_to_num(values[0]).astype(np.int64) & bits) > 0


#: Kind of cloud mask -> whether its (C, h, w) values, NaN where unknown, mean no clear view of the
#: ground; probabilities (in percent of the second) from the threshold on.
KINDS: dict[str, _Test] = {
    'nonzero': lambda values, threshold: np.nan_to_num(values[0]) != 0,
    # Its counterpart: 0 where nothing is seen, such as Sentinel Hub's dataMask.
    'valid': lambda values, threshold: np.nan_to_num(values[0], nan=1.0) == 0,
    # Scene classification of level 2A: no data, saturated, cloud shadow, cloud of medium and high
    # probability, cirrus.
    'scl': lambda values, threshold: np.isin(values[0], (0, 1, 3, 8, 9, 10)),
    # Opaque cloud (bit 10) and cirrus (bit 11).
    'qa60': _bits(0b1100_0000_0000),
    # NASA's HLS: cloud (bit 1) and its shadow (bit 3).
    'fmask': _bits(0b1010),
    # MSK_CLASSI_B00 of level 1C: bands for opaque cloud, cirrus and snow; snow is ground to be
    # seen.
    'msk_classi': lambda values, threshold: (np.nan_to_num(values[:2]) != 0).any(axis=0),
    # Probabilities: of level 2A (0 to 100), of Sentinel Hub's s2cloudless (0 to 255), and 0 to 1.
    'cldprb': lambda values, threshold: np.nan_to_num(values[0]) >= threshold,
    'clp': lambda values, threshold: np.nan_to_num(values[0]) >= threshold * 2.55,
    'probability': lambda values, threshold: np.nan_to_num(values[0]) >= threshold / 100,
}
#: Kind -> the highest value that it can have.
_HIGHEST = {'scl': 11.0, 'cldprb': 100.0, 'clp': 255.0, 'probability': 1.0}
_SAMPLE_PX = 512
_BY_NAME = ('scl', 'qa60', 'fmask', 'msk_classi', 'cldprb', 'clp')


@dataclass(frozen=True)
class CloudMask:
    """Pixels whose ground cannot be seen. Where the mask has no value, the view counts as clear.

    Attributes:
        file: the mask.
        kind: of `KINDS`.
        threshold: of probabilities, in percent.
    """

    file: RasterFile
    kind: str
    threshold: float = DEFAULT_THRESHOLD

    def read(self, window: Window) -> np.ndarray:
        """Return (h, w) bool, true where cloudy."""
        return KINDS[self.kind](self.file.read(self._indexes, window), self.threshold)

    def share(self, frame: GeoBox) -> float:
        """Return which share of a scene it hides, of a sample of at most 512 px a side."""
        size_hw = (min(frame.height, _SAMPLE_PX), min(frame.width, _SAMPLE_PX))
        bands = [self.file.overview(each, size_hw, Resampling.nearest) for each in self._indexes]
        return float(KINDS[self.kind](np.stack(bands), self.threshold).mean())

    @property
    def _indexes(self) -> tuple[int, ...]:
        return (1, 2) if self.kind == 'msk_classi' else (1,)


def cloud_kind(name: str, stated: str | None) -> str:
    """Return the kind of a cloud mask: as stated, else by the name of its file, else `nonzero`.

    Raises:
        ConfigError: no such kind.
    """
    if stated is None:
        if 'datamask' in name.lower():
            return 'valid'
        return next((kind for kind in _BY_NAME if kind in name.lower()), 'nonzero')
    if stated.lower() not in KINDS:
        raise ConfigError.mismatch(
            'cloud kind',
            f'be one of {list(KINDS)}',
            repr(stated),
            'the options',
            'Name one of those',
        )
    return stated.lower()


def open_mask(
    frame: GeoBox, options: InputOptions, classification: tuple[Path, str] | None
) -> CloudMask | None:
    """Return the mask that a user names; `None` without one.

    Args:
        frame: of the scene.
        options: of the user.
        classification: the product's own, and its kind.

    Raises:
        ConfigError: an unknown kind, or a threshold for what is no probability.
        SceneError: a mask that cannot be read, has too few bands, does not cover the scene, or
            holds values that its kind cannot have.
    """
    if options.cloud_mask is None:
        return None
    if str(options.cloud_mask) == PRODUCT_MASK:
        path, kind = _of_product(classification, options)
    else:
        path = local_path(options.cloud_mask)
        kind = cloud_kind(path.stem, options.cloud_kind)
    file = RasterFile(path, frame, Resampling.nearest, zero_is_data=True)
    needed = 2 if kind == 'msk_classi' else 1
    if file.dataset.count < needed:
        raise SceneError.mismatch(
            f'cloud mask of kind {kind}',
            f'have {needed} bands',
            file.dataset.count,
            path,
            'Name its kind with --mask-kind',
        )
    require_cover(frame, file.own_frame, path, 'cloud mask')
    if options.check_values:
        _require_values(file, kind, asked=options.cloud_kind is None)
    if options.cloud_threshold is None:
        return CloudMask(file, kind)
    if kind not in ('cldprb', 'clp', 'probability'):
        remedy = 'Leave --mask-threshold out, or name the kind with --mask-kind'
        expected = 'belong to a mask of probabilities'
        raise ConfigError.mismatch('threshold', expected, f'kind {kind!r}', path, remedy)
    return CloudMask(file, kind, options.cloud_threshold)


def _of_product(classification: tuple[Path, str] | None, options: InputOptions) -> tuple[Path, str]:
    if classification is None:
        remedy = (
            'Name a mask with --mask FILE; older level-1C products have theirs as '
            'MSK_CLOUDS_B00.gml, '
            'which `gdal_rasterize -burn 1 -tr 20 20 -ot Byte` turns into a raster'
        )
        raise SceneError.mismatch(
            'scene', 'hold SCL, Fmask or MSK_CLASSI_B00', 'none', '--mask product', remedy
        )
    path, kind = classification
    return path, cloud_kind(path.stem, options.cloud_kind) if options.cloud_kind else kind


def _require_values(file: RasterFile, kind: str, asked: bool) -> None:
    """Refuse values that a mask's kind cannot have, and guess no kind from values."""
    dataset = file.dataset
    size_hw = (min(dataset.height, _LOOK_PX), min(dataset.width, _LOOK_PX))
    with reading(file.path):
        seen = np.unique(dataset.read(1, out_shape=size_hw, resampling=Resampling.nearest))
    values = seen[np.isfinite(seen)].astype(float)
    values = values[values != dataset.nodata] if dataset.nodata else values
    highest = float(values.max(initial=0.0))
    if kind == 'nonzero' and asked and not any(set(values.tolist()) <= each for each in _YES_NO):
        kinds = [name for name in KINDS if name != 'nonzero']
        raise SceneError.mismatch(
            'cloud mask',
            'hold 0 and 1 (or 255) where its name says no kind',
            f'values {[f"{value:g}" for value in values[:8]]}',
            file.path,
            f'Name its kind with --mask-kind: one of {kinds}, or nonzero if any value is cloud',
        )
    if highest > _HIGHEST.get(kind, np.inf):
        raise SceneError.mismatch(
            f'cloud mask of kind {kind}',
            f'hold values to {_HIGHEST[kind]:g}',
            f'{highest:g}',
            file.path,
            'Name its kind with --mask-kind',
        )
