"""`mmlandslide stats`: band statistics, box sizes and the anchors that fit them."""

import math
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmlandslide import files
from mmlandslide.datasets import anchors as anchor_room
from mmlandslide.datasets.boxes import RULES, rule_named
from mmlandslide.datasets.statistics import QUANTILES, BandMoments, band_moments, box_quantiles
from mmlandslide.datasets.store import TileStore, ensure_store


@click.command('stats')
@click.option('--data-root', type=click.Path(path_type=Path), default=Path('data/landslide4sense'), show_default=True)
@click.option('--split', default='train', show_default=True)
@click.option(
    '--box-rule', type=click.Choice(list(RULES)), default='components', show_default=True, help='How a mask becomes boxes.'
)
@click.option('--voc', 'voc_folder', type=click.Path(path_type=Path), help='Measure the VOC boxes of this folder instead.')
@click.option('--input-px', type=click.IntRange(1), default=256, show_default=True, help='Side at which the detector takes a tile.')
@click.option('--json', 'json_path', type=click.Path(path_type=Path), help='Write the numbers to this file, too.')
def command(data_root: Path, split: str, box_rule: str, voc_folder: Path | None, input_px: int, json_path: Path | None) -> None:
    """Measure mean and spread of each band, sizes of the boxes, and the anchors that reach them at IoU 0.5.

    Example: mmlandslide stats --data-root data/landslide4sense --split train --json stats.json
    """
    if voc_folder is None:
        store = ensure_store(data_root, split)
        boxes = [store.boxes(tile_id, rule_named(box_rule)) for tile_id in store.ids]
        sides_px = [max(store.entry(tile_id).shape[1:]) for tile_id in store.ids]
        numbers = {'bands': _bands(store), **measure_boxes(boxes, sides_px, input_px)}
    else:
        from mmlandslide.datasets.voc import image_hw, paired_files, read_voc  # loads torch: seconds

        pairs = paired_files(voc_folder)
        boxes = [read_voc(xml_path)[0] for _, xml_path in pairs]
        numbers = measure_boxes(boxes, [max(image_hw(image_path)) for image_path, _ in pairs], input_px)
    show(numbers)
    if json_path is not None:
        files.write_json(json_path, numbers)


def measure_boxes(boxes_per_tile: list[np.ndarray], sides_px: list[int], input_px: int) -> dict[str, Any]:
    """Return sizes of boxes and the anchors that fit them.

    Args:
        boxes_per_tile: (N, 4) xyxy each, in the tile's own px.
        sides_px: longer side of each tile.
        input_px: longer side at which the detector takes every tile.
    """
    boxes = [found * (input_px / side_px) for found, side_px in zip(boxes_per_tile, sides_px, strict=True)]
    scaled, input_hw = np.concatenate([np.zeros((0, 4)), *boxes]), (input_px, input_px)
    numbers: dict[str, Any] = {
        'tiles': len(boxes),
        'boxes': len(scaled),
        'quantiles': list(QUANTILES),
        **box_quantiles(boxes_per_tile),
    }
    if len(scaled):
        fitted = anchor_room.fit(scaled, input_hw)
        numbers['anchors'] = {
            'input_px': input_px,
            'octave_base_scale': fitted.octave_base_scale,
            'scales_per_octave': fitted.scales_per_octave,
            'ratios': list(fitted.ratios),
            'strides': list(fitted.strides),
            'recall_at_iou_50': anchor_room.recall(scaled, fitted, input_hw),
        }
    return numbers


def show(numbers: dict[str, Any]) -> None:
    """Print the numbers as tables."""
    console = Console()
    if 'bands' in numbers:
        table = Table(*('band', 'mean', 'std', 'min', 'max'), title='stored values', title_justify='left')
        for name, row in numbers['bands'].items():
            table.add_row(name, *(f'{row[key]:.4f}' for key in ('mean', 'std', 'min', 'max')))
        console.print(table)
    table = Table('', *(f'{share:.0%}' for share in QUANTILES), title='boxes', title_justify='left')
    for name in ('sqrt_area_px', 'aspect_ratio', 'boxes_per_tile'):
        table.add_row(name, *(f'{value:.2f}' for value in numbers[name] or [math.nan] * len(QUANTILES)))
    console.print(table)
    console.print(f'{numbers["boxes"]} boxes on {numbers["tiles"]} tiles')
    if 'anchors' in numbers:
        console.print('anchors: ' + ', '.join(f'{name} {value}' for name, value in numbers['anchors'].items()), soft_wrap=True)


def _bands(store: TileStore) -> dict[str, dict[str, float]]:
    ids = track(store.ids, 'reading', console=Console(stderr=True), transient=True)
    moments: BandMoments = band_moments(store.read(tile_id) for tile_id in ids)
    columns = zip(moments.mean, moments.std, moments.minimum, moments.maximum, strict=True)
    keys = ('mean', 'std', 'min', 'max')
    return {name: dict(zip(keys, map(float, column), strict=True)) for name, column in zip(store.bands, columns, strict=True)}
