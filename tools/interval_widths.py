"""Compare the widths of intervals that resample tiles and groups of neighbouring tiles.

On the same predictions, by the same bootstrap. Example: python tools/interval_widths.py
work_dirs/r18/predictions.json --grouping l4s_blocks
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from mmlandslide.evaluation.bootstrap import Grouping, draw, grouping_of, interval, single_tiles
from mmlandslide.evaluation.results import tile_result
from mmlandslide.files import write_json
from mmlandslide.study.statistics import Matched, average_precisions, match


def widths(matched: Matched, grouping: Grouping, resamples: int) -> list[dict[str, Any]]:
    """Return one row per score, with its interval by single tiles and by groups."""
    point = average_precisions(matched, np.ones((1, len(matched.tile_ids)), np.int64))
    drawn = {
        name: average_precisions(matched, draw(each, resamples=resamples).counts)
        for name, each in (('tiles', single_tiles(len(matched.tile_ids))), ('groups', grouping))
    }
    rows = []
    for score in ('AP50', 'AP'):
        edges = {name: interval(values[score]) for name, values in drawn.items()}
        spans = {name: high - low for name, (low, high) in edges.items()}
        ratio = spans['groups'] / spans['tiles']
        rows.append({'score': score, 'value': float(point[score][0]), **edges, 'ratio': ratio})
    return rows


@click.command(epilog='Example: python tools/interval_widths.py predictions.json')
@click.argument('predictions', type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option('--grouping', default='l4s_blocks', show_default=True, help='Or a file of id,group.')
@click.option('--block-tiles', default=4, show_default=True, help='Side of a block, tiles.')
@click.option('--resamples', default=2000, show_default=True)
@click.option('--json', 'json_path', type=click.Path(path_type=Path))
def main(
    predictions: Path, grouping: str, block_tiles: int, resamples: int, json_path: Path | None
) -> None:
    """Print AP50 and AP of PREDICTIONS (by LandslideMetric) with both 95 % intervals."""
    matched = match([tile_result(entry) for entry in json.loads(predictions.read_text())])
    groups = grouping_of(matched.tile_ids, grouping, block_tiles)
    rows = widths(matched, groups, resamples)
    click.echo(f'{groups.num_groups} groups ({groups.unit}) of {len(matched.tile_ids)} tiles')
    for row in rows:
        spans = [f'{name} [{row[name][0]:.3f}, {row[name][1]:.3f}]' for name in ('tiles', 'groups')]
        click.echo(
            f'{row["score"]:<5}{row["value"]:.3f}  {"  ".join(spans)}  width x {row["ratio"]:.2f}'
        )
    if json_path is not None:
        write_json(json_path, {**groups.as_dict(), 'resamples': resamples, 'rows': rows})


if __name__ == '__main__':
    main()
