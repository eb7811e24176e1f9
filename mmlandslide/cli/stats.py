"""`mmlandslide stats`: band statistics, box sizes and the anchors that fit them."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmlandslide import files
from mmlandslide.datasets import anchors as anchor_room
from mmlandslide.datasets.boxes import RULES, rule_named
from mmlandslide.datasets.labels.voc import paired_files, read_voc
from mmlandslide.datasets.statistics import QUANTILES, band_moments, measure_boxes, moments_by_band
from mmlandslide.datasets.storage.store import ensure_store
from mmlandslide.datasets.storage.store_file import TileStore
from mmlandslide.datasets.storage.tile_formats import image_hw
from mmlandslide.errors import ConfigError

if TYPE_CHECKING:
    from mmlandslide.datasets.views.masks import MaskFolderDataset

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command('stats')
@click.option(
    '--data-root',
    type=click.Path(path_type=Path),
    default=Path('data/landslide4sense'),
    show_default=True,
)
@click.option('--split', default='train', show_default=True)
@click.option(
    '--box-rule',
    type=click.Choice(list(RULES)),
    default='components',
    show_default=True,
    help='How a mask becomes boxes.',
)
@click.option(
    '--voc',
    'voc_folder',
    type=click.Path(path_type=Path),
    help='Measure the VOC boxes of this folder instead.',
)
@click.option(
    '--masks',
    'masks_folder',
    type=click.Path(path_type=Path),
    help='Measure this folder of images/ and masks/ instead.',
)
@click.option(
    '--source-bands',
    help='With --masks: the bands in its files, such as a,b,c, or a group, such as mars.',
)
@click.option(
    '--pattern', help='With --masks: regular expression whose first group is the id in a file name.'
)
@click.option(
    '--config', 'config_path', type=_FILE, help='Measure the anchors of this detection config, too.'
)
@click.option(
    '--input-px',
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help='Side at which the detector takes a tile.',
)
@click.option(
    '--json',
    'json_path',
    type=click.Path(path_type=Path),
    help='Write the numbers to this file, too.',
)
def command(
    data_root: Path,
    split: str,
    box_rule: str,
    voc_folder: Path | None,
    masks_folder: Path | None,
    source_bands: str | None,
    pattern: str | None,
    config_path: Path | None,
    input_px: int,
    json_path: Path | None,
) -> None:
    """Measure mean and spread of each band, box sizes, and anchors that reach them at IoU 0.5.

    Example: mmlandslide stats --data-root data/landslide4sense --split train --json stats.json
    """
    if (masks_folder is None) != (source_bands is None) or (
        masks_folder is None and pattern is not None
    ):
        raise click.UsageError('--masks and --source-bands go together, and --pattern with them')
    if masks_folder is not None and voc_folder is not None:
        raise click.UsageError('--masks and --voc name two data sets; measure one at a time')
    used = None if config_path is None else anchors_of(config_path)
    if voc_folder is not None:
        numbers = measure_boxes(*_voc_boxes(voc_folder), input_px, used)
    else:
        store = (
            ensure_store(data_root, split)
            if masks_folder is None
            else _mask_folder(masks_folder, source_bands, pattern).store
        )
        boxes = [store.boxes(tile_id, rule_named(box_rule)) for tile_id in store.ids]
        sides_px = [max(store.entry(tile_id).shape[1:]) for tile_id in store.ids]
        numbers = {'bands': _bands(store), **measure_boxes(boxes, sides_px, input_px, used)}
    show(numbers, config_path)
    if json_path is not None:
        files.write_json(json_path, numbers)


def anchors_of(config_path: Path) -> anchor_room.Anchors:
    """Return the anchors of a detection config.

    Raises:
        ConfigError: it has none with `octave_base_scale`, `scales_per_octave`, `ratios` and
            `strides`.
    """
    from mmengine.config import Config  # loads torch: seconds

    model = Config.fromfile(config_path).get('model', {})
    head = model.get('rpn_head', model.get('bbox_head', {}))
    generator = head.get('anchor_generator', {}) if isinstance(head, dict) else {}
    keys = ('octave_base_scale', 'scales_per_octave', 'ratios', 'strides')
    if not all(key in generator for key in keys):
        raise ConfigError.mismatch(
            'anchor_generator',
            f'have {list(keys)}',
            list(generator) or 'none',
            config_path,
            'Name a config such as those in configs/det',
        )
    base_scale, per_octave, ratios, strides = (generator[key] for key in keys)
    return anchor_room.Anchors(float(base_scale), int(per_octave), tuple(ratios), tuple(strides))


def show(numbers: dict[str, Any], config_path: Path | None = None) -> None:
    """Print the numbers as tables; `config_path` is the config whose anchors are among them."""
    console = Console()
    if 'bands' in numbers:
        table = Table(
            *('band', 'mean', 'std', 'min', 'max'), title='stored values', title_justify='left'
        )
        for name, row in numbers['bands'].items():
            table.add_row(name, *(f'{row[key]:.4f}' for key in ('mean', 'std', 'min', 'max')))
        console.print(table)
    table = Table('', *(f'{share:.0%}' for share in QUANTILES), title='boxes', title_justify='left')
    for name in ('sqrt_area_px', 'aspect_ratio', 'boxes_per_tile'):
        table.add_row(
            name, *(f'{value:.2f}' for value in numbers[name] or [math.nan] * len(QUANTILES))
        )
    console.print(table)
    console.print(f'{numbers["boxes"]} boxes on {numbers["tiles"]} tiles')
    for key, title in (('anchors', 'anchors'), ('anchors_of_config', f'anchors in {config_path}')):
        if key in numbers:
            console.print(
                f'{title}: ' + ', '.join(f'{name} {value}' for name, value in numbers[key].items()),
                soft_wrap=True,
            )


def _voc_boxes(folder: Path) -> tuple[list[np.ndarray], list[int]]:
    """Return the boxes and the longer side of each tile of a VOC folder, in either layout."""
    pairs = [(image_hw(image_path), xml_path) for image_path, xml_path in paired_files(folder)]
    boxes = [read_voc(xml_path, tile_hw)[0] for tile_hw, xml_path in pairs]
    return boxes, [max(tile_hw) for tile_hw, _ in pairs]


def _mask_folder(
    folder: Path, source_bands: str | None, pattern: str | None
) -> 'MaskFolderDataset':
    """Return the view of a folder of tiles and masks; `source_bands` as on the command line."""
    from mmlandslide.datasets.views.masks import PATTERN, MaskFolderDataset  # loads torch: seconds

    named = tuple(name.strip() for name in (source_bands or '').split(',') if name.strip())
    return MaskFolderDataset(
        data_root=folder, source_bands=named, name=folder.name, pattern=pattern or PATTERN
    )


def _bands(store: TileStore) -> dict[str, dict[str, float]]:
    ids = track(store.ids, 'reading', console=Console(stderr=True), transient=True)
    return moments_by_band(band_moments(map(store.read, ids)), store.bands)
