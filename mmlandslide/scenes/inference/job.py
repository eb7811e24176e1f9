"""One inference job: a scene, a predictor, the settings, and the keys that identify its results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from mmlandslide import __version__
from mmlandslide.errors import ConfigError
from mmlandslide.evaluation.calibration.block_expectation import blocks_model_of
from mmlandslide.scenes.inference.grid import Grid
from mmlandslide.scenes.inference.predictor import Predictor
from mmlandslide.scenes.inference.run_key import digest
from mmlandslide.scenes.scene import Scene

#: Longest side of a block's windows laid side by side without overlap, and of a window: a block is
#: in memory, with all its bands.
_BLOCK_PX, _LARGEST_PX = 1024, 4096


@dataclass(frozen=True)
class Settings:
    """How a scene is cut into windows and their detections are merged.

    Attributes:
        window_px: side of the windows in px of the scene.
        overlap_px: of neighbouring windows; objects up to this size are whole in the window that
            owns them.
        origin_rc: see `Grid`.
        score_thr: detections with a lower score, or probability where the predictor is
            calibrated, are dropped.
        tta: test-time augmentation, one of `symmetry.VIEWS`.
        method: merging of overlapping boxes, one of `merge.METHODS`.
        iou_thr: IoU above which two boxes show one object.
        join: stitch the parts of objects that windows have cut.
        batch_size: windows per forward pass; it does not decide what is detected.
        expected: keep detections of every probability while windows are searched, so that they
            add up to expected numbers.
    """

    window_px: int = 128
    overlap_px: int = 32
    origin_rc: tuple[int, int] = (0, 0)
    score_thr: float = 0.3
    tta: str = 'none'
    method: str = 'nms'
    iou_thr: float = 0.5
    join: bool = False
    batch_size: int = 8
    expected: bool = False

    def grid(self, scene: Scene) -> Grid:
        """Return the windows over a scene, fewer of them per block the larger they are.

        Raises:
            ConfigError: they cannot be laid, or are too large for the memory.
        """
        if self.window_px > _LARGEST_PX:
            remedy = 'Pass for example 128: a scene of any size is cut into such windows'
            raise ConfigError.mismatch(
                'window',
                f'be at most {_LARGEST_PX} px',
                f'{self.window_px} px',
                'the settings',
                remedy,
            )
        block_windows = min(8, max(1, _BLOCK_PX // max(1, self.window_px)))
        return Grid(
            scene.height,
            scene.width,
            self.window_px,
            self.overlap_px,
            self.origin_rc,
            block_windows,
        )

    @property
    def window_score_thr(self) -> float:
        """Threshold while windows are searched."""
        return 0.0 if self.expected else self.score_thr

    @property
    def decisive(self) -> dict[str, Any]:
        """The settings that decide the content of a block."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ('batch_size', 'method', 'join')
        }


@dataclass(frozen=True, eq=False)
class InferenceJob:
    """A scene and all that decides what is detected in it.

    Attributes:
        scene: with the bands of the predictor.
        predictor: that detects landslides in windows.
        settings: how windows are laid and merged.
        model: identity of the predictor, of types that JSON has, for keys and the run record.
        device: that the predictor computes on, for the run record.
    """

    scene: Scene
    predictor: Predictor
    settings: Settings
    model: Mapping[str, Any]
    device: str = 'cpu'

    @property
    def calibration(self) -> Mapping[str, Any] | None:
        """What made the predictor's scores probabilities; `None` where they are its own."""
        found: Mapping[str, Any] | None = getattr(self.predictor, 'calibration', None)
        return found

    def require_expectable(self) -> None:
        """Refuse expected numbers where they cannot be known.

        Raises:
            ConfigError: the detector has no calibration of them, or the settings change what its
                probabilities add up to.
        """
        if not self.settings.expected:
            return
        plain = self.settings.method == 'nms' and self.settings.tta == 'none'
        lacking = {
            'a detector that is calibrated': blocks_model_of(self.calibration or {}) is None,
            'a scene on the map': self.scene.crs is None,
            'merging by nms, without --tta and --join': not plain or self.settings.join,
        }
        found = [name for name, lacks in lacking.items() if lacks]
        if found:
            remedy = 'Fit one with `mmlandslide calibrate`, or leave --expected away'
            raise ConfigError.mismatch(
                'expected numbers', f'have {found[0]}', 'none', self.scene.name, remedy
            )

    @cached_property
    def grid(self) -> Grid:
        """The windows over the scene.

        Raises:
            ConfigError: as `Settings.grid`.
        """
        return self.settings.grid(self.scene)

    @cached_property
    def block_key(self) -> str:
        """Digest of all that decides what a finished block holds."""
        return digest(
            {
                'version': __version__,
                'model': self.model,
                'scene': self.scene,
                'settings': self.settings.decisive,
                'grid': self.grid,
            }
        )

    @cached_property
    def result_key(self) -> str:
        """Digest of all that decides what is detected."""
        return digest(
            {'blocks': self.block_key, 'merge': (self.settings.method, self.settings.join)}
        )
