"""Last reconstruction panels of masked autoencoders, as `ReconstructionPanelsHook` draws them."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mmlandslide.errors import TileError
from mmlandslide.study.plan import Plan
from mmlandslide.study.report.tiles import jpeg_url
from mmlandslide.study.trial import Stage

_LARGEST_PX, _QUALITY = 2**24, 65  # a study has many of these pictures, and nothing thin is in them


@dataclass(frozen=True)
class Reconstruction:
    """A picture of some tiles: original, masked, reconstruction.

    Attributes:
        stage: name of the pre-training.
        epoch: after which it was drawn.
        url: of the picture, which it holds.
    """

    stage: str
    epoch: int
    url: str


def reconstructions(plan: Plan) -> list[Reconstruction]:
    """Return the last picture of each pre-training that has drawn any.

    Masked autoencoders alone do. Those of a protocol whose tiles may not be shown are left out.

    Args:
        plan: of the study.

    Raises:
        TileError: a file there is no picture, or an absurdly large one.
    """
    hidden = {
        stage.name
        for trial in plan.trials
        if not plan.specification.protocols[trial.condition.protocol].show_tiles
        for stage in trial.stages
    }
    return [
        Reconstruction(stage.name, *last)
        for stage in plan.stages.values()
        if stage.kind == 'pretrain'
        and stage.name not in hidden
        and (last := _last(stage)) is not None
    ]


def _last(stage: Stage) -> tuple[int, str] | None:
    """Return epoch and picture of the latest, `None` where there is none."""
    found = {
        int(match[1]): path
        for path in (stage.work_dir / 'reconstructions').glob('epoch_*.png')
        if (match := re.fullmatch(r'epoch_(\d+)\.png', path.name))
    }
    return (max(found), jpeg_url(_picture(found[max(found)]), _QUALITY)) if found else None


def _picture(path: Path) -> np.ndarray:
    """Return a picture as (H, W, 3) uint8."""
    try:
        with Image.open(path, formats=['PNG']) as picture:
            if picture.width * picture.height <= _LARGEST_PX:
                return np.asarray(picture.convert('RGB'))
            got = f'{picture.width} x {picture.height} px'
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on a broken file
        got = repr(str(error))
    raise TileError.mismatch(
        'picture', f'be a PNG of at most {_LARGEST_PX} px', got, path, 'Delete it'
    )
