"""Scored tiles on which a detector does well and badly, drawn with their boxes."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmlandslide.study.report.curves import TileOutcome
from mmlandslide.study.trial import Stage

#: Kind -> what the tiles of it show.
KINDS = {
    'best': 'Best: highest F1 among tiles with landslides',
    'missed': 'Missed: most true boxes without a hit',
    'false': 'False alarms: most boxes that hit nothing',
    'worst': 'Worst: lowest F1 where something was found',
}


@dataclass(frozen=True)
class TilePanel:
    """One tile with its boxes.

    Attributes:
        tile_id: of the tile.
        url: of the picture, which it holds.
        text: what is right and wrong in it.
    """

    tile_id: str
    url: str
    text: str


def choose(outcomes: Sequence[TileOutcome], count: int = 3) -> dict[str, list[TileOutcome]]:
    """Return tiles of each kind, none twice.

    Of equals, the one with more true boxes, then the first by id.

    Args:
        outcomes: of a scored set, at one score threshold.
        count: most tiles of a kind.

    Returns:
        Kind of `KINDS` -> its tiles; a kind without any is left out.
    """
    wanted: dict[str, tuple[Callable[[TileOutcome], bool], Callable[[TileOutcome], float]]] = {
        'best': (lambda each: each.hits > 0, lambda each: -each.f1),
        'missed': (lambda each: each.missed > 0, lambda each: -each.missed),
        'false': (lambda each: each.false > 0, lambda each: -each.false),
        'worst': (lambda each: each.hits > 0 and each.f1 < 1, lambda each: each.f1),
    }
    chosen: dict[str, list[TileOutcome]] = {}
    taken: set[str] = set()
    for kind, (fits, rank) in wanted.items():
        left = (each for each in outcomes if fits(each) and each.tile.tile_id not in taken)
        found = sorted(left, key=lambda each: (rank(each), -each.true, each.tile.tile_id))[:count]
        taken |= {each.tile.tile_id for each in found}
        chosen |= {kind: found} if found else {}
    return chosen


def read_images(
    test: Stage, tile_ids: Iterable[str]
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Read tiles as the data set of a test does, before any transform.

    Args:
        test: stage whose config and options name the data set.
        tile_ids: to read.

    Returns:
        Tile id -> (C, H, W) in the tile's own frame, and the names of the C bands.

    Raises:
        LandslideError: the data are not there, or do not hold such a tile.
        Exception: whatever a config of the user's raises when it is read.
    """
    from mmengine.config import Config  # these load torch and the hosts: seconds
    from mmengine.registry import DefaultScope

    from mmlandslide.errors import DatasetError
    from mmlandslide.registry import DATASETS

    cfg = Config.fromfile(test.config)
    kept = {key: value for key, value in test.options.items() if key.startswith('test_dataloader.')}
    cfg.merge_from_dict(kept)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': [], 'test_mode': True})
    places = {dataset.get_data_info(place)['img_id']: place for place in range(len(dataset))}
    missing = [tile_id for tile_id in tile_ids if tile_id not in places]
    if missing:
        remedy = 'Have the tiles in place that the test has scored'
        raise DatasetError.mismatch(
            'test data',
            f'hold tile {missing[0]!r}',
            f'{len(places)} others',
            test.config,
            remedy,
        )
    generator = np.random.default_rng(0)  # not drawn from: a tile is loaded, not transformed
    return {
        tile_id: dataset.load(places[tile_id], generator)['img'] for tile_id in tile_ids
    }, tuple(dataset.bands)


def draw(each: TileOutcome, image: NDArray[Any], bands: Sequence[str]) -> TilePanel:
    """Draw a tile with its true boxes and those predictions that reach the threshold.

    Args:
        each: the tile's boxes, in its own frame.
        image: (C, H, W).
        bands: C names.
    """
    from mmlandslide.datasets.display import detection_panel, zoom_to

    tile = each.tile
    kept = tile.scores.astype(np.float64) >= each.score_thr
    zoom = zoom_to(image.shape[-2:])
    picture = detection_panel(
        image, bands, tile.true_boxes_xyxy, tile.boxes_xyxy[kept], tile.scores[kept], zoom
    )
    text = f'{each.hits} hit, {each.false} false, {each.missed} missed'
    return TilePanel(tile.tile_id, jpeg_url(picture), text)


def jpeg_url(picture: NDArray[np.uint8], quality: int = 88) -> str:
    """Return a picture (H, W, 3) as a `data:` URL.

    Args:
        picture: to be compressed, each pixel with its own colour, so that thin lines keep theirs.
        quality: of JPEG, 1 to 95.
    """
    content = io.BytesIO()
    Image.fromarray(picture).save(content, 'JPEG', quality=quality, subsampling=0)
    return f'data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}'
