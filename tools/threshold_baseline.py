"""Score the best threshold of one band, or of NDVI, with connected components.

What a detector must beat. The threshold, its side and the score of a component are chosen on the
very tiles that are scored, so the figure flatters the baseline. Example: python
tools/threshold_baseline.py --data-root data/landslide4sense --split test --json baseline.json
"""

from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np
from rich.progress import track

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.boxes import RULES
from mmlandslide.datasets.storage.store import ensure_store
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.evaluation.average_precision import average_precision
from mmlandslide.evaluation.results import Rules, TileResult
from mmlandslide.files import write_json

MIN_PIXELS = 4


def layers(store: TileStore) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and values (N, H, W) of each band, of NDVI, and of each turned upside down, for low values."""
    tiles = np.stack([store.read(tile_id) for tile_id in store.ids])  # (N, 14, H, W)
    red, infrared = (tiles[:, LANDSLIDE4SENSE.index(name)] for name in ('B4', 'B8'))
    for name, values in [
        *zip(LANDSLIDE4SENSE, tiles.swapaxes(0, 1), strict=True),
        ('NDVI', (infrared - red) / (infrared + red + 1e-6)),
    ]:
        yield f'{name} high', values
        yield f'{name} low', -values


def components(values: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes (M, 4) xyxy of the components above a threshold, their mean excess and their size in pixels."""
    above = (values > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    excess = np.bincount(labels.ravel(), (values - threshold).ravel(), count) / np.maximum(
        stats[:, cv2.CC_STAT_AREA], 1
    )
    kept = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= MIN_PIXELS)
    kept = kept[kept > 0]
    x, y, width, height, area = stats[kept].T
    return (
        np.stack([x, y, x + width, y + height], 1).astype(np.float32),
        excess[kept],
        area.astype(float),
    )


@click.command(
    epilog='Example: python tools/threshold_baseline.py --data-root data/landslide4sense --split test'
)
@click.option(
    '--data-root', type=click.Path(path_type=Path), required=True, help='Landslide4Sense folder.'
)
@click.option('--split', default='test', show_default=True)
@click.option(
    '--steps',
    default=20,
    show_default=True,
    help='Thresholds tried for each band, at even quantiles.',
)
@click.option(
    '--json', 'json_path', type=click.Path(path_type=Path), help='Also write the result there.'
)
def main(data_root: Path, split: str, steps: int, json_path: Path | None) -> None:
    """Try every band, threshold and score; print the best AP50."""
    store = ensure_store(data_root, split)
    truth = [store.boxes(tile_id, RULES['components']) for tile_id in store.ids]
    best: dict[str, object] = {'AP50': -1.0}
    for name, values in track(list(layers(store)), 'thresholds'):
        for threshold in np.quantile(values, np.linspace(0.6, 0.995, steps)):
            found = [components(tile, threshold) for tile in values]
            for rank, score_of in enumerate(('mean excess', 'size'), 1):
                results = [
                    TileResult(
                        tile_id,
                        tile[0],
                        tile[rank],
                        np.zeros(len(tile[0]), np.int64),
                        true,
                        np.zeros(len(true), np.int64),
                    )
                    for tile_id, tile, true in zip(store.ids, found, truth, strict=True)
                ]
                ap50 = average_precision(results, Rules(iou_thrs=[0.5]), 1).metrics['AP50']
                if ap50 > best['AP50']:
                    best = {
                        'AP50': ap50,
                        'layer': name,
                        'threshold': float(threshold),
                        'score': score_of,
                    }
    click.echo(f'best threshold on {split}: {best}')
    if json_path:
        write_json(json_path, best)


if __name__ == '__main__':
    main()
